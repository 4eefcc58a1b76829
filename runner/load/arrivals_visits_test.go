package load

import (
	"context"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// byVisit lists the operations of each visit.
func byVisit(ops []Op) map[uint64][]Op {
	out := map[uint64][]Op{}
	for _, op := range ops {
		out[op.Visit] = append(out[op.Visit], op)
	}
	return out
}

// moments are the mean of values and the mean's standard error.
func moments(values []float64) (mean, err float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		err += (v - mean) * (v - mean) / float64(len(values)-1)
	}
	return mean, math.Sqrt(err / float64(len(values)))
}

// wantMean fails unless the mean of values is within five standard errors.
func wantMean(t *testing.T, what string, values []float64, want float64) {
	t.Helper()
	mean, err := moments(values)
	if math.Abs(mean-want) > 5*err {
		t.Errorf("%s: %v ± %v, want %v", what, mean, err, want)
	}
}

// TestVisitsKeepTheRateFromTheFirstInstant repeats short runs of visits that
// last much longer than they do: without those that are under way at the start
// nearly nothing would be offered.
func TestVisitsKeepTheRateFromTheFirstInstant(t *testing.T) {
	const s = time.Second
	spread := InVisits(Visits{8, s})
	tests := []Schedule{
		Poisson(100, 4*s),
		Ramp(20, 300, 4*s),
		Ramp(300, 20, 4*s),
		Steps(s, 100, 10, 200, 50),
		Sine(20, 200, 2*s, 4*s),
		Sine(200, 20, 4*s, 4*s),
		Poisson(100, 2*s).Then(Ramp(50, 150, 2*s)),
	}
	for _, plan := range tests {
		plan = plan.With(spread)
		t.Run(plan.String(), func(t *testing.T) {
			const slots, runs = 8, 400
			var counts [slots][]float64
			for run := range uint64(runs) {
				var got [slots]float64
				for _, due := range collect(plan, run) {
					got[due*slots/plan.Duration()]++
				}
				for i := range got {
					counts[i] = append(counts[i], got[i])
				}
			}
			for i, values := range counts {
				from, to := plan.Duration()*time.Duration(i)/slots, plan.Duration()*time.Duration(i+1)/slots
				wantMean(t, "operations from "+from.String()+" to "+to.String(), values, plan.Expected(from, to))
			}
		})
	}
}

func TestVisitsAreWhatTheySay(t *testing.T) {
	const rate, span = 4000, 60 * time.Second
	for _, spec := range []Visits{{8, 250 * time.Millisecond}, {1, time.Second}, {2.5, 10 * time.Millisecond}} {
		t.Run(spec.String(), func(t *testing.T) {
			var lengths, thinks, firsts []float64
			var begins []time.Duration
			for _, visit := range byVisit(planned(Poisson(rate, span).With(InVisits(spec)), 3)) {
				if !visit[0].First || visit[0].Due > span/2 {
					continue // It may be cut off.
				}
				begins = append(begins, visit[0].Due)
				lengths = append(lengths, float64(len(visit)))
				for i := range visit[1:] {
					thinks = append(thinks, (visit[i+1].Due - visit[i].Due).Seconds())
				}
				one := 0.0
				if len(visit) == 1 {
					one = 1
				}
				firsts = append(firsts, one)
			}
			slices.Sort(begins)
			mean := spec.Operations
			if want := rate * span.Seconds() / 2 / mean; math.Abs(float64(len(begins))-want) > 5*math.Sqrt(want) {
				t.Errorf("%d visits began, want about %v", len(begins), want)
			}
			if spec.Operations > 1 {
				wantMean(t, "operations in a visit", lengths, mean)
				wantMean(t, "visits of one operation", firsts, 1/mean)
				wantMean(t, "think time", thinks, spec.Think.Seconds())
			} else if slices.Max(lengths) != 1 {
				t.Errorf("a visit of one operation has %v", slices.Max(lengths))
			}
			if a := andersonDarling(begins[:min(2001, len(begins))], rate/mean); a > 3.857 {
				t.Errorf("visits do not begin as a Poisson process does: A² = %.2f", a)
			}
		})
	}
}

func TestThinkTimesAreExponential(t *testing.T) {
	var at []time.Duration
	sum := time.Duration(0)
	for _, visit := range byVisit(planned(Poisson(500, 60*time.Second).With(InVisits(Visits{8, 50 * time.Millisecond})), 5)) {
		if !visit[0].First || visit[0].Due > 30*time.Second {
			continue
		}
		for i := range visit[1:] {
			sum += visit[i+1].Due - visit[i].Due
			at = append(at, sum)
		}
	}
	if a := andersonDarling(at[:2001], 20); a > 3.857 {
		t.Errorf("A² = %.2f", a)
	}
}

