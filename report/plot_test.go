package report

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
	gocmp "github.com/google/go-cmp/cmp"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"github.com/toriibench/toriibench/results"
)

func histogram(t *testing.T, values ...int64) *hdrhistogram.Histogram {
	t.Helper()
	h := hdrhistogram.New(1e3, 60e9, 3)
	for _, v := range values {
		if err := h.RecordValue(v); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// uniform has n values, 1 µs to n µs.
func uniform(t *testing.T, n int) *hdrhistogram.Histogram {
	t.Helper()
	values := make([]int64, n)
	for i := range values {
		values[i] = int64(i+1) * 1000
	}
	return histogram(t, values...)
}

func TestPercentileLineEndsWhereTenSamplesLieAbove(t *testing.T) {
	for _, n := range []int{20, 999, 10_000} {
		line := percentileLine(uniform(t, n))
		end := line[len(line)-1]
		if math.Abs(end.X-float64(n)/10) > 1e-6*float64(n) {
			t.Errorf("of %d values the line ends at x = %v, want %v", n, end.X, n/10)
		}
		// Ten of the values are larger than the last point's.
		if want := float64(n - 10); math.Abs(end.Y-want) > want*0.002+0.6 { // The histogram's smallest step is half a microsecond.
			t.Errorf("of %d values the line ends at %v µs, want %v", n, end.Y, want)
		}
		if !slices.IsSortedFunc(line, func(a, b plotter.XY) int { return cmp.Compare(a.Y, b.Y) }) {
			t.Errorf("of %d values the line falls", n)
		}
	}
}

func TestPercentileLineAgreesWithTheHistogram(t *testing.T) {
	h := uniform(t, 50_000)
	for _, p := range percentileLine(h) {
		q := 1 - 1/p.X
		if want := q * 50_000; math.Abs(p.Y-want) > want*0.002+1 {
			t.Errorf("at q = %v the line is at %v µs, want %v", q, p.Y, want)
		}
	}
}

func TestPercentileLineOfTooLittleIsNone(t *testing.T) {
	for name, h := range map[string]*hdrhistogram.Histogram{
		"nothing": histogram(t), "one value": histogram(t, 5000), "ten values": uniform(t, 10),
	} {
		if line := percentileLine(h); line != nil {
			t.Errorf("%s gives %v", name, line)
		}
	}
}

func TestLineIsFaintWhereItIsNotQuoted(t *testing.T) {
	const n = 100_000
	firm, faint := split(percentileLine(uniform(t, n)), n)
	if end := firm[len(firm)-1].X; end > 250 || end < 240 {
		t.Errorf("the firm line ends at x = %v, want just below %d", end, n/quotedTail)
	}
	if firm[len(firm)-1] != faint[0] {
		t.Error("there is a gap between the parts")
	}
	if firm, faint := split(percentileLine(uniform(t, 300)), 300); firm != nil || len(faint) == 0 {
		t.Errorf("of 300 values %d points are firm", len(firm))
	}
	// The limit is the one that percentiles are quoted by.
	if got := results.Samples(0.999); got != quotedTail*1000 {
		t.Errorf("results quotes p99.9 from %d samples, the pictures from %d", got, quotedTail*1000)
	}
}

// Log axes panic on zero, and a scale of one value has no width.
func TestPicturesOfOddDataDoNotPanic(t *testing.T) {
	zero := hdrhistogram.New(1, 60e9, 3)
	if err := zero.RecordValues(0, 1000); err != nil {
		t.Fatal(err)
	}
	same := hdrhistogram.New(1e3, 60e9, 3)
	if err := same.RecordValues(250_000, 100_000); err != nil {
		t.Fatal(err)
	}
	one, nothing := ptr(250), (*float64)(nil)
	for _, test := range []struct {
		name            string
		h               *hdrhistogram.Histogram
		series          results.Series
		percentile, run bool
	}{
		{"all zero", zero, results.Series{BinMS: 100, Count: []int64{1}, P50: []*float64{ptr(0)}, P99: []*float64{ptr(0)}, Max: []*float64{ptr(0)}}, false, false},
		{"all the same", same, results.Series{BinMS: 100, Count: []int64{1}, P50: []*float64{one}, P99: []*float64{one}, Max: []*float64{one}}, true, true},
		{"gaps", histogram(t, 5000), results.Series{
			BinMS: 100, Count: []int64{0, 1, 0, 1},
			P50: []*float64{nothing, one, nothing, one}, P99: []*float64{nothing, nothing, nothing, one}, Max: []*float64{nothing, one, nothing, one},
		}, false, true},
		{"nothing", histogram(t), results.Series{}, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := smallRun(map[string]float64{"redis:7.0": 300})
			run.Cells[0].Series = test.series
			run.Cells[0].Marks = []results.Mark{{At: -1, Label: "before"}, {At: 0, Label: strings.Repeat("wide ", 100)}, {At: 1e9, Label: "after"}}
			tag := results.Tag(run.Cells[0].ID(), "get", results.ClockResponse)
			pictures, err := Render(run, &results.Log{Tags: map[string]*results.Tagged{tag: {Merged: test.h}}}, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if (pictures[0].SVG != "") != test.percentile || (pictures[1].SVG != "") != test.run {
				t.Errorf("pictures %+v", pictures)
			}
		})
	}
}

func TestLatencyTicksAreRoundAndFew(t *testing.T) {
	labels := func(ticks []plot.Tick) (out []string) {
		for _, t := range ticks {
			if t.Label != "" {
				out = append(out, t.Label)
			}
		}
		return out
	}
	if diff := gocmp.Diff([]string{"100 µs", "200 µs", "500 µs", "1 ms", "2 ms"}, labels(latencyTicks(span{90, 3000}, 10))); diff != "" {
		t.Error(diff)
	}
	if diff := gocmp.Diff([]string{"10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s"}, labels(latencyTicks(span{9, 3e7}, 10))); diff != "" {
		t.Error(diff)
	}
	for _, length := range []float64{0.3, 1, 7, 10, 60, 3600} {
		if n := len(secondTicks(span{0, length})); n < 4 || n > 13 {
			t.Errorf("%v s have %d ticks", length, n)
		}
	}
}

func TestLongSeriesKeepTheirPeaks(t *testing.T) {
	values := make([]*float64, 10_000)
	for i := range values {
		values[i] = ptr(100)
	}
	values[7777] = ptr(25_000)
	stride := (len(values) + mostPoints - 1) / mostPoints
	lines := runs(values, 0.1, stride)
	if len(lines) != 1 || len(lines[0]) > mostPoints {
		t.Fatalf("%d lines", len(lines))
	}
	at := slices.IndexFunc(lines[0], func(p plotter.XY) bool { return p.Y == 25_000 })
	if at < 0 || math.Abs(lines[0][at].X-777.7) > 2 {
		t.Errorf("the peak is at point %d", at)
	}
}

func TestMarksThatAreCloseGetRowsOfTheirOwn(t *testing.T) {
	x := span{0, 10}
	marks := []results.Mark{{At: 1, Label: "a long label"}, {At: 1.1, Label: "another long label"}, {At: 9, Label: "far away"}}
	if l := stagger(marks, x); l.rows != 2 || l.row[0] == l.row[1] || l.row[2] != 0 {
		t.Errorf("rows %+v", l)
	}
	s := &scenario{cells: []*results.Cell{
		{Marks: []results.Mark{{At: 4, Label: "storm"}, {At: 6, Label: "storm"}}},
		{Marks: []results.Mark{{At: 4.05, Label: "storm"}, {At: 4.05, Label: "end"}}},
	}}
	want := []results.Mark{{At: 4, Label: "storm"}, {At: 4.05, Label: "end"}, {At: 6, Label: "storm"}}
	if diff := gocmp.Diff(want, mergeMarks(s, x)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEnginesHaveTheirOwnSideOfThePalette(t *testing.T) {
	s := &scenario{cells: []*results.Cell{
		{Target: "redis:7.0"},
		{Target: "redis:7.2"},
		{Target: "valkey:8.0"},
		{Target: "redis://10.0.0.1:6379", Server: results.Server{Name: "Valkey"}},
		{Target: "keydb:6"},
	}}
	colours := palette(s)
	seen := map[any]string{}
	for target, c := range colours {
		if other, taken := seen[c]; taken {
			t.Errorf("%s and %s have the same colour", target, other)
		}
		seen[c] = target
	}
	if c := colours["redis://10.0.0.1:6379"]; c.B < c.R {
		t.Errorf("a Valkey server has a warm colour %v", c)
	}
}
