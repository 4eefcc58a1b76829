package stats

import (
	"slices"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
	"pgregory.net/rapid"
)

func histogram(tb testing.TB, values ...int64) *hdrhistogram.Histogram {
	tb.Helper()
	h := hdrhistogram.New(1000, 60e9, 3)
	for _, v := range values {
		if err := h.RecordValue(v); err != nil {
			tb.Fatal(err)
		}
	}
	return h
}

// expand is the sample value by value.
func expand(c Counts) []int64 {
	var out []int64
	for _, b := range c.bars {
		for range b.count {
			out = append(out, b.value)
		}
	}
	return out
}

func TestCountsHoldWhatTheHistogramDoes(t *testing.T) {
	h := histogram(t, 1000, 2_000_000, 2_000_000, 60e9, 3_500)
	c := CountsOf(h)
	h.Reset()
	if c.Total() != 5 || len(c.bars) != 4 {
		t.Errorf("counts %+v", c)
	}
	for _, empty := range []Counts{CountsOf(nil), CountsOf(h), {}} {
		if empty.Total() != 0 || empty.Quantile(0.5) != 0 {
			t.Errorf("the empty sample has %d, median %d", empty.Total(), empty.Quantile(0.5))
		}
	}
}

func TestQuantilesAreTheHistogramsOwn(t *testing.T) {
	rng := source(1)
	h := histogram(t)
	for range 100_000 {
		if err := h.RecordValue(1000 + int64(1e5*rng.ExpFloat64())); err != nil {
			t.Fatal(err)
		}
	}
	c := CountsOf(h)
	for _, q := range []float64{0.5, 0.9, 0.99, 0.999, 1} {
		if got, want := c.Quantile(q), h.ValueAtQuantile(100*q); got != want {
			t.Errorf("the %v-quantile is %d, the histogram's %d", q, got, want)
		}
	}
}

func TestQuantileIsTheSmallestValueThatIsEnough(t *testing.T) {
	var each []Counts
	for i := range 1000 {
		each = append(each, Counts{[]bar{{int64(i + 1), 1}}, 1})
	}
	c := Merge(each...)
	for q, want := range map[float64]int64{0: 1, 0.0001: 1, 0.001: 1, 0.5: 500, 0.5001: 501, 0.9: 900, 0.99: 990, 0.999: 999, 1: 1000} {
		if got := c.Quantile(q); got != want {
			t.Errorf("the %v-quantile is %d, want %d", q, got, want)
		}
	}
	if got := rank(0.07, 100); got != 7 { // 0.07 · 100 is a little more than 7.
		t.Errorf("the 0.07-quantile of 100 has rank %d", got)
	}
}

func TestMergeLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := rapid.SliceOf(rapid.SliceOf(rapid.Int64Range(1000, 60e9))).Draw(t, "samples")
		all := hdrhistogram.New(1000, 60e9, 3)
		var parts []Counts
		for _, values := range samples {
			h := hdrhistogram.New(1000, 60e9, 3)
			for _, v := range values {
				if h.RecordValue(v) != nil || all.RecordValue(v) != nil {
					t.Fatal("cannot record")
				}
			}
			parts = append(parts, CountsOf(h))
		}
		got, want := Merge(parts...), CountsOf(all)
		if got.total != want.total || !slices.Equal(got.bars, want.bars) {
			t.Fatalf("merged %+v, want %+v", got, want)
		}
	})
}

func TestBlocksOfALongRunAreFewAndWhole(t *testing.T) {
	for _, n := range []int{0, 1, 10, 199, 200, 201, 399, 400, 401, 86_400} {
		var b Blocks
		for i := range n {
			b.Add(Counts{[]bar{{int64(i), 1}}, 1})
		}
		blocks := b.Counts()
		if len(blocks) > 200 || n >= 100 && len(blocks) < 100 || n < 200 && len(blocks) != n {
			t.Errorf("%d intervals make %d blocks", n, len(blocks))
		}
		next, length := int64(0), int64(0)
		for i, c := range blocks {
			for _, v := range expand(c) {
				if v != next {
					t.Fatalf("of %d intervals, %d stands where %d belongs", n, v, next)
				}
				next++
			}
			length = max(length, c.Total())
			if i < len(blocks)-1 && c.Total() != length {
				t.Errorf("of %d intervals, block %d holds %d, others %d", n, i, c.Total(), length)
			}
		}
		if next != int64(n) {
			t.Errorf("of %d intervals %d are left", n, next)
		}
	}
}

func TestBlocksGivenAwayStayAsTheyAre(t *testing.T) {
	var b Blocks
	for range 200 {
		b.Add(Counts{[]bar{{1, 1}}, 1})
	}
	before := b.Counts()
	b.Add(Counts{})
	if len(before) != 200 || before[199].Total() != 1 {
		t.Error("blocks changed after they were given away")
	}
}
