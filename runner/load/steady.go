package load

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/toriibench/toriibench/runner/stats"
)

// unhurried is a wait that nobody minds. The operations that become due in that
// time may be in flight more at the end than at the half (J. Little, "A Proof for
// the Queuing Formula", 1961).
const unhurried = 10 * time.Millisecond

// inFlightGrowth looks whether operations came back as fast as they became due.
func (r *Result) inFlightGrowth() stats.Trend {
	inFlight := make([]float64, len(r.Bins))
	var due int64
	for i, b := range r.Bins {
		inFlight[i] = float64(b.InFlight)
		due += b.Count
	}
	span := time.Duration(len(r.Bins)) * r.BinWidth
	if span <= 0 {
		return stats.Trend{}
	}
	return stats.Growth(inFlight, r.BinWidth, float64(due)/span.Seconds()*unhurried.Seconds())
}

// What makes a drift of the latency worth a word: it is nearly certain, and the
// latency moved by a quarter.
const (
	driftChance = 0.01
	driftShare  = 0.25
	driftOver   = 5 // bins, the mean of which is one value
)

// unsteadiness says how the latency was still on its way when it was measured: the
// warm-up had not ended by the half of the run, or what came after it drifted.
func unsteadiness(r *Result) (reasons []string) {
	series := make([]float64, 0, len(r.Bins))
	for _, b := range r.Bins {
		if b.Count > 0 {
			series = append(series, float64(b.P95))
		}
	}
	cut, steady := stats.MSER5(series)
	if !steady {
		return []string{"the latency had not settled by the half of the run (MSER-5 of the p95 of each " + r.BinWidth.String() + "): warm up or measure longer."}
	}
	means := chunkMeans(series[cut:], driftOver)
	_, p := stats.MannKendall(means)
	drift := stats.TheilSen(means) * float64(len(means)-1)
	level := median(means)
	if p < driftChance && math.Abs(drift) > driftShare*level {
		reasons = append(reasons, fmt.Sprintf("the latency drifted: its p95 moved by %v around %v while it was measured (Mann-Kendall p = %.4f, at least %v passes).",
			brief(time.Duration(drift)), brief(time.Duration(level)), p, driftChance))
	}
	return reasons
}

// chunkMeans gives the mean of each n values; what is left over is left out.
func chunkMeans(values []float64, n int) (means []float64) {
	for chunk := range slices.Chunk(values, n) {
		if len(chunk) < n {
			break
		}
		sum := 0.0
		for _, v := range chunk {
			sum += v
		}
		means = append(means, sum/float64(n))
	}
	return means
}

// median is 0 for no values.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
