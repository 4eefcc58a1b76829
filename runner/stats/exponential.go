package stats

import (
	"math"
	"slices"
)

// ExponentialCritical is the value that [AndersonDarlingExponential] passes in one
// of a hundred samples of a true exponential distribution whose mean is known
// (M. Stephens, "EDF Statistics for Goodness of Fit and Some Comparisons", JASA
// 69, 1974, case 0). The limit for long samples is 3.878 (G. and J. Marsaglia,
// Journal of Statistical Software 9(2), 2004).
const ExponentialCritical = 3.857

// shortestGap stands for gaps of zero, which a clock's resolution makes of short
// ones and whose logarithm is infinite.
const shortestGap = 1e-9

// AndersonDarlingExponential tells how far gaps are from an exponential
// distribution with a mean of 1: divide by the known mean first, as a mean taken
// from the sample has other critical values. The statistic,
//
//	A² = -n - Σ (2i-1)/n · [ln F(x_i) + ln(1-F(x_{n+1-i}))],  F(x) = 1 - exp(-x),
//
// weighs both ends of the distribution, bursts and pauses (T. Anderson and D.
// Darling, JASA 49, 1954). It sees smaller differences in longer samples, and
// finds a wall clock's own granularity in a hundred thousand: use 2000 at most,
// sampled evenly. Gaps of zero and below count as 1e-9. ok is false for fewer than
// two gaps, and if one is not a finite number.
func AndersonDarlingExponential(gaps []float64) (a2 float64, ok bool) {
	n := len(gaps)
	if n < 2 {
		return 0, false
	}
	sorted := slices.Clone(gaps)
	for i, x := range sorted {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return 0, false
		}
		sorted[i] = max(x, shortestGap)
	}
	slices.Sort(sorted)
	var sum float64
	for i, x := range sorted {
		// ln F, by expm1 because F is small where x is; ln(1-F) is -x.
		sum += float64(2*i+1) * (math.Log(-math.Expm1(-x)) - sorted[n-1-i])
	}
	return -float64(n) - sum/float64(n), true
}
