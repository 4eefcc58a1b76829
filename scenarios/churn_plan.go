package scenarios

import (
	"math/rand/v2"
	"time"

	"github.com/toriibench/toriibench/runner/load"
)

// churnPlan draws the operations. It keeps its own picture of who is logged in,
// which depends on the seed alone.
type churnPlan struct {
	pop     *population
	rng     *rand.Rand
	popular *zipf
	// bounds are the cumulative shares of the kinds.
	bounds mix
	// open are the sessions that may be picked; fresh ones join it after the
	// time that a person needs to come back with them.
	open  []uint64
	fresh []freshSession
	ended []uint64
	// rank says where in open a session stands.
	rank map[uint64]int
	// visits use one session each.
	visits visits
	mails  mailbox
}

type freshSession struct {
	from    time.Duration
	session uint64
}

// thinkTime passes between a login and the first request with its session.
const thinkTime = 250 * time.Millisecond

func newChurnPlan(pop *population, m mix, rng *rand.Rand) *churnPlan {
	p := &churnPlan{
		pop: pop, rng: rng, popular: newZipf(0.99, pop.size), bounds: m.bounds(),
		rank: make(map[uint64]int, pop.size), visits: visits{},
	}
	for n := range pop.size {
		p.place(uint64(n))
	}
	for range min(1+pop.size/sessionsPerMail, mailsKept) {
		p.mails.send(rng, pop.accounts)
	}
	return p
}

func (p *churnPlan) next(op *load.Op) {
	p.admit(op.Due)
	op.Kind = p.kind()
	op.Param = p.rng.Uint64()
	switch op.Kind {
	case churnMiss:
		op.Subject = p.missing(op)
	case churnLogin, churnCreate:
		op.Subject = p.begin(op)
	case churnLogout:
		op.Subject = p.leaving(op)
		p.end(op.Subject)
	case churnRevoke:
		op.Subject = p.used(op)
		// Its user's sessions planned so far leave the open ones as they are met.
		p.pop.session(op.Subject).account.revokedBelow = uint64(p.pop.size)
	case churnTokenIssue:
		op.Subject = p.mails.send(p.rng, p.pop.accounts)
	case churnTokenVerify:
		op.Subject = p.mails.read()
	case churnTokenMiss:
		op.Subject = p.mails.misuse(p.rng, op.Param%misuses)
	default:
		op.Subject = p.used(op)
	}
	p.visits.leave(op)
}

func (p *churnPlan) kind() int {
	draw := p.rng.Float64() * p.bounds[churnKinds-1]
	for kind, bound := range p.bounds {
		if draw < bound {
			return kind
		}
	}
	return churnValidate
}

// admit lets the sessions in whose users have had time to come back. Due starts
// again at zero with the measured phase: what the warm-up left is let in at once.
func (p *churnPlan) admit(due time.Duration) {
	n := 0
	for n < len(p.fresh) && (p.fresh[n].from <= due || p.fresh[n].from > due+thinkTime) {
		p.place(p.fresh[n].session)
		n++
	}
	p.fresh = p.fresh[n:]
}

// place puts a session at a random rank of popularity.
func (p *churnPlan) place(session uint64) {
	p.open = append(p.open, session)
	i, last := p.rng.IntN(len(p.open)), len(p.open)-1
	p.set(last, p.open[i])
	p.set(i, session)
}

// pick draws an open session by popularity.
func (p *churnPlan) pick() uint64 {
	for {
		n := p.open[p.popular.draw(p.rng)%len(p.open)]
		if n >= p.pop.session(n).account.revokedBelow || len(p.open) == 1 {
			return n
		}
		p.end(n)
	}
}

// used is the session that op's visit uses. When that has ended, by a logout or
// by another visit of its user, the visit goes on with another one.
func (p *churnPlan) used(op *load.Op) uint64 {
	n := p.visits.choose(op, p.pick)
	if op.Visit != 0 && !p.usable(n) {
		n = p.pick()
		p.visits.keep(op, n)
	}
	return n
}

// usable reports whether a session has begun, or is about to, and has not ended.
func (p *churnPlan) usable(n uint64) bool {
	_, open := p.rank[n]
	fresh := len(p.fresh) > 0 && n >= p.fresh[0].session
	return (open || fresh) && n >= p.pop.session(n).account.revokedBelow
}

// leaving is the session that is logged out: the visit's own, unless its login
// was less than a think time ago.
func (p *churnPlan) leaving(op *load.Op) uint64 {
	n := p.used(op)
	if _, open := p.rank[n]; !open {
		return p.pick()
	}
	return n
}

// begin plans a new session of some user, which the rest of the visit uses.
func (p *churnPlan) begin(op *load.Op) uint64 {
	a := p.pop.accounts[p.rng.IntN(len(p.pop.accounts))]
	n, err := p.pop.add(p.rng, a)
	if err != nil {
		// The table is full after 33 million sessions: look at one instead.
		op.Kind = churnValidate
		return p.used(op)
	}
	p.fresh = append(p.fresh, freshSession{op.Due + thinkTime, n})
	p.visits.keep(op, n)
	return n
}

// end takes an open session out for good, unless it is the last.
func (p *churnPlan) end(session uint64) {
	i, last := p.rank[session], len(p.open)-1
	if last == 0 {
		return
	}
	p.set(i, p.open[last])
	p.open = p.open[:last]
	delete(p.rank, session)
	p.ended = append(p.ended, session)
}

// missing picks a logged-out session half of the time, else an open one whose
// user will present a token that was never issued.
func (p *churnPlan) missing(op *load.Op) uint64 {
	if len(p.ended) > 0 && p.rng.IntN(2) == 0 {
		return p.ended[p.rng.IntN(len(p.ended))]
	}
	return p.used(op)
}

// set puts a session at a rank.
func (p *churnPlan) set(rank int, session uint64) {
	p.open[rank] = session
	p.rank[session] = rank
}
