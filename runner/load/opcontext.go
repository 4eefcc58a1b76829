package load

import (
	"context"
	"sync/atomic"
	"time"
)

// opContext is the context of a worker's operations, one after the other. A
// timer and a context for each would cost a microsecond or so and several
// allocations an operation. It is used again until one of its operations runs
// into its deadline; then its channel is closed and the worker takes a new one.
// Hence an operation may not keep its context after it returned, as [Traffic]
// says.
type opContext struct {
	// Context is the run's and gives the values; its cancelation and deadline
	// are hidden. (That of context.WithoutCancel allocates at each look.)
	context.Context
	phase *phase
	// deadline is in nanoseconds after the phase's start while an operation is
	// under way, negative once it was ended early, and 0 between operations.
	deadline atomic.Int64
	done     chan struct{}
	// err is set before done is closed and read after.
	err error
}

func newOpContext(p *phase) *opContext {
	return &opContext{Context: p.values, phase: p, done: make(chan struct{})}
}

// Deadline implements context.Context.
func (c *opContext) Deadline() (time.Time, bool) {
	d := c.deadline.Load()
	return c.phase.start.Add(time.Duration(max(d, -d))), true
}

// Done implements context.Context.
func (c *opContext) Done() <-chan struct{} { return c.done }

// Err implements context.Context.
func (c *opContext) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// begin starts an operation that is to end before deadline, which is positive.
func (c *opContext) begin(deadline time.Duration) { c.deadline.Store(int64(deadline)) }

// finish ends it. It returns false if the context was ended first and cannot be
// used again.
func (c *opContext) finish(deadline time.Duration) bool {
	return c.deadline.CompareAndSwap(int64(deadline), 0)
}

// end closes Done with err if the operation with that deadline is under way.
func (c *opContext) end(deadline int64, err error) {
	if c.deadline.CompareAndSwap(deadline, -deadline) {
		c.err = err
		close(c.done)
	}
}

// minNap keeps expiries from being looked for more often than timers can tell.
const minNap = time.Millisecond

// deadlines ends the contexts of operations that take too long. All have the
// same timeout, so that it need look only when the oldest of those under way is
// due: about once a timeout as long as operations are quick.
type deadlines struct {
	phase    *phase
	canceled atomic.Bool
}

// run looks after the workers until stop is closed.
func (d *deadlines) run(stop <-chan struct{}) {
	timer := time.NewTimer(d.phase.timeout)
	defer timer.Stop()
	for {
		select {
		case <-stop:
			return
		case <-timer.C:
			timer.Reset(max(minNap, d.expire(d.phase.now())))
		}
	}
}

// expire ends what is past its deadline, and returns how long until the next
// deadline. An operation that starts meanwhile has one a timeout away.
func (d *deadlines) expire(now time.Duration) time.Duration {
	next := now + d.phase.timeout
	for _, w := range d.phase.workers {
		c := w.ctx.Load()
		switch at := c.deadline.Load(); {
		case at <= 0:
		case at <= int64(now):
			c.end(at, context.DeadlineExceeded)
		default:
			next = min(next, time.Duration(at))
		}
	}
	return next - now
}

// cancel ends all operations under way and those that start later.
func (d *deadlines) cancel() {
	d.canceled.Store(true)
	for _, w := range d.phase.workers {
		c := w.ctx.Load()
		if at := c.deadline.Load(); at > 0 {
			c.end(at, context.Canceled)
		}
	}
}
