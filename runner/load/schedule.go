package load

import (
	"fmt"
	"math"
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
)

// Schedule says when operations are due: a rate that is linear in pieces over
// time, and how arrivals are spread at that rate. Poisson arrivals, the default,
// are independent of each other, as those of many users are; constant ones
// are evenly spaced.
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
)

// stage is one part of a schedule.
type stage struct {
	shape shape
	even  bool
	rates []float64
	// each is how long a step lasts; the other shapes have one step.
	each time.Duration
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

func single(g stage) Schedule { return Schedule{stages: []stage{g}} }

// Evenly returns the same rates with constant in place of Poisson arrivals.
func (s Schedule) Evenly() Schedule {
	stages := slices.Clone(s.stages)
	for i := range stages {
		stages[i].even = true
	}
	return Schedule{stages: stages}
}

// Then returns a schedule that goes on with next where s ends.
func (s Schedule) Then(next Schedule) Schedule {
	return Schedule{stages: slices.Concat(s.stages, next.stages)}
}

// Equal reports whether both schedules were built in the same way.
func (s Schedule) Equal(other Schedule) bool {
	return slices.EqualFunc(s.stages, other.stages, func(a, b stage) bool {
		return a.shape == b.shape && a.even == b.even && a.each == b.each && slices.Equal(a.rates, b.rates)
	})
}

// Validate returns what is wrong with the schedule and what is allowed. The
// empty schedule is valid.
func (s Schedule) Validate() error {
	var total time.Duration
	for _, g := range s.stages {
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

func (g stage) validate() error {
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
	return nil
}

// checkRate refuses what is not a number in range; NaN fails both comparisons.
func checkRate(rate float64) error {
	if rate >= MinRate && rate <= MaxRate {
		return nil
	}
	return fmt.Errorf("schedule: rate %v; a rate is from %v to %s operations a second", rate, MinRate, formatRate(MaxRate))
}

// span is how long the whole stage lasts.
func (g stage) span() time.Duration { return g.each * time.Duration(g.count()) }

// count is how many steps the stage has.
func (g stage) count() int {
	if g.shape == steps {
		return len(g.rates)
	}
	return 1
}

// Duration is how long the schedule lasts, 0 for an invalid one.
func (s Schedule) Duration() time.Duration {
	pieces := s.pieces()
	if len(pieces) == 0 {
		return 0
	}
	return pieces[len(pieces)-1].end
}

// Rate is the rate at t after the start, in operations a second: 0 outside the
// schedule, and the new one where it jumps.
func (s Schedule) Rate(t time.Duration) float64 {
	for _, p := range s.pieces() {
		if t >= p.start && t < p.end {
			return p.from + (p.to-p.from)*float64(t-p.start)/float64(p.end-p.start)
		}
	}
	return 0
}

// Count is the expected number of arrivals. Constant arrivals differ from it by
// less than one a stage, Poisson ones by about its square root.
func (s Schedule) Count() float64 {
	var sum float64
	for _, p := range s.pieces() {
		sum += p.mass
	}
	return sum
}

// piece is a stretch over which the rate is one line.
type piece struct {
	even       bool
	start, end time.Duration
	from, to   float64
	// mass is the expected number of arrivals.
	mass float64
}

// pieces lays the stages out in time; an invalid schedule has none.
func (s Schedule) pieces() []piece {
	if s.Validate() != nil {
		return nil
	}
	var out []piece
	var at time.Duration
	for _, g := range s.stages {
		for _, ends := range g.ends() {
			p := piece{even: g.even, start: at, end: at + g.each, from: ends[0], to: ends[1]}
			p.mass = (p.from + p.to) / 2 * g.each.Seconds()
			out = append(out, p)
			at = p.end
		}
	}
	return out
}

// ends lists the first and last rate of each of the stage's pieces.
func (g stage) ends() [][2]float64 {
	if g.shape == ramp {
		return [][2]float64{{g.rates[0], g.rates[1]}}
	}
	out := make([][2]float64, len(g.rates))
	for i, rate := range g.rates {
		out[i] = [2]float64{rate, rate}
	}
	return out
}

// at inverts the cumulative rate: it returns when, after the schedule's start,
// the piece has brought m arrivals. With rate a+(b-a)x/T the sum is
// a·x+(b-a)x²/(2T); the root is written so that it is stable for a = b as well.
// The nearest nanosecond is taken, lest 4.1 s become 4.099999999 s.
func (p *piece) at(m float64) time.Duration {
	span := (p.end - p.start).Seconds()
	root := math.Sqrt(max(0, p.from*p.from+2*(p.to-p.from)*m/span))
	return p.start + time.Duration(2*m/(p.from+root)*float64(time.Second)+0.5)
}
