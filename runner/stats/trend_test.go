package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestMannKendallOfShortSeriesIsExact(t *testing.T) {
	for _, test := range []struct {
		name   string
		series []float64
		tau, p float64
	}{
		{"four that rise", []float64{1, 2, 3, 4}, 1, 2.0 / 24},
		{"four that fall", []float64{9, 8, 7, 6}, -1, 2.0 / 24},
		{"four with one fall", []float64{1, 2, 4, 3}, 4.0 / 6, 8.0 / 24},
		{"five that rise", []float64{1, 2, 3, 4, 5}, 1, 2.0 / 120},
		{"three falls of six", []float64{1, 4, 3, 2}, 0, 1},
		{"all the same", []float64{5, 5, 5}, 0, 1},
		{"one", []float64{5}, 0, 1},
		{"none", nil, 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			tau, p := MannKendall(test.series)
			if math.Abs(tau-test.tau) > 1e-12 || math.Abs(p-test.p) > 1e-12 {
				t.Errorf("tau %v, p %v; want %v, %v", tau, p, test.tau, test.p)
			}
		})
	}
}

// All orders of seven values.
func TestMannKendallExactProbabilityIsThatOfAllOrders(t *testing.T) {
	taus := map[float64]int{}
	orders := 0
	var each func(values []float64, k int)
	each = func(values []float64, k int) {
		if k == len(values) {
			tau, _ := MannKendall(values)
			taus[tau]++
			orders++
			return
		}
		for i := k; i < len(values); i++ {
			values[k], values[i] = values[i], values[k]
			each(values, k+1)
			values[k], values[i] = values[i], values[k]
		}
	}
	each([]float64{1, 2, 3, 4, 5, 6, 7}, 0)
	_, got := MannKendall([]float64{2, 1, 3, 4, 7, 5, 6})
	as := 0
	for tau, n := range taus {
		if math.Abs(tau) >= 15.0/21-1e-9 {
			as += n
		}
	}
	if want := float64(as) / float64(orders); math.Abs(got-want) > 1e-12 {
		t.Errorf("p = %v, want %v", got, want)
	}
}

// By the sums over all pairs, as in the textbook.
func TestMannKendallAgreesWithAllPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Few different values, so that many are equal.
		raw := rapid.SliceOfN(rapid.IntRange(0, 9), 31, 80).Draw(t, "series")
		series := repeat(len(raw), func(i int) float64 { return float64(raw[i]) })
		before := slices.Clone(series)
		tau, p := MannKendall(series)
		if !slices.Equal(before, series) {
			t.Fatal("the series was changed")
		}
		n := float64(len(raw))
		s, groups := 0.0, map[int]float64{}
		for i, v := range raw {
			groups[v]++
			for _, w := range raw[i+1:] {
				switch {
				case w > v:
					s++
				case w < v:
					s--
				}
			}
		}
		variance, tied := n*(n-1)*(2*n+5), 0.0
		for _, g := range groups {
			variance -= g * (g - 1) * (2*g + 5)
			tied += g * (g - 1) / 2
		}
		pairs := n * (n - 1) / 2
		if tied == pairs {
			return
		}
		wantTau := s / math.Sqrt(pairs*(pairs-tied))
		wantP := math.Erfc(max(0, math.Abs(s)-1) / math.Sqrt(variance/18) / math.Sqrt2)
		if math.Abs(tau-wantTau) > 1e-9 || math.Abs(p-wantP) > 1e-9 {
			t.Fatalf("tau %v, p %v; want %v, %v", tau, p, wantTau, wantP)
		}
	})
}

func TestMannKendallSeldomSeesATrendInNoise(t *testing.T) {
	rng := source(5)
	for name, draw := range map[string]func(int) float64{
		"that all differs": func(int) float64 { return rng.NormFloat64() },
		"with ties":        func(int) float64 { return float64(rng.IntN(4)) },
	} {
		seen := 0
		const runs = 2000
		for range runs {
			if _, p := MannKendall(repeat(60, draw)); p <= 0.05 {
				seen++
			}
		}
		if share := float64(seen) / runs; share < 0.035 || share > 0.065 {
			t.Errorf("noise %s shows a trend in %.3f of all cases, want 0.05", name, share)
		}
	}
}

func TestTheilSenFindsTheSlopeAmongWildValues(t *testing.T) {
	rng := source(6)
	line := func(n int) []float64 {
		return repeat(n, func(i int) float64 {
			if i%5 == 2 {
				return 1e6 * rng.Float64()
			}
			return 7 + 0.25*float64(i) + 0.01*rng.NormFloat64()
		})
	}
	if got := TheilSen(line(300)); math.Abs(got-0.25) > 0.001 {
		t.Errorf("slope %v, want 0.25", got)
	}
	for _, n := range []int{2, 200, 201, 86_400} {
		exact := repeat(n, func(i int) float64 { return -3 * float64(i) })
		if got := TheilSen(exact); math.Abs(got+3) > 1e-9 {
			t.Errorf("slope of %d is %v, want -3", n, got)
		}
	}
	if got := TheilSen(nil) + TheilSen([]float64{4}); got != 0 {
		t.Errorf("slope of nothing is %v", got)
	}
}

