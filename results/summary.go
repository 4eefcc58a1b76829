package results

import (
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Tail samples that a percentile needs. With k = n(1-q) samples expected above
// the q-quantile of n, the exact binomial interval on the tail's probability
// (C. Clopper and E. Pearson, Biometrika 26, 1934; the ranks of an order
// statistic follow the same law, H. David and H. Nagaraja, "Order Statistics",
// section 7.1) is at 95 % about
//
//	k = 100   -19 % / +21 %
//	k = 400   -10 % / +10 %
//
// so 400 is asked of the tail percentiles that people set objectives on, and
// 100 of the body. The law takes samples for independent; those of one run are
// not quite, so this is the least that is needed and promises no more.
const (
	tailSamples = 400
	bodySamples = 100
	// tailFrom is the first quantile that counts as tail.
	tailFrom = 0.99
)

// nanosPerMicro turns the histograms' unit into run.json's.
const nanosPerMicro = 1e3

// Summarize turns a histogram of nanoseconds into percentiles in microseconds.
// A percentile that the sample cannot carry (see [Samples]) is nil; so is
// everything for a histogram that is nil or empty.
//
// The values are those of a histogram: each is the upper edge of its bucket,
// at 3 significant digits at most 0.1 % above what was recorded. That holds for
// Max too: the exact maximum is not in a histogram, and a value that was
// clamped on its way in counts as the histogram's largest.
func Summarize(h *hdrhistogram.Histogram) Percentiles {
	if h == nil || h.TotalCount() == 0 {
		return Percentiles{}
	}
	return Percentiles{
		P50:  quantile(h, 0.50),
		P90:  quantile(h, 0.90),
		P99:  quantile(h, 0.99),
		P999: quantile(h, 0.999),
		Max:  micros(float64(h.Max())),
		Mean: micros(h.Mean()),
	}
}

// quantile is nil when h holds too few samples for q.
func quantile(h *hdrhistogram.Histogram, q float64) *float64 {
	if h.TotalCount() < Samples(q) {
		return nil
	}
	return micros(float64(h.ValueAtQuantile(q * 100))) // It takes a percentage.
}

func micros(nanos float64) *float64 {
	v := nanos / nanosPerMicro
	return &v
}

// Samples says how many samples the quantile q (0 < q < 1) needs to be quoted:
// those that put 400 beyond it for q of 0.99 and above (40,000 for 0.99,
// 400,000 for 0.999), and 100 below that (200 for 0.5, 1,000 for 0.9). Outside
// (0, 1) one sample carries it, as it does a minimum or a maximum.
func Samples(q float64) int64 {
	if q <= 0 || q >= 1 {
		return 1
	}
	k := float64(bodySamples)
	if q >= tailFrom {
		k = tailSamples
	}
	// 1-q is rarely exact: without the shave, 100/(1-0.9) would round up to 1001.
	const shave = 1 - 1e-9
	return int64(math.Ceil(k / (1 - q) * shave))
}

// Needed says how many seconds more a measurement that has n samples must go
// on at rate samples a second until it carries the quantile q. It is 0 when n
// is enough, and +Inf when samples are missing and rate is not positive.
func Needed(q float64, n int64, rate float64) float64 {
	missing := Samples(q) - n
	if missing <= 0 {
		return 0
	}
	if !(rate > 0) {
		return math.Inf(1)
	}
	return float64(missing) / rate
}
