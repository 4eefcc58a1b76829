package report

import (
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/toriibench/toriibench/results"
)

// mostMarks bounds the marks of a picture; later ones are left out.
const mostMarks = 24

// yAxisWidth is about what the labels of a panel's y axis take: enough to place
// the labels of marks, whose exact place only the panel knows.
const yAxisWidth = vg.Length(42)

// mergeMarks collects the marks of all cells inside x, in time order. The same
// label in several cells at about the same time is one mark, at its earliest.
func mergeMarks(s *scenario, x span) []results.Mark {
	var all []results.Mark
	for _, c := range s.cells {
		for _, m := range c.Marks {
			if m.At >= x.min && m.At <= x.max {
				all = append(all, results.Mark{At: m.At, Label: clean(m.Label)})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b results.Mark) int {
		switch {
		case a.At < b.At:
			return -1
		case a.At > b.At:
			return 1
		default:
			return 0
		}
	})
	var merged []results.Mark
	for _, m := range all {
		near := func(o results.Mark) bool { return o.Label == m.Label && m.At-o.At < (x.max-x.min)/50 }
		if !slices.ContainsFunc(merged, near) && len(merged) < mostMarks {
			merged = append(merged, m)
		}
	}
	return merged
}

// markLevels tells for each mark the row of its label above the panels: -1 for
// none.
type markLevels struct {
	row  []int
	rows int
}

func (l markLevels) height() vg.Length { return vg.Length(l.rows) * smallSize * 1.5 }

// stagger puts labels that would touch each other into different rows, of which
// there are few: a label that finds no room is left out, its line stays.
func stagger(marks []results.Mark, x span) markLevels {
	const mostRows = 4
	s := letters(smallSize, 0)
	ends := []vg.Length{}
	l := markLevels{row: make([]int, len(marks))}
	for i, m := range marks {
		from, to := labelPlace(m, x, s.Width(m.Label))
		row := slices.IndexFunc(ends, func(end vg.Length) bool { return end+8 < from })
		switch {
		case row >= 0:
			ends[row] = to
		case len(ends) < mostRows:
			row, ends = len(ends), append(ends, to)
		}
		l.row[i] = row
	}
	l.rows = len(ends)
	return l
}

// labelPlace says from where to where a mark's label goes: centred on the mark,
// and kept inside the panel.
func labelPlace(m results.Mark, x span, width vg.Length) (from, to vg.Length) {
	room := contentWidth - yAxisWidth
	at := vg.Length((m.At - x.min) / (x.max - x.min))
	from = at*room - width/2
	from = vg.Length(math.Max(0, math.Min(float64(from), float64(room-width))))
	return from, from + width
}

// markLines draws the marks' lines, and their labels in the first panel.
type markLines struct {
	marks  []results.Mark
	levels markLevels
	labels bool
}

// Plot implements plot.Plotter. Labels stand above the canvas, where the figure
// keeps room for them.
func (m markLines) Plot(c draw.Canvas, p *plot.Plot) {
	tx, _ := p.Transforms(&c)
	s := letters(smallSize, 40)
	style := draw.LineStyle{Color: ink(70), Width: 0.9, Dashes: []vg.Length{2.5, 2.5}}
	for i, mark := range m.marks {
		x := tx(mark.At)
		top := c.Max.Y
		if row := m.levels.row[i]; m.labels && row >= 0 {
			top += panelHead + vg.Length(m.levels.rows-1-row)*smallSize*1.5
			width := s.Width(mark.Label)
			left := math.Min(math.Max(float64(c.Min.X), float64(x-width/2)), float64(c.Max.X-width))
			c.FillText(s, vg.Point{X: vg.Length(left), Y: top + 3}, mark.Label)
		}
		c.StrokeLine2(style, x, c.Min.Y, x, top)
	}
}
