package load

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

func TestValuesOutOfRangeAreKept(t *testing.T) {
	o := newOpResult("operation")
	minute := int64(time.Minute)
	for _, s := range []sample{
		{due: 0, sent: 0, done: 0},
		{due: 5, sent: 3, done: 1}, // Impossible, and still not lost.
		{due: 0, sent: 0, done: minute},
		{due: 0, sent: 1, done: minute + 1},
		{due: 0, sent: 90 * minute, done: 100 * minute},
	} {
		o.add(&s)
	}
	for name, h := range map[string]*hdrhistogram.Histogram{"response": o.Response, "service": o.Service, "lag": o.Lag} {
		if h.TotalCount() != 5 {
			t.Errorf("%s holds %d values, want 5", name, h.TotalCount())
		}
	}
	if o.Count != 5 || o.Clamped != 2 {
		t.Errorf("count %d, clamped %d, want 5 and 2", o.Count, o.Clamped)
	}
	if o.MaxResponse != 100*time.Minute || o.MaxService != 10*time.Minute || o.MaxLag != 90*time.Minute {
		t.Errorf("longest %v, %v, %v", o.MaxResponse, o.MaxService, o.MaxLag)
	}
	if !o.Response.ValuesAreEquivalent(o.Response.Max(), minute) || !o.Response.ValuesAreEquivalent(o.Response.Min(), int64(MinLatency)) {
		t.Errorf("responses from %d to %d ns", o.Response.Min(), o.Response.Max())
	}
}

func TestResponseOverAMinuteIsClampedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustRun(t, Config{Measure: Constant(10, time.Second), Timeout: time.Hour}, &script{
			do: func(ctx context.Context, op *Op) (int, error) {
				if op.Subject == 3 {
					return 0, pause(ctx, 2*time.Minute)
				}
				return 0, nil
			},
		})
		op := r.Operations[0]
		if op.Count != 10 || op.Clamped != 1 || op.MaxResponse != 2*time.Minute {
			t.Errorf("%d completed, %d clamped, longest %v, want 10, 1 and 2m", op.Count, op.Clamped, op.MaxResponse)
		}
		if r.Bins[3].Max != 2*time.Minute || r.InTime != 9 {
			t.Errorf("bin up to %v, %d in time", r.Bins[3].Max, r.InTime)
		}
	})
}

func TestIntervalsSumToTheTotals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := []string{"a", "b"}
		merged := []OpResult{newOpResult("a"), newOpResult("b")}
		var sum Totals
		var ends []time.Duration
		start := time.Now()
		traffic := &script{names: names, rng: seeded(1).Uint64, do: func(ctx context.Context, op *Op) (int, error) {
			return op.Kind, pause(ctx, time.Duration(op.Param%uint64(60*time.Millisecond)))
		}}
		r := mustRun(t, Config{
			Measure: Poisson(1000, 3500*time.Millisecond), Timeout: 50 * time.Millisecond, Workers: 20, Backlog: 100,
			OnInterval: func(in Interval) {
				if in.End.Sub(start) != in.Elapsed {
					t.Errorf("interval ends at %v, %v after the start", in.End.Sub(start), in.Elapsed)
				}
				if len(ends) > 0 && in.Start.Sub(start) != ends[len(ends)-1] {
					t.Errorf("interval begins at %v, the last ended at %v", in.Start.Sub(start), ends[len(ends)-1])
				}
				ends = append(ends, in.Elapsed)
				for i, op := range in.Operations {
					clone := op
					clone.Response, clone.Service, clone.Lag = op.Response.Clone(), op.Service.Clone(), op.Lag.Clone()
					if err := merged[i].merge(&clone); err != nil {
						t.Error(err)
					}
				}
				sum = Totals{
					sum.Offered + in.Offered, sum.Sent + in.Sent, sum.Dropped + in.Dropped,
					sum.Errors + in.Errors, sum.Timeouts + in.Timeouts,
				}
			},
		}, traffic)
		if len(ends) != 4 || ends[0] != time.Second || ends[3] < 3500*time.Millisecond {
			t.Errorf("intervals end at %v", ends)
		}
		if sum != r.Totals || r.Dropped == 0 || r.Timeouts == 0 {
			t.Errorf("intervals sum to %+v, the totals are %+v", sum, r.Totals)
		}
		for i, op := range r.Operations {
			got := merged[i]
			if !op.Response.Equals(got.Response) || !op.Service.Equals(got.Service) || !op.Lag.Equals(got.Lag) || op.Count != got.Count {
				t.Errorf("%s: the intervals merge to another histogram than the total", op.Name)
			}
			if got.MaxResponse != op.MaxResponse || got.MaxService != op.MaxService || got.MaxLag != op.MaxLag {
				t.Errorf("%s: the intervals' longest differ from the total's", op.Name)
			}
		}
	})
}

func TestFullRingMakesTheWorkerWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 10*minRing + 7
		nudge := make(chan struct{}, 1)
		r := newRing(minRing, nudge)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range int64(n) {
				r.put(&sample{due: i})
			}
		}()
		var next int64
		for drained := false; !drained; {
			synctest.Wait()
			select {
			case <-nudge:
			case <-done:
				drained = true
			}
			r.drain(func(s *sample) {
				if s.due != next {
					t.Errorf("sample %d, want %d", s.due, next)
				}
				next++
			})
		}
		if next != n || r.waits.Load() != 10 {
			t.Errorf("%d samples, %d waits, want %d and 10", next, r.waits.Load(), n)
		}
	})
}

func TestSlowRecorderLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustRun(t, Config{
			Measure: Constant(2000, 20*time.Second), Workers: 1, Drain: time.Hour,
			OnInterval: func(in Interval) {
				if in.Elapsed < 2*time.Second {
					pause(t.Context(), 15*time.Second) // A disk that hangs.
				}
			},
		}, &script{})
		if r.Operations[0].Count != 40_000 || r.RecorderWaits != 1 {
			t.Errorf("%d recorded, %d waits, want 40000 and 1", r.Operations[0].Count, r.RecorderWaits)
		}
	})
}

func TestBinsDivideTheTimeAxis(t *testing.T) {
	tests := []struct {
		span, width time.Duration
		n           int
	}{
		{1, 100 * time.Millisecond, 1},
		{time.Second, 100 * time.Millisecond, 10},
		{1050 * time.Millisecond, 100 * time.Millisecond, 11},
		{time.Minute, 100 * time.Millisecond, 600},
		{time.Minute + 1, 200 * time.Millisecond, 301},
		{24 * time.Hour, 144 * time.Second, 600},
	}
	for _, tt := range tests {
		b := newBins(tt.span)
		if b.width != tt.width || len(b.each) != tt.n {
			t.Errorf("%v: %d bins of %v, want %d of %v", tt.span, len(b.each), b.width, tt.n, tt.width)
		}
		b.add(&sample{due: int64(tt.span - 1), done: int64(tt.span + 9)})
		last := b.summarize(tt.span)[tt.n-1]
		if last.InFlight = 0; last != (Bin{Count: 1, P50: 10, P95: 10, P99: 10, Max: 10}) {
			t.Errorf("%v: last bin %+v, want one operation of 10ns", tt.span, last)
		}
	}
}

func TestRingSize(t *testing.T) {
	for workers, want := range map[int]int{1: maxRing, 8: maxRing, 64: 2048, 4096: minRing, maxWorkers: minRing} {
		if got := ringSize(workers); got != want {
			t.Errorf("%d workers: rings of %d, want %d", workers, got, want)
		}
	}
}
