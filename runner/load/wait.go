package load

import (
	"context"
	"time"
)

// Waiter paces a run. All its methods are for one goroutine, which may stay
// locked to its thread until Close.
type Waiter interface {
	// Wait returns nil at until or as soon after as it can, never before it,
	// or context.Cause(ctx) once ctx is done.
	Wait(ctx context.Context, until time.Time) error
	// Close frees what the waiter holds. It may not be used afterwards.
	Close() error
	// String names it, as results record it.
	String() string
}

// Pacing names a way to wait.
type Pacing string

// The pacings. None of them spins: on few cores a spinning generator takes the
// one that the server needs.
const (
	// PacingTimerfd waits for a kernel timer through the runtime's network poller.
	PacingTimerfd Pacing = "timerfd"
	// PacingNanosleep sleeps in the kernel on a thread of its own.
	PacingNanosleep Pacing = "nanosleep"
	// PacingTimer waits for the runtime's own timers; see [NewTimerWaiter].
	PacingTimer Pacing = "timer"
)

// NewWaiter returns a waiter of this system's default pacing or, where there is
// none to be had, the one of [NewTimerWaiter]. Its name says which. [Calibrate]
// finds a better one, if the machine has it.
func NewWaiter() Waiter {
	if w, err := Pacings()[0].newWaiter(); err == nil {
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

func (*timerWaiter) String() string { return string(PacingTimer) }
