package load

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// worker performs operations, one at a time.
type worker struct {
	phase *phase
	// ring takes the samples; nil records nothing.
	ring *ring
	ctx  atomic.Pointer[opContext]
	// op and trace are kept here since Do would move local ones to the heap each
	// time.
	op    Op
	trace Trace
	_     [64]byte
}

// run works until there is no more to do. A Do that ends its goroutine
// takes the worker with it.
func (w *worker) run() {
	defer w.phase.working.Done()
	w.phase.ready.Done()
	for w.phase.take(&w.op) {
		w.perform()
	}
}

// perform does w.op and notes it down.
func (w *worker) perform() {
	p := w.phase
	s := sample{due: int64(w.op.Due)}
	if w.op.Trace != nil {
		w.trace = Trace{}
		w.op.Trace = &w.trace
	}
	sent := p.now()
	if p.closed != nil {
		// It was taken before the span ended, however late the worker comes.
		s.due = int64(min(sent, p.closed.span-1))
	}
	kind, err := w.do(sent + p.timeout)
	done := p.now()
	s.traced = s.traced && w.op.Trace != nil
	if uint(kind) >= uint(p.kinds) {
		err = errors.Join(err, fmt.Errorf("traffic returned operation %d of %d", kind, p.kinds))
		kind = 0
	}
	if err != nil {
		s.outcome = classify(err, done-sent >= p.timeout)
		p.errors.add(err)
	}
	if w.ring != nil {
		s.traced = w.op.Trace != nil // A traffic that cannot tell takes it away.
		s.sent, s.done, s.kind = int64(sent), int64(done), int32(kind)
		s.queue, s.wire = int64(w.trace.Queue), int64(w.trace.Wire)
		w.ring.put(&s)
	}
}

// do calls the traffic, whose panic becomes an error.
func (w *worker) do(deadline time.Duration) (kind int, err error) {
	c := w.ctx.Load()
	c.begin(deadline)
	if w.phase.deadlines.canceled.Load() {
		c.end(int64(deadline), context.Canceled)
	}
	defer func() {
		if v := recover(); v != nil {
			kind, err = w.op.Kind, fmt.Errorf("operation panicked: %v", v)
		}
		if !c.finish(deadline) {
			w.ctx.Store(newOpContext(w.phase))
		}
	}()
	return w.phase.traffic.Do(c, &w.op)
}

func classify(err error, late bool) outcome {
	if late || errors.Is(err, context.DeadlineExceeded) {
		return timedOut
	}
	return failed
}
