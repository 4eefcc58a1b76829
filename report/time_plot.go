package report

import (
	"fmt"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/toriibench/toriibench/results"
)

const (
	// mostPoints is how many points a line over time has at most; more bins
	// than that are drawn by the highest of each few.
	mostPoints = 600
	// dense is from how many points on lines are drawn finer.
	dense = 200
	// mostPanels bounds the panels of a picture.
	mostPanels = 8

	panelHeight = vg.Length(150)
	panelHead   = vg.Length(21)
)

// timeFigure draws a scenario over time, a panel for each client and in it the
// targets. It is nil, with the reason, when no cell has a series.
func timeFigure(run *results.Run, log *results.Log, s *scenario) (f *figure, why string) {
	x, y, stride := timeSpans(s)
	if y.empty() {
		return nil, "no cell has a latency over time"
	}
	g := timeGrid{
		scenario: s, clients: s.clients[:min(len(s.clients), mostPanels)],
		x: x, y: y.onLog(0.08), stride: stride, marks: mergeMarks(s, x),
		disturbed: disturbedCells(log, s),
	}
	if len(g.disturbed) > 0 {
		g.y = y.onLog(0.16) // The bars take the top.
	}
	g.levels = stagger(g.marks, x)
	return &figure{
		title:  clean(s.name) + ": response time of all operations over the run",
		lines:  subtitle(run, s),
		legend: append(timeLegend(s), g.disturbed.legend()...),
		notes:  timeNotes(s, stride, g.disturbed),
		height: g.height(),
		body:   g.draw,
	}, ""
}

// timeGrid is the body of a picture over time: panels one above the other that
// share their axes.
type timeGrid struct {
	scenario *scenario
	clients  []string
	x, y     span
	stride   int
	marks    []results.Mark
	levels   markLevels
	// disturbed are the seconds that do not tell of the server alone.
	disturbed disturbed
}

// inset is what the last panel's labels take at its left, right and bottom over
// what a panel without them takes.
func (g *timeGrid) inset() (left, right, bottom vg.Length) {
	area := draw.Canvas{Rectangle: vg.Rectangle{Max: vg.Point{X: contentWidth, Y: 10 * vg.Inch}}}
	with, without := g.panel(true).DataCanvas(area), g.panel(false).DataCanvas(area)
	return with.Min.X - without.Min.X, without.Max.X - with.Max.X, with.Min.Y - without.Min.Y
}

func (g *timeGrid) height() vg.Length {
	_, _, axis := g.inset()
	return g.levels.height() + vg.Length(len(g.clients))*(panelHead+panelHeight) + axis
}

func (g *timeGrid) draw(c draw.Canvas) {
	left, right, axis := g.inset()
	top := c.Max.Y - g.levels.height()
	for i, client := range g.clients {
		bottom := top - panelHead - panelHeight
		area := draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: c.Min.X, Y: bottom}, Max: vg.Point{X: c.Max.X, Y: top - panelHead},
		}}
		last := i == len(g.clients)-1
		if last {
			area.Min.Y -= axis
		} else {
			area = draw.Crop(area, left, -right, 0, 0)
		}
		p := g.panel(last)
		addSeries(p, g.scenario, client, g.stride)
		addDisturbances(p, g.scenario, client, g.disturbed)
		p.Add(markLines{g.marks, g.levels, i == 0})
		p.Draw(area)
		data := p.DataCanvas(area)
		c.FillText(bold(letters(smallSize+0.5, 50)), vg.Point{X: data.Min.X, Y: data.Max.Y + 5}, panelTitle(g.scenario, client))
		top = bottom
	}
}

// panel labels its x axis only when it is the last.
func (g *timeGrid) panel(last bool) *plot.Plot {
	p := newPanel(secondTicks(g.x), g.y, 10)
	p.X.Min, p.X.Max = g.x.min, g.x.max
	if last {
		p.X.Label.Text = "seconds since measuring began"
		return p
	}
	p.X.Tick.Marker = plot.ConstantTicks(nil)
	return p
}

// timeSpans finds the range of all cells and how many bins make one point.
func timeSpans(s *scenario) (x, y span, stride int) {
	x, y, stride = span{}, emptySpan(), 1
	for _, c := range s.cells {
		n := len(c.Series.Count)
		x.include(float64(n) * c.Series.BinMS / 1e3)
		stride = max(stride, (n+mostPoints-1)/mostPoints)
		for _, values := range [][]*float64{c.Series.P50, c.Series.P99, c.Series.Max} {
			for _, v := range values {
				if v != nil && *v > 0 {
					y.include(*v)
				}
			}
		}
	}
	return x, y, stride
}