func TestEachVisitHasOneLastOperationAndAtMostOneFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := schedules(InVisits(Visits{3, 2 * time.Millisecond}), InVisits(Visits{8, time.Millisecond}), Spread{}).Draw(t, "schedule")
		for number, ops := range byVisit(planned(s, rapid.Uint64().Draw(t, "seed"))) {
			for i, op := range ops {
				switch {
				case number == 0 && (op.First || op.Last):
					t.Fatalf("an operation of no visit is its first or last: %+v", op)
				case number == 0:
				case op.First && i > 0:
					t.Fatalf("operation %d of visit %d is its first", i, number)
				case op.Last != (i == len(ops)-1):
					t.Fatalf("operation %d of %d of visit %d: last is %v", i, len(ops), number, op.Last)
				}
			}
		}
	})
}

func TestVisitsAreCutOffWhereOthersFollow(t *testing.T) {
	in := func(n float64, d time.Duration) Schedule {
		return Poisson(1000, d).With(InVisits(Visits{n, 100 * time.Millisecond}))
	}
	const s = time.Second
	plan := in(8, s).Then(Constant(100, s)).Then(in(8, s)).Then(in(4, s))
	for number, ops := range byVisit(planned(plan, 1)) {
		if number == 0 {
			if len(ops) != 100 || ops[0].Due != s {
				t.Errorf("the constant stage has %d arrivals from %v on", len(ops), ops[0].Due)
			}
			continue
		}
		if ops[0].Due/s != ops[len(ops)-1].Due/s {
			t.Fatalf("a visit goes on from %v to %v, into another sort of arrivals", ops[0].Due, ops[len(ops)-1].Due)
		}
	}
}

func TestVisitsUnderWayTakeBoundedMemory(t *testing.T) {
	spread := InVisits(Visits{8, time.Second})
	s := Steps(time.Second, 1000, 20_000, 10).With(spread)
	source := newVisitors(&s.groups()[0], seeded(1), new(uint64))
	room := cap(source.waiting)
	most := 0
	for op := (Op{}); source.next(&op); {
		most = max(most, len(source.waiting))
	}
	if cap(source.waiting) != room || room > 20_000 || most < 10_000 {
		t.Errorf("%d visits were under way at once; there was room for %d, and in the end for %d", most, room, cap(source.waiting))
	}
}

func TestTheAgendaIsInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h agenda
		var want []appointment
		for i, due := range rapid.SliceOf(rapid.Int64Range(0, 20)).Draw(t, "due") {
			a := appointment{time.Duration(due), uint64(i)}
			h.push(a)
			want = append(want, a)
			if due%5 == 0 {
				slices.SortFunc(want, func(a, b appointment) int { return int(a.due-b.due)*1000 + int(a.visit) - int(b.visit) })
				if got := h.pop(); got != want[0] {
					t.Fatalf("popped %v, want %v", got, want[0])
				}
				want = want[1:]
			}
		}
		for len(h) > 0 {
			at := h.first()
			if a := h.pop(); a.due != at || len(h) > 0 && h[0].before(a) {
				t.Fatalf("out of order: %v before %v", a, h)
			}
		}
	})
}

// TestASlowTrafficGetsTheSamePlan compares what was planned for a traffic that
// answers at once with what was for one that stalls and loses operations.
func TestASlowTrafficGetsTheSamePlan(t *testing.T) {
	plan := Sine(200, 800, time.Second, 3*time.Second).With(InVisits(Visits{8, 100 * time.Millisecond}))
	run := func(do func(context.Context, *Op) (int, error), workers, backlog int) (ops []Op, dropped int64) {
		synctest.Test(t, func(t *testing.T) {
			traffic := &script{do: do}
			r := mustRun(t, Config{Warmup: plan, Measure: plan, Workers: workers, Backlog: backlog, Seed: 5, Timeout: time.Minute}, traffic)
			ops, dropped = traffic.planned, r.Dropped
		})
		return ops, dropped
	}
	fast, _ := run(nil, 64, 0)
	slow, dropped := run(func(ctx context.Context, _ *Op) (int, error) { return 0, pause(ctx, 50*time.Millisecond) }, 2, 16)
	if dropped == 0 {
		t.Error("the slow traffic kept up")
	}
	if diff := cmp.Diff(fast, slow); diff != "" {
		t.Errorf("the plans differ:\n%.400s", diff)
	}
}

func BenchmarkArrivals(b *testing.B) {
	for _, text := range []string{"1M/24h", "sine:900k-1100k@1m/24h", "visits:1k/24h", "visits:10k/24h", "visits:1M/24h", "visits+sine:900k-1100k@1m/24h"} {
		b.Run(text, func(b *testing.B) {
			s, err := ParseSchedule(text)
			if err != nil {
				b.Fatal(err)
			}
			next := s.Arrivals(seeded(1))
			var op Op
			b.ReportAllocs()
			for b.Loop() {
				next(&op)
			}
		})
	}
}

func BenchmarkVisitsStart(b *testing.B) {
	s := Poisson(100_000, time.Minute).With(InVisits(DefaultVisits()))
	for b.Loop() {
		s.Arrivals(seeded(1))
	}
	b.ReportMetric(s.stages[0].spread.visits.underWay()*100_000, "visits")
}
