package report

import (
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/toriibench/toriibench/results"
)

// correlated is from when on operations are called serially correlated; see
// [results.Bounds].
const correlated = 2

// intervalTable says how far off the headline operation's percentiles may be, in
// percent of each: of a disturbed machine too, whose tails are not told as times.
// It has no rows when no cell has an interval; an invalid one proves nothing with
// any confidence.
func intervalTable(s *scenario, notes *footnotes) table {
	t := table{
		title:   clean(s.headline) + ", response time: 95 % confidence",
		columns: keyColumns(), keys: len(keyColumns()),
	}
	most, unknown := 0.0, false
	var intervals []map[string]results.Bounds
	for _, c := range s.cells {
		all := c.Operations[s.headline].ResponseCI
		if len(all) == 0 || c.Verdict == results.Invalid {
			continue
		}
		t.rows, intervals = append(t.rows, cellKeys(c)), append(intervals, relative(c.Operations[s.headline]))
		for _, b := range all {
			most, unknown = math.Max(most, b.Correlation), unknown || b.Correlation == 0
		}
	}
	if unknown {
		notes.remark("a run of under five seconds does not show how operations hang together: its intervals take them for independent")
	}
	for _, p := range percentiles() {
		if !anyHas(intervals, p.name) {
			continue
		}
		t.add(column{head: p.name, unit: "% off"}, func(i int) field {
			b, ok := intervals[i][p.name]
			if !ok {
				return field{text: dash, tone: quiet}
			}
			f := field{text: percent(b.Low) + " to " + percent(b.High)}
			if b.Correlation > correlated {
				f.text += notes.mark("serially correlated: slow operations came together, so that intervals are up to R = " + digits3(most) +
					" times as wide as those of operations independent of each other")
			}
			return f
		})
	}
	return t
}

func anyHas(intervals []map[string]results.Bounds, name string) bool {
	for _, one := range intervals {
		if _, ok := one[name]; ok {
			return true
		}
	}
	return false
}

// relative gives the intervals of an operation's percentiles in percent of their
// distance from them.
func relative(o results.Operation) map[string]results.Bounds {
	out := map[string]results.Bounds{}
	for _, p := range percentiles() {
		b, ok := o.ResponseCI[p.name]
		value := p.of(o.Response)
		if !ok || value == nil || !(*value > 0) {
			continue
		}
		from := func(v *float64) *float64 {
			if v == nil {
				return nil
			}
			return new(100 * (*v - *value) / *value)
		}
		out[p.name] = results.Bounds{Low: from(b.Low), High: from(b.High), Correlation: b.Correlation}
	}
	return out
}

// percent shows a difference with its sign, to a tenth below ten; no bound is a
// question mark.
func percent(v *float64) string {
	if v == nil {
		return "?"
	}
	digits := 1
	if math.Abs(*v) >= 9.95 {
		digits = 0
	}
	text := strconv.FormatFloat(math.Abs(*v), 'f', digits, 64)
	switch {
	case text == "0.0":
		return "0"
	case *v < 0:
		return "-" + text
	default:
		return "+" + text
	}
}

// bar is an interval at a percentile.
type bar struct{ x, low, high float64 }

// intervalBars are those of a cell's operation that have two ends to draw. An
// invalid cell has none.
func intervalBars(c *results.Cell, operation string) []bar {
	if c.Verdict == results.Invalid {
		return nil
	}
	var bars []bar
	for _, p := range percentiles() {
		b, ok := c.Operations[operation].ResponseCI[p.name]
		if ok && b.Low != nil && b.High != nil && *b.Low > 0 {
			bars = append(bars, bar{1 / (1 - p.q), *b.Low, *b.High})
		}
	}
	return bars
}

// How bars look: those of cells at one percentile stand close beside each other.
const (
	barWidth = vg.Length(1.1)
	barCap   = vg.Length(1.6)
	barStep  = vg.Length(4)
	// barLeast is how long a bar is at least, to be seen beside its line.
	barLeast = 2 * lineWidth
)

// errorBars draws intervals, shift to the right of where they belong.
type errorBars struct {
	bars   []bar
	colour color.NRGBA
	shift  vg.Length
}

// Plot implements plot.Plotter.
func (e errorBars) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	style := draw.LineStyle{Color: e.colour, Width: barWidth}
	for _, b := range e.bars {
		x, low, high := tx(b.x)+e.shift, ty(b.low), ty(b.high)
		if high-low < barLeast {
			continue
		}
		c.StrokeLine2(style, x, low, x, high)
		c.StrokeLine2(style, x-barCap, low, x+barCap, low)
		c.StrokeLine2(style, x-barCap, high, x+barCap, high)
	}
}
