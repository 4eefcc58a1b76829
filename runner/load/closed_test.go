package load

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestClosedLoopKeepsEveryWorkerBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		s := &script{do: func(ctx context.Context, op *Op) (int, error) {
			n := now.Add(1)
			defer now.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			return op.Kind, pause(ctx, 10*time.Millisecond)
		}}
		r, err := Run(t.Context(), Config{
			Closed: true, Warmup: Constant(1, time.Second), Measure: Constant(1, 2*time.Second), Workers: 5, Waiter: NewTimerWaiter(),
		}, s)
		if err != nil {
			t.Fatal(err)
		}
		// 5 workers, 100 operations a second each, whatever the schedule's rate.
		if r.Sent != 1000 || r.Offered != r.Sent || r.Dropped != 0 || !r.Closed || most.Load() != 5 {
			t.Errorf("sent %d of %d, dropped %d, at most %d at a time, closed %t; want 1000 by 5", r.Sent, r.Offered, r.Dropped, most.Load(), r.Closed)
		}
		op := r.Operations[0]
		if op.Count != 1000 || op.MaxLag != 0 || op.MaxResponse != op.MaxService || op.MaxService != 10*time.Millisecond {
			t.Errorf("%d operations, lag %v, response %v, service %v", op.Count, op.MaxLag, op.MaxResponse, op.MaxService)
		}
	})
}

func TestClosedLoopCountsWhatBeginsAfterItsEnd(t *testing.T) {
	t.Parallel()
	// Planning takes the worker past the end, as a busy machine may. Not on a
	// synctest clock: it stands still while the end waits for the plan's lock.
	const span = time.Second
	s := &script{names: []string{"operation"}, rng: func() uint64 { time.Sleep(span * 6 / 10); return 0 }}
	r, err := Run(t.Context(), Config{Closed: true, Measure: Constant(1, span), Workers: 1, Waiter: NewTimerWaiter()}, s)
	if err != nil {
		t.Fatal(err)
	}
	if op := r.Operations[0]; op.Count != 1 || op.MaxLag < span*2/10 {
		t.Errorf("%d operations, lag %v; want 1 that began %v after the end", op.Count, op.MaxLag, span*2/10)
	}
}

func TestClosedLoopEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("interrupted")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		s := &script{do: func(ctx context.Context, op *Op) (int, error) { return op.Kind, pause(ctx, 10*time.Millisecond) }}
		r, err := Run(ctx, Config{Closed: true, Measure: Constant(1, time.Hour), Workers: 2, Waiter: NewTimerWaiter()}, s)
		if !errors.Is(err, cause) || r.Sent < 200 || r.Sent > 204 || r.Abandoned != 0 {
			t.Errorf("%v with %d sent and %d abandoned, want 200 or so and the cause", err, r.Sent, r.Abandoned)
		}
	})
}

func TestOneOperationInSoManyIsTraced(t *testing.T) {
	for _, closed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{do: func(ctx context.Context, op *Op) (int, error) {
				if op.Trace != nil {
					if *op.Trace != (Trace{}) {
						t.Errorf("a trace begins with %+v", *op.Trace)
					}
					op.Trace.Queue, op.Trace.Wire = 2*time.Millisecond, 5*time.Millisecond
				}
				return op.Kind, pause(ctx, 10*time.Millisecond)
			}}
			r, err := Run(t.Context(), Config{
				Closed: closed, Measure: Constant(100, time.Second), Workers: 4, TraceEvery: 10, Waiter: NewTimerWaiter(),
			}, s)
			if err != nil {
				t.Fatal(err)
			}
			parts := r.Operations[0].Parts
			if want := r.Sent / 10; parts.Queue.TotalCount() != want || parts.Wire.TotalCount() != want || parts.Rest.TotalCount() != want {
				t.Errorf("closed %t: traced %d of %d", closed, parts.Queue.TotalCount(), r.Sent)
			}
			for name, got := range map[string]time.Duration{
				"queue": time.Duration(parts.Queue.Max() - 2e6), "wire": time.Duration(parts.Wire.Max() - 5e6), "rest": time.Duration(parts.Rest.Max() - 3e6),
			} {
				if got.Abs() > 100*time.Microsecond {
					t.Errorf("closed %t: %s is off by %v", closed, name, got)
				}
			}
		})
	}
}

func TestATraceThatCannotTellIsLeftOut(t *testing.T) {
	s := &script{do: func(_ context.Context, op *Op) (int, error) {
		if op.Trace != nil && op.Subject%20 == 0 {
			op.Trace = nil
		}
		return op.Kind, nil
	}}
	r, err := Run(t.Context(), Config{Measure: Constant(1000, 200*time.Millisecond), TraceEvery: 10}, s)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Operations[0].Parts.Queue.TotalCount(); r.Sent != 200 || got != 10 {
		t.Errorf("%d traces of %d operations, want every other of the 20 that were traced", got, r.Sent)
	}
}

func TestOneProcessorIsEnough(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	s := &script{do: func(ctx context.Context, op *Op) (int, error) { return op.Kind, pause(ctx, time.Millisecond) }}
	r, err := Run(t.Context(), Config{Measure: Poisson(5000, 500*time.Millisecond), Warmup: Poisson(5000, 50*time.Millisecond), TraceEvery: 7}, s)
	if err != nil {
		t.Fatal(err)
	}
	if r.Dropped != 0 || r.Sent != r.Offered || r.Abandoned != 0 || r.Errors != 0 || r.Sent < 2000 {
		t.Errorf("sent %d of %d, dropped %d, abandoned %d, errors %d", r.Sent, r.Offered, r.Dropped, r.Abandoned, r.Errors)
	}
}

func TestOperationsInFlightAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seconds []int64
		s := &script{do: func(ctx context.Context, op *Op) (int, error) { return op.Kind, pause(ctx, 250*time.Millisecond) }}
		r, err := Run(t.Context(), Config{
			Measure: Constant(100, 2*time.Second), Workers: 64, Waiter: NewTimerWaiter(),
			OnInterval: func(i Interval) { seconds = append(seconds, i.InFlight) },
		}, s)
		if err != nil {
			t.Fatal(err)
		}
		// 100 a second of a quarter of a second each: 25 under way (J. Little's law).
		for i, bin := range r.Bins {
			if i > 2 && (bin.InFlight < 24 || bin.InFlight > 26) {
				t.Errorf("bin %d: %d in flight, want 25", i, bin.InFlight)
			}
		}
		if len(seconds) < 2 || seconds[0] < 24 || seconds[0] > 26 || seconds[len(seconds)-1] != 0 {
			t.Errorf("in flight at the seconds' ends: %v, want 25 and at last 0", seconds)
		}
	})
}
