package load

import (
	"math/rand/v2"
	"time"
)

// Arrivals returns a function that plans one arrival after the other: it sets
// op's Due, Visit, First and Last, and returns false at the end. Due times never
// fall, and all lie before [Schedule.Duration]. Equal generators give equal
// arrivals. A call allocates nothing, but where more visits are under way than
// ever before, or are met at the start of a stage. The function may not be
// called concurrently.
//
// Poisson arrivals at a changing rate come from a process of rate one, mapped
// through the inverse of the cumulative rate (Çinlar, "Introduction to
// Stochastic Processes", 1975); constant ones map the whole numbers. Where
// arrivals of another sort follow, they start anew.
func (s Schedule) Arrivals(rng *rand.Rand) func(op *Op) bool {
	a := &arrivals{groups: s.groups(), rng: rng}
	a.enter()
	return a.next
}

// source gives the arrivals of one group.
type source interface {
	next(op *Op) bool
}

// arrivals walks a schedule's groups.
type arrivals struct {
	groups []group
	rng    *rand.Rand
	source source
	// visits counts those met so far.
	visits uint64
	// last keeps rounding from letting a due time fall.
	last time.Duration
}

func (a *arrivals) next(op *Op) bool {
	op.Visit, op.First, op.Last = 0, false, false
	for len(a.groups) > 0 {
		if a.source.next(op) {
			a.last = max(a.last, op.Due)
			op.Due = a.last
			return true
		}
		a.groups = a.groups[1:]
		a.enter()
	}
	return false
}

// enter makes the source of the group that begins.
func (a *arrivals) enter() {
	if len(a.groups) == 0 {
		return
	}
	g := &a.groups[0]
	switch {
	case g.record != nil:
		a.source = &replay{start: g.start, due: g.record.due}
	case g.spread.kind == visits:
		a.source = newVisitors(g, a.rng, &a.visits)
	default:
		a.source = newWalk(g, a.rng, 1)
	}
}

// replay gives due times as they were recorded.
type replay struct {
	start time.Duration
	due   []time.Duration
}

func (r *replay) next(op *Op) bool {
	if len(r.due) == 0 {
		return false
	}
	op.Due = r.start + r.due[0]
	r.due = r.due[1:]
	return true
}

// walk goes along pieces and gives what arrives as their rates say.
type walk struct {
	pieces []piece
	rng    *rand.Rand
	even   bool
	// every is how many operations there are to an arrival.
	every float64
	// ahead is how much of the first piece's mass lies before the next arrival.
	ahead float64
}

// newWalk begins with a gap, but for constant arrivals, which begin at once.
func newWalk(g *group, rng *rand.Rand, every float64) *walk {
	w := &walk{pieces: g.pieces, rng: rng, even: g.spread.kind == constant, every: every}
	if !w.even {
		w.ahead = w.gap()
	}
	return w
}

func (w *walk) next(op *Op) bool {
	op.Due = w.step()
	return op.Due != never
}

// never is later than anything is due.
const never = time.Duration(1<<63 - 1)

// step is when the next arrival is due, or never. What is left of a gap is
// carried over into the next piece.
func (w *walk) step() time.Duration {
	for len(w.pieces) > 0 {
		p := &w.pieces[0]
		if w.ahead < p.mass {
			// Rounding may reach the end for a mass just short of the whole.
			if due := p.at(w.ahead); due < p.end {
				w.ahead += w.gap()
				return due
			}
		}
		w.ahead = max(0, w.ahead-p.mass)
		w.pieces = w.pieces[1:]
	}
	return never
}

// gap is the mass between two arrivals.
func (w *walk) gap() float64 {
	if w.even {
		return w.every
	}
	return w.every * w.rng.ExpFloat64()
}
