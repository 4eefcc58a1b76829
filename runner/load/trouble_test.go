package load

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTimeoutsStayInTheHistograms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout = 50 * time.Millisecond
		r := mustRun(t, Config{Measure: Constant(100, time.Second), Timeout: timeout}, &script{
			do: func(ctx context.Context, op *Op) (int, error) {
				if op.Subject%10 == 0 {
					<-ctx.Done()
					return 0, errors.New("read: connection is not usable") // Not every client tells why.
				}
				return 0, nil
			},
		})
		op := r.Operations[0]
		if r.Timeouts != 10 || r.Errors != 10 || op.Count != 100 {
			t.Errorf("%d timeouts, %d errors, %d completed, want 10, 10 and 100", r.Timeouts, r.Errors, op.Count)
		}
		if got := time.Duration(op.Response.ValueAtQuantile(95)); got < timeout || got > timeout+2*time.Millisecond {
			t.Errorf("p95 = %v, want the timeout, %v", got, timeout)
		}
	})
}

func TestErrorsAreDataAndFewTextsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustRun(t, Config{Warmup: Constant(10, time.Second), Measure: Constant(1000, time.Second)}, &script{
			do: func(_ context.Context, op *Op) (int, error) {
				if op.Subject < 10 {
					return 0, errors.New("cold")
				}
				return 0, errors.New(strings.Repeat("é", int(op.Subject)%20) + strings.Repeat("x", 300))
			},
		})
		if r.Errors != 1000 || r.Timeouts != 0 || r.Operations[0].Count != 1000 {
			t.Errorf("%d errors, %d timeouts, %d completed, want 1000, 0, 1000", r.Errors, r.Timeouts, r.Operations[0].Count)
		}
		if len(r.ErrorSamples) != maxErrorSamples || r.ErrorSamples[0] != "cold" {
			t.Errorf("samples %q, want 8 that begin with the warm-up's", r.ErrorSamples)
		}
		for _, s := range r.ErrorSamples {
			if len(s) > maxErrorBytes || strings.ToValidUTF8(s, "") != s {
				t.Errorf("sample %q is too long or cut through a letter", s)
			}
		}
	})
}

func TestTargetThatNeverReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		defer close(stuck)
		start := time.Now()
		r := mustRun(t, Config{Measure: Constant(100, time.Second), Workers: 5, Drain: 2 * time.Second}, &script{
			do: func(context.Context, *Op) (int, error) {
				<-stuck
				return 0, nil
			},
		})
		if r.Offered != 100 || r.Sent != 5 || r.Dropped != 95 || r.Abandoned != 5 || r.Operations[0].Count != 0 {
			t.Errorf("offered %d, sent %d, dropped %d, abandoned %d", r.Offered, r.Sent, r.Dropped, r.Abandoned)
		}
		if took := time.Since(start); took != 3*time.Second+grace || r.Drained != 2*time.Second+grace {
			t.Errorf("took %v, drained for %v", took, r.Drained)
		}
	})
}

func TestWarmUpThatGoesOnIntoTheMeasuredPhaseIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		defer close(stuck)
		var measuring atomic.Bool
		r := mustRun(t, Config{
			Warmup: Constant(100, 100*time.Millisecond), Measure: Constant(100, time.Second), Drain: 10 * time.Millisecond,
			OnPhase: func(p Phase) { measuring.Store(p == PhaseMeasure) },
		}, &script{
			do: func(context.Context, *Op) (int, error) {
				if !measuring.Load() {
					<-stuck
				}
				return 0, nil
			},
		})
		if verdict, reasons := Judge(r, Limits{}); !r.Unsettled || verdict != Invalid {
			t.Errorf("unsettled %v, verdict %s because of %q", r.Unsettled, verdict, reasons)
		}
	})
}

func TestInterruptKeepsWhatWasMeasured(t *testing.T) {
	died := errors.New("server died")
	hang := func(ctx context.Context, _ *Op) (int, error) {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	tests := []struct {
		name     string
		do       func(context.Context, *Op) (int, error)
		sent     int64
		errors   int64
		drop     int64
		patience time.Duration
	}{
		{"of a quick target", nil, 2501, 0, 0, 0},
		{"of a target that hangs", hang, 64, 64, 2437, grace},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				// Just after the operation that is due at 2.5 s.
				time.AfterFunc(2500*time.Millisecond+1, func() { cancel(died) })
				start := time.Now()
				r, err := Run(ctx, Config{
					Measure: Constant(1000, 10*time.Second), Timeout: time.Minute, Waiter: NewTimerWaiter(),
				}, &script{do: tt.do})
				if !errors.Is(err, died) {
					t.Errorf("error %v, want the cause", err)
				}
				if took := time.Since(start) - 2500*time.Millisecond - 1; took != tt.patience {
					t.Errorf("stopped %v after the interrupt, want %v", took, tt.patience)
				}
				if r.Sent != tt.sent || r.Errors != tt.errors || r.Dropped != tt.drop || r.Timeouts != 0 || r.Abandoned != 0 {
					t.Errorf("result %+v", r.Totals)
				}
				if len(r.Bins) != 26 {
					t.Errorf("%d bins, want 26", len(r.Bins))
				}
				for _, fault := range faults(r) {
					t.Error(fault)
				}
			})
		})
	}
}

func TestInterruptOfTheWarmUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var phases []Phase
		r, err := Run(ctx, Config{
			Warmup: Constant(10, time.Hour), Measure: Constant(10, time.Hour), Waiter: NewTimerWaiter(),
			OnPhase: func(p Phase) { phases = append(phases, p) },
		}, &script{})
		if !errors.Is(err, context.DeadlineExceeded) || r == nil || r.Offered != 0 || r.Waiter != "timer" {
			t.Errorf("result %+v, error %v", r, err)
		}
		if diff := cmp.Diff([]Phase{PhaseWarmup, PhaseSettle}, phases); diff != "" {
			t.Errorf("phases differ (-want +got):\n%s", diff)
		}
	})
}

func TestFaultsOfTheTrafficAreErrors(t *testing.T) {
	tests := []struct {
		name, says string
		do         func(context.Context, *Op) (int, error)
	}{
		{"a panic", "operation panicked: no such key", func(context.Context, *Op) (int, error) { panic("no such key") }},
		{"an unknown kind", "operation 7 of 1", func(context.Context, *Op) (int, error) { return 7, nil }},
		{"a negative kind", "operation -1 of 1", func(context.Context, *Op) (int, error) { return -1, nil }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := mustRun(t, Config{Measure: Constant(100, time.Second), Workers: 2}, &script{do: tt.do})
				if r.Errors != 100 || r.Operations[0].Count != 100 || !strings.Contains(r.ErrorSamples[0], tt.says) {
					t.Errorf("%d errors of %d, samples %q", r.Errors, r.Operations[0].Count, r.ErrorSamples)
				}
			})
		})
	}
}

func TestOperationsThatEndTheirGoroutineAreAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustRun(t, Config{Measure: Constant(10, time.Second), Workers: 3}, &script{
			do: func(context.Context, *Op) (int, error) {
				runtime.Goexit()
				return 0, nil
			},
		})
		if r.Sent != 3 || r.Abandoned != 3 || r.Dropped != 7 {
			t.Errorf("sent %d, abandoned %d, dropped %d, want 3, 3 and 7", r.Sent, r.Abandoned, r.Dropped)
		}
	})
}

func TestConfigIsRefused(t *testing.T) {
	ok := Constant(1, time.Second)
	tests := []struct {
		name, says string
		cfg        Config
		names      []string
	}{
		{"no schedule", "give one such as 10k/10s", Config{}, nil},
		{"an invalid schedule", "a rate is from", Config{Measure: Constant(-1, 1)}, nil},
		{"an invalid warm-up", "check warm-up", Config{Measure: ok, Warmup: Constant(-1, 1)}, nil},
		{"negative workers", "check workers: -1", Config{Measure: ok, Workers: -1}, nil},
		{"a huge backlog", "check backlog", Config{Measure: ok, Backlog: maxBacklog + 1}, nil},
		{"a negative timeout", "check timeout: -1ns", Config{Measure: ok, Timeout: -1}, nil},
		{"a drain of days", "check drain", Config{Measure: ok, Drain: 48 * time.Hour}, nil},
		{"no operations", "has no operations", Config{Measure: ok}, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Run(t.Context(), tt.cfg, &script{names: tt.names})
			if err == nil || r != nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("result %v, error %v, want one that says %q", r, err, tt.says)
			}
		})
	}
}

// brokenWaiter fails after a number of waits.
type brokenWaiter struct {
	Waiter
	left int
}

func (w *brokenWaiter) Wait(ctx context.Context, until time.Time) error {
	if w.left--; w.left < 0 {
		return errors.New("no timer")
	}
	return w.Waiter.Wait(ctx, until)
}

func TestWaiterThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := Run(t.Context(), Config{
			Measure: Constant(10, time.Second), Waiter: &brokenWaiter{NewTimerWaiter(), 3},
		}, &script{})
		if err == nil || err.Error() != "pace arrivals: no timer" || r.Offered != 3 {
			t.Errorf("error %v after %d operations", err, r.Offered)
		}
	})
}
