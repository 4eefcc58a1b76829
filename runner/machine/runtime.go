package machine

import (
	"math"
	"runtime/metrics"
	"time"
)

// The metrics of the Go runtime that a reading takes; see the package
// documentation of runtime/metrics.
const (
	gcCycles  = "/gc/cycles/total:gc-cycles"
	gcPauses  = "/sched/pauses/total/gc:seconds"
	schedWait = "/sched/latencies:seconds"
)

// schedQuantile is the quantile of the waits of goroutines that is reported.
const schedQuantile = 0.99

// runtimeMeter reads the runtime's metrics into memory that it keeps.
type runtimeMeter struct {
	samples       []metrics.Sample
	cycles        uint64
	pauses, waits histogram
}

// histogram turns a growing histogram into that of the time between readings.
type histogram struct {
	// before holds the counts of the last reading, grown what came since.
	before, grown []uint64
	edges         []float64
}

func newRuntimeMeter() *runtimeMeter {
	m := &runtimeMeter{samples: []metrics.Sample{{Name: gcCycles}, {Name: gcPauses}, {Name: schedWait}}}
	m.read(&Second{})
	return m
}

// read fills in what happened since the last reading.
func (m *runtimeMeter) read(s *Second) {
	metrics.Read(m.samples)
	if cycles := m.samples[0].Value; cycles.Kind() == metrics.KindUint64 {
		s.GCs = int64(cycles.Uint64() - m.cycles)
		m.cycles = cycles.Uint64()
	}
	m.pauses.update(m.samples[1].Value)
	m.waits.update(m.samples[2].Value)
	s.GCPause, s.Sched = m.pauses.longest(), m.waits.quantile(schedQuantile)
}

// update takes a reading; one of another kind, from a runtime that knows no such
// metric, leaves the histogram empty.
func (h *histogram) update(v metrics.Value) {
	if v.Kind() != metrics.KindFloat64Histogram {
		return
	}
	now := v.Float64Histogram()
	if len(h.before) != len(now.Counts) {
		h.before, h.grown = make([]uint64, len(now.Counts)), make([]uint64, len(now.Counts))
	}
	h.edges = now.Buckets
	for i, n := range now.Counts {
		h.grown[i] = n - h.before[i]
	}
	copy(h.before, now.Counts)
}

// longest is the highest value that came; 0 if none did.
func (h *histogram) longest() time.Duration {
	for i := len(h.grown) - 1; i >= 0; i-- {
		if h.grown[i] > 0 {
			return h.middle(i)
		}
	}
	return 0
}

// quantile is the value that a share q of what came does not exceed; 0 if
// nothing came.
func (h *histogram) quantile(q float64) time.Duration {
	var all, seen uint64
	for _, n := range h.grown {
		all += n
	}
	rank := max(1, uint64(math.Ceil(q*float64(all))))
	for i, n := range h.grown {
		if seen += n; seen >= rank {
			return h.middle(i)
		}
	}
	return 0
}

// middle is the middle of a bucket; the outermost are open, and have one edge.
func (h *histogram) middle(i int) time.Duration {
	low, high := h.edges[i], h.edges[i+1]
	switch {
	case math.IsInf(low, -1):
		low = high
	case math.IsInf(high, 1):
		high = low
	}
	return time.Duration((low + high) / 2 * float64(time.Second))
}
