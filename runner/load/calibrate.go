package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Calibration says how to wait on this machine.
type Calibration struct {
	// Pacing is the one to use, and Lead how much earlier than needed its
	// wake-ups are asked for. The zero value stands for [NewWaiter].
	Pacing Pacing
	Lead   time.Duration
	// Why says in a sentence what decided.
	Why string
	// Tried has what was measured of each pacing, in the order of [Pacings].
	Tried []Lateness
}

// Lateness is how late operations that do nothing were sent with a pacing.
type Lateness struct {
	Pacing   Pacing
	Lead     time.Duration
	P50, P99 time.Duration
	// CPU is the processor time of one operation, its wake-up for the most part;
	// 0 if it is not known.
	CPU time.Duration
	// Err is why the pacing could not be tried.
	Err error
}

// How a pacing is tried.
const (
	probes    = 200
	probeGap  = 100 * time.Microsecond
	trialRate = 5000
	trialSpan = 250 * time.Millisecond
	// rounds of trials there are, of which the quieter counts: what a neighbour
	// on the machine did is no property of a wait.
	rounds = 2
	// leadQuantile of the wake-ups come later than the lead, so that the rest
	// is all there is to yield away.
	leadQuantile = 0.1
	maxLead      = 50 * time.Microsecond
	// enoughBetter is the factor by which another pacing must be more punctual
	// than the default: the measurement is a short one.
	enoughBetter = 0.8
)

// Calibrate tries each of [Pacings] for half a second and chooses the one whose
// operations were sent most punctually: the 99th percentile of their lag
// decides, and the default stays unless another is better by a fifth and no worse
// at the median, since on a busy machine all have a long tail. What is
// measured is the lag of operations in the engine and not the timers' own: a
// punctual thread that must wake another one first is of no use.
//
// Where a pacing's wake-ups come late by about the same time each, as on
// virtual machines, they are asked for that much earlier. spent, which may be
// nil, tells the processor time that this process has used. Calibrate returns an
// error only if ctx ends.
func Calibrate(ctx context.Context, spent func() time.Duration) (Calibration, error) {
	if spent == nil {
		spent = func() time.Duration { return 0 }
	}
	var c Calibration
	for round := range rounds {
		for i, p := range Pacings() {
			one := try(ctx, p, spent)
			if ctx.Err() != nil {
				return c, context.Cause(ctx)
			}
			if round == 0 {
				c.Tried = append(c.Tried, one)
			} else if one.Err == nil && one.P99 < c.Tried[i].P99 {
				c.Tried[i] = one
			}
		}
	}
	c.choose()
	return c, nil
}

// NewWaiter returns a waiter of the pacing that was chosen.
func (c Calibration) NewWaiter() Waiter {
	w, err := c.Pacing.newWaiter()
	if c.Pacing == "" || err != nil {
		return NewWaiter()
	}
	return ahead(w, c.Lead)
}

// choose takes the default unless another pacing is enough better.
func (c *Calibration) choose() {
	best := c.Tried[0]
	for _, one := range c.Tried[1:] {
		better := one.P50 <= best.P50 && float64(one.P99) < enoughBetter*float64(best.P99)
		if one.Err == nil && (better || best.Err != nil) {
			best = one
		}
	}
	c.Pacing, c.Lead, c.Why = best.Pacing, best.Lead, "the system has no other."
	if len(c.Tried) == 1 {
		return
	}
	c.Why = fmt.Sprintf("%s sent operations that do nothing %v late at the 99th percentile", best.Pacing, brief(best.P99))
	for _, one := range c.Tried {
		switch {
		case one.Pacing == best.Pacing:
		case one.Err != nil:
			c.Why += fmt.Sprintf(", %s failed (%v)", one.Pacing, one.Err)
		default:
			c.Why += fmt.Sprintf(", %s %v", one.Pacing, brief(one.P99))
		}
	}
	c.Why += "."
}

// try measures one pacing. A pacing that locks its goroutine to a thread gets one
// of its own.
func try(ctx context.Context, p Pacing, spent func() time.Duration) Lateness {
	out := make(chan Lateness, 1)
	go func() { out <- measureLateness(ctx, p, spent) }()
	return <-out
}

func measureLateness(ctx context.Context, p Pacing, spent func() time.Duration) (l Lateness) {
	l.Pacing = p
	w, err := p.newWaiter()
	if err != nil {
		l.Err = err
		return l
	}
	defer func() { l.Err = errors.Join(l.Err, w.Close()) }()
	if l.Lead, l.Err = findLead(ctx, w); l.Err != nil {
		return l
	}
	var before time.Duration
	r, err := Run(ctx, Config{
		Warmup: Poisson(trialRate, trialSpan/4), Measure: Poisson(trialRate, trialSpan),
		Waiter: ahead(w, l.Lead), Workers: 4,
		OnPhase: func(p Phase) {
			if p == PhaseMeasure {
				before = spent()
			}
		},
	}, idle{})
	if err != nil {
		l.Err = err
		return l
	}
	l.P50, l.P99 = r.LagQuantile(0.5), r.LagQuantile(0.99)
	l.CPU = (spent() - before) / time.Duration(max(1, r.Sent))
	return l
}

// findLead returns by how much nearly all wake-ups are late, in whole
// microseconds.
func findLead(ctx context.Context, w Waiter) (time.Duration, error) {
	rng := rand.New(rand.NewPCG(1, 1))
	late := make([]time.Duration, probes)
	for i := range late {
		until := time.Now().Add(time.Duration(rng.ExpFloat64() * float64(probeGap)))
		if err := w.Wait(ctx, until); err != nil {
			return 0, err
		}
		late[i] = time.Since(until)
	}
	slices.Sort(late)
	return min(maxLead, late[int(leadQuantile*probes)]).Truncate(time.Microsecond), nil
}

// idle is a traffic that does nothing.
type idle struct{}

func (idle) Operations() []string                        { return []string{"nothing"} }
func (idle) Next(*Op)                                    {}
func (idle) Do(context.Context, *Op) (kind int, _ error) { return 0, nil }
