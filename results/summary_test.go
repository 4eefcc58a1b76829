package results

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"gonum.org/v1/gonum/mathext"
)

// newHistogram has the range of the engine's histograms.
func newHistogram(tb testing.TB, values ...int64) *hdrhistogram.Histogram {
	tb.Helper()
	h := hdrhistogram.New(int64(time.Microsecond), int64(time.Minute), 3)
	for _, v := range values {
		if err := h.RecordValue(v); err != nil {
			tb.Fatal(err)
		}
	}
	return h
}

// lognormal gives n latencies in nanoseconds around 200 µs.
func lognormal(seed uint64, n int) []int64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(200e3 * math.Exp(0.5*rng.NormFloat64()))
	}
	return out
}

func TestSummarizeGivesWhatTheSampleCarries(t *testing.T) {
	for _, test := range []struct {
		name                     string
		n                        int
		p50, p90, p99, p999, max bool
	}{
		{name: "nothing", n: 0},
		{name: "one", n: 1, max: true},
		{name: "a body one short", n: 199, max: true},
		{name: "a body", n: 200, p50: true, max: true},
		{name: "p90 one short", n: 999, p50: true, max: true},
		{name: "p90", n: 1000, p50: true, p90: true, max: true},
		{name: "p99 one short", n: 39_999, p50: true, p90: true, max: true},
		{name: "p99", n: 40_000, p50: true, p90: true, p99: true, max: true},
		{name: "p99.9 one short", n: 399_999, p50: true, p90: true, p99: true, max: true},
		{name: "p99.9", n: 400_000, p50: true, p90: true, p99: true, p999: true, max: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHistogram(t)
			if test.n > 0 {
				if err := h.RecordValues(250_000, int64(test.n)); err != nil {
					t.Fatal(err)
				}
			}
			p := Summarize(h)
			for name, c := range map[string]struct {
				got  *float64
				want bool
			}{
				"p50": {p.P50, test.p50}, "p90": {p.P90, test.p90}, "p99": {p.P99, test.p99},
				"p99.9": {p.P999, test.p999}, "max": {p.Max, test.max}, "mean": {p.Mean, test.max},
			} {
				if (c.got != nil) != c.want {
					t.Errorf("%s present = %v, want %v", name, c.got != nil, c.want)
				}
				if c.got != nil && math.Abs(*c.got-250) > 0.5 {
					t.Errorf("%s = %v µs, want about 250", name, *c.got)
				}
			}
		})
	}
}

func TestSummarizeAgreesWithSortedValues(t *testing.T) {
	const n = 500_000
	values := lognormal(7, n)
	p := Summarize(newHistogram(t, values...))
	slices.Sort(values)
	for _, c := range []struct {
		name string
		got  *float64
		rank int
	}{
		{"p50", p.P50, n / 2},
		{"p90", p.P90, n * 9 / 10},
		{"p99", p.P99, n * 99 / 100},
		{"p99.9", p.P999, n / 1000 * 999},
		{"max", p.Max, n},
	} {
		want := float64(values[c.rank-1]) / 1e3
		if c.got == nil || math.Abs(*c.got-want)/want > 0.002 {
			t.Errorf("%s = %v, want %.1f µs within 0.2 %%", c.name, c.got, want)
		}
	}
	var sum float64
	for _, v := range values {
		sum += float64(v)
	}
	if want := sum / n / 1e3; math.Abs(*p.Mean-want)/want > 0.002 {
		t.Errorf("mean = %v, want %.1f µs", *p.Mean, want)
	}
}

func TestSummarizeOfNoHistogramIsEmpty(t *testing.T) {
	if got := Summarize(nil); got != (Percentiles{}) {
		t.Errorf("Summarize(nil) = %+v", got)
	}
}

// The rule's numbers come out of the exact binomial interval: with k samples in
// the tail, its probability is known to the stated percentage.
func TestTailSamplesFollowTheExactBinomialInterval(t *testing.T) {
	for _, test := range []struct {
		q         float64
		k         int64
		low, high float64
	}{
		{0.99, tailSamples, -0.10, 0.10},
		{0.999, tailSamples, -0.10, 0.10},
		{0.999, bodySamples, -0.19, 0.22},
		{0.9, bodySamples, -0.18, 0.20},
	} {
		if got := Samples(test.q); (test.q >= tailFrom) == (test.k == tailSamples) && got != int64(math.Round(float64(test.k)/(1-test.q))) {
			t.Errorf("Samples(%v) = %d", test.q, got)
		}
		n := math.Round(float64(test.k) / (1 - test.q))
		k := float64(test.k)
		low := mathext.InvRegIncBeta(k, n-k+1, 0.025)/(1-test.q) - 1
		high := mathext.InvRegIncBeta(k+1, n-k, 0.975)/(1-test.q) - 1
		if math.Abs(low-test.low) > 0.01 || math.Abs(high-test.high) > 0.01 {
			t.Errorf("q %v with %d in the tail is known to %+.3f/%+.3f, want %+.2f/%+.2f", test.q, test.k, low, high, test.low, test.high)
		}
	}
}

func TestNeededTellsHowMuchLonger(t *testing.T) {
	for _, test := range []struct {
		name string
		q    float64
		n    int64
		rate float64
		want float64
	}{
		{"p99.9 after 10 s at 10 k/s", 0.999, 100_000, 10_000, 30},
		{"p50 from nothing", 0.5, 0, 100, 2},
		{"enough", 0.99, 40_000, 10_000, 0},
		{"more than enough at no rate", 0.99, 50_000, 0, 0},
		{"too few at no rate", 0.99, 39_999, 0, math.Inf(1)},
		{"a rate that is not a number", 0.99, 1, math.NaN(), math.Inf(1)},
		{"a maximum", 1, 0, 1, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Needed(test.q, test.n, test.rate); got != test.want {
				t.Errorf("Needed(%v, %d, %v) = %v, want %v", test.q, test.n, test.rate, got, test.want)
			}
		})
	}
}
