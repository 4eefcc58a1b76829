package stats

import "math"

// mserBatch is how many samples of a series MSER-5 takes the mean of.
const mserBatch = 5

// mserLeast is how many batches it takes to tell: of shorter series that are
// nothing but noise, more than one in sixteen has its smallest value at the end.
const mserLeast = 16

// MSER5 finds where a series has forgotten how it began: cut is the number of
// samples to leave out at its front, a multiple of five. It is the cut that makes
// the standard error of what remains the smallest,
//
//	d* = argmin over d ≤ n/2 of Σ_{i>d} (y_i - ȳ_d)² / (n-d)²,
//
// over the means y of five samples each (K. White, Simulation 69, 1997; the most
// reliable of the automatic rules in K. Hoad, S. Robinson and R. Davies,
// "Automating warm-up length estimation", JORS 61, 2010). The last samples that
// make no five are left out of the search.
//
// steady is false when the smallest lies at the end of the search, half the run:
// then the series was still on its way, and the run should be longer. Fewer than 80
// samples tell nothing and pass for steady, with a cut of 0. So do 6 % of series of
// 80 and 4 % of 100 that are pure noise pass for unsteady, and next to none of 300.
//
// All values must be finite. An empty bin of a latency over time has no value: leave
// such bins out, and count cut in the bins that remain. A single spike in a quiet
// series draws the cut behind it, and one just before the half makes it unsteady: do
// not ask of a series in which something happens on purpose.
func MSER5(series []float64) (cut int, steady bool) {
	y := batchMeans(series, mserBatch)
	n := len(y)
	if n < mserLeast {
		return 0, true
	}
	// The sum of squares over y[d:], by Welford's updates from the back.
	var mean, squares float64
	best, at := math.Inf(1), 0
	for d := n - 1; d >= 0; d-- {
		m := float64(n - d)
		delta := y[d] - mean
		mean += delta / m
		squares += delta * (y[d] - mean)
		// The earliest of equals: a constant series loses nothing.
		if g := squares / (m * m); d <= n/2 && g <= best {
			best, at = g, d
		}
	}
	return at * mserBatch, at < n/2
}

// batchMeans gives the means of size values each, and leaves out the last values
// that make no whole batch.
func batchMeans(values []float64, size int) []float64 {
	means := make([]float64, 0, len(values)/size)
	for ; len(values) >= size; values = values[size:] {
		var sum float64
		for _, v := range values[:size] {
			sum += v
		}
		means = append(means, sum/float64(size))
	}
	return means
}
