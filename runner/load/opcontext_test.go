package load

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

type key struct{}

// inOperation runs test as the operations of a run with a timeout of 100 ms,
// one every 1.337 s, lest the engine's own rhythm fit; each has its number.
func inOperation(t *testing.T, operations int, test func(ctx context.Context, n int)) *Result {
	t.Helper()
	n := 0
	traffic := &script{do: func(ctx context.Context, _ *Op) (int, error) {
		n++
		test(ctx, n)
		return 0, ctx.Err()
	}}
	ctx := context.WithValue(t.Context(), key{}, "kept")
	r, err := Run(ctx, Config{
		Measure: Constant(1/1.337, time.Duration(operations)*1337*time.Millisecond),
		Workers: 1, Timeout: 100 * time.Millisecond, Waiter: NewTimerWaiter(),
	}, traffic)
	if err != nil {
		t.Fatal(err)
	}
	if n != operations {
		t.Errorf("%d operations, want %d", n, operations)
	}
	return r
}

func TestOperationContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inOperation(t, 4, func(ctx context.Context, n int) {
			start := time.Now()
			if at, ok := ctx.Deadline(); !ok || !at.Equal(start.Add(100*time.Millisecond)) {
				t.Errorf("operation %d: deadline in %v, want 100ms", n, at.Sub(start))
			}
			if ctx.Err() != nil {
				t.Errorf("operation %d begins with %v", n, ctx.Err())
			}
			if ctx.Value(key{}) != "kept" {
				t.Errorf("operation %d lost the run's values", n)
			}
			if n%2 == 0 {
				return
			}
			<-ctx.Done()
			if took := time.Since(start); took < 100*time.Millisecond || took > 100*time.Millisecond+2*minNap {
				t.Errorf("operation %d: Done after %v, want 100ms", n, took)
			}
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) || !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
				t.Errorf("operation %d ended with %v because of %v", n, ctx.Err(), context.Cause(ctx))
			}
			if at, ok := ctx.Deadline(); !ok || !at.Equal(start.Add(100*time.Millisecond)) {
				t.Errorf("operation %d: deadline moved to %v after the start", n, at.Sub(start))
			}
		})
		if r.Timeouts != 2 || r.Errors != 2 {
			t.Errorf("%d timeouts, %d errors, want 2 and 2", r.Timeouts, r.Errors)
		}
	})
}

func TestOperationContextHasChildren(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inOperation(t, 2, func(ctx context.Context, _ int) {
			start := time.Now()
			short, cancelShort := context.WithTimeout(ctx, 10*time.Millisecond)
			defer cancelShort()
			long, cancelLong := context.WithTimeout(ctx, time.Hour)
			defer cancelLong()
			called := make(chan struct{})
			stop := context.AfterFunc(ctx, func() { close(called) })
			defer stop()
			<-short.Done()
			if took := time.Since(start); took != 10*time.Millisecond || ctx.Err() != nil {
				t.Errorf("a child's own deadline took %v, and the parent has %v", took, ctx.Err())
			}
			<-long.Done()
			<-called
			if took := time.Since(start); took > 100*time.Millisecond+2*minNap || !errors.Is(long.Err(), context.DeadlineExceeded) {
				t.Errorf("a child of the operation ended after %v with %v", took, long.Err())
			}
		})
	})
}

func TestOperationContextIsUsedAgainUntilItExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := map[context.Context]int{}
		inOperation(t, 6, func(ctx context.Context, n int) {
			seen[ctx]++
			if n == 3 {
				<-ctx.Done()
			}
		})
		if len(seen) != 2 {
			t.Errorf("%d contexts, want one up to the timeout and one after", len(seen))
		}
	})
}

func TestOperationContextAllocatesNothing(t *testing.T) {
	p := &phase{values: context.Background(), start: time.Now()}
	c := newOpContext(p)
	n := testing.AllocsPerRun(100, func() {
		c.begin(time.Second)
		_, _ = c.Deadline()
		if c.Err() != nil || !c.finish(time.Second) {
			t.Fatal("ended early")
		}
	})
	if n != 0 {
		t.Errorf("an operation allocates %v times", n)
	}
}

func TestFinishedOperationIsNotEnded(t *testing.T) {
	c := newOpContext(&phase{values: context.Background()})
	c.begin(5)
	c.finish(5)
	c.end(5, context.Canceled)
	if c.Err() != nil {
		t.Error("a context was ended between operations")
	}
	c.begin(6)
	c.end(5, context.Canceled)
	if c.Err() != nil {
		t.Error("a context was ended for an operation before")
	}
	c.end(6, context.Canceled)
	if !errors.Is(c.Err(), context.Canceled) || c.finish(6) {
		t.Error("a context that was ended may be used again")
	}
}
