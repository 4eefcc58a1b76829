package scenarios

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/store"
)

// Authentication is the population of session-churn and nothing but validations
// of its sessions, drawn uniformly. It is made for comparing throughput, and is
// none of [All].
func Authentication() Scenario {
	return Scenario{
		Name:       "authentication",
		About:      "Validations alone, over the population of session-churn: what the most frequent operation costs.",
		Operations: []string{"authenticate"},
		Headline:   "authenticate",
		Rate:       8000,
		Population: 10000,
		Need:       func(env Env) int64 { return int64(env.Population) * bytesPerSession },
		New:        newAuthentication,
	}
}

// authentication is the traffic of Authentication.
type authentication struct {
	env  Env
	pop  population
	rng  *rand.Rand
	live *Invariant
}

func newAuthentication(env Env) (*Workload, error) {
	a := &authentication{env: env, rng: newRand(env.Seed, 2)}
	if err := a.pop.plan(newRand(env.Seed, 1), env.Population, sessionsPerUser); err != nil {
		return nil, err
	}
	var inv Invariants
	a.live = inv.add("live-session-found")
	return &Workload{
		Traffic:    a,
		Warmup:     env.warmedUp(),
		Measure:    env.measured(),
		Settings:   map[string]string{"records": sizeSpec, "popularity": "uniform"},
		Sessions:   env.Population,
		Load:       a.load,
		Invariants: &inv,
	}, nil
}

func (a *authentication) load(ctx context.Context, st *store.RedisStorage) error {
	if err := a.pop.createUsers(ctx, st, a.env.Progress); err != nil {
		return err
	}
	err := loading(ctx, a.pop.size, a.env.Progress, func(ctx context.Context, i int) error {
		if err := a.pop.create(ctx, st, a.pop.session(uint64(i)), time.Time{}); err != nil {
			return fmt.Errorf("create session %d of %d: %w", i+1, a.pop.size, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.pop.verify(ctx, st, 10)
}

// Operations implements load.Traffic.
func (*authentication) Operations() []string { return []string{"authenticate"} }

// Next implements load.Traffic.
func (a *authentication) Next(op *load.Op) { op.Subject = a.rng.Uint64N(uint64(a.pop.size)) }

// errNotServed is what an operation ends with whose session is not served.
var errNotServed = errors.New("a live session was not found, or given to another user")

// Do implements load.Traffic.
func (a *authentication) Do(ctx context.Context, op *load.Op) (int, error) {
	s := a.pop.session(op.Subject)
	id, ok, err := a.env.Storage.Sessions.Authenticate(ctx, s.token)
	if err != nil {
		return 0, err
	}
	served := ok && id.User.ID == s.account.id && id.Session.UserID == s.account.id
	a.live.check(served, func() string { return fmt.Sprintf("session %d of %s: found %t", op.Subject, s.account.id, ok) })
	if !served {
		return 0, errNotServed
	}
	return 0, nil
}
