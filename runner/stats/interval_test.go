package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

func TestRanksAreThoseOfTheTables(t *testing.T) {
	for _, test := range []struct {
		n         int64
		q         float64
		low, high int64
	}{
		// W. Conover, "Practical Nonparametric Statistics", and R's qbinom.
		{5, 0.5, 0, 6},
		{6, 0.5, 1, 6},
		{10, 0.5, 2, 9},
		{100, 0.5, 40, 61},
		{1000, 0.5, 469, 532},
		// The least samples for a bound above: (1-1/100)^367 > 0.025 > (1-1/100)^368.
		{367, 0.99, 359, 368},
		{368, 0.99, 360, 368},
		{3687, 0.999, 3679, 3688},
		{3688, 0.999, 3680, 3688},
	} {
		low, high := binomialRanks(test.n, test.q, 0.025)
		if low != test.low || high != test.high {
			t.Errorf("the 95 %% interval of the %v-quantile of %d has ranks %d and %d, want %d and %d", test.q, test.n, low, high, test.low, test.high)
		}
	}
}

// cdf is P(B <= k) by the incomplete beta function.
func cdf(n, k int64, q float64) float64 {
	switch {
	case k < 0:
		return 0
	case k >= n:
		return 1
	}
	return mathext.RegIncBeta(float64(n-k), float64(k+1), 1-q)
}

func TestRanksAreTheClosestThatHoldTheirProbability(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 20_000).Draw(t, "n")
		q := rapid.Float64Range(0.001, 0.999).Draw(t, "q")
		tail := rapid.Float64Range(0.001, 0.2).Draw(t, "tail")
		low, high := binomialRanks(n, q, tail)
		const loose = 1e-9 // Where a probability is tail itself, both ways are right.
		if cdf(n, low-1, q) > tail+loose || low <= n && cdf(n, low, q) <= tail-loose {
			t.Fatalf("rank %d of %d: P(B<low) = %v, and of the next %v", low, n, cdf(n, low-1, q), cdf(n, low, q))
		}
		if 1-cdf(n, high-1, q) > tail+loose || high > 0 && 1-cdf(n, high-2, q) <= tail-loose {
			t.Fatalf("rank %d of %d: P(B>=high) = %v, and of the one before %v", high, n, 1-cdf(n, high-1, q), 1-cdf(n, high-2, q))
		}
	})
}

func TestRanksOfVeryLargeSamplesAreNormal(t *testing.T) {
	const n = 5_000_000_000
	for _, q := range []float64{0.5, 0.99, 0.9999} {
		low, high := binomialRanks(n, q, 0.025)
		half := 1.959964 * math.Sqrt(n*q*(1-q))
		if math.Abs(float64(low)-(n*q-half)) > 3 || math.Abs(float64(high)-(n*q+half)) > 3 {
			t.Errorf("q %v: ranks %d and %d, want %.0f and %.0f", q, low, high, n*q-half, n*q+half)
		}
	}
}

func TestOrderIntervalHasNoBoundWhereTheSampleHasNone(t *testing.T) {
	one := Counts{[]bar{{7, 1}}, 1}
	for name, b := range map[string]Bounds{
		"no sample": OrderInterval(Counts{}, 0.5, 0.95), "one value": OrderInterval(one, 0.5, 0.95),
		"q of 0": OrderInterval(one, 0, 0.95), "q of 1": OrderInterval(one, 1, 0.95), "q no number": OrderInterval(one, math.NaN(), 0.95),
		"certainty": OrderInterval(one, 0.5, 1), "no confidence": OrderInterval(one, 0.5, 0),
	} {
		if b != unbounded() {
			t.Errorf("%s: %v", name, b)
		}
	}
	many := Counts{[]bar{{10, 200}, {20, 100}}, 300}
	if b := OrderInterval(many, 0.99, 0.95); b.Low != 20 || !math.IsInf(b.High, 1) {
		t.Errorf("p99 of 300: %v, want only a lower bound", b)
	}
}

// traffic simulates seconds of latencies, lognormal around a level of the second's
// own, which goes on into the next second as far as stays says.
type traffic struct {
	seconds, perSecond   int
	stays, level, spread float64
}

