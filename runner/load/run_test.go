package load

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// script is a traffic whose operations do what it is told to.
type script struct {
	names   []string
	do      func(ctx context.Context, op *Op) (int, error)
	rng     func() uint64
	planned []Op
}

func (s *script) Operations() []string {
	if s.names == nil {
		return []string{"operation"}
	}
	return s.names
}

func (s *script) Next(op *Op) {
	op.Subject = uint64(len(s.planned))
	if s.rng != nil {
		op.Kind, op.Param = int(s.rng()%uint64(len(s.names))), s.rng()
	}
	s.planned = append(s.planned, *op)
}

func (s *script) Do(ctx context.Context, op *Op) (int, error) {
	if s.do == nil {
		return op.Kind, nil
	}
	return s.do(ctx, op)
}

// pause takes d, or less if ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stall returns a Do whose operations take service, and cannot end in
// [from, to) of the time after they are first called.
func stall(from, to, service time.Duration) func(context.Context, *Op) (int, error) {
	start := time.Now()
	return func(ctx context.Context, op *Op) (int, error) {
		if now := time.Since(start); now >= from && now < to {
			if err := pause(ctx, to-now); err != nil {
				return op.Kind, err
			}
		}
		if service == 0 {
			return op.Kind, nil
		}
		return op.Kind, pause(ctx, service)
	}
}

// mustRun runs with the timer waiter, in a bubble, and checks what holds of any
// run.
func mustRun(t *testing.T, cfg Config, traffic Traffic) *Result {
	t.Helper()
	cfg.Waiter = NewTimerWaiter()
	r, err := Run(t.Context(), cfg, traffic)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults(r) {
		t.Error(fault)
	}
	return r
}

// faults says which of the sums that must hold do not.
func faults(r *Result) (out []string) {
	equal := func(what string, got, want int64) {
		if got != want {
			out = append(out, what+": "+time.Duration(got).String()+" differs from "+time.Duration(want).String())
		}
	}
	equal("offered and sent + dropped", r.Offered, r.Sent+r.Dropped)
	var count, errs, timeouts, binned int64
	for _, op := range r.Operations {
		equal("responses of "+op.Name, op.Response.TotalCount(), op.Count)
		equal("services of "+op.Name, op.Service.TotalCount(), op.Count)
		equal("lags of "+op.Name, op.Lag.TotalCount(), op.Count)
		count += op.Count
		errs += op.Errors
		timeouts += op.Timeouts
	}
	for _, b := range r.Bins {
		binned += b.Count
	}
	equal("completed + abandoned and sent", count+r.Abandoned, r.Sent)
	equal("binned and completed", binned, count)
	equal("errors", errs, r.Errors)
	equal("timeouts", timeouts, r.Timeouts)
	return out
}

func TestStallIsCountedFromThePlan(t *testing.T) {
	const (
		rate, workers = 1000, 16
		from, to      = 4 * time.Second, 5 * time.Second
	)
	plan := Constant(rate, 10*time.Second)
	synctest.Test(t, func(t *testing.T) {
		r := mustRun(t, Config{Measure: plan, Workers: workers, Timeout: time.Minute}, &script{do: stall(from, to, 0)})
		// What was due during the stall ended with it, the rest at once.
		var want []time.Duration
		for _, due := range collect(plan, 0) {
			if due >= from && due < to {
				want = append(want, to-due)
			} else {
				want = append(want, MinLatency)
			}
		}
		slices.Sort(want)
		op := r.Operations[0]
		if op.Count != int64(len(want)) || r.Dropped != 0 {
			t.Fatalf("%d completed, %d dropped, want %d and 0", op.Count, r.Dropped, len(want))
		}
		for i, w := range want {
			got := float64(op.Response.ValueAtQuantile(100 * (float64(i) + 0.75) / float64(len(want))))
			if math.Abs(got-float64(w)) > 0.001*float64(w)+1024 {
				t.Fatalf("response %d of %d is %v, want %v", i, len(want), time.Duration(got), w)
			}
		}
		if op.MaxResponse != time.Second {
			t.Errorf("longest response %v, want 1s", op.MaxResponse)
		}
		// The service times alone would hide it: only who was being served shows.
		if long := countAbove(op, time.Millisecond); long != workers {
			t.Errorf("%d long service times, want one for each of %d workers", long, workers)
		}
		// Keyed by due time, the bins show when it was.
		for i, b := range r.Bins {
			start := time.Duration(i) * r.BinWidth
			stalled := start >= from && start < to
			if b.Count != 100 || stalled != (b.Max > time.Millisecond) || stalled && b.Max != to-start {
				t.Errorf("bin at %v: %d operations up to %v", start, b.Count, b.Max)
			}
		}
	})
}

