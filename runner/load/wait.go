package load

import (
	"context"
	"time"
)

// Waiter paces a run. It serves one goroutine at a time.
type Waiter interface {
	// Wait returns nil at until or as soon after as it can, never before it,
	// or context.Cause(ctx) once ctx is done.
	Wait(ctx context.Context, until time.Time) error
	// Close frees what the waiter holds. It may not be used afterwards.
	Close() error
	// String names it, as results record it.
	String() string
}

// NewWaiter returns this system's most punctual waiter that does not spin: on
// Linux a timerfd, elsewhere, or where there is none to be had, the one of
// [NewTimerWaiter]. Results record which through its name. Spinning was
// rejected: on few cores it takes the one that the server needs.
func NewWaiter() Waiter {
	if w, err := newSystemWaiter(); err == nil {
		return w
	}
	return NewTimerWaiter()
}

// NewTimerWaiter returns a waiter on the runtime's own timers. They work
// everywhere, and in testing/synctest; on Linux they are about half a
// millisecond late, since the runtime rounds short waits up to a millisecond.
func NewTimerWaiter() Waiter {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &timerWaiter{timer: t}
}

type timerWaiter struct{ timer *time.Timer }

func (w *timerWaiter) Wait(ctx context.Context, until time.Time) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	d := time.Until(until)
	if d <= 0 {
		return nil
	}
	w.timer.Reset(d)
	select {
	case <-w.timer.C:
		return nil
	case <-ctx.Done():
		w.timer.Stop()
		return context.Cause(ctx)
	}
}

func (w *timerWaiter) Close() error {
	w.timer.Stop()
	return nil
}

func (*timerWaiter) String() string { return "timer" }
