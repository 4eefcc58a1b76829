package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/toriibench/toriibench/results"
)

const (
	// leastTail is how many samples must lie above the last point of a line.
	leastTail = 10
	// quotedTail is how many must lie above a percentile that is quoted; a
	// line goes on faint above it. It is that of [results.Samples].
	quotedTail = 400
	// linePoints is how many points a line has at most.
	linePoints = 500
)

// percentileLine walks a histogram of nanoseconds and gives the points
// x = 1/(1-q), y = the q-quantile in microseconds, evenly spaced on a log axis,
// from the first percentile (the few smallest values would stretch the axis and
// tell nothing) to the last quantile with leastTail samples above it. It is nil
// when there is no way between the two.
func percentileLine(h *hdrhistogram.Histogram) plotter.XYs {
	n := float64(h.TotalCount())
	last := n / leastTail
	const first = 1 / (1 - 0.01)
	if last <= first {
		return nil
	}
	line := make(plotter.XYs, 0, linePoints)
	var seen int64
	next := 0
	for _, bar := range h.Distribution() {
		seen += bar.Count
		for next < linePoints {
			x := first * math.Pow(last/first, float64(next)/(linePoints-1))
			if rank := max(1, math.Ceil(n*(1-1/x)-1e-6)); float64(seen) < rank {
				break
			}
			if bar.To > 0 {
				line = append(line, plotter.XY{X: x, Y: float64(bar.To) / 1e3})
			}
			next++
		}
	}
	return line
}

// split cuts a line where fewer than quotedTail samples lie above. Both parts
// hold the point where they meet.
func split(line plotter.XYs, n int64) (firm, faint plotter.XYs) {
	limit := float64(n) / quotedTail
	at := slices.IndexFunc(line, func(p plotter.XY) bool { return p.X > limit })
	switch {
	case at < 0:
		return line, nil
	case at == 0:
		return nil, line
	default:
		return line[:at], line[at-1:]
	}
}

// percentileSeries is a cell with its line.
type percentileSeries struct {
	cell *results.Cell
	line plotter.XYs
	n    int64
	bars []bar
}

// percentileFigure draws an operation of a scenario, a line for each cell. It is
// nil, with the reason, when there is nothing to draw.
func percentileFigure(run *results.Run, log *results.Log, s *scenario, operation string) (f *figure, why string) {
	var series []percentileSeries
	y, x := emptySpan(), emptySpan()
	for _, c := range s.cells {
		tagged := log.Get(c.ID(), operation, results.ClockResponse)
		if tagged == nil {
			continue
		}
		line := percentileLine(tagged.Merged)
		if len(line) == 0 {
			continue
		}
		one := percentileSeries{c, line, tagged.Merged.TotalCount(), intervalBars(c, operation)}
		for _, p := range line {
			x.include(p.X)
			y.include(p.Y)
		}
		for _, b := range one.bars {
			y.include(b.low)
			y.include(b.high)
		}
		series = append(series, one)
	}
	if log == nil {
		return nil, "the run has no histogram log"
	}
	if len(series) == 0 {
		return nil, fmt.Sprintf("no cell has more than %d operations of %q in the histogram log", leastTail, operation)
	}
	f = &figure{
		title:  clean(s.name) + ": response time of " + clean(operation) + " by percentile",
		lines:  subtitle(run, s),
		notes:  percentileNotes(log, series),
		height: 4.1 * vg.Inch,
	}
	f.legend, f.body = percentileBody(s, series, percentilePanel(x, y.onLog(0.06)))
	return f, ""
}

func percentileNotes(log *results.Log, series []percentileSeries) []string {
	notes := []string{fmt.Sprintf(
		"Response time counts from when an operation was due. Lines are faint where fewer than %d samples lie above, and end where fewer than %d do.",
		quotedTail, leastTail)}
	if slices.ContainsFunc(series, func(one percentileSeries) bool { return len(one.bars) > 0 }) {
		notes = append(notes, "Bars are 95 % confidence intervals that are wider than the line, side by side in the order of the legend.")
	}
	if log.Partial {
		notes = append(notes, "The run did not close its log: it ended early, and part of it may be missing.")
	}
	return notes
}

func percentilePanel(x, y span) *plot.Plot {
	end := math.Max(x.max*1.06, 2.2)
	p := newPanel(percentileTicks(end), y, 13)
	p.X.Scale = plot.LogScale{}
	p.X.Min, p.X.Max = 1, end
	p.X.Label.Text = "percentile"
	p.Y.Label.Text = "response time"
	return p
}

// percentileBody adds the lines, the faint parts first.
func percentileBody(s *scenario, series []percentileSeries, p *plot.Plot) ([]entry, func(draw.Canvas)) {
	colours := palette(s)
	var legend []entry
	var firmLines []plot.Plotter
	for i, one := range series {
		style := stroke(s, one.cell, colours[one.cell.Target])
		firm, faint := split(one.line, one.n)
		p.Add(polyline{faint, draw.LineStyle{Color: faded(colours[one.cell.Target], 0.5), Width: faintWidth, Dashes: style.Dashes}})
		firmLines = append(firmLines, polyline{firm, style})
		legend = append(legend, entry{label(one.cell), lineSample(style)})
		shift := barStep * vg.Length(float64(i)-float64(len(series)-1)/2)
		firmLines = append(firmLines, errorBars{one.bars, colours[one.cell.Target], shift})
	}
	p.Add(firmLines...)
	return legend, func(c draw.Canvas) { p.Draw(c) }
}

// polyline draws points that lie inside the axes.
type polyline struct {
	points plotter.XYs
	style  draw.LineStyle
}

// Plot implements plot.Plotter.
func (l polyline) Plot(c draw.Canvas, p *plot.Plot) {
	if len(l.points) < 2 {
		return
	}
	tx, ty := p.Transforms(&c)
	points := make([]vg.Point, len(l.points))
	for i, xy := range l.points {
		points[i] = vg.Point{X: tx(xy.X), Y: ty(xy.Y)}
	}
	c.StrokeLines(l.style, points)
}

// subtitle tells the schedule, the machine and which cells are in doubt.
func subtitle(run *results.Run, s *scenario) []string {
	lines := []string{
		"load " + loadWords(s) + separator + "run " + clean(run.ID),
		strings.Join(machineWords(run.Environment), separator),
	}
	doubts := doubtfulCells(s, "Degraded, so that shapes and ratios count and the times do not", "Invalid, and so without proof")
	if doubts != "" {
		lines = append(lines, doubts)
	}
	return lines
}
