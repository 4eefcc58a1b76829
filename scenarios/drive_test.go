package scenarios

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/store"
)

// sabotage is a driver with a fault of our own making. A nil field leaves the
// real thing.
type sabotage struct {
	store.Driver
	look func(next store.Driver, ctx context.Context, key, hash, field string) (string, string, error)
	eval func(next store.Driver, ctx context.Context, s *store.Script, keys, args []string) ([]string, error)
}

func (d *sabotage) Lookup(ctx context.Context, key, hash, field string) (string, string, error) {
	if d.look == nil {
		return d.Driver.Lookup(ctx, key, hash, field)
	}
	return d.look(d.Driver, ctx, key, hash, field)
}

func (d *sabotage) Eval(ctx context.Context, s *store.Script, keys []string, args ...string) ([]string, error) {
	if d.eval == nil {
		return d.Driver.Eval(ctx, s, keys, args...)
	}
	return d.eval(d.Driver, ctx, s, keys, args)
}

// dial puts the sabotage between the store and what dial opens.
func (d *sabotage) dial(dial store.Dial) store.Dial {
	return func(ctx context.Context, cfg store.Config) (store.Driver, error) {
		next, err := dial(ctx, cfg)
		return &sabotage{Driver: next, look: d.look, eval: d.eval}, err
	}
}

// open opens a storage that the test closes.
func open(t *testing.T, cfg store.Config, dial store.Dial) *store.RedisStorage {
	t.Helper()
	st, err := store.Open(t.Context(), cfg, dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// short is an environment that a scenario gets through in a few seconds.
func short(st *store.RedisStorage) Env {
	return Env{
		Storage: st, Rate: 2000, Population: 1000, Seed: 1, Profile: DefaultProfile,
		Warmup: 200 * time.Millisecond, For: 2 * time.Second,
	}
}

// inMemoryScenarios are those that can do without servers. Eviction needs one that
// can be full, and has tests on real ones.
func inMemoryScenarios() []Scenario {
	return slices.DeleteFunc(All(), func(s Scenario) bool { return s.Name == Eviction().Name })
}

// loaded makes and loads a workload. A busy machine that stands still meanwhile
// gets a second chance.
func loaded(t *testing.T, s Scenario, env Env) *Workload {
	t.Helper()
	for again := range 2 {
		w, err := s.New(env)
		if err != nil {
			t.Fatal(err)
		}
		err = w.Load(t.Context(), env.Storage)
		switch {
		case err == nil:
			return w
		case again > 0 || !errors.Is(err, ErrTooSlow):
			t.Fatal(err)
		}
		t.Log(err)
		if _, err := env.Storage.DeleteAll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return nil
}

// drive loads and runs a scenario as the program does.
func drive(t *testing.T, s Scenario, env Env) (*Workload, *load.Result) {
	t.Helper()
	w := loaded(t, s, env)
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	result, err := load.Run(t.Context(), load.Config{
		Warmup: w.Warmup, Measure: w.Measure, Workers: w.Workers, Seed: env.Seed,
		Timeout: 10 * time.Second, // A busy machine may stand still for one.
		OnPhase: func(p load.Phase) {
			if w.OnPhase != nil {
				w.OnPhase(ctx, p)
			}
			if p == load.PhaseMeasure && w.Watch != nil {
				watching.Go(func() { w.Watch(ctx) })
			}
			if p == load.PhaseDrain {
				cancel()
				watching.Wait()
			}
		},
	}, w.Traffic)
	cancel()
	watching.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if w.Check != nil {
		if err := w.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return w, result
}

// count returns an invariant's counts by name.
func count(t *testing.T, w *Workload, name string) (checked, violated int64) {
	t.Helper()
	for _, inv := range w.Invariants.All() {
		if inv.Name == name {
			checked, violated, example := inv.Count()
			if violated > 0 && example == "" {
				t.Errorf("invariant %s is violated and gives no example", name)
			}
			return checked, violated
		}
	}
	t.Fatalf("there is no invariant %s", name)
	return 0, 0
}

// wantKept fails the test unless every invariant was checked and held.
func wantKept(t *testing.T, w *Workload) {
	t.Helper()
	for _, inv := range w.Invariants.All() {
		checked, violated, example := inv.Count()
		if checked == 0 || violated != 0 {
			t.Errorf("%s: checked %d times, violated %d times (%s)", inv.Name, checked, violated, example)
		}
	}
}

// ops returns what was counted under an operation's name.
func ops(r *load.Result, name string) int64 {
	for _, op := range r.Operations {
		if op.Name == name {
			return op.Count
		}
	}
	return 0
}
