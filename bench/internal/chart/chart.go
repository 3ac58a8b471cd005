// Package chart draws what a run found as SVG.
package chart

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"image/color"
	"math"
	"regexp"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/m2mguard/m2mguard/bench/internal/suite"
)

// All draws every chart, by file name.
func All(r *suite.Results) (map[string][]byte, error) {
	charts := make(map[string][]byte)
	for name, draw := range map[string]func(*suite.Results) ([]byte, error){
		"requests.svg":   requests,
		"cost.svg":       cost,
		"algorithms.svg": algorithms,
		"rejected.svg":   rejected,
		"reuse.svg":      reused,
	} {
		svg, err := draw(r)
		if err != nil {
			return nil, fmt.Errorf("chart %s: %w", name, err)
		}
		charts[name] = svg
	}
	return charts, nil
}

// The colours: ours stands out, the limit is dark, peers stay behind. All stand on white,
// whatever the page around them.
var (
	seenColor  = color.NRGBA{0x0b, 0x72, 0x85, 0xff}
	firstColor = color.NRGBA{0x4d, 0xab, 0xbf, 0xff}
	limitColor = color.NRGBA{0x49, 0x50, 0x57, 0xff}
	dotColor   = color.NRGBA{0x86, 0x8e, 0x96, 0xff}
	peerColor  = color.NRGBA{0xc9, 0xce, 0xd4, 0xff}
	textColor  = color.NRGBA{0x21, 0x25, 0x29, 0xff}
	gridColor  = color.NRGBA{0xe9, 0xec, 0xef, 0xff}
)

// sans is the font of all text. It is as wide as Arial, which stands in for it
// where it is not installed.
var sans = font.Font{Typeface: "Liberation", Variant: "Sans"}

const (
	titleSize = vg.Length(16)
	textSize  = vg.Length(13)
	smallSize = vg.Length(12)
	width     = vg.Length(760)
)

// newPlot returns an empty plot in the common style.
func newPlot(title string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	p.Title.Padding = 10
	p.Title.TextStyle.Font = font.From(sans, titleSize)
	p.Title.TextStyle.Color = textColor
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font = font.From(sans, textSize)
		axis.Label.TextStyle.Color = textColor
		axis.Label.Padding = 6
		axis.Tick.Label.Font = font.From(sans, textSize)
		axis.Tick.Label.Color = textColor
		axis.LineStyle.Color = limitColor
	}
	p.Legend.TextStyle.Font = font.From(sans, textSize)
	p.Legend.TextStyle.Color = textColor
	return p
}

// render writes p as an SVG document, with a description for those who do not see it.
func render(p *plot.Plot, height vg.Length, description string) ([]byte, error) {
	canvas := vgsvg.New(width, height)
	page := draw.New(canvas)
	page.FillPolygon(color.White, []vg.Point{page.Min, {X: page.Max.X, Y: page.Min.Y}, page.Max, {X: page.Min.X, Y: page.Max.Y}})
	const margin = 12
	p.Draw(draw.Crop(page, margin, -2*margin, margin, -margin))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	// vgsvg names the one family; viewers without it need to know another.
	text := strings.ReplaceAll(b.String(), "font-family:Liberation Sans;", "font-family:'Liberation Sans',Arial,Helvetica,sans-serif;")
	head, rest, found := strings.Cut(text, "\n<g ")
	if !found {
		return nil, errors.New("vgsvg draws in another form")
	}
	head = strings.Replace(head, "<svg ", `<svg role="img" aria-labelledby="title desc" `, 1)
	text = fmt.Sprintf("%s\n<title id=\"title\">%s</title>\n<desc id=\"desc\">%s</desc>\n<g %s", head, html.EscapeString(p.Title.Text), html.EscapeString(description), rest)
	return []byte(ourName.ReplaceAllString(text, "fill:#0B7285$1")), nil
}

// ourName is what comes before a text that says m2mguard: it has the colour of our bars.
var ourName = regexp.MustCompile(`fill:#212529("\s*>[^<]*m2mguard)`)

// timeAxis makes an axis of nanoseconds logarithmic, from a power of ten below
// all values to room times the highest of them.
func timeAxis(axis *plot.Axis, values []float64, room float64) {
	lowest, highest := math.Inf(1), 0.0
	for _, v := range values {
		lowest, highest = min(lowest, v), max(highest, v)
	}
	axis.Scale = plot.LogScale{}
	axis.Min = math.Pow(10, math.Floor(math.Log10(lowest)))
	axis.Max = room * highest
	axis.Tick.Marker = plot.TickerFunc(func(from, to float64) []plot.Tick {
		var ticks []plot.Tick
		for v := from; v <= to; v *= 10 {
			ticks = append(ticks, plot.Tick{Value: v, Label: round(v)})
		}
		return ticks
	})
}

// round labels a power of ten of nanoseconds.
func round(ns float64) string {
	switch {
	case ns < 999:
		return fmt.Sprintf("%.0f ns", ns)
	case ns < 999e3:
		return fmt.Sprintf("%.0f µs", ns/1e3)
	default:
		return fmt.Sprintf("%.0f ms", ns/1e6)
	}
}

// precise labels a bar with its value.
func precise(ns float64) string {
	switch {
	case ns < 999.5:
		return fmt.Sprintf("%.0f ns", ns)
	case ns < 9995:
		return fmt.Sprintf("%.2f µs", ns/1e3)
	case ns < 99_950:
		return fmt.Sprintf("%.1f µs", ns/1e3)
	case ns < 999_500:
		return fmt.Sprintf("%.0f µs", ns/1e3)
	default:
		return fmt.Sprintf("%.2f ms", ns/1e6)
	}
}
