package chart

import (
	"cmp"
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/m2mguard/m2mguard/bench/internal/measure"
	"github.com/m2mguard/m2mguard/bench/internal/suite"
)

// cost is what one request's token costs each party: the chart for the README.
func cost(r *suite.Results) ([]byte, error) {
	v := r.Verify[0]
	labels := map[string]string{
		suite.Seen:  "m2mguard, token seen before",
		suite.First: "m2mguard, token seen first",
		suite.Bare:  "RS256 alone (crypto/rsa)",
	}
	colors := map[string]color.Color{suite.Seen: seenColor, suite.First: firstColor, suite.Bare: limitColor}
	shown := slices.DeleteFunc(slices.Clone(v.One), func(m measure.Result) bool {
		return m.Name == suite.FirstCached || m.Name == suite.Observed || m.Name == suite.Metered || m.Name == suite.EachMetered || m.Name == suite.Primitive
	})
	slices.SortFunc(shown, func(a, b measure.Result) int { return cmp.Compare(a.Time, b.Time) })

	p := newPlot("What verifying a bearer token costs a request (RS256, one core)")
	var list []bar
	var texts []string
	var values []float64
	for i, m := range shown {
		label, ours := labels[m.Name]
		if !ours {
			label = m.Name
		}
		paint := colors[m.Name]
		if paint == nil {
			paint = peerColor
		}
		texts = append(texts, label)
		values = append(values, m.Time)
		list = append(list, bar{place(i, len(shown)), m.Time, paint, precise(m.Time)})
	}
	timeAxis(&p.X, values, 2.5)
	p.X.Label.Text = "time per token, logarithmic"
	names(&p.Y, texts)
	p.Add(verticals{}, bars{list, 20})
	return render(p, 90+vg.Length(len(list))*30, "Bars of the time that one RS256 token takes, on a logarithmic scale: m2mguard for a token seen before and one seen first, "+
		"the signature alone, and other libraries, the fastest first.")
}

// algorithms is what a first sight costs by algorithm, between the limit and the
// fastest peer.
func algorithms(r *suite.Results) ([]byte, error) {
	p := newPlot("A token seen for the first time, by algorithm (one core)")
	var list []bar
	var texts []string
	longest := 0.0
	sorted := slices.SortedFunc(slices.Values(r.Verify), func(a, b suite.Verify) int {
		return cmp.Compare(a.One.Get(suite.First).Time, b.One.Get(suite.First).Time)
	})
	for i, v := range sorted {
		at := place(i, len(sorted))
		peer := suite.FastestPeer(v.One)
		texts = append(texts, v.Algorithm)
		list = append(list,
			bar{at + 0.26, v.One.Get(suite.Bare).Time, limitColor, precise(v.One.Get(suite.Bare).Time)},
			bar{at, v.One.Get(suite.First).Time, firstColor, precise(v.One.Get(suite.First).Time)},
			bar{at - 0.26, peer.Time, peerColor, precise(peer.Time)})
		longest = max(longest, peer.Time)
	}
	p.X.Min, p.X.Max = 0, longest*1.15
	p.X.Tick.Marker = microseconds{}
	p.X.Label.Text = "time per token in microseconds"
	names(&p.Y, texts)
	p.Add(verticals{}, bars{list, 16})
	p.Legend.Add("the signature alone, by the standard library", swatch{limitColor})
	p.Legend.Add("m2mguard, all checks", swatch{firstColor})
	p.Legend.Add("the fastest other library", swatch{peerColor})
	p.Legend.Top = true
	p.Legend.Padding = 4
	p.Y.Max += 0.9 // room for the legend above the bars
	return render(p, 400, "For each algorithm three bars of time in microseconds: the signature alone, m2mguard with all checks, and the fastest other library.")
}

