package load

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// newOpResult returns an empty result.
func newOpResult(name string) OpResult {
	return OpResult{
		Name: name, Response: newHistogram(3), Service: newHistogram(3), Lag: newHistogram(3),
		Parts: Parts{Queue: newHistogram(2), Wire: newHistogram(2), Rest: newHistogram(2)},
	}
}

func newHistogram(digits int) *hdrhistogram.Histogram {
	return hdrhistogram.New(int64(MinLatency), int64(MaxLatency), digits)
}

// add counts one operation.
func (o *OpResult) add(s *sample) {
	response, service, lag := s.done-s.due, s.done-s.sent, s.sent-s.due
	o.Count++
	if s.outcome != succeeded {
		o.Errors++
	}
	if s.outcome == timedOut {
		o.Timeouts++
	}
	// Neither of the others can be longer than the response.
	if response > int64(MaxLatency) {
		o.Clamped++
	}
	o.MaxResponse = max(o.MaxResponse, time.Duration(response))
	o.MaxService = max(o.MaxService, time.Duration(service))
	o.MaxLag = max(o.MaxLag, time.Duration(lag))
	record(o.Response, response)
	record(o.Service, service)
	record(o.Lag, lag)
	if s.traced {
		record(o.Parts.Queue, s.queue)
		record(o.Parts.Wire, s.wire)
		record(o.Parts.Rest, service-s.queue-s.wire)
	}
}

// record counts v at the edge of the range if it is outside: the histogram
// would refuse it, and the longest waits would be those that are missing.
func record(h *hdrhistogram.Histogram, v int64) {
	// It cannot fail for a value in range.
	_ = h.RecordValue(min(max(v, int64(MinLatency)), int64(MaxLatency)))
}

// merge adds what from counted, and empties from.
func (o *OpResult) merge(from *OpResult) error {
	o.Count += from.Count
	o.Errors += from.Errors
	o.Timeouts += from.Timeouts
	o.Clamped += from.Clamped
	o.MaxResponse = max(o.MaxResponse, from.MaxResponse)
	o.MaxService = max(o.MaxService, from.MaxService)
	o.MaxLag = max(o.MaxLag, from.MaxLag)
	lost := o.Response.Merge(from.Response) + o.Service.Merge(from.Service) + o.Lag.Merge(from.Lag) +
		o.Parts.merge(from.Parts)
	from.reset()
	if lost != 0 {
		return fmt.Errorf("merge histograms of %s: %d values were lost", o.Name, lost)
	}
	return nil
}

// reset empties o and keeps its memory.
func (o *OpResult) reset() {
	o.Response.Reset()
	o.Service.Reset()
	o.Lag.Reset()
	o.Parts.Queue.Reset()
	o.Parts.Wire.Reset()
	o.Parts.Rest.Reset()
	*o = OpResult{Name: o.Name, Response: o.Response, Service: o.Service, Lag: o.Lag, Parts: o.Parts}
}

func (p Parts) merge(from Parts) (lost int64) {
	return p.Queue.Merge(from.Queue) + p.Wire.Merge(from.Wire) + p.Rest.Merge(from.Rest)
}

// How the time axis is divided.
const (
	binWidth = 100 * time.Millisecond
	maxBins  = 600
)

// bins divides the time axis by when operations were due.
type bins struct {
	width time.Duration
	each  []bin
}

type bin struct {
	// response is made when the first operation comes: 21 KiB each.
	response *hdrhistogram.Histogram
	max      time.Duration
	// ended counts operations by when they ended.
	ended int64
}

// newBins divides span into bins of equal width, a multiple of binWidth.
func newBins(span time.Duration) *bins {
	width := binWidth * max(1, ceil(span, binWidth*maxBins))
	return &bins{width: width, each: make([]bin, ceil(span, width))}
}

func ceil(a, b time.Duration) time.Duration { return (a + b - 1) / b }

func (b *bins) add(s *sample) {
	at := &b.each[time.Duration(s.due)/b.width]
	if at.response == nil {
		at.response = newHistogram(2)
	}
	at.max = max(at.max, time.Duration(s.done-s.due))
	record(at.response, s.done-s.due)
	if ended := time.Duration(s.done) / b.width; int(ended) < len(b.each) {
		b.each[ended].ended++
	}
}

// summarize returns the bins of the first span of the time axis.
func (b *bins) summarize(span time.Duration) []Bin {
	out := make([]Bin, min(len(b.each), int(ceil(span, b.width))))
	var inFlight int64
	for i := range out {
		out[i] = b.each[i].summarize()
		inFlight += out[i].Count - b.each[i].ended
		out[i].InFlight = inFlight
	}
	return out
}

func (b *bin) summarize() Bin {
	if b.response == nil {
		return Bin{}
	}
	// A percentile is the upper edge of its bucket, which may lie beyond the
	// longest.
	at := func(percent float64) time.Duration {
		return min(b.max, time.Duration(b.response.ValueAtQuantile(percent)))
	}
	return Bin{Count: b.response.TotalCount(), P50: at(50), P95: at(95), P99: at(99), Max: b.max}
}
