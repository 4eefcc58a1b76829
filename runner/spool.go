package runner

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/toriibench/toriibench/runner/load"
)

// spool keeps what was counted in each second until the measured phase is over.
// To encode a second's histograms for the log takes tens of milliseconds of the
// generator's processor, in which operations would start late: with one processor
// that was nearly all of the lag's tail, at the 99th percentile 2.4 ms in place of 0.1.
type spool struct {
	seconds []spooledSecond
	bytes   int
}

// maxSpool is how many bytes are kept, those of ten minutes or more. A spool that
// is full is emptied in the middle of the run.
const maxSpool = 64 << 20

type spooledSecond struct {
	start, end time.Time
	operations []spooledOperation
}

type spooledOperation struct {
	name                   string
	response, service, lag sparse
}

// sparse is a histogram's counts that are not zero.
type sparse struct {
	shape hdrhistogram.Snapshot // Its counts are left out.
	size  int
	at    []int32
	n     []int64
}

// add keeps a second. It pauses after each histogram.
func (s *spool) add(i load.Interval) {
	second := spooledSecond{start: i.Start, end: i.End}
	for _, op := range i.Operations {
		second.operations = append(second.operations, spooledOperation{
			name: op.Name, response: s.keep(op.Response, i.Pause), service: s.keep(op.Service, i.Pause), lag: s.keep(op.Lag, i.Pause),
		})
	}
	s.seconds = append(s.seconds, second)
}

func (s *spool) full() bool { return s.bytes > maxSpool }

func (s *spool) keep(h *hdrhistogram.Histogram, pause func()) (kept sparse) {
	if h.TotalCount() > 0 {
		kept = newSparse(h)
		pause()
	}
	s.bytes += len(kept.at) * (4 + 8)
	return kept
}

func newSparse(h *hdrhistogram.Histogram) sparse {
	all := h.Export()
	kept := sparse{shape: *all, size: len(all.Counts)}
	kept.shape.Counts = nil
	for i, n := range all.Counts {
		if n > 0 {
			kept.at, kept.n = append(kept.at, int32(i)), append(kept.n, n)
		}
	}
	return kept
}

// histogram gives the whole back.
func (s sparse) histogram() *hdrhistogram.Histogram {
	if s.size == 0 {
		return hdrhistogram.New(int64(load.MinLatency), int64(load.MaxLatency), 3)
	}
	all := s.shape
	all.Counts = make([]int64, s.size)
	for i, at := range s.at {
		all.Counts[at] = s.n[i]
	}
	return hdrhistogram.Import(&all)
}

// empty hands all seconds over, in order, and forgets them.
func (s *spool) empty(take func(load.Interval) error) error {
	for _, second := range s.seconds {
		i := load.Interval{Start: second.start, End: second.end}
		for _, op := range second.operations {
			i.Operations = append(i.Operations, load.OpResult{
				Name: op.name, Response: op.response.histogram(), Service: op.service.histogram(), Lag: op.lag.histogram(),
			})
		}
		if err := take(i); err != nil {
			return err
		}
	}
	*s = spool{}
	return nil
}