func (w traffic) blocks(tb testing.TB, rng *rand.Rand) []Counts {
	tb.Helper()
	h := histogram(tb)
	level := rng.NormFloat64()
	var out []Counts
	for range w.seconds {
		level = w.stays*level + math.Sqrt(1-w.stays*w.stays)*rng.NormFloat64()
		h.Reset()
		for range w.perSecond {
			if err := h.RecordValue(int64(200e3 * math.Exp(w.level*level+w.spread*rng.NormFloat64()))); err != nil {
				tb.Fatal(err)
			}
		}
		out = append(out, CountsOf(h))
	}
	return out
}

// quantile is the true one, over all seconds that could be.
func (w traffic) quantile(q float64) float64 {
	return 200e3 * math.Exp(math.Hypot(w.level, w.spread)*distuv.UnitNormal.Quantile(q))
}

func TestIntervalsHoldTheTruthAsOftenAsTheyPromise(t *testing.T) {
	const runs = 200
	for _, test := range []struct {
		name    string
		traffic traffic
		q       float64
		// least and the most of runs that hold the truth, for both kinds.
		order, interval [2]float64
		correlation     [2]float64
	}{
		{"independent, p50", traffic{20, 300, 0, 0, 0.5}, 0.5, [2]float64{0.92, 1}, [2]float64{0.93, 1}, [2]float64{1, 1.4}},
		{"independent, p99", traffic{20, 300, 0, 0, 0.5}, 0.99, [2]float64{0.92, 1}, [2]float64{0.93, 1}, [2]float64{1, 1.4}},
		{"ten seconds, p90", traffic{10, 300, 0, 0, 0.5}, 0.9, [2]float64{0.92, 1}, [2]float64{0.93, 1}, [2]float64{1, 1.5}},
		{"seconds that differ, p50", traffic{30, 300, 0, 0.1, 0.3}, 0.5, [2]float64{0, 0.5}, [2]float64{0.91, 1}, [2]float64{3, 6}},
		{"seconds that differ, p99", traffic{30, 300, 0, 0.1, 0.3}, 0.99, [2]float64{0, 0.8}, [2]float64{0.90, 1}, [2]float64{1.5, 3}},
		{"ten seconds that differ, p50", traffic{10, 300, 0, 0.1, 0.3}, 0.5, [2]float64{0, 0.5}, [2]float64{0.86, 1}, [2]float64{3, 6}},
		{"seconds that hang together, p50", traffic{60, 300, 0.5, 0.1, 0.3}, 0.5, [2]float64{0, 0.4}, [2]float64{0.86, 1}, [2]float64{4, 8}},
	} {
		t.Run(test.name, func(t *testing.T) {
			rng := source(10)
			truth := test.traffic.quantile(test.q)
			var order, interval, correlation float64
			for range runs {
				s := NewSample(test.traffic.blocks(t, rng))
				if b := OrderInterval(s.all, test.q, 0.95); b.Low <= truth && truth <= b.High {
					order += 1.0 / runs
				}
				e := s.Interval(test.q, 0.95, rng)
				if e.Low <= truth && truth <= e.High {
					interval += 1.0 / runs
				}
				correlation += e.Correlation / runs
			}
			for _, c := range []struct {
				what string
				got  float64
				want [2]float64
			}{
				{"order intervals hold the truth", order, test.order},
				{"intervals hold the truth", interval, test.interval},
				{"mean correlation", correlation, test.correlation},
			} {
				if c.got < c.want[0] || c.got > c.want[1] {
					t.Errorf("%s: %.3f, want %v", c.what, c.got, c.want)
				}
			}
		})
	}
}

