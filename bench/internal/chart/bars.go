package chart

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// bar is a horizontal bar that begins at the left edge, whatever the scale;
// plotter.BarChart begins at zero, which a logarithmic scale does not have.
type bar struct {
	at    float64 // the place on the vertical axis
	value float64
	color color.Color
	label string // what is written behind it
}

// bars draws bars and writes the label behind each.
type bars struct {
	list      []bar
	thickness vg.Length
}

var _ plot.Plotter = bars{}

// Plot implements plot.Plotter.
func (b bars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := text.Style{
		Color: textColor, Font: font.From(sans, smallSize), Handler: p.TextHandler,
		XAlign: draw.XLeft, YAlign: draw.YCenter,
	}
	for _, bar := range b.list {
		middle, end := y(bar.at), x(bar.value)
		low, high := middle-b.thickness/2, middle+b.thickness/2
		c.FillPolygon(bar.color, []vg.Point{{X: c.Min.X, Y: low}, {X: end, Y: low}, {X: end, Y: high}, {X: c.Min.X, Y: high}})
		from, to := end+5, end+7+style.Width(bar.label) // no line runs through the label
		c.FillPolygon(color.White, []vg.Point{{X: from, Y: low}, {X: to, Y: low}, {X: to, Y: high}, {X: from, Y: high}})
		c.FillText(style, vg.Point{X: from, Y: middle + 2}, bar.label)
	}
}

// verticals draws a pale line at each tick of the horizontal axis.
type verticals struct{}

var _ plot.Plotter = verticals{}

// Plot implements plot.Plotter.
func (verticals) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	for _, tick := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
		at := x(tick.Value)
		c.StrokeLine2(draw.LineStyle{Color: gridColor, Width: 1}, at, c.Min.Y, at, c.Max.Y)
	}
}

// swatch is a square in a legend, of a strip for each colour.
type swatch []color.Color

var _ plot.Thumbnailer = swatch{}

// Thumbnail implements plot.Thumbnailer.
func (s swatch) Thumbnail(c *draw.Canvas) {
	width := (c.Max.X - c.Min.X) / vg.Length(len(s))
	for i, color := range s {
		left := c.Min.X + vg.Length(i)*width
		c.FillPolygon(color, []vg.Point{{X: left, Y: c.Min.Y}, {X: left + width, Y: c.Min.Y}, {X: left + width, Y: c.Max.Y}, {X: left, Y: c.Max.Y}})
	}
}

// names puts a name at each whole number of an axis, the first on top, and
// hides its ticks.
func names(axis *plot.Axis, list []string) {
	axis.Min, axis.Max = -0.6, float64(len(list))-0.4
	axis.Tick.Length = 0
	axis.LineStyle.Width = 0
	axis.Tick.Marker = plot.TickerFunc(func(float64, float64) []plot.Tick {
		var ticks []plot.Tick
		for i, name := range list {
			ticks = append(ticks, plot.Tick{Value: place(i, len(list)), Label: name})
		}
		return ticks
	})
}

// place is where the i-th of n names stands.
func place(i, n int) float64 { return float64(n - 1 - i) }
