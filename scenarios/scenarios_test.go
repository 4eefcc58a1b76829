package scenarios

import (
	"context"
	"flag"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/compose/composetest"
	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/goredis"
	"github.com/toriibench/toriibench/store/memory"
)

// TestMain lets more of the short tests run beside each other than there are
// processors: they wait more than they work.
func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		if err := flag.Set("test.parallel", "6"); err != nil {
			panic(err)
		}
	}
	m.Run()
}

var inMemory = store.Config{URLs: []string{"memory"}}

func TestEveryScenarioKeepsItsInvariantsOnACorrectStore(t *testing.T) {
	t.Parallel()
	for _, s := range inMemoryScenarios() {
		t.Run(s.Name, func(t *testing.T) {
			env := short(open(t, inMemory, memory.Dial))
			env.Profile = "P4"
			if s.Name == BackgroundSave().Name {
				env.Servers = &saver{takes: 10 * time.Millisecond, until: map[int]time.Time{}, status: "ok"}
			}
			w, result := drive(t, s, env)
			wantKept(t, w)
			if result.Errors != 0 || result.Offered != result.Sent+result.Dropped {
				t.Errorf("%+v", result.Totals)
			}
			if ops(result, s.Headline) == 0 {
				t.Errorf("not one %s, the headline", s.Headline)
			}
		})
	}
}

func TestAProfileHasAllItsOperations(t *testing.T) {
	for _, profile := range []string{"P1", "P2", "P3", "P4"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			env := short(open(t, inMemory, memory.Dial))
			env.Profile = profile
			w, err := SessionChurn().New(env)
			if err != nil {
				t.Fatal(err)
			}
			m, _ := churnMix(profile)
			total := 0.0
			for _, share := range m {
				total += share
			}
			if total < 99.99 || total > 100.01 {
				t.Errorf("the shares add up to %g %%", total)
			}
			const n = 200_000
			var got mix
			for i := range n {
				op := load.Op{Due: time.Duration(i) * time.Microsecond}
				w.Traffic.Next(&op)
				got[op.Kind] += 100.0 / n
			}
			for kind, share := range m {
				if tolerance := 0.05 + share*0.05; got[kind] < share-tolerance || got[kind] > share+tolerance {
					t.Errorf("%s: %.3f %% of the operations, want %.3f", churnNames[kind], got[kind], share)
				}
			}
		})
	}
}

func TestTheSameSeedOffersTheSameOperations(t *testing.T) {
	t.Parallel()
	stream := func(s Scenario, seed uint64) []load.Op {
		env := short(open(t, inMemory, memory.Dial))
		env.Seed = seed
		w, err := s.New(env)
		if err != nil {
			t.Fatal(err)
		}
		if s.Name == "ttl-expiry" { // Only the measured phase has checks of the dying.
			w.OnPhase(t.Context(), load.PhaseMeasure)
		}
		var stream []load.Op
		for i := range 20_000 {
			op := load.Op{Due: time.Duration(i) * 100 * time.Microsecond}
			w.Traffic.Next(&op)
			stream = append(stream, op)
		}
		return stream
	}
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			first := stream(s, 1)
			if diff := cmp.Diff(first, stream(s, 1)); diff != "" {
				t.Errorf("two plans of one seed differ:\n%.400s", diff)
			}
			if cmp.Equal(first, stream(s, 2)) {
				t.Error("another seed gives the same plan")
			}
		})
	}
}

func TestALoggedOutSessionThatIsStillServedIsFound(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	once := map[string]string{}
	// A reader that remembers each session and never forgets it.
	undead := &sabotage{look: func(next store.Driver, ctx context.Context, key, hash, field string) (string, string, error) {
		user, session, err := next.Lookup(ctx, key, hash, field)
		mu.Lock()
		defer mu.Unlock()
		if session == "" {
			session = once[field]
		} else {
			once[field] = session
		}
		return user, session, err
	}}
	env := short(open(t, inMemory, undead.dial(memory.Dial)))
	env.Profile = "P4"
	w, _ := drive(t, SessionChurn(), env)
	if checked, violated := count(t, w, "no-logged-out-session-served"); violated == 0 {
		t.Errorf("none of %d checks found it", checked)
	}
}

func TestASessionThatIsMissingInTheListIsFound(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	// A store that forgets one session in every tenth list.
	forgetful := &sabotage{eval: func(next store.Driver, ctx context.Context, s *store.Script, keys, args []string) ([]string, error) {
		out, err := next.Eval(ctx, s, keys, args...)
		if s.Name == "session_page" && len(out) > 3 && n.Add(1)%10 == 0 {
			out = out[:len(out)-2]
		}
		return out, err
	}}
	w, _ := drive(t, SessionChurn(), short(open(t, inMemory, forgetful.dial(memory.Dial))))
	if checked, violated := count(t, w, "list-agrees-with-logins"); violated == 0 {
		t.Errorf("none of %d checks found it", checked)
	}
}

