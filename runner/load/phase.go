package load

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// grace bounds the wait for operations whose context was ended, and, in a run
// that was interrupted, for those under way.
const grace = 250 * time.Millisecond

// burst bounds how many operations are published together, so that the first of
// them waits no more than a few microseconds for the last.
const burst = 32

// phase is one schedule being performed by workers of its own, so that what the
// warm-up left behind can neither occupy one nor be counted.
type phase struct {
	traffic Traffic
	kinds   int
	timeout time.Duration
	// values is the run's context, for its values alone.
	values context.Context
	errors *errorSamples

	backlog *backlog
	// closed is set in a closed loop, which has no backlog.
	closed     *closedLoop
	traceEvery int64
	untaken    Trace
	workers    []*worker
	deadlines  deadlines
	// ready and working count workers.
	ready, working sync.WaitGroup

	// arrivals gives the schedule's due times, and planned is the next operation
	// to release.
	arrivals func(*Op) bool
	planned  Op
	// start is set before the first operation is pushed.
	start time.Time
	// arrived operations were planned, and queued ones became due while no worker
	// was free. Both are the pacer's.
	arrived, queued int64
	// refused operations found the backlog full.
	refused atomic.Int64

	mu struct {
		sync.Mutex
		// discarded operations were in the backlog when time was up. The lock
		// keeps them from being counted as sent while they are taken out.
		discarded int64
	}
}

// newPhase makes a phase whose workers record nothing yet.
func newPhase(ctx context.Context, e *engine, what plan) *phase {
	cfg := e.cfg
	p := &phase{
		traffic: e.traffic,
		kinds:   len(e.traffic.Operations()),
		timeout: cfg.Timeout,
		values:  ctx,
		errors:  &e.errors,
		backlog: newBacklog(cfg.Backlog, cfg.Workers),
		workers: make([]*worker, cfg.Workers),
	}
	p.deadlines.phase = p
	// Now, since it takes a millisecond where there are many visits.
	p.arrivals = what.schedule.Arrivals(rand.New(rand.NewPCG(cfg.Seed, what.stream)))
	p.traceEvery = int64(cfg.TraceEvery)
	if cfg.Closed {
		p.closed = newClosedLoop(p, what.schedule.Duration())
	}
	for i := range p.workers {
		p.workers[i] = &worker{phase: p}
		p.workers[i].ctx.Store(newOpContext(p))
	}
	return p
}

// now is the time since the phase's start.
func (p *phase) now() time.Duration { return time.Since(p.start) }

// launch starts the workers, and then the phase's clock.
func (p *phase) launch() {
	p.ready.Add(len(p.workers))
	p.working.Add(len(p.workers))
	for _, w := range p.workers {
		go w.run()
	}
	p.ready.Wait()
	p.start = time.Now()
	if p.closed != nil {
		close(p.closed.open)
	}
}

// pace releases the schedule's operations as they become due: at each wake-up
// all that are. It returns at the schedule's end, or early, with the waiter's
// error, when ctx is done.
func (p *phase) pace(ctx context.Context, span time.Duration, w Waiter) error {
	for ok := p.closed == nil && p.plan(); ok; {
		if err := w.Wait(ctx, p.start.Add(p.planned.Due)); err != nil {
			return err
		}
		now := p.now()
		for n := 0; ok && p.planned.Due <= now && n < burst; n++ {
			if p.backlog.idle.Load() <= 0 {
				p.queued++
			}
			if !p.backlog.push(&p.planned) {
				p.refused.Add(1)
			}
			ok = p.plan()
		}
		p.backlog.publish()
	}
	return w.Wait(ctx, p.start.Add(span))
}

// plan has the traffic plan the next operation, before the wait for it.
func (p *phase) plan() bool {
	p.planned = Op{Trace: p.trace(p.arrived)}
	if !p.arrivals(&p.planned) {
		return false
	}
	p.arrived++
	due := p.planned.Due
	p.traffic.Next(&p.planned)
	p.planned.Due = due
	return true
}

// trace returns nil, or for an operation that is to be traced a trace in whose
// place its worker puts one of its own.
func (p *phase) trace(n int64) *Trace {
	if p.traceEvery == 0 || n%p.traceEvery != 0 {
		return nil
	}
	return &p.untaken
}

// take gives a worker its next operation, waiting for one if need be. It returns
// false when there will be none.
func (p *phase) take(op *Op) bool {
	if p.closed != nil {
		return p.closed.next(op)
	}
	return p.backlog.pop(op)
}

// settle waits, for bound at most, until the workers have done all that was
// released. Then, and at once when ctx is done, it discards what no worker has
// begun; in the second case what is under way gets a grace. After that the
// operations' contexts are ended, and they get another. It reports whether all
// came back.
func (p *phase) settle(ctx context.Context, bound time.Duration) bool {
	p.backlog.close()
	if p.closed != nil {
		p.closed.stop()
	}
	idle := make(chan struct{})
	go func() {
		p.working.Wait()
		close(idle)
	}()
	late := context.WithoutCancel(ctx)
	back := await(ctx, idle, bound)
	p.discard() // Even then: workers that a Do ended leave operations behind.
	if !back && ctx.Err() != nil {
		back = await(late, idle, min(bound, grace))
	}
	if !back {
		p.deadlines.cancel()
		back = await(late, idle, grace)
	}
	return back
}

func (p *phase) discard() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.discarded += p.backlog.discard()
}

// await reports whether c was closed before the bound was met and ctx done.
func await(ctx context.Context, c <-chan struct{}, bound time.Duration) bool {
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case <-c:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// totals counts what has been released so far. The order of the loads keeps
// Sent from exceeding Offered.
func (p *phase) totals() Totals {
	if p.closed != nil {
		begun := p.closed.begun()
		return Totals{Offered: begun, Sent: begun}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := int64(p.backlog.head.Load())
	refused := p.refused.Load()
	return Totals{
		Offered: int64(p.backlog.tail.Load()) + refused,
		Sent:    taken - p.mu.discarded,
		Dropped: refused + p.mu.discarded,
	}
}
