package load

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// What a schedule may ask for.
const (
	// MinRate and MaxRate bound a rate, in operations a second.
	MinRate = 0.001
	MaxRate = 10e6
	// MaxSpan bounds a stage, and all stages of a schedule together.
	MaxSpan = 24 * time.Hour
	// MinPeriod bounds how fast a sine may swing, and divides its period;
	// MaxPeriods bounds how often it may in one stage.
	MinPeriod  = time.Microsecond
	MaxPeriods = 100_000
)

// Schedule says when operations are due: a rate that changes over time, and
// how arrivals are spread at that rate. Poisson arrivals, the default,
// are independent of each other, as those of many users are; constant ones
// are evenly spaced; those of [Visits] come in sessions of several.
//
// A Schedule is a value without a clock. It is immutable and may be shared. Its
// zero value is the empty schedule, which has no arrivals.
type Schedule struct {
	stages []stage
}

// shape is how a stage's rate moves; it is also the stage's name in a spec.
type shape string

const (
	flat  shape = "" // One rate. Its spec is named for its arrivals alone.
	ramp  shape = "ramp"
	steps shape = "steps"
	sine  shape = "sine"
)

// stage is one part of a schedule.
type stage struct {
	shape  shape
	spread Spread
	rates  []float64
	// each is how long a step lasts; the other shapes have one step.
	each time.Duration
	// period is how long a sine takes there and back.
	period time.Duration
	// record, when set, replaces all but each, which is its span.
	record *recording
}

// Poisson returns a schedule of independent arrivals at rate operations a
// second. Arguments out of range are found by [Schedule.Validate].
func Poisson(rate float64, span time.Duration) Schedule {
	return single(stage{shape: flat, rates: []float64{rate}, each: span})
}

// Constant returns a schedule of evenly spaced arrivals, the first at once.
func Constant(rate float64, span time.Duration) Schedule {
	return Poisson(rate, span).Evenly()
}

// Ramp returns a schedule of Poisson arrivals whose rate moves linearly.
func Ramp(from, to float64, span time.Duration) Schedule {
	return single(stage{shape: ramp, rates: []float64{from, to}, each: span})
}

// Steps returns a schedule of Poisson arrivals that holds each rate in turn.
func Steps(each time.Duration, rates ...float64) Schedule {
	return single(stage{shape: steps, rates: slices.Clone(rates), each: each})
}

// Sine returns a schedule of Poisson arrivals whose rate swings between two: it
// begins at from, is at to half a period later, and comes back.
func Sine(from, to float64, period, span time.Duration) Schedule {
	return single(stage{shape: sine, rates: []float64{from, to}, period: period, each: span})
}

func single(g stage) Schedule { return Schedule{stages: []stage{g}} }

// Evenly returns the same rates with constant in place of other arrivals.
func (s Schedule) Evenly() Schedule { return s.With(Spread{kind: constant}) }

// With returns the same rates with arrivals spread as given. Recorded stages
// stay as they are.
func (s Schedule) With(spread Spread) Schedule {
	stages := slices.Clone(s.stages)
	for i := range stages {
		if stages[i].record == nil {
			stages[i].spread = spread
		}
	}
	return Schedule{stages: stages}
}

// Then returns a schedule that goes on with next where s ends.
func (s Schedule) Then(next Schedule) Schedule {
	return Schedule{stages: slices.Concat(s.stages, next.stages)}
}

// WarmUp returns a schedule that leads up to s: its first rate, spread in the same
// way, for span. A recorded one is led up to by Poisson arrivals at its mean
// rate, as near as a rate may be. It is empty when s is, or span is not above 0.
func (s Schedule) WarmUp(span time.Duration) Schedule {
	if s.Duration() == 0 || span <= 0 {
		return Schedule{}
	}
	return Poisson(min(max(s.Rate(0), MinRate), MaxRate), span).With(s.stages[0].spread)
}

// Equal reports whether both schedules were built in the same way.
func (s Schedule) Equal(other Schedule) bool {
	return slices.EqualFunc(s.stages, other.stages, func(a, b stage) bool {
		return a.shape == b.shape && a.spread == b.spread && a.each == b.each && a.period == b.period &&
			slices.Equal(a.rates, b.rates) && a.record.equal(b.record)
	})
}

