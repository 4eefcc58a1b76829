package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// timerfdWaiter waits for a kernel timer through the runtime's network poller.
// A blocking system call on a locked thread is as punctual, but keeps its
// processor from other goroutines until the runtime takes it back, which costs
// more where cores are few.
//
// The timer is set and never read: the poller is edge-triggered, so that each
// expiry wakes it, and setting the timer again clears the last one. That makes
// one system call for a wait in place of three.
type timerfdWaiter struct {
	file *os.File
	conn syscall.RawConn
	// until is what poll waits for, and set whether the timer is set for it.
	until time.Time
	set   bool
	err   error
	// poll is the method of that name, made once since it would be allocated.
	poll func(fd uintptr) bool
	// done is the Done channel of the context that interrupts reads.
	done <-chan struct{}
	// release ends the watch over that context.
	release func() bool

	mu struct {
		sync.Mutex
		// watch numbers the contexts, so that a late call for an old one is
		// told from a call for the present one.
		watch int
	}
}

func newTimerfdWaiter() (Waiter, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create timerfd: %w", err)
	}
	w := &timerfdWaiter{file: os.NewFile(uintptr(fd), "timerfd"), release: func() bool { return true }}
	w.poll = w.expired
	// A file that the poller does not serve would ignore deadlines.
	if err := w.file.SetReadDeadline(time.Time{}); err != nil {
		return nil, errors.Join(fmt.Errorf("poll timerfd: %w", err), w.file.Close())
	}
	if w.conn, err = w.file.SyscallConn(); err != nil {
		return nil, errors.Join(fmt.Errorf("poll timerfd: %w", err), w.file.Close())
	}
	return w, nil
}

func (w *timerfdWaiter) Wait(ctx context.Context, until time.Time) error {
	if err := w.attend(ctx); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	w.until, w.set, w.err = until, false, nil
	err := w.conn.Read(w.poll)
	switch {
	case err == nil:
		return w.err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return fmt.Errorf("poll timerfd: %w", err)
}

// expired reports whether the wait is over. The poller calls it to begin with,
// and after each expiry; one may be left from a wait that was interrupted. The
// timer is set here since what expires before the first call would be missed.
func (w *timerfdWaiter) expired(fd uintptr) bool {
	d := time.Until(w.until)
	if d <= 0 {
		return true
	}
	if w.set {
		return false
	}
	w.set = true
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	if err := unix.TimerfdSettime(int(fd), 0, &spec, nil); err != nil {
		w.err = fmt.Errorf("set timerfd: %w", err)
	}
	return w.err != nil
}

// attend makes the end of ctx interrupt reads. Waits with the same context, the
// usual case, share one watch, so that a wait allocates nothing.
func (w *timerfdWaiter) attend(ctx context.Context) error {
	if ctx.Done() == w.done {
		return nil
	}
	w.release()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.watch++
	w.done = ctx.Done()
	if err := w.file.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("reset timerfd: %w", err)
	}
	number := w.mu.watch
	w.release = context.AfterFunc(ctx, func() { w.interrupt(number) })
	return nil
}

func (w *timerfdWaiter) interrupt(number int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if number == w.mu.watch {
		// It fails only once the file is closed, when nobody reads.
		_ = w.file.SetReadDeadline(time.Unix(1, 0))
	}
}

func (w *timerfdWaiter) Close() error {
	w.release()
	if err := w.file.Close(); err != nil {
		return fmt.Errorf("close timerfd: %w", err)
	}
	return nil
}

func (*timerfdWaiter) String() string { return string(PacingTimerfd) }