func TestThinningKeepsTheEnd(t *testing.T) {
	means, size := thin([]float64{100, 1, 3, 5, 7}, 2)
	if size != 3 || !slices.Equal(means, []float64{5}) {
		t.Errorf("%v of %d each", means, size)
	}
}

// queue simulates operations in flight at a server that can do one in mean seconds,
// while they come at 2000 a second; every 20 ms for ten seconds.
func queue(rng *rand.Rand, load float64) []float64 {
	const rate, seconds = 2000.0, 10.0
	done := rate / load
	var series []float64
	inFlight := 0.0
	for at := 0.0; at < seconds; {
		at += rng.ExpFloat64() / (rate + done)
		for float64(len(series)+1)*0.02 < min(at, seconds) {
			series = append(series, inFlight)
		}
		if rng.Float64() < rate/(rate+done) {
			inFlight++
		} else if inFlight > 0 {
			inFlight--
		}
	}
	return series
}

func TestGrowthIsThatOfAnOverloadedServer(t *testing.T) {
	const every, material, runs = 20 * time.Millisecond, 20, 40
	for _, test := range []struct {
		name        string
		load        float64
		least, most int
	}{
		{"half busy", 0.5, 0, 0},
		{"busy for 95 %", 0.95, 0, 2},
		{"10 % too much", 1.1, 38, runs},
		{"50 % too much", 1.5, runs, runs},
	} {
		t.Run(test.name, func(t *testing.T) {
			rng := source(7)
			growing, slope := 0, 0.0
			for range runs {
				g := Growth(queue(rng, test.load), every, material)
				if g.Growing {
					growing++
				}
				slope += g.Slope / runs
			}
			if growing < test.least || growing > test.most {
				t.Errorf("%d of %d grow, want %d to %d", growing, runs, test.least, test.most)
			}
			// What comes and is not done stays.
			if want := 2000 * max(0, 1-1/test.load); math.Abs(slope-want) > 0.1*want+5 {
				t.Errorf("slope %v a second, want %v", slope, want)
			}
		})
	}
}

func TestGrowthMustBeCertainAndLarge(t *testing.T) {
	rng := source(8)
	noise := func(level float64) float64 { return level + rng.NormFloat64() }
	for _, test := range []struct {
		name     string
		series   []float64
		material float64
		growing  bool
	}{
		{"steady and large", repeat(1000, func(i int) float64 { return noise(float64(i) / 10) }), 20, true},
		{"steady and too small for a word", repeat(1000, func(i int) float64 { return noise(float64(i) / 100) }), 20, false},
		{"large and small beside what is there", repeat(1000, func(i int) float64 { return noise(1000 + float64(i)/10) }), 20, false},
		{"in the first half", repeat(1000, func(i int) float64 { return noise(float64(min(i, 500))) }), 20, false},
		{"downwards", repeat(1000, func(i int) float64 { return noise(1000 - float64(i)) }), 20, false},
		{"all the time, in ten samples", repeat(10, func(i int) float64 { return 10 * float64(i) }), 20, true},
		{"in too few samples", repeat(8, func(i int) float64 { return 10 * float64(i) }), 20, false},
		{"of a day", repeat(86_400, func(i int) float64 { return noise(float64(i)) }), 20, true},
		{"never", make([]float64, 100), 0, false},
		{"nothing", nil, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if g := Growth(test.series, time.Second, test.material); g.Growing != test.growing {
				t.Errorf("%+v", g)
			}
		})
	}
	if g := Growth(repeat(100, func(i int) float64 { return float64(i) }), 0, 0); g != (Trend{P: 1}) {
		t.Errorf("without a time: %+v", g)
	}
}

// What is in flight goes up and down in waves that last longer than a sample.
func TestGrowthIsNotTakenInByWaves(t *testing.T) {
	for _, test := range []struct {
		samples     int
		stays, most float64
	}{
		{500, 0, 0.03}, {500, 0.5, 0.03}, {500, 0.9, 0.04}, {100, 0.9, 0.03}, {40, 0.5, 0.04},
	} {
		rng := source(9)
		growing := 0
		const runs = 200
		stays := test.stays
		for range runs {
			level := 0.0
			series := repeat(test.samples, func(int) float64 {
				level = stays*level + math.Sqrt(1-stays*stays)*rng.NormFloat64()
				return math.Floor(20 * math.Exp(level/2))
			})
			if Growth(series, 20*time.Millisecond, 1).Growing {
				growing++
			}
		}
		if share := float64(growing) / runs; share > test.most {
			t.Errorf("with a correlation of %v, %.3f of %d samples without a trend grow", stays, share, test.samples)
		}
	}
}