// countAbove counts an operation's service times above d.
func countAbove(op OpResult, d time.Duration) (n int64) {
	for _, bar := range op.Service.Distribution() {
		if bar.From > int64(d) {
			n += bar.Count
		}
	}
	return n
}

func TestFullBacklogDropsExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Two are being done when it stalls, ten wait, 88 find it full.
		r := mustRun(t, Config{
			Measure: Constant(1000, 100*time.Millisecond), Workers: 2, Backlog: 10, Timeout: time.Minute,
		}, &script{do: stall(0, time.Second, 0)})
		if r.Offered != 100 || r.Sent != 12 || r.Dropped != 88 {
			t.Errorf("offered %d, sent %d, dropped %d, want 100, 12 and 88", r.Offered, r.Sent, r.Dropped)
		}
		if v, reasons := Judge(r, Limits{}); v != Invalid {
			t.Errorf("judged %v for %q", v, reasons)
		}
	})
}

func TestSlowGeneratorIsNotTheServersMaximum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// One worker at 2 ms an operation cannot send 1000 a second.
		r := mustRun(t, Config{Measure: Constant(1000, 10*time.Second), Workers: 1}, &script{do: stall(0, 0, 2*time.Millisecond)})
		op := r.Operations[0]
		if op.MaxService != 2*time.Millisecond || op.MaxLag < time.Second {
			t.Errorf("service up to %v, lag up to %v, want 2ms and over a second", op.MaxService, op.MaxLag)
		}
		v, reasons := Judge(r, Limits{})
		if v != Invalid || !strings.Contains(strings.Join(reasons, "\n"), "ended in time") {
			t.Errorf("judged %v for %q", v, reasons)
		}
	})
}

func TestTotalsHoldForAnyTarget(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg := Config{
			Measure: schedules().Draw(rt, "schedule"),
			Workers: rapid.IntRange(1, 20).Draw(rt, "workers"),
			Backlog: rapid.IntRange(1, 50).Draw(rt, "backlog"),
			Timeout: time.Duration(rapid.IntRange(1, 50).Draw(rt, "timeout")) * time.Millisecond,
			Drain:   time.Duration(rapid.IntRange(1, 200).Draw(rt, "drain")) * time.Millisecond,
			Seed:    rapid.Uint64().Draw(rt, "seed"),
		}
		from := time.Duration(rapid.IntRange(0, 100).Draw(rt, "stall")) * time.Millisecond
		length := time.Duration(rapid.IntRange(0, 500).Draw(rt, "length")) * time.Millisecond
		service := time.Duration(rapid.IntRange(0, 5000).Draw(rt, "service")) * time.Microsecond
		deaf := rapid.Bool().Draw(rt, "deaf")
		var wrong []string
		synctest.Test(t, func(t *testing.T) {
			do := stall(from, from+length, service)
			var out sync.WaitGroup
			out.Add(1)
			defer func() { // What was abandoned may still be out.
				out.Done()
				out.Wait()
			}()
			traffic := &script{do: func(ctx context.Context, op *Op) (int, error) {
				out.Add(1)
				defer out.Done()
				if deaf { // The target does not look at its deadline.
					ctx = context.WithoutCancel(ctx)
				}
				return do(ctx, op)
			}}
			cfg.Waiter = NewTimerWaiter()
			r, err := Run(t.Context(), cfg, traffic)
			if err != nil {
				wrong = append(wrong, err.Error())
				return
			}
			wrong = faults(r)
			if r.Offered != int64(len(traffic.planned)) {
				wrong = append(wrong, "not all arrivals were offered")
			}
		})
		if len(wrong) > 0 {
			rt.Fatalf("%q", wrong)
		}
	})
}

func TestWarmUpDoesNotColourTheMeasurement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var phases []Phase
		// The warm-up leaves two and a half seconds of backlog behind.
		traffic := &script{do: stall(500*time.Millisecond, 3500*time.Millisecond, 0)}
		r := mustRun(t, Config{
			Warmup: Constant(1000, time.Second), Measure: Constant(1000, time.Second), Timeout: time.Minute,
			OnPhase: func(p Phase) { phases = append(phases, p) },
		}, traffic)
		if r.Offered != 1000 || r.Operations[0].Count != 1000 || r.Operations[0].MaxResponse != 0 {
			t.Errorf("offered %d, longest response %v, want 1000 and 0", r.Offered, r.Operations[0].MaxResponse)
		}
		if diff := cmp.Diff([]Phase{PhaseWarmup, PhaseSettle, PhaseMeasure, PhaseDrain}, phases); diff != "" {
			t.Errorf("phases differ (-want +got):\n%s", diff)
		}
		if v, reasons := Judge(r, Limits{}); v != Valid {
			t.Errorf("judged %v for %q", v, reasons)
		}
	})
}

