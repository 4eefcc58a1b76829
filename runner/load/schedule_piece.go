package load

import (
	"math"
	"sort"
	"time"
)

// piece is a stretch over which the rate stays, or moves one way.
type piece struct {
	start, end time.Duration
	from, to   float64
	// way is how long the rate takes from one to the other, in seconds; a piece
	// that is cut short ends before.
	way float64
	// wave is half a cosine in place of a line.
	wave bool
	// mass is the expected number of arrivals.
	mass float64
}

// pieces counts the stage's pieces.
func (g *stage) pieces() int {
	if g.shape == sine {
		return g.index(g.each-1) + 1
	}
	return g.count()
}

// index is the number of the piece that t lies in.
func (g *stage) index(t time.Duration) int {
	if g.shape == sine {
		return int(t / (g.period / 2))
	}
	return int(t / g.each)
}

// piece is the stage's i-th, in time after the stage's start.
func (g *stage) piece(i int) piece {
	p := piece{from: g.rates[0], to: g.rates[0], end: g.each, way: g.each.Seconds()}
	k := time.Duration(i)
	switch g.shape {
	case ramp:
		p.to = g.rates[1]
	case steps:
		p.from, p.to = g.rates[i], g.rates[i]
		p.start, p.end = k*g.each, (k+1)*g.each
	case sine:
		p.from, p.to = g.rates[i%2], g.rates[1-i%2]
		half := g.period / 2
		p.start, p.end = k*half, min((k+1)*half, g.each)
		p.way, p.wave = half.Seconds(), true
	case flat:
	}
	p.mass = p.sum(p.span())
	return p
}

// rate is the stage's rate at t after its start.
func (g *stage) rate(t time.Duration) float64 {
	if g.record != nil {
		return float64(len(g.record.due)) / g.each.Seconds()
	}
	p := g.piece(g.index(t))
	return p.rate((t - p.start).Seconds())
}

// sum is the expected number of arrivals in the stage's first t, which is at
// most its span.
func (g *stage) sum(t time.Duration) float64 {
	if g.record != nil {
		due := g.record.due
		return float64(sort.Search(len(due), func(i int) bool { return due[i] >= t }))
	}
	n := min(g.index(t), g.pieces()-1)
	p := g.piece(n)
	sum := p.sum((t - p.start).Seconds())
	if g.shape == sine {
		return sum + (p.from+p.to)/2*p.start.Seconds()
	}
	for i := range n {
		sum += g.rates[i] * g.each.Seconds()
	}
	return sum
}

// span is how long the piece lasts, in seconds.
func (p *piece) span() float64 { return (p.end - p.start).Seconds() }

// rate is the rate at x seconds after the piece's start.
func (p *piece) rate(x float64) float64 {
	if p.wave {
		return (p.from+p.to)/2 + (p.from-p.to)/2*math.Cos(math.Pi*x/p.way)
	}
	return p.from + (p.to-p.from)*x/p.way
}

// sum is the expected number of arrivals in the piece's first x seconds: the
// integral of the rate.
func (p *piece) sum(x float64) float64 {
	if p.wave {
		return (p.from+p.to)/2*x + (p.from-p.to)/2*p.way/math.Pi*math.Sin(math.Pi*x/p.way)
	}
	return p.from*x + (p.to-p.from)*x*x/(2*p.way)
}

// at inverts the sum: it returns when, after the schedule's start, the piece has
// brought m arrivals. The nearest nanosecond is taken, lest 4.1 s become
// 4.099999999 s.
func (p *piece) at(m float64) time.Duration {
	x := p.line(m)
	if p.wave {
		x = p.solve(m)
	}
	return p.after(x)
}

// line inverts a·x+(b-a)x²/(2T); the root is written so that it is stable for
// a = b as well.
func (p *piece) line(m float64) float64 {
	root := math.Sqrt(max(0, p.from*p.from+2*(p.to-p.from)*m/p.way))
	return 2 * m / (p.from + root)
}

// solve inverts the sum of a wave, which has no closed form, by Newton's method
// kept within a shrinking bracket. It ends when a step is below a tenth of a
// nanosecond; 64 halvings of a day are far below.
func (p *piece) solve(m float64) float64 {
	low, high := 0.0, p.way
	x := min(2*m/(p.from+p.to), high)
	for range 64 {
		miss := p.sum(x) - m
		if miss > 0 {
			high = x
		} else {
			low = x
		}
		next := x - miss/p.rate(x)
		if next < low || next > high {
			next = (low + high) / 2
		}
		if math.Abs(next-x) < 1e-10 {
			return next
		}
		x = next
	}
	return x
}

// reach is when, after the schedule's start, the rate is at what lies between
// from and to.
func (p *piece) reach(rate float64) time.Duration {
	share := min(max((rate-p.from)/(p.to-p.from), 0), 1)
	if p.wave {
		share = math.Acos(1-2*share) / math.Pi
	}
	return p.after(share * p.way)
}

func (p *piece) after(x float64) time.Duration {
	return p.start + time.Duration(x*float64(time.Second)+0.5)
}

// last is the rate at the piece's end.
func (p *piece) last() float64 { return p.rate(p.span()) }

// group is consecutive pieces whose arrivals are of one sort, or one record.
type group struct {
	spread     Spread
	record     *recording
	start, end time.Duration
	pieces     []piece
}

// groups lays the stages out in time; an invalid schedule has none.
func (s Schedule) groups() []group {
	if s.Validate() != nil {
		return nil
	}
	var out []group
	var at time.Duration
	for i := range s.stages {
		g := &s.stages[i]
		if n := len(out); n == 0 || g.record != nil || out[n-1].record != nil || out[n-1].spread != g.spread {
			out = append(out, group{spread: g.spread, record: g.record, start: at})
		}
		last := &out[len(out)-1]
		if g.record == nil {
			last.pieces = g.layOut(last.pieces, at)
		}
		at += g.span()
		last.end = at
	}
	return out
}

// layOut appends the stage's pieces, from start on.
func (g *stage) layOut(out []piece, start time.Duration) []piece {
	for i := range g.pieces() {
		p := g.piece(i)
		p.start += start
		p.end += start
		out = append(out, p)
	}
	return out
}
