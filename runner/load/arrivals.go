package load

import (
	"math/rand/v2"
	"time"
)

// Arrivals returns a function that gives one due time after the other, never
// falling, all before [Schedule.Duration], and false at the end. Equal
// generators give equal arrivals. A call allocates nothing. The function may
// not be called concurrently.
//
// Poisson arrivals at a changing rate come from a process of rate one, mapped
// through the inverse of the cumulative rate (Çinlar, "Introduction to
// Stochastic Processes", 1975); constant ones map the whole numbers.
func (s Schedule) Arrivals(rng *rand.Rand) func() (due time.Duration, ok bool) {
	a := &arrivals{pieces: s.pieces(), rng: rng}
	if len(a.pieces) > 0 {
		a.next = a.first()
	}
	return a.step
}

// arrivals walks a schedule's pieces.
type arrivals struct {
	pieces []piece
	rng    *rand.Rand
	// next is how much of the first piece's mass lies before the next arrival.
	next float64
	// last keeps rounding from letting a due time fall.
	last time.Duration
}

func (a *arrivals) step() (time.Duration, bool) {
	for len(a.pieces) > 0 {
		p := &a.pieces[0]
		if a.next < p.mass {
			// Rounding may reach the end for a mass just short of the whole.
			if due := p.at(a.next); due < p.end {
				a.next += a.gap()
				a.last = max(a.last, due)
				return a.last, true
			}
		}
		a.leave()
	}
	return 0, false
}

// leave goes on to the next piece. What is left of a gap is carried over, unless
// the arrivals are of another sort there.
func (a *arrivals) leave() {
	old := a.pieces[0]
	a.pieces = a.pieces[1:]
	if len(a.pieces) == 0 {
		return
	}
	if a.pieces[0].even != old.even {
		a.next = a.first()
		return
	}
	a.next = max(0, a.next-old.mass)
}

// first is the mass before the first arrival of its sort: constant arrivals
// begin at once.
func (a *arrivals) first() float64 {
	if a.pieces[0].even {
		return 0
	}
	return a.rng.ExpFloat64()
}

// gap is the mass between two arrivals.
func (a *arrivals) gap() float64 {
	if a.pieces[0].even {
		return 1
	}
	return a.rng.ExpFloat64()
}
