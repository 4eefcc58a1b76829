package load

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"
)

// waiters lists this system's waiters.
func waiters(t *testing.T) []Waiter {
	t.Helper()
	var all []Waiter
	for _, p := range Pacings() {
		w, err := p.newWaiter()
		if p == PacingNanosleep && runtime.GOMAXPROCS(0) == 1 {
			if err == nil {
				t.Fatal("nanosleep took the only processor")
			}
			continue
		}
		if err != nil {
			t.Fatalf("open %s: %v", p, err)
		}
		all = append(all, w)
	}
	return append(all, ahead(NewWaiter(), 20*time.Microsecond))
}

// closing closes w at the end of a test, in the goroutine that waited.
func closing(t *testing.T, w Waiter) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func TestLinuxDoesNotPaceWithTheRuntimesTimers(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("timerfd is Linux's")
	}
	w := NewWaiter()
	defer closing(t, w)
	if got := w.String(); got != "timerfd" {
		t.Errorf("NewWaiter gives %s, want timerfd", got)
	}
}

func TestWaitEndsAfterItsTimeAndNeverBefore(t *testing.T) {
	for _, w := range waiters(t) {
		t.Run(w.String(), func(t *testing.T) {
			defer closing(t, w)
			for i := range 300 {
				// From long gone to 0.2 ms ahead.
				until := time.Now().Add(time.Duration(i-50) * time.Microsecond)
				if err := w.Wait(t.Context(), until); err != nil {
					t.Fatal(err)
				}
				if early := time.Until(until); early > 0 {
					t.Fatalf("wait %d ended %v early", i, early)
				}
			}
		})
	}
}

func TestWaitIsInterrupted(t *testing.T) {
	for _, w := range waiters(t) {
		t.Run(w.String(), func(t *testing.T) {
			defer closing(t, w)
			for range 3 { // Again, since an interrupted wait may leave a timer behind.
				cause := errors.New("server died")
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(5*time.Millisecond, func() { cancel(cause) })
				start := time.Now()
				if err := w.Wait(ctx, start.Add(time.Hour)); !errors.Is(err, cause) {
					t.Errorf("error %v, want %v", err, cause)
				}
				if took := time.Since(start); took > 10*time.Second {
					t.Errorf("the wait went on for %v", took)
				}
				if err := w.Wait(ctx, time.Time{}); !errors.Is(err, cause) {
					t.Errorf("a wait with a dead context returned %v, want %v", err, cause)
				}
				for _, next := range []context.Context{context.Background(), t.Context()} {
					until := time.Now().Add(time.Millisecond)
					if err := w.Wait(next, until); err != nil || time.Now().Before(until) {
						t.Errorf("the next wait returned %v, %v early", err, time.Until(until))
					}
				}
			}
		})
	}
}

func TestWaitDoesNotSpin(t *testing.T) {
	for _, w := range waiters(t) {
		t.Run(w.String(), func(t *testing.T) {
			defer closing(t, w)
			const span = 100 * time.Millisecond
			before := cpuTime(t)
			if err := w.Wait(t.Context(), time.Now().Add(span)); err != nil {
				t.Fatal(err)
			}
			if used := cpuTime(t) - before; used > span/2 {
				t.Errorf("waiting %v used %v of processor time", span, used)
			}
		})
	}
}

func TestWaitAllocatesNothing(t *testing.T) {
	for _, w := range waiters(t) {
		t.Run(w.String(), func(t *testing.T) {
			defer closing(t, w)
			n := testing.AllocsPerRun(100, func() {
				if err := w.Wait(t.Context(), time.Now().Add(20*time.Microsecond)); err != nil {
					t.Fatal(err)
				}
			})
			if n != 0 {
				t.Errorf("a wait allocates %v times", n)
			}
		})
	}
}
