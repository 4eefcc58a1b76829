package load

import "sync/atomic"

// sample is what a worker notes down about an operation. The instants are in
// nanoseconds after the start of the phase.
type sample struct {
	due, sent, done int64
	// queue and wire are what a traced operation's trace held.
	queue, wire int64
	kind        int32
	traced      bool
	outcome     outcome
}

// outcome is how an operation ended.
type outcome uint8

const (
	succeeded outcome = iota
	failed
	timedOut
)

// ring carries samples from its one worker to the recorder, without a lock. A
// worker that finds it full waits: no sample is ever lost.
type ring struct {
	samples []sample
	mask    uint64
	// nudge asks the recorder to come before its time.
	nudge chan<- struct{}
	// room is told by the recorder that a waiting worker may go on.
	room chan struct{}

	_    [64]byte
	tail atomic.Uint64 // Written by the worker.
	// seen is the worker's latest knowledge of head.
	seen  uint64
	waits atomic.Int64
	_     [40]byte
	head  atomic.Uint64 // Written by the recorder.
	// waiting says that the worker waits for room.
	waiting atomic.Bool
	_       [52]byte
}

// newRing takes a size that is a power of two.
func newRing(size int, nudge chan<- struct{}) *ring {
	return &ring{
		samples: make([]sample, size),
		mask:    uint64(size - 1),
		nudge:   nudge,
		room:    make(chan struct{}, 1),
	}
}

// put is the worker's.
func (r *ring) put(s *sample) {
	tail := r.tail.Load()
	if tail-r.seen >= uint64(len(r.samples))/2 {
		r.press(tail)
	}
	r.samples[tail&r.mask] = *s
	r.tail.Store(tail + 1)
}

// press hurries the recorder on when the ring is half full, and waits for room
// when it is full.
func (r *ring) press(tail uint64) {
	r.seen = r.head.Load()
	if tail-r.seen < uint64(len(r.samples))/2 {
		return
	}
	r.call()
	if tail-r.seen < uint64(len(r.samples)) {
		return
	}
	r.waits.Add(1)
	for tail-r.seen == uint64(len(r.samples)) {
		r.waiting.Store(true)
		if r.seen = r.head.Load(); tail-r.seen < uint64(len(r.samples)) {
			return
		}
		r.call()
		<-r.room
		r.seen = r.head.Load()
	}
}

func (r *ring) call() {
	select {
	case r.nudge <- struct{}{}:
	default:
	}
}

// drain is the recorder's. It hands over all samples that are there now.
func (r *ring) drain(take func(*sample)) {
	head, tail := r.head.Load(), r.tail.Load()
	for ; head != tail; head++ {
		take(&r.samples[head&r.mask])
	}
	r.head.Store(head)
	if r.waiting.CompareAndSwap(true, false) {
		select {
		case r.room <- struct{}{}:
		default:
		}
	}
}
