package report

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/results"
)

// withIntervals is a small run whose medians have the intervals of the targets.
func withIntervals(t *testing.T, intervals map[string]results.Bounds) *scenario {
	t.Helper()
	run := smallRun(map[string]float64{"redis:7.0": 200, "valkey:8.0": 100})
	for i := range run.Cells {
		c := &run.Cells[i]
		if b, ok := intervals[c.Target]; ok {
			op := c.Operations["get"]
			op.ResponseCI = map[string]results.Bounds{"p50": b}
			c.Operations["get"] = op
		}
	}
	return scenarios(run)[0]
}

func texts(t table) (out []string) {
	for _, r := range t.rows {
		var fields []string
		for _, f := range r {
			fields = append(fields, f.text)
		}
		out = append(out, strings.Join(fields, " | "))
	}
	return out
}

func TestIntervalsAreToldInPercent(t *testing.T) {
	redis := results.Bounds{Low: ptr(199.8), High: ptr(230), Correlation: 1.5}
	t.Run("of one cell, which alone has some", func(t *testing.T) {
		var notes footnotes
		got := intervalTable(withIntervals(t, map[string]results.Bounds{"redis:7.0": redis}), &notes)
		if diff := cmp.Diff([]string{"redis:7.0 | go-redis | -0.1 to +15"}, texts(got)); diff != "" {
			t.Error(diff)
		}
		if lines := notes.lines(); len(lines) != 0 {
			t.Errorf("notes %q", lines)
		}
	})
	t.Run("of cells whose operations hang together", func(t *testing.T) {
		var notes footnotes
		got := intervalTable(withIntervals(t, map[string]results.Bounds{
			"redis:7.0": redis, "valkey:8.0": {Low: ptr(90.04), High: ptr(190), Correlation: 6.25},
		}), &notes)
		want := []string{"redis:7.0 | go-redis | -0.1 to +15", "valkey:8.0 | go-redis | -10 to +90¹"}
		if diff := cmp.Diff(want, texts(got)); diff != "" {
			t.Error(diff)
		}
		if lines := notes.lines(); len(lines) != 1 || !strings.Contains(lines[0], "serially correlated") || !strings.Contains(lines[0], "R = 6.25 times") {
			t.Errorf("notes %q", lines)
		}
	})
	t.Run("without a bound, in a run too short to tell", func(t *testing.T) {
		var notes footnotes
		got := intervalTable(withIntervals(t, map[string]results.Bounds{"redis:7.0": {Low: ptr(200)}}), &notes)
		if diff := cmp.Diff([]string{"redis:7.0 | go-redis | 0 to ?"}, texts(got)); diff != "" {
			t.Error(diff)
		}
		if lines := notes.lines(); len(lines) != 1 || !strings.Contains(lines[0], "for independent") {
			t.Errorf("notes %q", lines)
		}
	})
	t.Run("of an invalid cell, which proves nothing", func(t *testing.T) {
		s := withIntervals(t, map[string]results.Bounds{"redis:7.0": redis, "valkey:8.0": redis})
		s.cells[0].Verdict = results.Invalid
		if got := intervalTable(s, new(footnotes)); len(got.rows) != 1 || got.rows[0][0].text != "valkey:8.0" {
			t.Errorf("rows %q", texts(got))
		}
	})
	t.Run("of an old file, which has none", func(t *testing.T) {
		var notes footnotes
		if got := intervalTable(withIntervals(t, nil), &notes); len(got.rows) != 0 || len(notes.lines()) != 0 {
			t.Errorf("rows %q, notes %q", texts(got), notes.lines())
		}
		if text := terminalText(t, smallRun(map[string]float64{"redis:7.0": 200}), 100, false); strings.Contains(text, "confidence") {
			t.Errorf("the report speaks of intervals:\n%s", text)
		}
	})
	t.Run("of a percentile that the file does not hold", func(t *testing.T) {
		var notes footnotes
		s := withIntervals(t, map[string]results.Bounds{"redis:7.0": redis})
		op := s.cells[0].Operations["get"]
		op.ResponseCI["p99"] = results.Bounds{Low: ptr(1), High: ptr(2)}
		op.Response.P99 = nil
		s.cells[0].Operations["get"] = op
		if got := intervalTable(s, &notes); len(got.columns) != 3 {
			t.Errorf("columns %+v", got.columns)
		}
	})
}

func TestBarsStandAtTheirPercentiles(t *testing.T) {
	op := results.Operation{ResponseCI: map[string]results.Bounds{
		"p50":   {Low: ptr(1), High: ptr(2)},
		"p99.9": {Low: ptr(7), High: ptr(9)},
		"p90":   {Low: ptr(3)},               // No end to draw.
		"p99":   {Low: ptr(0), High: ptr(5)}, // No place on a log axis.
	}}
	cell := &results.Cell{Operations: map[string]results.Operation{"get": op}}
	got := intervalBars(cell, "get")
	if len(got) != 2 || got[0] != (bar{2, 1, 2}) || math.Abs(got[1].x-1000) > 1e-6 || got[1].low != 7 || got[1].high != 9 {
		t.Errorf("bars %+v", got)
	}
	cell.Verdict = results.Invalid
	if got := intervalBars(cell, "get"); got != nil {
		t.Errorf("an invalid cell has the bars %+v", got)
	}
}

// The axis must make room for an interval that goes beyond the line.
func TestPictureHoldsTheWholeInterval(t *testing.T) {
	run := smallRun(map[string]float64{"redis:7.0": 300})
	tag := results.Tag(run.Cells[0].ID(), "get", results.ClockResponse)
	log := &results.Log{Tags: map[string]*results.Tagged{tag: {Merged: uniform(t, 1000)}}}
	s := scenarios(run)[0]
	draws := func(label string) bool {
		f, why := percentileFigure(run, log, s, "get")
		if f == nil {
			t.Fatal(why)
		}
		svg, err := f.svg()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(svg), label)
	}
	if draws("confidence") || draws(">50 ms<") {
		t.Fatal("a run without intervals shows some")
	}
	op := run.Cells[0].Operations["get"]
	op.ResponseCI = map[string]results.Bounds{"p50": {Low: ptr(100), High: ptr(60_000), Correlation: 1}}
	run.Cells[0].Operations["get"] = op
	if !draws("Bars are 95 % confidence intervals") || !draws(">50 ms<") {
		t.Error("the interval is not in the picture")
	}
}
