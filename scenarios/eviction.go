package scenarios

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/store"
)

// PolicyNone is the maxmemory-policy that evicts nothing.
const PolicyNone = "noeviction"

// Policies lists what a server may do when its memory is full.
func Policies() []string {
	return []string{
		PolicyNone, "volatile-ttl", "volatile-lru", "volatile-lfu", "volatile-random",
		"allkeys-lru", "allkeys-lfu", "allkeys-random",
	}
}

// Eviction is a server whose memory is full.
func Eviction() Scenario {
	return Scenario{
		Name:       "eviction",
		About:      "Memory is full (maxmemory) while people log in: is a refused login a clear error, does everybody else stay logged in, and whom does a policy that evicts throw out?",
		Operations: evictionNames[:],
		Headline:   "authenticate",
		Rate:       2000,
		Population: 20000,
		Length:     12 * time.Second,
		Needs:      Needs{Own: true},
		Check: func(env Env) error {
			if !slices.Contains(Policies(), env.Policy) {
				return fmt.Errorf("--maxmemory-policy %q: there are %s", env.Policy, strings.Join(Policies(), ", "))
			}
			if env.For < leastEviction {
				return fmt.Errorf("eviction needs at least %s of measuring before, while and after memory is full, not %s", leastEviction, env.For)
			}
			return nil
		},
		Need: func(env Env) int64 {
			created := evictionCreateShare * (env.warmedUp().Count() + env.measured().Count())
			return int64(env.Population+int(created)) * bytesPerSession
		},
		New: newEviction,
	}
}

// The kinds of operation of eviction.
const (
	evictionAuthenticate = iota
	evictionCreate
)

var evictionNames = [...]string{"authenticate", "create"}

const (
	// evictionCreateShare of the operations log somebody in, the others use one of
	// the sessions of the active half of the population.
	evictionCreateShare = 0.5
	// evictionLocks is how many emails are locked before.
	evictionLocks = 200
	leastEviction = 4 * time.Second
)

// eviction is the workload. Active and idle accounts are loaded alike; only those
// that are active are used while it goes on.
type eviction struct {
	env          Env
	active, idle population
	locked       []string // emails
	rng          *rand.Rand
	inv          struct{ clear, payload, kept, again *Invariant }
	limit        memoryLimit
	lost         struct{ active, idle, created, users, locks atomic.Int64 }

	mu      sync.Mutex
	created []store.Token
	events  []event
	refused int64
	phase   load.Phase
}

func newEviction(env Env) (*Workload, error) {
	e := &eviction{env: env, rng: newRand(env.Seed, 2)}
	rng := newRand(env.Seed, 1)
	two := func(*rand.Rand) int { return 2 }
	if err := errors.Join(e.active.plan(rng, env.Population/2, two), e.idle.plan(rng, env.Population-env.Population/2, two)); err != nil {
		return nil, err
	}
	for i := range evictionLocks {
		e.locked = append(e.locked, fmt.Sprintf("locked%04d@example.com", i))
	}
	var inv Invariants
	e.inv.payload = inv.add("payload-belongs-to-the-token")
	if !e.evicts() {
		e.inv.clear = inv.add("a-refused-login-says-out-of-memory")
		e.inv.kept = inv.add("acknowledged-sessions-are-kept")
		e.inv.again = inv.add("logins-work-when-there-is-room-again")
	}
	return &Workload{
		Traffic: e, Warmup: env.warmedUp(), Measure: env.measured(), Faulty: true,
		Settings: map[string]string{
			"maxmemory-policy": env.Policy, "records": sizeSpec,
			"population": fmt.Sprintf("%d sessions in use, %d idle, %d locked emails", e.active.size, e.idle.size, len(e.locked)),
		},
		Load: e.load, OnPhase: e.onPhase, Watch: e.watch, Check: e.check,
		Invariants: &inv, Measurements: e.measurements, Marks: e.limit.marks,
	}, nil
}

// evicts says whether keys go when memory is full.
func (e *eviction) evicts() bool { return e.env.Policy != PolicyNone }

func (e *eviction) load(ctx context.Context, st *store.RedisStorage) error {
	for _, p := range []*population{&e.active, &e.idle} {
		if err := p.createUsers(ctx, st, nil); err != nil {
			return err
		}
		if err := loading(ctx, p.size, e.env.Progress, func(ctx context.Context, i int) error {
			return p.create(ctx, st, p.session(uint64(i)), time.Time{})
		}); err != nil {
			return fmt.Errorf("create sessions: %w", err)
		}
	}
	err := loading(ctx, len(e.locked), nil, func(ctx context.Context, i int) error {
		for range store.DefaultMaxAttempts {
			if _, _, err := st.BruteForce.RecordFailure(ctx, store.NewAttempt{Email: e.locked[i]}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("lock emails: %w", err)
	}
	return e.active.verify(ctx, st, 4)
}

func (e *eviction) onPhase(_ context.Context, p load.Phase) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p != load.PhaseDrain {
		e.phase = p
	}
}

// Operations implements load.Traffic.
func (e *eviction) Operations() []string { return evictionNames[:] }

// Next implements load.Traffic.
func (e *eviction) Next(op *load.Op) {
	op.Kind, op.Subject = evictionAuthenticate, uint64(e.rng.IntN(e.active.size))
	if e.rng.Float64() < evictionCreateShare {
		op.Kind = evictionCreate
	}
}

// Do implements load.Traffic.
func (e *eviction) Do(ctx context.Context, op *load.Op) (int, error) {
	s := e.active.session(op.Subject)
	var err error
	if op.Kind == evictionCreate {
		err = e.create(ctx, s.account)
	} else {
		err = e.authenticate(ctx, s)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.phase == load.PhaseMeasure {
		e.events = append(e.events, event{due: op.Due, done: time.Now(), write: op.Kind == evictionCreate, class: classify(err)})
	}
	return op.Kind, err
}

func (e *eviction) authenticate(ctx context.Context, s *session) error {
	id, found, err := e.env.Storage.Sessions.Authenticate(ctx, s.token)
	if err == nil {
		e.inv.payload.check(!found || id.User.ID == s.account.id, func() string {
			return "a token of " + s.account.id + " gave user " + id.User.ID
		})
	}
	return err
}

// create logs somebody in. A user that was evicted cannot log in, which is counted
// at the end and is no failure of the login.
func (e *eviction) create(ctx context.Context, a *account) error {
	created, err := e.env.Storage.Sessions.Create(ctx, store.NewSession{UserID: a.id})
	if e.evicts() && errors.Is(err, store.ErrNotFound) {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err == nil {
		e.created = append(e.created, created.Token)
		return nil
	}
	if e.inv.clear != nil && !errors.Is(err, context.DeadlineExceeded) {
		e.inv.clear.check(errors.Is(err, store.ErrOutOfMemory), func() string { return err.Error() })
	}
	if errors.Is(err, store.ErrOutOfMemory) {
		e.refused++
	}
	return err
}
