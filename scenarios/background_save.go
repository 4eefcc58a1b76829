package scenarios

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/store"
)

// BackgroundSave is session traffic while the servers write their data to disk.
func BackgroundSave() Scenario {
	return Scenario{
		Name:       "background-save",
		About:      "The servers save their data (BGSAVE), and then rewrite their append-only file (BGREWRITEAOF), under traffic: what do the fork and the copies of written pages cost a user?",
		Operations: savingNames[:],
		Headline:   "authenticate",
		Rate:       4000,
		Population: 100000,
		Length:     15 * time.Second,
		Needs:      Needs{Own: true},
		Check: func(env Env) error {
			if env.For < leastSaving {
				return fmt.Errorf("background-save needs at least %s of measuring around its two saves, not %s", leastSaving, env.For)
			}
			return nil
		},
		Need: func(env Env) int64 {
			created := savingCreateShare * (env.warmedUp().Count() + env.measured().Count())
			return int64(env.Population+int(created)) * bytesPerSession
		},
		New: newSaving,
	}
}

// The kinds of operation of background-save.
const (
	savingAuthenticate = iota
	savingRefresh
	savingCreate
)

var savingNames = [...]string{"authenticate", "refresh", "create"}

// Shares of the operations; authenticate has the rest. The two others write, and
// each page that they write while a child saves is copied.
const (
	savingRefreshShare = 0.25
	savingCreateShare  = 0.05
)

// saving is the workload.
type saving struct {
	env Env
	pop population
	rng *rand.Rand
	inv struct{ live, payload, saved *Invariant }

	mu        sync.Mutex
	measuring bool
	events    []event
	jobs      []savingJob
	failed    error
}

func newSaving(env Env) (*Workload, error) {
	s := &saving{env: env, rng: newRand(env.Seed, 2)}
	if err := s.pop.plan(newRand(env.Seed, 1), env.Population, sessionsPerUser); err != nil {
		return nil, err
	}
	var inv Invariants
	s.inv.live = inv.add("live-session-found")
	s.inv.payload = inv.add("payload-belongs-to-the-token")
	s.inv.saved = inv.add("every-save-succeeds")
	return &Workload{
		Traffic: s, Warmup: env.warmedUp(), Measure: env.measured(), Sessions: env.Population,
		Settings: map[string]string{"records": sizeSpec, "popularity": "uniform", "saves": "on all primaries at once"},
		Load:     s.load, OnPhase: s.onPhase, Watch: s.watch,
		Check:      func(context.Context) error { return s.failed },
		Invariants: &inv, Measurements: s.measurements, Marks: s.marks,
	}, nil
}

func (s *saving) load(ctx context.Context, st *store.RedisStorage) error {
	if err := s.pop.createUsers(ctx, st, s.env.Progress); err != nil {
		return err
	}
	err := loading(ctx, s.pop.size, s.env.Progress, func(ctx context.Context, i int) error {
		return s.pop.create(ctx, st, s.pop.session(uint64(i)), time.Time{})
	})
	if err != nil {
		return fmt.Errorf("create sessions: %w", err)
	}
	return s.pop.verify(ctx, st, 10)
}

func (s *saving) onPhase(_ context.Context, p load.Phase) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.measuring = p == load.PhaseMeasure || p == load.PhaseDrain && s.measuring
}

// Operations implements load.Traffic.
func (s *saving) Operations() []string { return savingNames[:] }

// Next implements load.Traffic.
func (s *saving) Next(op *load.Op) {
	op.Subject = uint64(s.rng.IntN(s.pop.size))
	switch p := s.rng.Float64(); {
	case p < savingRefreshShare:
		op.Kind = savingRefresh
	case p < savingRefreshShare+savingCreateShare:
		op.Kind = savingCreate
	default:
		op.Kind = savingAuthenticate
	}
}

// Do implements load.Traffic. Nobody logs out, so that all of the population live
// to the end; sessions that are made on the way are of no further interest.
func (s *saving) Do(ctx context.Context, op *load.Op) (int, error) {
	err := s.act(ctx, op)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.measuring {
		s.events = append(s.events, event{due: op.Due, done: time.Now(), class: classify(err)})
	}
	return op.Kind, err
}

func (s *saving) act(ctx context.Context, op *load.Op) error {
	one, st := s.pop.session(op.Subject), s.env.Storage
	switch op.Kind {
	case savingCreate:
		_, err := st.Sessions.Create(ctx, store.NewSession{UserID: one.account.id})
		return err
	case savingRefresh:
		_, err := st.Sessions.Refresh(ctx, one.token, lifetime)
		s.wantFound(one, !errors.Is(err, store.ErrNotFound))
		return err
	default:
		id, found, err := st.Sessions.Authenticate(ctx, one.token)
		if err != nil {
			return err
		}
		s.wantFound(one, found)
		s.inv.payload.check(!found || id.User.ID == one.account.id, func() string {
			return "a token of " + one.account.id + " gave user " + id.User.ID
		})
		return nil
	}
}

func (s *saving) wantFound(one *session, found bool) {
	s.inv.live.check(found, func() string { return "a live session of " + one.account.id + " was not found" })
}
