package stats

import (
	"math"
	"slices"
	"time"
)

// exactLength is up to which length Mann-Kendall's distribution is computed
// instead of taken for normal, where no values are equal.
const exactLength = 30

// MannKendall tests a series for a trend in either direction. tau is Kendall's
// tau-b between the values and their places, from -1 (always falling) to 1; p is
// the probability of a tau so far from 0 in a series without a trend. It is exact
// for up to 30 values that all differ, and otherwise from the normal approximation
// with the corrections for ties and continuity (H. Mann, Econometrica 13, 1945; M.
// Kendall, "Rank Correlation Methods", chapters 4 and 5). Fewer than two values,
// and values that are all the same, give 0 and 1. It takes O(n log n).
//
// The test takes values for independent of each other. Those of a latency over
// time are not, and then p is too small (K. Hamed and A. Rao, Journal of Hydrology
// 204, 1998): give it means over stretches that are long against what correlates
// them.
func MannKendall(series []float64) (tau, p float64) {
	n := len(series)
	sorted := slices.Clone(series)
	falls := countFalls(sorted, make([]float64, n))
	pairs := float64(n) * float64(n-1) / 2
	tied, correction := ties(sorted)
	if n < 2 || tied == pairs {
		return 0, 1
	}
	s := pairs - tied - 2*float64(falls) // Pairs that rise less pairs that fall.
	tau = s / math.Sqrt(pairs*(pairs-tied))
	if n <= exactLength && tied == 0 {
		return tau, exactKendall(n, falls)
	}
	variance := (float64(n)*float64(n-1)*float64(2*n+5) - correction) / 18
	z := max(0, math.Abs(s)-1) / math.Sqrt(variance)
	return tau, math.Erfc(z / math.Sqrt2)
}

// countFalls counts the pairs of which the later value is smaller, by sorting
// values with merges (W. Knight, JASA 61, 1966). It uses space, as long as values.
func countFalls(values, space []float64) int64 {
	n := len(values)
	if n < 2 {
		return 0
	}
	left, right := values[:n/2], values[n/2:]
	falls := countFalls(left, space) + countFalls(right, space)
	merged := space[:0]
	for len(left) > 0 && len(right) > 0 {
		if right[0] < left[0] {
			falls += int64(len(left))
			merged, right = append(merged, right[0]), right[1:]
		} else {
			merged, left = append(merged, left[0]), left[1:]
		}
	}
	merged = append(append(merged, left...), right...)
	copy(values, merged)
	return falls
}

// ties counts the pairs of equal values, and sums t(t-1)(2t+5) over the groups of
// t of them.
func ties(sorted []float64) (pairs, correction float64) {
	for i := 0; i < len(sorted); {
		j := i + 1
		for j < len(sorted) && sorted[j] == sorted[i] {
			j++
		}
		t := float64(j - i)
		pairs += t * (t - 1) / 2
		correction += t * (t - 1) * (2*t + 5)
		i = j
	}
	return pairs, correction
}

// exactKendall gives the probability that a random order of n different values has
// a number of falls as far from the middle as this one. The number of falls is a
// sum of independent uniform ones: the i-th value falls below 0 to i-1 earlier ones.
func exactKendall(n int, falls int64) float64 {
	chance := []float64{1}
	for i := 2; i <= n; i++ {
		next := make([]float64, len(chance)+i-1)
		for at, c := range chance {
			for more := range i {
				next[at+more] += c / float64(i)
			}
		}
		chance = next
	}
	nearEnd := min(falls, int64(len(chance))-1-falls)
	var tail float64
	for _, c := range chance[:nearEnd+1] {
		tail += c
	}
	return min(1, 2*tail)
}

// mostSlopes bounds the points that TheilSen takes the slopes between.
const mostSlopes = 200

