package report

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// span is a range of values on an axis. The zero value is not empty: use
// emptySpan.
type span struct{ min, max float64 }

func emptySpan() span { return span{math.Inf(1), math.Inf(-1)} }

func (s *span) include(v float64) {
	s.min, s.max = math.Min(s.min, v), math.Max(s.max, v)
}

func (s *span) empty() bool { return s.min > s.max }

// onLog widens a span of values above zero by a share of its length on a log
// axis, and to a factor of three at least.
func (s *span) onLog(share float64) span {
	low, high := math.Log10(s.min), math.Log10(s.max)
	pad := math.Max((high-low)*share, (math.Log10(3)-(high-low))/2)
	pad = math.Max(pad, 0)
	return span{math.Pow(10, low-pad), math.Pow(10, high+pad)}
}

// latencyTicks marks 1, 2 and 5 times the powers of ten, in microseconds, and
// labels them with a unit: all, or only the powers of ten where that would be
// more than most labels.
func latencyTicks(s span, most float64) []plot.Tick {
	wide := math.Log10(s.max/s.min)*3 > most
	var ticks []plot.Tick
	first, last := int(math.Floor(math.Log10(s.min))), int(math.Ceil(math.Log10(s.max)))
	for e := first; e <= last; e++ {
		for _, m := range []float64{1, 2, 5} {
			v := m * math.Pow10(e)
			if v < s.min || v > s.max {
				continue
			}
			t := plot.Tick{Value: v}
			if m == 1 || !wide {
				t.Label = tickLatency(v)
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// tickLatency has no zeros after the point.
func tickLatency(micros float64) string {
	switch {
	case micros >= 1e6:
		return strconv.FormatFloat(micros/1e6, 'g', 6, 64) + " s"
	case micros >= 1e3:
		return strconv.FormatFloat(micros/1e3, 'g', 6, 64) + " ms"
	default:
		return strconv.FormatFloat(micros, 'g', 6, 64) + " µs"
	}
}

// percentileTicks labels x = 1/(1-q) with the percentile, as far as most.
func percentileTicks(most float64) []plot.Tick {
	all := []plot.Tick{
		{Value: 1, Label: "0 %"},
		{Value: 2, Label: "50 %"},
		{Value: 4, Label: "75 %"},
		{Value: 10, Label: "90 %"},
		{Value: 1e2, Label: "99 %"},
		{Value: 1e3, Label: "99.9 %"},
		{Value: 1e4, Label: "99.99 %"},
		{Value: 1e5, Label: "99.999 %"},
		{Value: 1e6, Label: "99.9999 %"},
	}
	var ticks []plot.Tick
	for _, t := range all {
		if t.Value <= most {
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// secondTicks marks at most about ten round seconds.
func secondTicks(s span) []plot.Tick {
	step := math.Pow10(int(math.Floor(math.Log10((s.max - s.min) / 10))))
	for _, m := range []float64{1, 2, 5, 10} {
		if (s.max-s.min)/(m*step) <= 12 {
			step *= m
			break
		}
	}
	var ticks []plot.Tick
	const most = 20
	for i := 0; i <= most; i++ {
		v := float64(i) * step
		if v > s.max {
			break
		}
		ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', 6, 64)})
	}
	return ticks
}

// newPanel is a plot in the style of all pictures, with the ticks x and a log
// axis of latencies with at most most labels, and without a background, a title
// or a legend of its own.
func newPanel(x []plot.Tick, y span, most float64) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	p.Y.Min, p.Y.Max = y.min, y.max
	p.Y.Scale = plot.LogScale{}
	ticks := latencyTicks(y, most)
	p.X.Tick.Marker = plot.ConstantTicks(x)
	p.Y.Tick.Marker = plot.ConstantTicks(ticks)
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Padding = 0
		a.LineStyle = draw.LineStyle{Color: ink(120), Width: 0.8}
		a.Tick.LineStyle = a.LineStyle
		a.Tick.Length = 4
		align(&a.Tick.Label.Font, smallSize)
		a.Tick.Label.Color = ink(60)
		align(&a.Label.TextStyle.Font, bodySize)
		a.Label.TextStyle.Color = ink(40)
		a.Label.Padding = 5
	}
	p.Add(grid{x, ticks})
	return p
}

// align sets a font's face and size in place.
func align(f *font.Font, size vg.Length) { *f = letters(size, 0).Font }

// grid draws lines at ticks, those with a label a little stronger. It has its
// own, because an axis without labels has none.
type grid struct{ x, y []plot.Tick }

// Plot implements plot.Plotter.
func (g grid) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	for _, t := range g.x {
		x := tx(t.Value)
		c.StrokeLine2(gridLine(t), x, c.Min.Y, x, c.Max.Y)
	}
	for _, t := range g.y {
		y := ty(t.Value)
		c.StrokeLine2(gridLine(t), c.Min.X, y, c.Max.X, y)
	}
}

func gridLine(t plot.Tick) draw.LineStyle {
	if t.Label == "" {
		return draw.LineStyle{Color: ink(240), Width: 0.5}
	}
	return draw.LineStyle{Color: ink(222), Width: 0.6}
}
