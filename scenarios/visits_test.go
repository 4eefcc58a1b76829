package scenarios

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/store/memory"
)

// inVisits is the short environment with visits of 8 operations.
func inVisits(env Env) Env {
	spread := load.InVisits(load.Visits{Operations: 8, Think: 100 * time.Millisecond})
	env.Schedule = load.Poisson(env.Rate, env.For).With(spread)
	return env
}

// planned lists what a workload plans for its measured phase.
func planned(t *testing.T, s Scenario, env Env) (*Workload, []load.Op) {
	t.Helper()
	w, err := s.New(env)
	if err != nil {
		t.Fatal(err)
	}
	switch traffic := w.Traffic.(type) { // What onPhase does, but for its waiting.
	case *expiry:
		traffic.plan.measure = true
	case *cacheStorm:
		traffic.plan.updatesFrom = env.For / 2
	}
	var ops []load.Op
	next := w.Measure.Arrivals(newRand(env.Seed, 99))
	for op := (load.Op{}); next(&op); op = (load.Op{}) {
		w.Traffic.Next(&op)
		ops = append(ops, op)
	}
	return w, ops
}

func TestEveryScenarioKeepsItsInvariantsInVisits(t *testing.T) {
	t.Parallel()
	for _, s := range inMemoryScenarios() {
		t.Run(s.Name, func(t *testing.T) {
			env := inVisits(short(open(t, inMemory, memory.Dial)))
			env.Profile = "P4"
			if s.Name == BackgroundSave().Name {
				env.Servers = &saver{takes: 10 * time.Millisecond, until: map[int]time.Time{}, status: "ok"}
			}
			w, result := drive(t, s, env)
			wantKept(t, w)
			if result.Errors != 0 || result.Offered != result.Sent+result.Dropped || ops(result, s.Headline) == 0 {
				t.Errorf("%+v", result.Totals)
			}
		})
	}
}

func TestTheSameSeedOffersTheSameVisits(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			env := inVisits(short(nil))
			_, first := planned(t, s, env)
			_, again := planned(t, s, env)
			if diff := cmp.Diff(first, again); diff != "" {
				t.Errorf("two plans of one seed differ:\n%.400s", diff)
			}
			env.Seed++
			if _, other := planned(t, s, env); cmp.Equal(first, other) {
				t.Error("another seed gives the same plan")
			}
		})
	}
}

func TestAVisitReadsOneUser(t *testing.T) {
	env := inVisits(short(nil))
	w, stream := planned(t, CacheReadStorm(), env)
	read := map[uint64]uint64{}
	again, updates := 0, 0
	for _, op := range stream {
		if op.Kind == stormUpdate {
			updates++
			continue
		}
		if user, met := read[op.Visit]; met && user != op.Subject {
			t.Fatalf("visit %d reads user %d and then %d", op.Visit, user, op.Subject)
		} else if met {
			again++
		}
		read[op.Visit] = op.Subject
	}
	if again < len(stream)/2 || updates == 0 {
		t.Errorf("of %d operations %d read what their visit had read, and %d update", len(stream), again, updates)
	}
	if left := w.Traffic.(*cacheStorm).plan.visits; len(left) > 0 {
		t.Errorf("%d visits are remembered after their end", len(left))
	}
}

func TestAVisitValidatesOneLivingSession(t *testing.T) {
	w, stream := planned(t, TTLExpiry(), inVisits(short(nil)))
	used := map[uint64]uint64{}
	checks := 0
	for _, op := range stream {
		if op.Kind != expiryValidate {
			checks++
			continue
		}
		if session, met := used[op.Visit]; met && session != op.Subject {
			t.Fatalf("visit %d validates session %d and then %d", op.Visit, session, op.Subject)
		}
		used[op.Visit] = op.Subject
	}
	if checks == 0 {
		t.Error("no dying session is checked")
	}
	if left := w.Traffic.(*expiry).plan.visits; len(left) > 0 {
		t.Errorf("%d visits are remembered after their end", len(left))
	}
}

