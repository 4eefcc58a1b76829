package scenarios

import "github.com/toriibench/toriibench/runner/load"

// visits remembers what each visit under way uses: a session, a user. Only the
// planner looks at it. What it holds is bounded by the visits under way.
type visits map[uint64]uint64

// choose returns what the visit of op uses, which draw decides when the visit is
// first met. An operation of no visit draws for itself.
func (v visits) choose(op *load.Op, draw func() uint64) uint64 {
	if op.Visit == 0 {
		return draw()
	}
	n, met := v[op.Visit]
	if !met {
		n = draw()
		v.keep(op, n)
	}
	return n
}

// keep has the later operations of op's visit use n.
func (v visits) keep(op *load.Op, n uint64) {
	if op.Visit != 0 {
		v[op.Visit] = n
	}
}

// leave forgets the visit with its last operation.
func (v visits) leave(op *load.Op) {
	if op.Last {
		delete(v, op.Visit)
	}
}