// TheilSen is the slope of a series per sample: the median of the slopes between
// all pairs of points, which up to 29 % of wild values cannot move far (P. Sen,
// JASA 63, 1968). A series of more than 200 is first made into at most 200 means
// of as many neighbours each, the first ones that make no whole group left out, so
// that it takes some milliseconds at the most. Fewer than two values have no slope: 0.
func TheilSen(y []float64) float64 {
	y, size := thin(y, mostSlopes)
	var slopes []float64
	for i := range y {
		for j := i + 1; j < len(y); j++ {
			slopes = append(slopes, (y[j]-y[i])/float64(j-i))
		}
	}
	return median(slopes) / float64(size)
}

// thin makes at most most means of size neighbours each, from the end on.
func thin(y []float64, most int) (means []float64, size int) {
	size = max(1, (len(y)+most-1)/most)
	return batchMeans(y[len(y)%size:], size), size
}

// median sorts values; that of none is 0.
func median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return 0
	}
	slices.Sort(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// What makes growth certain and worth a word.
const (
	growthChance = 0.01
	growthShare  = 0.25
	growthPoints = 50
	// fewestPoints is from when on it is seen how they hang together.
	fewestPoints = 8
)

// Trend is where a series went over its second half.
type Trend struct {
	// Slope is the change a second, and Rise what that comes to over the half.
	Slope, Rise float64
	// Level is the half's median.
	Level float64
	// P is the probability that a series without a trend rises so steadily.
	P float64
	// Growing tells that the rise is both certain and large; see [Growth].
	Growing bool
}

// Growth looks whether the number of operations in flight, taken once every every,
// grew over the second half of the series: a system that cannot keep up takes in
// more than it gives back, at a steady difference, and what is in flight at the
// end then only says how long the run was.
//
// It is growing if the rise is significant (P of at most 0.01, one-sided, by the
// Mann-Kendall test of at most 50 means over stretches of equal length) and
// material: at least material operations, and at least a quarter of the half's
// median. (A queue that grows steadily from nothing rises by two thirds of that.) By
// Little's law the rate times a wait that nobody minds is a good bound for
// material.
//
// What is in flight now is much of what is in flight a moment later. So the test's
// z counts (1-r)/(1+r) of the means only, r being the correlation of one with the
// next around the line through them (G. Bayley and J. Hammersley, "The Effective
// Number of Independent Observations", JRSS Supplement 8, 1946). Of fewer than
// eight samples in the half r cannot be told, and of fewer than five no rise is
// significant: sample ten times a second or more.
func Growth(inFlight []float64, every time.Duration, material float64) Trend {
	half := inFlight[len(inFlight)/2:]
	if len(half) < 2 || every <= 0 {
		return Trend{P: 1}
	}
	perSample := TheilSen(half)
	t := Trend{
		Slope: perSample / every.Seconds(), Rise: perSample * float64(len(half)-1),
		Level: median(slices.Clone(half)), P: rising(half),
	}
	t.Growing = t.P <= growthChance && t.Rise >= max(material, growthShare*t.Level)
	return t
}

// rising is the probability that a series without a trend rises so steadily.
func rising(series []float64) float64 {
	means, _ := thin(series, growthPoints)
	tau, p := MannKendall(means)
	if len(means) >= fewestPoints {
		r := nextCorrelation(means)
		z := math.Erfcinv(p) * math.Sqrt((1-r)/(1+r))
		p = math.Erfc(z)
	}
	if tau < 0 {
		return 1 - p/2
	}
	return p / 2
}

// nextCorrelation is how far each value goes with the next, from 0 to 0.95, around
// the line through all. A short series shows too little of it, which the second
// term makes good (M. Kendall, "Note on Bias in the Estimation of Autocorrelation",
// Biometrika 41, 1954).
func nextCorrelation(y []float64) float64 {
	n := float64(len(y))
	slope := TheilSen(y)
	rest := make([]float64, len(y))
	var mean float64
	for i, v := range y {
		rest[i] = v - slope*float64(i)
		mean += rest[i] / n
	}
	var next, all float64
	for i := range rest {
		rest[i] -= mean
		all += rest[i] * rest[i]
		if i > 0 {
			next += rest[i] * rest[i-1]
		}
	}
	if all == 0 {
		return 0
	}
	r := next / all
	return min(0.95, max(0, r+(1+3*r)/n))
}