// rejected is what tokens cost that can be refused without a verification.
func rejected(r *suite.Results) ([]byte, error) {
	p := newPlot("Refusing a bad token (one core)")
	var ours, theirs plotter.XYs
	var texts []string
	var values []float64
	sorted := slices.SortedFunc(slices.Values(r.Rejected), func(a, b suite.Rejected) int {
		return cmp.Compare(a.One.Get(suite.Ours).Time, b.One.Get(suite.Ours).Time)
	})
	for i, kind := range sorted {
		texts = append(texts, kind.Kind)
		at := place(i, len(sorted))
		for _, m := range kind.One {
			point := plotter.XY{X: m.Time, Y: at}
			switch m.Name {
			case suite.Bare:
			case suite.Ours:
				ours = append(ours, point)
			default:
				theirs = append(theirs, point)
			}
			values = append(values, m.Time)
		}
	}
	timeAxis(&p.X, values, 1.5)
	p.X.Label.Text = "time per token, logarithmic"
	names(&p.Y, texts)
	p.Y.Max += 1.1 // room for the legend above the dots

	limit := r.Verify[0].One.Get(suite.Bare).Time
	line, err := plotter.NewLine(plotter.XYs{{X: limit, Y: p.Y.Min}, {X: limit, Y: float64(len(texts)) - 0.5}})
	if err != nil {
		return nil, err
	}
	line.Color, line.Width, line.Dashes = limitColor, 1.5, []vg.Length{5, 4}
	peers, err := dots(theirs, dotColor, 5)
	if err != nil {
		return nil, err
	}
	own, err := dots(ours, seenColor, 7)
	if err != nil {
		return nil, err
	}
	low, high := p.Y.Min, p.Y.Max
	p.Add(verticals{}, line, peers, own)
	p.Y.Min, p.Y.Max = low, high
	p.Legend.Add("m2mguard", own)
	p.Legend.Add("other libraries", peers)
	p.Legend.Add("one RS256 verification", line)
	p.Legend.Top = true
	p.Legend.Left = true
	p.Legend.Padding = 4
	return render(p, 390, "For each kind of bad token a large dot for m2mguard and small ones for other libraries, at the time that refusing takes on a logarithmic scale; "+
		"a dashed line marks one RS256 verification.")
}

func dots(points plotter.XYs, paint color.Color, radius vg.Length) (*plotter.Scatter, error) {
	s, err := plotter.NewScatter(points)
	if err != nil {
		return nil, err
	}
	s.GlyphStyle = draw.GlyphStyle{Color: paint, Radius: radius, Shape: draw.CircleGlyph{}}
	return s, nil
}

// reused is how often the cache hits.
func reused(r *suite.Results) ([]byte, error) {
	p := newPlot("Hit rate of the verified-token cache, Zipf-shaped reuse")
	var ours, ideal plotter.XYs
	for _, u := range r.Reuse {
		ours = append(ours, plotter.XY{X: float64(u.Distinct), Y: u.Hits * 100})
		ideal = append(ideal, plotter.XY{X: float64(u.Distinct), Y: u.Ideal * 100})
	}
	ideals, err := plotter.NewLine(ideal)
	if err != nil {
		return nil, err
	}
	ideals.Color, ideals.Width, ideals.Dashes = limitColor, 2, []vg.Length{6, 4}
	line, points, err := plotter.NewLinePoints(ours)
	if err != nil {
		return nil, err
	}
	line.Color, line.Width = seenColor, 2.5
	points.GlyphStyle = draw.GlyphStyle{Color: seenColor, Radius: 4.5, Shape: draw.CircleGlyph{}}
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = gridColor, gridColor
	p.Add(grid, line, points, ideals)
	p.X.Scale = plot.LogScale{}
	p.X.Tick.Marker = powers{}
	p.X.Label.Text = "distinct tokens, for a cache of " + thousands(r.Memory.Entries) + " entries"
	p.Y.Min, p.Y.Max = 0, 100
	p.Y.Tick.Marker = plot.ConstantTicks{{Value: 0, Label: "0 %"}, {Value: 25, Label: "25 %"}, {Value: 50, Label: "50 %"}, {Value: 75, Label: "75 %"}, {Value: 100, Label: "100 %"}}
	p.Y.Label.Text = "hits"
	p.Legend.Add("m2mguard", line, points)
	p.Legend.Add("ideal LRU of the same size", ideals)
	p.Legend.Padding = 4
	p.Legend.Left = true
	p.Legend.YOffs, p.Legend.XOffs = 10, 10
	return render(p, 360, "Lines of the share of hits over the number of distinct tokens: m2mguard close below an ideal LRU of the same size.")
}