func TestIntervalHoldsTheSampleAndRepeats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(0, 60), 1, 12).Draw(t, "sizes")
		values := rapid.SliceOfN(rapid.Int64Range(1, 1000), 60, 60).Draw(t, "values")
		q := rapid.Float64Range(0.01, 0.99).Draw(t, "q")
		var blocks []Counts
		for _, n := range sizes {
			var each []Counts
			for _, v := range values[:n] {
				each = append(each, Counts{[]bar{{v, 1}}, 1})
			}
			blocks = append(blocks, Merge(each...))
		}
		s := NewSample(blocks)
		e := s.Interval(q, 0.95, source(1))
		if s.Total() == 0 {
			if e.Bounds != unbounded() {
				t.Fatalf("nothing has the interval %v", e)
			}
			return
		}
		if v := float64(s.all.Quantile(q)); e.Low > v || e.High < v {
			t.Fatalf("the interval %v does not hold %v", e, v)
		}
		order := OrderInterval(s.all, q, 0.95)
		if e.Correlation > 1 && s.width(e.Bounds) <= s.width(order) {
			t.Fatalf("the interval %v is narrower than %v", e, order)
		}
		if e.Correlation != 0 && (len(blocks) < 5 || e.Correlation < 1 || math.IsInf(e.Correlation, 0)) {
			t.Fatalf("correlation %v of %d blocks", e.Correlation, len(blocks))
		}
		if again := s.Interval(q, 0.95, source(1)); again != e {
			t.Fatalf("%v is not repeated: %v", e, again)
		}
	})
}

// By drawing from the values themselves.
func TestBootstrapIsThatOfTheValues(t *testing.T) {
	w := traffic{seconds: 23, perSecond: 40, level: 0.5, spread: 0.5}
	s := NewSample(w.blocks(t, source(11)))
	const length = 3 // ceil(23^(1/3))
	for _, q := range []float64{0.1, 0.5, 0.9} {
		tab := newTable(s, q)
		rng := source(12)
		for range 200 {
			starts := make([]int, 8)
			var drawn []Counts
			for i := range starts {
				starts[i] = rng.IntN(23)
				for k := range length {
					if len(drawn) < 23 {
						drawn = append(drawn, s.blocks[(starts[i]+k)%23])
					}
				}
			}
			want := Merge(drawn...).Quantile(q)
			if got, ok := tab.quantile(starts, length, q); !ok || got != want {
				t.Fatalf("the %v-quantile from %v is %d, want %d", q, starts, got, want)
			}
		}
	}
}

func TestIntervalOfOddSamples(t *testing.T) {
	same := make([]Counts, 10)
	rare := make([]Counts, 100)
	steps := make([]Counts, 10)
	few := make([]Counts, 10)
	for i := range same {
		same[i] = Counts{[]bar{{50, 100}}, 100}
		steps[i] = Counts{[]bar{{int64(50 + 50*(i/5)), 100}}, 100}
		few[i] = Counts{[]bar{{int64(50 + 10*(i/6)), 100}}, 100}
	}
	rare[40] = Counts{[]bar{{50, 30}, {60, 30}}, 60}
	for _, test := range []struct {
		name   string
		blocks []Counts
		want   Estimate
	}{
		{"nothing", nil, Estimate{unbounded(), 0}},
		{"always the same", same, Estimate{Bounds{50, 50}, 1}},
		{"only once in a long run", rare, Estimate{Bounds{50, 60}, 1}},
		{"too short to see more than independence", same[:4], Estimate{Bounds{50, 50}, 0}},
		// Five seconds are at one value, five at another: either may be the median.
		{"one step up", steps, Estimate{Bounds{50, 100}, 1}},
		// By rank the median is at 50 and nowhere else, to the step of 10 that values come in.
		{"a shorter step up", few, Estimate{Bounds{50, 60}, 2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := NewSample(test.blocks).Interval(0.5, 0.95, source(1)); got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
	if _, ok := NewSample(same).BootstrapInterval(1, 0.95, source(1)); ok {
		t.Error("a maximum has an interval")
	}
}

func BenchmarkIntervals(b *testing.B) {
	for _, seconds := range []int{10, 60, 86_400} {
		b.Run(fmt.Sprintf("%d s", seconds), func(b *testing.B) {
			source0 := traffic{seconds: min(seconds, 60), perSecond: 8000, stays: 0.5, level: 0.2, spread: 1.2}.blocks(b, source(1))
			var gathered Blocks
			for i := range seconds {
				gathered.Add(source0[i%len(source0)])
			}
			for b.Loop() {
				s := NewSample(gathered.Counts())
				rng := source(1)
				for _, q := range []float64{0.5, 0.9, 0.99, 0.999} {
					s.Interval(q, 0.95, rng)
				}
			}
		})
	}
}

func BenchmarkCountsOf(b *testing.B) {
	rng := source(1)
	h := histogram(b)
	for range 8000 {
		if err := h.RecordValue(int64(200e3 * math.Exp(rng.NormFloat64()))); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		CountsOf(h)
	}
}
