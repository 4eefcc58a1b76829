package load

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The streams of a seed: the warm-up's arrivals cannot shift the measured ones.
const (
	warmupStream  = 1
	measureStream = 2
)

// Run drives t as cfg says: it warms up, waits until that has come back,
// measures, and waits again. It returns once all operations have ended or were
// given up on; one that was (see Result.Abandoned) may still be inside t.Do.
//
// A result comes with every error but that of an unusable configuration. When
// ctx is done, Run releases nothing more, gives what is under way a moment to
// come back, and returns what was measured with context.Cause(ctx). Operations
// that were not yet due are not in it; those that were due and not begun are
// counted as dropped. The operations' contexts carry ctx's values, and not its
// end.
func Run(ctx context.Context, cfg Config, t Traffic) (*Result, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if len(t.Operations()) == 0 {
		return nil, errors.New("check traffic: it has no operations")
	}
	e := &engine{cfg: cfg, traffic: t, waiter: cfg.Waiter}
	if e.waiter == nil {
		e.waiter = NewWaiter()
		defer func() { _ = e.waiter.Close() }() // Nothing was written to it.
	}
	if err := e.warmUp(ctx); err != nil {
		return &Result{ErrorSamples: e.errors.list(), Waiter: e.waiter.String()}, err
	}
	return e.measure(ctx)
}

// engine is one run.
type engine struct {
	cfg     Config
	traffic Traffic
	waiter  Waiter
	errors  errorSamples
	// unsettled tells that the warm-up's operations did not all come back.
	unsettled bool
}

// warmUp performs the warm-up. Nothing of it is kept but error texts.
func (e *engine) warmUp(ctx context.Context) error {
	if e.cfg.Warmup.Duration() == 0 {
		return nil
	}
	e.cfg.OnPhase(PhaseWarmup)
	what := plan{e.cfg.Warmup, warmupStream, PhaseSettle}
	p := newPhase(ctx, e, what)
	p.launch() //nolint:contextcheck // Operations have contexts of their own.
	_, err := e.perform(ctx, p, what)
	return err
}

// measure performs the measured phase.
func (e *engine) measure(ctx context.Context) (*Result, error) {
	what := plan{e.cfg.Measure, measureStream, PhaseDrain}
	p := newPhase(ctx, e, what)
	r := newRecorder(p, e.cfg)
	e.cfg.OnPhase(PhaseMeasure)
	p.launch() //nolint:contextcheck // Operations have contexts of their own.
	go r.run()
	ended, err := e.perform(ctx, p, what)
	r.finish()
	return e.result(r, ended), errors.Join(err, r.err)
}

// plan is what a phase performs.
type plan struct {
	schedule Schedule
	stream   uint64
	// after is the phase that follows.
	after Phase
}

// perform releases a launched phase's operations and waits for them. It returns
// when, after the phase's start, nothing more was released.
func (e *engine) perform(ctx context.Context, p *phase, what plan) (time.Duration, error) {
	stop := make(chan struct{})
	defer close(stop)
	go p.deadlines.run(stop)
	err := p.pace(ctx, what.schedule.Duration(), e.waiter)
	ended := what.schedule.Duration()
	if err != nil {
		ended = min(ended, p.now())
	}
	e.cfg.OnPhase(what.after)
	if !p.settle(ctx, e.cfg.Drain) {
		e.unsettled = e.unsettled || what.after == PhaseSettle
		e.errors.add(fmt.Errorf("%s: operations did not come back within %v", what.after, e.cfg.Drain))
	}
	switch {
	case ctx.Err() != nil:
		return ended, context.Cause(ctx)
	case err != nil:
		return ended, fmt.Errorf("pace arrivals: %w", err)
	}
	return ended, nil
}

// result sums a finished recorder up.
func (e *engine) result(r *recorder, ended time.Duration) *Result {
	out := &Result{
		Totals:        r.phase.totals(),
		Operations:    r.totals,
		Started:       r.phase.start,
		Elapsed:       r.last,
		Drained:       max(0, r.last-ended),
		InTime:        r.inTime,
		BinWidth:      r.bins.width,
		Bins:          r.bins.summarize(ended),
		ErrorSamples:  e.errors.list(),
		RecorderWaits: r.waits(),
		Waiter:        e.waiter.String(),
		Unsettled:     e.unsettled,
		Closed:        e.cfg.Closed,
		Queued:        r.phase.queued,
		Workers:       len(r.phase.workers),
	}
	out.Bunching, out.Bunched = r.sends.bunching()
	out.count(r.totals)
	out.Abandoned = out.Sent
	for _, op := range r.totals {
		out.Abandoned -= op.Count
	}
	if out.Abandoned > 0 {
		out.Drained = r.phase.now() - ended
	}
	return out
}
