package load

import (
	"sync"
	"time"
)

// closedLoop hands operations to workers as they ask for them, until the
// schedule's end.
type closedLoop struct {
	phase *phase
	span  time.Duration
	// open is closed when the phase's clock runs.
	open chan struct{}

	mu struct {
		sync.Mutex
		begun   int64
		stopped bool
	}
}

func newClosedLoop(p *phase, span time.Duration) *closedLoop {
	return &closedLoop{phase: p, span: span, open: make(chan struct{})}
}

// next plans an operation that is due now. It returns false once the time is up.
func (l *closedLoop) next(op *Op) bool {
	<-l.open
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.phase.now()
	if l.mu.stopped || now >= l.span {
		return false
	}
	*op = Op{Due: now, Trace: l.phase.trace(l.mu.begun)}
	l.phase.traffic.Next(op)
	op.Due = now
	l.mu.begun++
	return true
}

// stop lets no operation begin any more.
func (l *closedLoop) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.stopped = true
}

func (l *closedLoop) begun() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.begun
}