func TestSeedGivesTheSameStreamWhateverTheTargetDoes(t *testing.T) {
	stream := func(seed uint64, workers int, service time.Duration) []Op {
		traffic := &script{names: []string{"get", "set"}, rng: seeded(seed).Uint64, do: stall(0, service, service)}
		synctest.Test(t, func(t *testing.T) {
			mustRun(t, Config{
				Warmup: Poisson(500, time.Second), Measure: Ramp(100, 2000, time.Second),
				Workers: workers, Backlog: 10, Seed: seed,
			}, traffic)
		})
		return traffic.planned
	}
	quick := stream(1, 64, 0)
	if diff := cmp.Diff(quick, stream(1, 2, 300*time.Millisecond)); diff != "" {
		t.Errorf("a stalled target changed the stream (-quick +stalled):\n%s", diff)
	}
	other := stream(2, 64, 0)
	if slices.EqualFunc(quick[:100], other[:100], func(a, b Op) bool { return a.Due == b.Due }) {
		t.Error("another seed gave the same arrivals")
	}
}

func TestKindsAreKeptApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustRun(t, Config{Measure: Constant(100, time.Second)}, &script{
			names: []string{"hit", "miss"},
			do: func(ctx context.Context, op *Op) (int, error) {
				if op.Subject%4 == 0 {
					return 1, pause(ctx, 80*time.Millisecond)
				}
				return 0, nil
			},
		})
		hit, miss := r.Operations[0], r.Operations[1]
		if hit.Count != 75 || miss.Count != 25 || hit.MaxService != 0 || miss.MaxService != 80*time.Millisecond {
			t.Errorf("hits: %d up to %v, misses: %d up to %v", hit.Count, hit.MaxService, miss.Count, miss.MaxService)
		}
	})
}

func TestAnyNumberOfWorkers(t *testing.T) {
	for _, workers := range []int{1, 16, 4096} {
		synctest.Test(t, func(t *testing.T) {
			var now, most atomic.Int64
			r := mustRun(t, Config{Measure: Constant(100_000, 100*time.Millisecond), Workers: workers, Timeout: time.Minute}, &script{
				do: func(ctx context.Context, _ *Op) (int, error) {
					n := now.Add(1)
					defer now.Add(-1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
					}
					return 0, pause(ctx, 100*time.Microsecond)
				},
			})
			if r.Operations[0].Count != 10_000 || r.Dropped != 0 {
				t.Errorf("%d workers completed %d of 10000, dropped %d", workers, r.Operations[0].Count, r.Dropped)
			}
			if most.Load() > int64(workers) {
				t.Errorf("%d at once with %d workers", most.Load(), workers)
			}
		})
	}
}

func TestScheduleShorterThanEverything(t *testing.T) {
	for _, s := range []Schedule{Constant(1, 1), Constant(MaxRate, 100), Poisson(MinRate, 1)} {
		synctest.Test(t, func(t *testing.T) {
			intervals := 0
			r := mustRun(t, Config{Measure: s, OnInterval: func(Interval) { intervals++ }}, &script{})
			if want := int64(len(collect(s, 0))); r.Offered > 1 || s.Rate(0) >= 1 && r.Offered != want {
				t.Errorf("%v: offered %d", s, r.Offered)
			}
			if intervals != 1 || len(r.Bins) != 1 {
				t.Errorf("%v: %d intervals, %d bins, want 1 and 1", s, intervals, len(r.Bins))
			}
		})
	}
}

func TestRunOnTheRealClock(t *testing.T) {
	traffic := newEcho(t, 16)
	r, err := Run(t.Context(), Config{Measure: Poisson(2000, 200*time.Millisecond), Workers: 16}, traffic)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults(r) {
		t.Error(fault)
	}
	if r.Offered != r.Operations[0].Count || r.Errors != 0 || r.Abandoned != 0 {
		t.Errorf("%d of %d completed, %d errors: %q", r.Operations[0].Count, r.Offered, r.Errors, r.ErrorSamples)
	}
	if r.Elapsed < 100*time.Millisecond || r.Started.IsZero() || r.Operations[0].Response.Min() < int64(MinLatency)/2 {
		t.Errorf("elapsed %v since %v", r.Elapsed, r.Started)
	}
}
