package stats

import (
	"math"
	"math/rand/v2"
)

// Bounds is a confidence interval in the unit of the sample. Low is -Inf and High
// +Inf where the sample has no bound to give.
type Bounds struct{ Low, High float64 }

func unbounded() Bounds { return Bounds{math.Inf(-1), math.Inf(1)} }

// OrderInterval is an interval that holds the q-quantile of where the sample came
// from with at least the given confidence, if the operations are independent of
// each other; nothing else is assumed. Its ends are two of the sample's own values,
// whose ranks follow from the exact binomial distribution of how many values lie
// below the quantile (C. Clopper and E. Pearson, Biometrika 26, 1934; H. David and
// H. Nagaraja, "Order Statistics", section 7.1). At 95 % it takes 368 values for
// p99 to have an upper bound, and 3688 for p99.9. q and confidence are above 0 and
// below 1; other ones, and the empty sample, give no bounds.
func OrderInterval(c Counts, q, confidence float64) Bounds {
	out := unbounded()
	if c.total == 0 || !inside(q) || !inside(confidence) {
		return out
	}
	low, high := binomialRanks(c.total, q, (1-confidence)/2)
	if low >= 1 {
		out.Low = float64(c.at(low))
	}
	if high <= c.total {
		out.High = float64(c.at(high))
	}
	return out
}

func inside(share float64) bool { return share > 0 && share < 1 }

// binomialRanks finds, for B ~ Bin(n, q), the largest low with P(B < low) <= tail
// and the smallest high with P(B >= high) <= tail. low is 0 and high n+1 where no
// rank will do.
//
// The probabilities are taken in relation to the largest one, step by step on both
// sides as far as they matter: nine standard deviations each, 150,000 steps for the
// median of 1e9. An incomplete beta function would save them and loses its digits
// where n is large.
func binomialRanks(n int64, q, tail float64) (low, high int64) {
	odds := q / (1 - q)
	up := func(k int64) float64 { return float64(n-k) / float64(k+1) * odds } // P(k+1)/P(k)
	down := func(k int64) float64 { return float64(k) / float64(n-k+1) / odds }
	mode := min(n, int64(float64(n+1)*q))
	below, above := 0.0, 0.0
	const least = 1e-20
	for k, w := mode, 1.0; w > least && k >= 0; k-- {
		below += w
		w *= down(k)
	}
	for k, w := mode, 1.0; w > least && k <= n; k++ {
		above += w
		w *= up(k)
	}
	tail *= below + above - 1 // Both hold the mode.
	low = mode
	for w := 1.0; low >= 0 && below > tail; low-- {
		below -= w
		w *= down(low)
	}
	high = mode
	for w := 1.0; high <= n && above > tail; high++ {
		above -= w
		w *= up(high)
	}
	return low + 1, high
}

// fewestBlocks are needed to see how operations hang together.
const fewestBlocks = 5

// Estimate is a quantile with its uncertainty.
type Estimate struct {
	Bounds
	// Correlation is by how much Bounds are wider than for operations that are
	// independent of each other, at least 1. It is 0 when that is not known: the
	// sample has fewer than five blocks, or lacks a bound.
	Correlation float64
}

// Sample is a sample in the blocks of time in which it was taken.
type Sample struct {
	blocks []Counts
	all    Counts
}

// NewSample puts blocks of equal length together, in order of time.
func NewSample(blocks []Counts) Sample {
	return Sample{blocks, Merge(blocks...)}
}

// Total is the size of the sample.
func (s Sample) Total() int64 { return s.all.total }

// Interval gives the wider of [OrderInterval] and [Sample.BootstrapInterval], and
// how much wider the second is: the operations of one run are not independent. If
// a pause, a neighbour or a full buffer slows one, it slows those beside it, and a
// hundred thousand operations tell less than their number. A Correlation of R
// makes a sample of n worth as much as n/R² independent operations.
func (s Sample) Interval(q, confidence float64, rng *rand.Rand) Estimate {
	order := OrderInterval(s.all, q, confidence)
	block, ok := s.BootstrapInterval(q, confidence, rng)
	if !ok || math.IsInf(order.Low, 0) || math.IsInf(order.High, 0) {
		return Estimate{Bounds: order}
	}
	correlation := s.width(block) / s.width(order)
	if !(correlation > 1) {
		return Estimate{order, 1}
	}
	return Estimate{block, correlation}
}

// width counts in the step up to the lower bound: values are known to the width of
// a histogram's bucket and no better, so that no interval is narrower.
func (s Sample) width(b Bounds) float64 {
	return b.High - b.Low + float64(s.all.step(int64(b.Low)))
}
