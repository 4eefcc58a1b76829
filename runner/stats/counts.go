package stats

import (
	"cmp"
	"math"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Counts is a sample of whole numbers: how often each value occurred. It takes 16
// bytes for each different value, where a histogram keeps a place for every value
// that there could be. The zero value is the empty sample. Counts never change.
type Counts struct {
	bars  []bar // By value, each once, no count below 1.
	total int64
}

type bar struct{ value, count int64 }

// CountsOf takes over what a histogram holds, each value as the upper edge of its
// bucket, as [hdrhistogram.Histogram.ValueAtQuantile] gives it. The histogram may
// be used again at once. Nil gives the empty sample.
func CountsOf(h *hdrhistogram.Histogram) Counts {
	if h == nil || h.TotalCount() == 0 {
		return Counts{}
	}
	var c Counts
	for _, b := range h.Distribution() {
		if b.Count > 0 {
			c.bars = append(c.bars, bar{b.To, b.Count})
			c.total += b.Count
		}
	}
	c.bars = slices.Clip(c.bars)
	return c
}

// Total is the size of the sample.
func (c Counts) Total() int64 { return c.total }

// Quantile is the smallest value that at least a share q of the sample does not
// exceed, 0 for the empty sample.
func (c Counts) Quantile(q float64) int64 {
	return c.at(rank(q, c.total))
}

// rank is the place, from 1, of the q-quantile in a sorted sample of n.
func rank(q float64, n int64) int64 {
	// q is rarely exact: without the shave, 0.07 of 100 would be rank 8.
	const shave = 1 - 1e-12
	return min(n, max(1, int64(math.Ceil(q*float64(n)*shave))))
}

// at is the value of a place, from 1, of the sorted sample.
func (c Counts) at(place int64) int64 {
	var seen int64
	for _, b := range c.bars {
		if seen += b.count; seen >= place {
			return b.value
		}
	}
	return 0
}

// step is how far a value of the sample is above the one before it; the first is
// taken to be as far from what could be below it as from the second. It is 0 in a
// sample of one value.
func (c Counts) step(v int64) int64 {
	at, _ := slices.BinarySearchFunc(c.bars, v, func(b bar, v int64) int { return cmp.Compare(b.value, v) })
	at = min(max(at, 1), len(c.bars)-1)
	if at < 1 {
		return 0
	}
	return c.bars[at].value - c.bars[at-1].value
}

// Merge is the sample of all together. Nothing is lost, whatever the histograms
// were that the samples came from.
func Merge(all ...Counts) Counts {
	switch len(all) {
	case 0:
		return Counts{}
	case 1:
		return all[0]
	}
	a, b := Merge(all[:len(all)/2]...), Merge(all[len(all)/2:]...)
	if a.total == 0 {
		return b
	}
	merged := Counts{bars: make([]bar, 0, len(a.bars)+len(b.bars)), total: a.total + b.total}
	for len(a.bars) > 0 && len(b.bars) > 0 {
		first, second := a.bars[0], b.bars[0]
		switch cmp.Compare(first.value, second.value) {
		case -1:
			merged.bars, a.bars = append(merged.bars, first), a.bars[1:]
		case 1:
			merged.bars, b.bars = append(merged.bars, second), b.bars[1:]
		default:
			merged.bars = append(merged.bars, bar{first.value, first.count + second.count})
			a.bars, b.bars = a.bars[1:], b.bars[1:]
		}
	}
	merged.bars = slices.Clip(append(append(merged.bars, a.bars...), b.bars...))
	return merged
}

// mostBlocks bounds the blocks that a sample is divided into. It is even.
const mostBlocks = 200

// Blocks gathers a sample by the time at which it was taken, in blocks of equal
// length: an interval each at first, and twice as many intervals each whenever
// there are 200 of them, so that a day takes no more memory than some minutes do.
// The zero value is ready. It may not be used by two goroutines at once.
type Blocks struct {
	each []Counts
	// length is how many intervals a block holds, and missing how many of them
	// the last one lacks.
	length, missing int
}

// Add appends an interval. Intervals in which nothing happened belong to the
// sample too: they keep the others where they were.
func (b *Blocks) Add(interval Counts) {
	if b.missing > 0 {
		b.missing--
		last := &b.each[len(b.each)-1]
		*last = Merge(*last, interval)
		return
	}
	if len(b.each) == mostBlocks {
		b.coarsen()
	}
	b.length = max(1, b.length)
	b.each, b.missing = append(b.each, interval), b.length-1
}

// coarsen merges neighbours.
func (b *Blocks) coarsen() {
	for i := range mostBlocks / 2 {
		b.each[i] = Merge(b.each[2*i], b.each[2*i+1])
	}
	clear(b.each[mostBlocks/2:])
	b.each = b.each[:mostBlocks/2]
	b.length *= 2
}

// Counts are the blocks' samples, in order.
func (b *Blocks) Counts() []Counts { return slices.Clone(b.each) }
