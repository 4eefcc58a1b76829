package load

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// nanosleepWaiter sleeps in the kernel until an absolute time, on a thread of
// its own whose timers the kernel may not round (timer slack 1 ns). The sleeping
// thread keeps its processor from other goroutines until the runtime takes it
// back, so that it is the better one only where processors are plenty.
type nanosleepWaiter struct {
	// origin and clock are one instant on the runtime's and the kernel's clock.
	origin time.Time
	clock  time.Duration
	locked bool
	slack  int
}

// longestSleep is how often a long wait looks at its context.
const longestSleep = 20 * time.Millisecond

func newNanosleepWaiter() (Waiter, error) {
	var now unix.Timespec
	origin := time.Now()
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return nil, fmt.Errorf("read the monotonic clock: %w", err)
	}
	return &nanosleepWaiter{origin: origin, clock: time.Duration(now.Nano())}, nil
}

func (w *nanosleepWaiter) Wait(ctx context.Context, until time.Time) error {
	if err := w.lock(); err != nil {
		return err
	}
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		left := time.Until(until)
		if left <= 0 {
			return nil
		}
		if err := w.sleep(until.Add(min(0, longestSleep-left))); err != nil {
			return err
		}
	}
}

// sleep sleeps until an instant, or until a signal comes.
func (w *nanosleepWaiter) sleep(until time.Time) error {
	at := unix.NsecToTimespec(int64(w.clock + until.Sub(w.origin)))
	err := unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &at, nil)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("sleep: %w", err)
	}
	return nil
}

// lock keeps the calling goroutine on its thread until Close, and sharpens that
// thread's timers.
func (w *nanosleepWaiter) lock() (err error) {
	if w.locked {
		return nil
	}
	runtime.LockOSThread()
	w.locked = true
	if w.slack, err = unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("read the timer slack: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set the timer slack: %w", err)
	}
	return nil
}

func (w *nanosleepWaiter) Close() error {
	if !w.locked {
		return nil
	}
	w.locked = false
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(w.slack), 0, 0, 0); err != nil {
		return fmt.Errorf("restore the timer slack: %w", err)
	}
	return nil
}

func (*nanosleepWaiter) String() string { return string(PacingNanosleep) }