func TestALostSessionIsFound(t *testing.T) {
	t.Parallel()
	var reads atomic.Int64
	amnesia := &sabotage{look: func(next store.Driver, ctx context.Context, key, hash, field string) (string, string, error) {
		user, session, err := next.Lookup(ctx, key, hash, field)
		if err == nil && reads.Add(1)%50 == 0 {
			session = ""
		}
		return user, session, err
	}}
	st := open(t, inMemory, amnesia.dial(memory.Dial))
	w, err := SessionChurn().New(short(st))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Load(t.Context(), st); err == nil {
		t.Error("a population of which some sessions cannot be found passed for verified")
	}
}

func TestAStaleCachedUserIsFound(t *testing.T) {
	t.Parallel()
	deaf := &sabotage{eval: func(next store.Driver, ctx context.Context, s *store.Script, keys, args []string) ([]string, error) {
		if s.Name == "cache_drop" {
			return []string{"OK"}, nil
		}
		return next.Eval(ctx, s, keys, args...)
	}}
	w, _ := drive(t, CacheReadStorm(), short(open(t, inMemory, deaf.dial(memory.Dial))))
	if checked, violated := count(t, w, "no-stale-user-after-invalidation"); violated == 0 {
		t.Errorf("none of %d checks found it", checked)
	}
}

func TestAnExpiredSessionThatIsStillServedIsFound(t *testing.T) {
	t.Parallel()
	// A store whose sessions outlive what was asked for by 300 ms.
	late := &sabotage{eval: func(next store.Driver, ctx context.Context, s *store.Script, keys, args []string) ([]string, error) {
		if s.Name == "session_create" {
			args[2], args[3] = later(args[2], 300), endingLater(args[3], 300)
		}
		return next.Eval(ctx, s, keys, args...)
	}}
	w, _ := drive(t, TTLExpiry(), short(open(t, inMemory, late.dial(memory.Dial))))
	if checked, violated := count(t, w, "no-expired-session-served"); violated == 0 {
		t.Errorf("none of %d checks found it", checked)
	}
}

func TestASessionThatDiesTooEarlyIsFound(t *testing.T) {
	t.Parallel()
	early := &sabotage{eval: func(next store.Driver, ctx context.Context, s *store.Script, keys, args []string) ([]string, error) {
		if s.Name == "session_create" {
			args[2], args[3] = later(args[2], -150), endingLater(args[3], -150)
		}
		return next.Eval(ctx, s, keys, args...)
	}}
	w, _ := drive(t, TTLExpiry(), short(open(t, inMemory, early.dial(memory.Dial))))
	if checked, violated := count(t, w, "session-valid-until-its-end"); violated == 0 {
		t.Errorf("none of %d checks found it", checked)
	}
}

func TestARefreshThatDropsTheTTLIsFound(t *testing.T) {
	t.Parallel()
	immortal := &sabotage{eval: func(next store.Driver, ctx context.Context, s *store.Script, keys, args []string) ([]string, error) {
		out, err := next.Eval(ctx, s, keys, args...)
		if s.Name == "session_refresh" && err == nil {
			persist := &store.Script{Name: "persist", Lua: "redis.call('PERSIST', KEYS[2]) return {'OK'}"}
			_, err = next.Eval(ctx, persist, keys)
		}
		return out, err
	}}
	cfg := store.Config{URLs: composetest.Start(t, "redis").URLs}

	env := short(open(t, cfg, goredis.Dial))
	env.Profile = "P3"
	w, _ := drive(t, SessionChurn(), env)
	wantKept(t, w)

	env.Storage = open(t, cfg, immortal.dial(goredis.Dial))
	env.Seed = 2
	w, _ = drive(t, SessionChurn(), env)
	if checked, violated := count(t, w, "every-session-has-a-ttl"); violated == 0 {
		t.Errorf("none of %d checks found it", checked)
	}
}

func TestUnknownNamesAreRefusedWithWhatThereIs(t *testing.T) {
	if _, err := ByName([]string{"session-churn", "nonsense"}); err == nil || !strings.Contains(err.Error(), "ttl-expiry") {
		t.Errorf("%v", err)
	}
	env := short(nil)
	env.Profile = "P9"
	if _, err := SessionChurn().New(env); err == nil || !strings.Contains(err.Error(), "P4") {
		t.Errorf("%v", err)
	}
}

func TestACreationThatARevocationOvertakesIsNoFault(t *testing.T) {
	// The revocation has started when the creation starts, and reaches the server
	// after it: the session is dead when its creation is acknowledged.
	release := make(chan struct{})
	arrived := make(chan struct{})
	slow := &sabotage{eval: func(next store.Driver, ctx context.Context, s *store.Script, keys, args []string) ([]string, error) {
		if s.Name == "user_revoke" {
			close(arrived)
			<-release
		}
		return next.Eval(ctx, s, keys, args...)
	}}
	st := open(t, inMemory, slow.dial(memory.Dial))
	w, err := SessionChurn().New(short(st))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Load(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	c := w.Traffic.(*churn)
	revoked := make(chan error, 1)
	go func() { revoked <- c.revoke(t.Context(), c.pop.session(0).account) }()
	<-arrived
	n, err := c.pop.add(newRand(1, 9), c.pop.session(0).account)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []int{churnCreate, churnValidate} {
		if kind == churnValidate {
			close(release)
			if err := <-revoked; err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.Do(t.Context(), &load.Op{Kind: kind, Subject: n}); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.Invariants.Violated(); n != 0 {
		t.Errorf("%d false alarms", n)
	}
}
