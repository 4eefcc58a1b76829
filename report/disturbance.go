package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/toriibench/toriibench/results"
)

// From when on a second counts as disturbed. A millisecond is ten times the lag
// p99 of a punctual generator, and is seen in a picture; steal under 1 % is what
// measuring asks of a machine.
const (
	disturbedUS       = 1000.0
	disturbedSteal    = 1.0
	disturbedPressure = 50.0
)

// disturbance is a stretch of a cell's time, in seconds, in which a spike is not
// the server's alone: the generator itself was late or paused, or other programs
// took the machine.
type disturbance struct {
	from, to float64
	own      bool
}

// disturbances are those of a cell, by kind and time, and joined where they
// touch. Without a log those remain that run.json tells.
func disturbances(log *results.Log, c *results.Cell) []disturbance {
	var all []disturbance
	for i, s := range c.Machine {
		from, to := float64(i), float64(i+1)
		if s.GCPause > disturbedUS || s.Sched > disturbedUS {
			all = append(all, disturbance{from, to, true})
		}
		if above(s.Steal, disturbedSteal) || above(s.Pressure, disturbedPressure) {
			all = append(all, disturbance{from, to, false})
		}
	}
	return joined(append(all, lateIntervals(log, c)...))
}

func above(v *float64, limit float64) bool { return v != nil && *v >= limit }

// joined puts together what follows on one another.
func joined(all []disturbance) []disturbance {
	slices.SortFunc(all, func(a, b disturbance) int {
		switch {
		case a.own == b.own:
			return cmp.Compare(a.from, b.from)
		case a.own:
			return -1
		default:
			return 1
		}
	})
	var out []disturbance
	for _, d := range all {
		if last := len(out) - 1; last >= 0 && out[last].own == d.own && d.from <= out[last].to {
			out[last].to = max(out[last].to, d.to)
			continue
		}
		out = append(out, d)
	}
	return out
}

// lateIntervals are the log's intervals in which the generator was late: the lag
// p99 of all operations together.
func lateIntervals(log *results.Log, c *results.Cell) []disturbance {
	var began time.Time
	ends := map[time.Time]time.Time{}
	lags := map[time.Time]*hdrhistogram.Histogram{}
	for operation := range c.Operations {
		tagged := log.Get(c.ID(), operation, results.ClockLag)
		if tagged == nil {
			continue
		}
		for _, i := range tagged.Intervals {
			h, err := i.Histogram()
			if err != nil {
				continue // Reading the log decoded it once: it cannot fail.
			}
			if began.IsZero() || i.Start.Before(began) {
				began = i.Start
			}
			ends[i.Start] = i.End
			if lags[i.Start] == nil {
				lags[i.Start] = h
			} else {
				lags[i.Start].Merge(h) // Of one engine, they have one range.
			}
		}
	}
	var late []disturbance
	for _, start := range slices.SortedFunc(maps.Keys(lags), time.Time.Compare) {
		if float64(lags[start].ValueAtQuantile(99))/1e3 > disturbedUS {
			late = append(late, disturbance{start.Sub(began).Seconds(), ends[start].Sub(began).Seconds(), true})
		}
	}
	return late
}

// disturbed is a picture's disturbances by cell.
type disturbed map[*results.Cell][]disturbance

func disturbedCells(log *results.Log, s *scenario) disturbed {
	all := disturbed{}
	for _, c := range s.cells {
		if d := disturbances(log, c); len(d) > 0 {
			all[c] = d
		}
	}
	return all
}

// has says whether any is of the kind.
func (d disturbed) has(own bool) bool {
	for _, all := range d {
		if slices.ContainsFunc(all, func(one disturbance) bool { return one.own == own }) {
			return true
		}
	}
	return false
}

// legend explains the bars that there are.
func (d disturbed) legend() []entry {
	var all []entry
	if d.has(true) {
		all = append(all, entry{"generator disturbed", barSample(true)})
	}
	if d.has(false) {
		all = append(all, entry{"machine disturbed", barSample(false)})
	}
	return all
}

// note says when a bar is drawn; it is empty when none is.
func (d disturbed) note() string {
	var words []string
	if d.has(true) {
		words = append(words, "the generator was late, paused for garbage or waited for a processor (lag p99, pause or scheduling over 1 ms)")
	}
	if d.has(false) {
		words = append(words, fmt.Sprintf("others took the machine (steal of %.0f %% or more, or tasks waiting for a processor %.0f %% of the time)",
			disturbedSteal, disturbedPressure))
	}
	if len(words) == 0 {
		return ""
	}
	return "A bar at the top marks seconds in which a spike may not be the server's, in the colour of the target: " + strings.Join(words, "; ") + "."
}

// The bars at the top of a panel, in points: a row for each target.
const (
	barHeight = vg.Length(4)
	barGap    = vg.Length(1.5)
)

// barSample is the sample of a bar.
func barSample(own bool) func(draw.Canvas, vg.Point, vg.Point) {
	return func(c draw.Canvas, from, to vg.Point) {
		drawBar(c, vg.Rectangle{
			Min: vg.Point{X: from.X, Y: from.Y - barHeight/2}, Max: vg.Point{X: to.X, Y: from.Y + barHeight/2},
		}, draw.LineStyle{Color: ink(60), Width: 0.8}, own)
	}
}

// drawBar fills what is the generator's own, and outlines what is the machine's.
func drawBar(c draw.Canvas, r vg.Rectangle, s draw.LineStyle, own bool) {
	corners := []vg.Point{r.Min, {X: r.Max.X, Y: r.Min.Y}, r.Max, {X: r.Min.X, Y: r.Max.Y}}
	if own {
		c.FillPolygon(s.Color, corners)
		return
	}
	c.StrokeLines(s, append(corners, r.Min))
}

// bars draws a cell's disturbances in a row at the top of a panel.
type bars struct {
	all   []disturbance
	row   int
	style draw.LineStyle
}

// Plot implements plot.Plotter.
func (b bars) Plot(c draw.Canvas, p *plot.Plot) {
	tx, _ := p.Transforms(&c)
	top := c.Max.Y - barGap - vg.Length(b.row)*(barHeight+barGap)
	for _, d := range b.all {
		from, to := max(d.from, p.X.Min), min(d.to, p.X.Max)
		if from >= to {
			continue
		}
		drawBar(c, vg.Rectangle{Min: vg.Point{X: tx(from), Y: top - barHeight}, Max: vg.Point{X: tx(to), Y: top}}, b.style, d.own)
	}
}

// addDisturbances adds the bars of a client's cells, a row for each target.
func addDisturbances(p *plot.Plot, s *scenario, client string, d disturbed) {
	colours := palette(s)
	for row, target := range s.targets {
		if c := s.find(target, client); c != nil {
			p.Add(bars{d[c], row, draw.LineStyle{Color: colours[target], Width: 0.8}})
		}
	}
}