// Independent reports whether all arrivals are independent of each other: a
// Poisson process, whose rate may change.
func (s Schedule) Independent() bool {
	return len(s.stages) > 0 && !slices.ContainsFunc(s.stages, func(g stage) bool {
		return g.spread.kind != poisson || g.record != nil
	})
}

// Validate returns what is wrong with the schedule and what is allowed. The
// empty schedule is valid.
func (s Schedule) Validate() error {
	var total time.Duration
	for i := range s.stages {
		g := &s.stages[i]
		if err := g.validate(); err != nil {
			return err
		}
		if g.span() > MaxSpan-total {
			return fmt.Errorf("schedule: it lasts more than %v in all; make its stages shorter", MaxSpan)
		}
		total += g.span()
	}
	return nil
}

func (g *stage) validate() error {
	if g.record != nil {
		return nil // It was checked as it was read.
	}
	if len(g.rates) == 0 {
		return fmt.Errorf("schedule: %s without a rate; give at least one", g.name())
	}
	for _, rate := range g.rates {
		if err := checkRate(rate); err != nil {
			return err
		}
	}
	// The division keeps the span of very many steps from overflowing.
	if g.each <= 0 || g.each > MaxSpan/time.Duration(g.count()) {
		return fmt.Errorf("schedule: %s lasts %d times %v; a stage lasts more than 0 and at most %v", g.name(), g.count(), g.each, MaxSpan)
	}
	return errors.Join(g.checkPeriod(), g.spread.check(slices.Max(g.rates)))
}

func (g *stage) checkPeriod() error {
	if g.shape != sine || g.period >= MinPeriod && g.period <= MaxSpan && g.period%MinPeriod == 0 && g.each/g.period < MaxPeriods {
		return nil
	}
	return fmt.Errorf("schedule: a sine of period %v for %v; a period lasts from %v to %v, in whole microseconds, and a stage has fewer than %d of them",
		g.period, g.each, MinPeriod, MaxSpan, MaxPeriods)
}

// checkRate refuses what is not a number in range; NaN fails both comparisons.
func checkRate(rate float64) error {
	if rate >= MinRate && rate <= MaxRate {
		return nil
	}
	return fmt.Errorf("schedule: rate %v; a rate is from %v to %s operations a second", rate, MinRate, formatRate(MaxRate))
}

// span is how long the whole stage lasts.
func (g *stage) span() time.Duration { return g.each * time.Duration(g.count()) }

// count is how many steps the stage has.
func (g *stage) count() int {
	if g.shape == steps {
		return len(g.rates)
	}
	return 1
}

// Duration is how long the schedule lasts, 0 for an invalid one.
func (s Schedule) Duration() time.Duration {
	if s.Validate() != nil {
		return 0
	}
	var total time.Duration
	for i := range s.stages {
		total += s.stages[i].span()
	}
	return total
}

// Rate is the rate at t after the start, in operations a second: 0 outside the
// schedule, and the new one where it jumps. In a recorded stage it is the mean.
func (s Schedule) Rate(t time.Duration) float64 {
	if s.Validate() != nil || t < 0 {
		return 0
	}
	for i := range s.stages {
		g := &s.stages[i]
		if t < g.span() {
			return g.rate(t)
		}
		t -= g.span()
	}
	return 0
}

// Count is the expected number of arrivals. Constant arrivals differ from it by
// less than one a stage, Poisson ones by about its square root, and those of
// visits by more.
func (s Schedule) Count() float64 { return s.Expected(0, MaxSpan) }

// Expected is the expected number of arrivals from one instant after the start,
// included, to another, excluded: the sum of the rate between them. It is 0 where
// to is not after from, and of an invalid schedule.
func (s Schedule) Expected(from, to time.Duration) float64 {
	from, to = max(from, 0), min(to, MaxSpan)
	if s.Validate() != nil || to <= from {
		return 0
	}
	var sum float64
	for i := range s.stages {
		g := &s.stages[i]
		if a, b := max(from, 0), min(to, g.span()); a < b {
			sum += g.sum(b) - g.sum(a)
		}
		from -= g.span()
		to -= g.span()
	}
	return sum
}
