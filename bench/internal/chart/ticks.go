package chart

import (
	"fmt"
	"strconv"

	"gonum.org/v1/plot"
)

// microseconds ticks an axis of nanoseconds at whole numbers of microseconds.
type microseconds struct{}

var _ plot.Ticker = microseconds{}

// Ticks implements plot.Ticker.
func (microseconds) Ticks(from, to float64) []plot.Tick {
	step := 20e3
	for (to-from)/step > 8 {
		step *= 2
	}
	var ticks []plot.Tick
	for v := from; v <= to; v += step {
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%.0f", v/1e3)})
	}
	return ticks
}

// powers ticks an axis of counts at the powers of ten.
type powers struct{}

var _ plot.Ticker = powers{}

// Ticks implements plot.Ticker.
func (powers) Ticks(_, to float64) []plot.Tick {
	var ticks []plot.Tick
	for n := 1; float64(n) <= to; n *= 10 {
		ticks = append(ticks, plot.Tick{Value: float64(n), Label: thousands(n)})
	}
	return ticks
}

// thousands writes a number with commas.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