// TestAVisitUsesOneSession follows each visit: it moves to another session only
// with a login of its own, or when its session has ended.
func TestAVisitUsesOneSession(t *testing.T) {
	env := short(nil)
	env.Profile, env.Rate, env.For = "P4", 4000, 20*time.Second
	w, stream := planned(t, SessionChurn(), inVisits(env))
	pop := &w.Traffic.(*churn).pop
	used := map[uint64]uint64{}
	ended := map[uint64]bool{}
	revoked := map[*account]bool{} // A user whose sessions ended once; new ones may follow.
	same, logins := 0, 0
	for _, op := range stream {
		session, met := used[op.Visit]
		switch op.Kind {
		case churnLogin, churnCreate:
			used[op.Visit] = op.Subject
			logins++
			continue
		case churnMiss, churnLoginFail, churnTokenIssue, churnTokenVerify, churnTokenMiss:
			continue // They present what is no session of the visit.
		case churnLogout:
			if ended[op.Subject] {
				t.Fatalf("session %d is logged out twice", op.Subject)
			}
			ended[op.Subject] = true
			continue
		case churnRevoke:
			revoked[pop.session(op.Subject).account] = true
		}
		switch moved := met && op.Subject != session; {
		case ended[op.Subject]:
			t.Fatalf("visit %d uses session %d after its logout was planned", op.Visit, op.Subject)
		case moved && !ended[session] && !revoked[pop.session(session).account]:
			t.Fatalf("visit %d moves from session %d to %d for no reason", op.Visit, session, op.Subject)
		case met && !moved:
			same++
		}
		used[op.Visit] = op.Subject
	}
	if same < len(stream)/3 || logins == 0 || len(ended) == 0 || len(revoked) == 0 {
		t.Errorf("of %d operations %d use their visit's session; %d logins, %d logouts, %d users logged out everywhere",
			len(stream), same, logins, len(ended), len(revoked))
	}
	if left := w.Traffic.(*churn).plan.visits; len(left) > 0 {
		t.Errorf("%d visits are remembered after their end", len(left))
	}
}

func TestAProfileHasItsSharesInVisitsToo(t *testing.T) {
	env := short(nil)
	env.Profile, env.Rate, env.For = "P4", 10_000, 20*time.Second
	_, stream := planned(t, SessionChurn(), inVisits(env))
	m, _ := churnMix("P4")
	var got mix
	for _, op := range stream {
		got[op.Kind] += 100 / float64(len(stream))
	}
	for kind, share := range m {
		if tolerance := 0.05 + share*0.05; got[kind] < share-tolerance || got[kind] > share+tolerance {
			t.Errorf("%s: %.3f %% of the operations, want %.3f", churnNames[kind], got[kind], share)
		}
	}
}

func TestPlanningAVisitAllocatesNothing(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			w, _ := planned(t, s, inVisits(short(nil)))
			if c, ok := w.Traffic.(*churn); ok {
				c.plan.bounds = mix{churnValidate: 1, churnKinds - 1: 1} // A login makes a session.
			}
			rng := rand.New(rand.NewPCG(1, 1))
			var op load.Op
			n := testing.AllocsPerRun(10_000, func() {
				op = load.Op{Visit: 1 + rng.Uint64N(100), Last: rng.IntN(8) == 0}
				w.Traffic.Next(&op)
			})
			if n != 0 {
				t.Errorf("an operation allocates %v times", n)
			}
		})
	}
}

func TestTheScheduleIsWhatIsMeasured(t *testing.T) {
	env := short(nil)
	env.Schedule = load.Ramp(500, 1500, env.For)
	for _, s := range All() {
		w, err := s.New(env)
		if err != nil {
			t.Fatal(err)
		}
		if !w.Measure.Equal(env.Schedule) || !w.Warmup.Equal(load.Poisson(500, env.Warmup)) {
			t.Errorf("%s: warms up with %v and measures %v", s.Name, w.Warmup, w.Measure)
		}
	}
	env.Schedule = load.Schedule{}
	w, err := SessionChurn().New(env)
	if err != nil || !w.Measure.Equal(load.Poisson(env.Rate, env.For)) {
		t.Errorf("without a schedule it measures %v (%v)", w.Measure, err)
	}
}
