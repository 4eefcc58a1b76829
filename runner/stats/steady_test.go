package stats

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestMSER5CutsTheBeginningOff(t *testing.T) {
	rng := source(3)
	noise := func(int) float64 { return 100 + rng.NormFloat64() }
	for _, test := range []struct {
		name     string
		series   []float64
		from, to int
		steady   bool
	}{
		{"nothing to cut", repeat(600, noise), 0, 50, true},
		{"a slow start", repeat(600, func(i int) float64 { return noise(i) + 500*math.Exp(-float64(i)/20) }), 60, 160, true},
		{"a step", repeat(600, func(i int) float64 { return noise(i) + float64(50*max(0, min(1, 123-i))) }), 125, 160, true},
		{"a step just before the half", repeat(600, func(i int) float64 { return noise(i) + float64(50*max(0, min(1, 290-i))) }), 290, 295, true},
		{"always on its way", repeat(600, func(i int) float64 { return noise(i) - float64(i) }), 300, 300, false},
		{"always the same", repeat(600, func(int) float64 { return 0.1 }), 0, 0, true},
		{"too short to tell", repeat(79, func(i int) float64 { return -float64(i) }), 0, 0, true},
		{"none", nil, 0, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := slices.Clone(test.series)
			cut, steady := MSER5(test.series)
			if cut < test.from || cut > test.to || steady != test.steady {
				t.Errorf("cut %d, steady %v; want %d to %d, %v", cut, steady, test.from, test.to, test.steady)
			}
			if !slices.Equal(before, test.series) {
				t.Error("the series was changed")
			}
		})
	}
}

// The formula as it is written in the papers.
func TestMSER5IsTheSmallestOfItsFormula(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		series := rapid.SliceOfN(rapid.Float64Range(0, 1e6), 80, 200).Draw(t, "series")
		y := batchMeans(series, 5)
		error2 := func(d int) float64 {
			var mean, sum float64
			for _, v := range y[d:] {
				mean += v / float64(len(y)-d)
			}
			for _, v := range y[d:] {
				sum += (v - mean) * (v - mean)
			}
			return sum / float64(len(y)-d) / float64(len(y)-d)
		}
		cut, steady := MSER5(series)
		if cut%5 != 0 || cut < 0 || cut/5 > len(y)/2 {
			t.Fatalf("cut %d of %d", cut, len(series))
		}
		if steady != (cut/5 < len(y)/2) {
			t.Fatalf("cut %d of %d is steady: %v", cut, len(series), steady)
		}
		for d := range len(y)/2 + 1 {
			if got, other := error2(cut/5), error2(d); got > other*(1+1e-9)+1e-9 {
				t.Fatalf("cut %d has %v, and %d has %v", cut, got, 5*d, other)
			}
		}
	})
}

func TestMSER5SeldomCallsNoiseUnsteady(t *testing.T) {
	rng := source(4)
	for n, most := range map[int]float64{80: 0.08, 100: 0.06, 300: 0.02} {
		unsteady := 0
		const runs = 1000
		for range runs {
			if _, steady := MSER5(repeat(n, func(int) float64 { return math.Exp(rng.NormFloat64()) })); !steady {
				unsteady++
			}
		}
		if share := float64(unsteady) / runs; share > most {
			t.Errorf("%.3f of noise of %d samples is called unsteady, more than %v", share, n, most)
		}
	}
}
