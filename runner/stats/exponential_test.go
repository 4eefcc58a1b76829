package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 42)) }

func repeat(n int, draw func(i int) float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = draw(i)
	}
	return out
}

func TestAndersonDarlingOfASampleThatCanBeDoneByHand(t *testing.T) {
	// F = 1/2 for both: A² = -2 - (1/2)(2·ln 1/2 + 3·2·ln 1/2).
	if a2, ok := AndersonDarlingExponential([]float64{math.Ln2, math.Ln2}); !ok || math.Abs(a2-(4*math.Ln2-2)) > 1e-12 {
		t.Errorf("A² = %v, %v, want %v", a2, ok, 4*math.Ln2-2)
	}
	// F(x) = 1/4 and 3/4, in the wrong order.
	gaps := []float64{math.Log(4), math.Log(4.0 / 3)}
	want := -2 - 0.5*(2*math.Log(0.25)+6*math.Log(0.75))
	if a2, ok := AndersonDarlingExponential(gaps); !ok || math.Abs(a2-want) > 1e-12 {
		t.Errorf("A² = %v, %v, want %v", a2, ok, want)
	}
	if gaps[0] != math.Log(4) {
		t.Error("the gaps were sorted in place")
	}
}

func TestAndersonDarlingFindsNothingInOneOfAHundredTrueSamples(t *testing.T) {
	rng := source(1)
	beyond := 0
	const runs = 4000
	for range runs {
		if a2, _ := AndersonDarlingExponential(repeat(200, func(int) float64 { return rng.ExpFloat64() })); a2 > ExponentialCritical {
			beyond++
		}
	}
	if share := float64(beyond) / runs; share < 0.006 || share > 0.015 {
		t.Errorf("%.2f %% of true samples are beyond the critical value, want about 1 %%", 100*share)
	}
}

func TestAndersonDarlingFindsArrivalsThatAreNotPoisson(t *testing.T) {
	rng := source(2)
	for name, draw := range map[string]func(i int) float64{
		"a metronome":                      func(int) float64 { return 1 },
		"a rate 15 % too low":              func(int) float64 { return 1.15 * rng.ExpFloat64() },
		"batches of ten":                   func(i int) float64 { return float64(10 * max(0, 1-i%10)) },
		"half as many again, then a pause": func(i int) float64 { return rng.ExpFloat64() * (0.5 + float64(i/1000)) },
		"nothing but zeros":                func(int) float64 { return 0 },
	} {
		if a2, ok := AndersonDarlingExponential(repeat(2000, draw)); !ok || a2 < 2*ExponentialCritical {
			t.Errorf("%s: A² = %v, %v", name, a2, ok)
		}
	}
	// A clock with a resolution of a hundredth of the mean is no reason to complain.
	coarse := repeat(2000, func(int) float64 { return math.Floor(rng.ExpFloat64()*100) / 100 })
	if !slices.Contains(coarse, 0) {
		t.Fatal("the sample has no zero")
	}
	if a2, ok := AndersonDarlingExponential(coarse); !ok || a2 > 2*ExponentialCritical {
		t.Errorf("a coarse clock: A² = %v, %v", a2, ok)
	}
}

func TestAndersonDarlingOfNonsenseIsNotOK(t *testing.T) {
	for name, gaps := range map[string][]float64{
		"none": nil, "one": {1}, "no number": {1, math.NaN()}, "an endless one": {1, math.Inf(1)},
	} {
		if a2, ok := AndersonDarlingExponential(gaps); ok || a2 != 0 {
			t.Errorf("%s: %v, %v", name, a2, ok)
		}
	}
	if a2, ok := AndersonDarlingExponential([]float64{-1, 1e300}); !ok || math.IsNaN(a2) || math.IsInf(a2, 0) {
		t.Errorf("gaps far out: %v, %v", a2, ok)
	}
}
