package chart

import (
	"cmp"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"

	"github.com/m2mguard/m2mguard/bench/internal/measure"
	"github.com/m2mguard/m2mguard/bench/internal/suite"
)

// requests is how many requests a second get through a socket by who guards the handler.
func requests(r *suite.Results) ([]byte, error) {
	shown := make(map[string][]measure.Result)
	for _, m := range r.Sockets.One {
		framework := "net/http"
		if strings.HasPrefix(m.Name, "Echo") {
			framework = "Echo"
		}
		shown[framework] = append(shown[framework], m)
	}
	var texts []string
	var rates [][2]float64 // with one token, and with many
	for _, framework := range []string{"net/http", "Echo"} {
		group := shown[framework]
		if len(texts) > 0 {
			texts, rates = append(texts, ""), append(rates, [2]float64{}) // a gap
		}
		slices.SortStableFunc(group, func(a, b measure.Result) int {
			if c := cmp.Compare(rank(a.Name), rank(b.Name)); c != 0 {
				return c // the measure of the others stands first
			}
			return cmp.Compare(a.Time, b.Time)
		})
		for _, m := range group {
			texts = append(texts, m.Name)
			rates = append(rates, [2]float64{1e9 / m.Time, 1e9 / r.Sockets.Many.Get(m.Name).Time})
		}
	}
	p := newPlot("Requests a second through a real socket, client and server on the same cores")
	var list []bar
	highest := 0.0
	for i, name := range texts {
		if name == "" {
			continue
		}
		dark, pale := colorsOf(name)
		at := place(i, len(texts))
		list = append(list,
			bar{at + 0.2, rates[i][0], dark, rate(rates[i][0])},
			bar{at - 0.2, rates[i][1], pale, rate(rates[i][1])})
		highest = max(highest, rates[i][0], rates[i][1])
	}
	p.X.Min, p.X.Max = 0, highest*1.12
	p.X.Tick.Marker = plot.TickerFunc(everyNice)
	p.X.Label.Text = "requests a second"
	names(&p.Y, texts)
	p.Add(verticals{}, bars{list, 13})
	p.Legend.Add("upper, darker bar: one RS256 token", swatch{seenColor, dotColor})
	p.Legend.Add("lower, paler bar: "+thousands(suite.TokensInTurn)+" tokens in turn", swatch{firstColor, peerColor})
	p.Legend.Top = true
	p.Legend.Padding = 4
	p.Y.Max += 1.3 // room for the legend above the bars
	return render(p, 510, "Bars of requests a second for net/http and Echo, each unguarded, guarded by m2mguard and guarded by other libraries: "+
		"dark with one token, pale with many in turn. The m2mguard bars are teal.")
}

// rank puts a server without a guard before the others.
func rank(name string) int {
	if strings.HasSuffix(name, ", unguarded") {
		return 0
	}
	return 1
}

// colorsOf are those of a party with one token and with many.
func colorsOf(name string) (dark, pale color.Color) {
	switch {
	case rank(name) == 0:
		return limitColor, dotColor
	case strings.HasSuffix(name, "m2mguard"):
		return seenColor, firstColor
	default:
		return dotColor, peerColor
	}
}

// rate labels a bar with three digits.
func rate(perSecond float64) string {
	step := math.Pow(10, max(0, math.Floor(math.Log10(perSecond))-2))
	return thousands(int(math.Round(perSecond/step) * step))
}

// everyNice ticks an axis of counts at round numbers, at most eight of them.
func everyNice(from, to float64) []plot.Tick {
	step := 1.0
	for i := 0; (to-from)/step > 8; i++ {
		step *= []float64{2, 2.5, 2}[i%3] // 1, 2, 5, 10
	}
	var ticks []plot.Tick
	for v := from; v <= to; v += step {
		ticks = append(ticks, plot.Tick{Value: v, Label: thousands(int(v))})
	}
	return ticks
}
