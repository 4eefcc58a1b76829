package load

import (
	"math"
	"math/rand/v2"
	"sort"
	"time"
)

// visitors gives the operations of visits at a schedule's rate r.
//
// With a geometric number of operations and exponential think times a visit has
// no memory, so that the stream can be in equilibrium at every instant: of the
// operations, 1/n (n their mean number in a visit) begin visits, and θ·r·(1-1/n)
// visits of think time θ are under way, which bring the rest. That number must
// follow the rate. So where the rate begins or rises, visits are joined
// in their middle, and where it falls, visits break off, each with the same
// probability. The rate is then right from the first instant on, through jumps
// as well.
type visitors struct {
	rng   *rand.Rand
	think float64
	more  float64
	end   time.Duration
	// number is that of the last visit.
	number *uint64

	// arrivals are visits that begin, the next of them at arriving; joins are those
	// met in their middle.
	arrivals *walk
	arriving time.Duration
	joins    joins
	joining  time.Duration
	falls    falls
	// waiting holds each visit's next operation.
	waiting agenda
}

func newVisitors(g *group, rng *rand.Rand, number *uint64) *visitors {
	spec := g.spread.visits
	v := &visitors{
		rng: rng, think: float64(spec.Think), more: spec.more(), end: g.end, number: number,
		arrivals: newWalk(g, rng, spec.Operations),
		joins:    joins{pieces: g.pieces, rng: rng, each: 1 / spec.underWay()},
		falls:    newFalls(g.pieces),
	}
	v.waiting = make(agenda, 0, capacity(g.pieces, spec))
	v.arriving = v.arrivals.step()
	v.joins.ahead = v.joins.gap()
	v.joining = v.joins.step()
	v.join()
	return v
}

// capacity is room for the visits under way at the highest rate: six standard
// deviations above their mean.
func capacity(pieces []piece, spec Visits) int {
	highest := 0.0
	for i := range pieces {
		highest = max(highest, pieces[i].from, pieces[i].last())
	}
	mean := highest * spec.underWay()
	return int(mean+6*math.Sqrt(mean)) + 16
}

func (v *visitors) next(op *Op) bool {
	v.join()
	switch {
	case v.arriving <= v.waiting.first() && v.arriving != never:
		*v.number++
		op.Visit, op.Due, op.First = *v.number, v.arriving, true
		v.arriving = v.arrivals.step()
	case len(v.waiting) > 0:
		top := v.waiting.pop()
		op.Visit, op.Due = top.visit, top.due
	default:
		return false
	}
	op.Last = v.rng.Float64() >= v.more || !v.goOn(op.Visit, op.Due)
	return true
}

// join meets the visits that are there before the next operation.
func (v *visitors) join() {
	for v.joining != never && v.joining <= min(v.arriving, v.waiting.first()) {
		*v.number++
		v.goOn(*v.number, v.joining)
		v.joining = v.joins.step()
	}
}

// goOn plans the operation of a visit that follows after a think time, and
// reports whether there will be one.
func (v *visitors) goOn(visit uint64, from time.Duration) bool {
	due := from + time.Duration(v.rng.ExpFloat64()*v.think+0.5)
	if due >= v.end || v.breaksOff(from, due) {
		return false
	}
	v.waiting.push(appointment{due, visit})
	return true
}

func (v *visitors) breaksOff(from, to time.Duration) bool {
	return v.falls.any() && v.rng.Float64() >= math.Exp(v.falls.until(from)-v.falls.until(to))
}

// joins are the instants at which visits are met in their middle, because the
// rate begins or rises: each visit stands for as much of a rise.
type joins struct {
	pieces []piece
	rng    *rand.Rand
	// each is the mean rise to a visit, in operations a second.
	each float64
	// level is the rate before the first piece.
	level float64
	// ahead is how much the rate must rise above level until the next visit.
	ahead float64
}

// step is when the next visit is met, or never.
func (j *joins) step() time.Duration {
	for len(j.pieces) > 0 {
		p := &j.pieces[0]
		jump := max(0, p.from-j.level)
		if j.ahead < jump {
			j.ahead += j.gap()
			return p.start
		}
		rise := max(0, p.last()-p.from)
		if over := j.ahead - jump; over < rise {
			j.ahead += j.gap()
			return min(p.reach(p.from+over), p.end-1)
		}
		j.ahead -= jump + rise
		j.level = p.last()
		j.pieces = j.pieces[1:]
	}
	return never
}

// gap is the rise between two visits.
func (j *joins) gap() float64 { return j.rng.ExpFloat64() * j.each }

// falls tells how far a rate has fallen.
type falls struct {
	pieces []piece
	// before is the sum of the logarithms of all falls before each piece's start,
	// those of a jump to it included, and after all of them.
	before []float64
}

func newFalls(pieces []piece) falls {
	f := falls{pieces: pieces, before: make([]float64, len(pieces)+1)}
	level := 0.0
	sum := 0.0
	for i := range pieces {
		p := &pieces[i]
		if p.from < level {
			sum += math.Log(level / p.from)
		}
		f.before[i] = sum
		level = p.last()
		sum += fall(p.from, level)
	}
	f.before[len(pieces)] = sum
	return f
}

// fall is the logarithm of a fall, and 0 for a rise.
func fall(from, to float64) float64 {
	return max(0, math.Log(from/to))
}

// any reports whether the rate falls at all.
func (f *falls) any() bool { return f.before[len(f.pieces)] > 0 }

// until sums the falls before t, which lies within the pieces.
func (f *falls) until(t time.Duration) float64 {
	i := sort.Search(len(f.pieces), func(i int) bool { return f.pieces[i].end > t })
	p := &f.pieces[i]
	return f.before[i] + fall(p.from, p.rate((t-p.start).Seconds()))
}

// appointment is when a visit's next operation is due.
type appointment struct {
	due   time.Duration
	visit uint64
}

func (a appointment) before(b appointment) bool {
	return a.due < b.due || a.due == b.due && a.visit < b.visit
}

// agenda is a binary heap of appointments. That of the standard library would
// allocate for each.
type agenda []appointment

// first is when the earliest appointment is due, or never.
func (h agenda) first() time.Duration {
	if len(h) == 0 {
		return never
	}
	return h[0].due
}

func (h *agenda) push(a appointment) {
	*h = append(*h, a)
	s := *h
	i := len(s) - 1
	for i > 0 && a.before(s[(i-1)/2]) {
		s[i] = s[(i-1)/2]
		i = (i - 1) / 2
	}
	s[i] = a
}

// pop takes the earliest out; there must be one.
func (h *agenda) pop() appointment {
	s := *h
	top, moved := s[0], s[len(s)-1]
	s = s[:len(s)-1]
	*h = s
	i := 0
	for {
		child := 2*i + 1
		if child+1 < len(s) && s[child+1].before(s[child]) {
			child++
		}
		if child >= len(s) || !s[child].before(moved) {
			break
		}
		s[i] = s[child]
		i = child
	}
	if len(s) > 0 {
		s[i] = moved
	}
	return top
}
