package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat/distuv"
)

// resamples is how many samples are drawn for an interval.
const resamples = 1000

// BootstrapInterval is a confidence interval of the q-quantile that does not take
// operations for independent. It draws 1000 samples as long as this one out of its
// own blocks, runs of ceil(n^(1/3)) neighbours of the n blocks at a time, so that
// what hangs together stays together, and takes the middle of what their quantiles
// are (H. Künsch, Annals of Statistics 17, 1989; the last block is followed by the
// first, so that all are drawn equally often: D. Politis and J. Romano, 1992; the
// length after P. Hall, J. Horowitz and B.-Y. Jing, Biometrika 82, 1995).
//
// Few blocks differ less from each other than those of a longer run would, and the
// interval would be too narrow. So it goes further out, by Student's t and the
// lost degree of freedom for n/length independent parts (T. Hesterberg, "What
// Teachers Should Know About the Bootstrap", The American Statistician 69, 2015,
// section 3.2): at 95 % to the least and greatest of all that was drawn for ten
// blocks, and hardly at all from sixty on. It never goes beyond what was measured:
// a run shorter than what disturbs it cannot know of it.
//
// ok is false for fewer than five blocks, and for q or confidence not between 0
// and 1.
func (s Sample) BootstrapInterval(q, confidence float64, rng *rand.Rand) (b Bounds, ok bool) {
	n := len(s.blocks)
	if n < fewestBlocks || s.all.total == 0 || !inside(q) || !inside(confidence) {
		return unbounded(), false
	}
	t := newTable(s, q)
	length := int(math.Ceil(math.Cbrt(float64(n)) - 1e-9))
	values := make([]float64, 0, resamples)
	starts := make([]int, (n+length-1)/length)
	for range resamples {
		for i := range starts {
			starts[i] = rng.IntN(n)
		}
		if v, ok := t.quantile(starts, length, q); ok {
			values = append(values, float64(v))
		}
	}
	slices.Sort(values)
	out := int(expandedTail(confidence, float64(n)/float64(length)) * float64(len(values)-1))
	return Bounds{values[out], values[len(values)-1-out]}, true
}

// expandedTail is the share to leave out at each end.
func expandedTail(confidence, parts float64) float64 {
	t := distuv.StudentsT{Sigma: 1, Nu: parts - 1}.Quantile((1 + confidence) / 2)
	return distuv.UnitNormal.Survival(t * math.Sqrt(parts/(parts-1)))
}

// table counts how many operations of the first blocks are not longer than a
// value. A quantile of blocks together lies between the least and the greatest of
// theirs, so that it needs only the values between these.
type table struct {
	n      int
	values []int64
	// counts has a row of n+1 for each value and one for all: counts[v][i] is of
	// the blocks before i.
	counts [][]int64
}

func newTable(s Sample, q float64) *table {
	low, high := int64(math.MaxInt64), int64(math.MinInt64)
	for _, b := range s.blocks {
		if b.total > 0 {
			v := b.Quantile(q)
			low, high = min(low, v), max(high, v)
		}
	}
	t := &table{n: len(s.blocks)}
	for _, b := range s.all.bars {
		if b.value >= low && b.value <= high {
			t.values = append(t.values, b.value)
		}
	}
	space := make([]int64, (len(t.values)+1)*(t.n+1))
	for range len(t.values) + 1 {
		t.counts, space = append(t.counts, space[:t.n+1:t.n+1]), space[t.n+1:]
	}
	for i, b := range s.blocks {
		t.add(i, b)
	}
	return t
}

// add counts block i on top of those before it.
func (t *table) add(i int, block Counts) {
	var seen int64
	bars := block.bars
	for v, value := range t.values {
		for len(bars) > 0 && bars[0].value <= value {
			seen += bars[0].count
			bars = bars[1:]
		}
		t.counts[v][i+1] = t.counts[v][i] + seen
	}
	all := t.counts[len(t.values)]
	all[i+1] = all[i] + block.total
}

// quantile is that of the blocks drawn: length of them from each start on, and n in
// all. ok is false if they hold no operation.
func (t *table) quantile(starts []int, length int, q float64) (value int64, ok bool) {
	total := t.sum(len(t.values), starts, length)
	if total == 0 {
		return 0, false
	}
	want := rank(q, total)
	at := sort.Search(len(t.values)-1, func(v int) bool { return t.sum(v, starts, length) >= want })
	return t.values[at], true
}

// sum adds up a row over the blocks drawn.
func (t *table) sum(row int, starts []int, length int) int64 {
	counts := t.counts[row]
	var sum int64
	left := t.n
	for _, from := range starts {
		to := from + min(length, left)
		left -= to - from
		if to > t.n {
			sum += counts[t.n] // Around the end.
			to -= t.n
		}
		sum += counts[to] - counts[from]
	}
	return sum
}