// timeLegend has the targets' colours and then the kinds of line.
func timeLegend(s *scenario) []entry {
	colours := palette(s)
	var legend []entry
	for _, target := range s.targets {
		legend = append(legend, entry{shortTarget(target), lineSample(draw.LineStyle{Color: colours[target], Width: 3.2})})
	}
	p50, p99, dots := timeStyles(ink(60))
	return append(legend,
		entry{"p50", lineSample(p50)}, entry{"p99", lineSample(p99)}, entry{"max", dotSample(dots)})
}

// timeStyles are those of the median, the 99th percentile and the maximum.
func timeStyles(colour color.NRGBA) (p50, p99 draw.LineStyle, dots draw.GlyphStyle) {
	return draw.LineStyle{Color: faded(colour, 0.55), Width: faintWidth, Dashes: []vg.Length{3, 1.8}},
		draw.LineStyle{Color: colour, Width: 1.5},
		draw.GlyphStyle{Color: faded(colour, 0.6), Radius: 1.3, Shape: draw.CircleGlyph{}}
}

func timeNotes(s *scenario, stride int, d disturbed) []string {
	bin := s.cells[0].Series.BinMS * float64(stride)
	note := fmt.Sprintf("Each point holds the operations that were due in %s ms; its p99 shows the course of things and is no number to quote.", digits3(bin))
	if stride > 1 {
		note = fmt.Sprintf("Each point is the highest of %d bins in a row, %s ms in all.", stride, digits3(bin))
	}
	if more := d.note(); more != "" {
		return []string{note, more}
	}
	return []string{note}
}

// panelTitle names the client and the cells that are not valid.
func panelTitle(s *scenario, client string) string {
	var doubts []string
	for _, target := range s.targets {
		if c := s.find(target, client); c != nil && c.Verdict != results.Valid {
			doubts = append(doubts, fmt.Sprintf("%s (%s)", shortTarget(target), c.Verdict))
		}
	}
	if len(doubts) == 0 {
		return clean(client)
	}
	return clean(client) + " – " + strings.Join(doubts, ", ")
}

func addSeries(p *plot.Plot, s *scenario, client string, stride int) {
	colours := palette(s)
	var over []plot.Plotter
	for _, target := range s.targets {
		c := s.find(target, client)
		if c == nil {
			continue
		}
		p50, p99, dots := timeStyles(colours[target])
		if len(c.Series.Count)/stride > dense {
			p99.Width, dots.Radius = 1, 1
		}
		bin := c.Series.BinMS / 1e3
		p.Add(scatter{join(runs(c.Series.Max, bin, stride)), dots})
		for _, line := range runs(c.Series.P50, bin, stride) {
			p.Add(polyline{line, p50})
		}
		for _, line := range runs(c.Series.P99, bin, stride) {
			over = append(over, polyline{line, p99})
		}
	}
	p.Add(over...)
}

// runs gives the points of a series in the middle of their bins, broken where
// a bin has no value. Of each stride bins the highest stands for all.
func runs(values []*float64, bin float64, stride int) []plotter.XYs {
	var all []plotter.XYs
	open := false
	for i := 0; i < len(values); i += stride {
		v, ok := highest(values[i:min(i+stride, len(values))])
		if !ok {
			open = false
			continue
		}
		if !open {
			all, open = append(all, nil), true
		}
		at := (float64(i) + float64(stride)/2) * bin
		all[len(all)-1] = append(all[len(all)-1], plotter.XY{X: at, Y: v})
	}
	return all
}

// highest is that of the values above zero.
func highest(values []*float64) (v float64, ok bool) {
	for _, p := range values {
		if p != nil && *p > 0 {
			v, ok = math.Max(v, *p), true
		}
	}
	return v, ok
}

func join(lines []plotter.XYs) plotter.XYs {
	var all plotter.XYs
	for _, l := range lines {
		all = append(all, l...)
	}
	return all
}

// scatter draws points.
type scatter struct {
	points plotter.XYs
	style  draw.GlyphStyle
}

// Plot implements plot.Plotter.
func (s scatter) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	for _, xy := range s.points {
		c.DrawGlyph(s.style, vg.Point{X: tx(xy.X), Y: ty(xy.Y)})
	}
}
