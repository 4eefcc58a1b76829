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

// The kinds of fault that failover knows, Env.Fault.
const (
	FaultKill      = "kill"
	FaultStop      = "stop"
	FaultPartition = "partition"
	FaultManual    = "manual"
)

// Faults lists them.
func Faults() []string { return []string{FaultKill, FaultStop, FaultPartition, FaultManual} }

// Failover is a primary that fails, again and again, under traffic.
func Failover() Scenario {
	return Scenario{
		Name:       "failover",
		About:      "A primary fails under traffic, one shard after the other: for how long can nobody log in, what that was acknowledged is lost, and which sessions come back after their log-out?",
		Operations: failoverNames[:],
		Headline:   "authenticate",
		Rate:       1500,
		Population: 4000,
		Length:     45 * time.Second,
		Needs:      Needs{Own: true, TakeOver: true, OpenLoop: true},
		Check:      checkFailover,
		Links:      func(env Env) bool { return env.Fault == FaultPartition || env.Lag != 0 },
		Need:       func(env Env) int64 { return int64(newFailoverCounts(env).sessions) * bytesPerSession },
		New:        newFailover,
	}
}

// The kinds of operation of failover.
const (
	failoverAuthenticate = iota
	failoverCreate
	failoverLogout
	failoverToken
)

var failoverNames = [...]string{"authenticate", "create", "log-out", "verify-token"}

// Shares of the operations; authenticate has the rest.
const (
	failoverCreateShare = 0.30
	failoverLogoutShare = 0.10
	failoverTokenShare  = 0.10
	// failoverWorkers keep a shard that is gone from holding the others up.
	failoverWorkers = 2048
	// leastFailover leaves room for one fault.
	leastFailover = 15 * time.Second
)

func checkFailover(env Env) error {
	switch {
	case !slices.Contains(Faults(), env.Fault):
		return fmt.Errorf("--fault %q: there are %s", env.Fault, strings.Join(Faults(), ", "))
	case env.For < leastFailover:
		return fmt.Errorf("failover needs at least %s of measuring for a fault and what comes after it, not %s", leastFailover, env.For)
	}
	return nil
}

// failoverCounts is what is stored before a run.
type failoverCounts struct{ leaving, tokens, sessions int }

func newFailoverCounts(env Env) failoverCounts {
	planned := env.warmedUp().Count() + env.measured().Count()
	// A tenth more than the mean, so that they rarely run out.
	c := failoverCounts{leaving: int(1.1*failoverLogoutShare*planned) + 100, tokens: int(1.1*failoverTokenShare*planned) + 100}
	c.sessions = env.Population + c.leaving + int(failoverCreateShare*planned)
	return c
}

// failover is the workload. It has sessions that stay, sessions that log out one
// after the other, tokens that are used one after the other, and it makes new
// sessions; what was acknowledged is looked up at the end.
type failover struct {
	env    Env
	counts failoverCounts
	// staying, leaving and writing have users of their own, so that the keys of
	// those who stay are never written.
	staying, leaving population
	writing          []*account
	mails            []*ticket

	plan struct {
		rng           *rand.Rand
		leaving, mail int
	}
	measuring atomic.Bool
	record    record
	inv       struct{ staying, out, once *Invariant }
	rounds    []*round
	// notRun says why there were no more rounds.
	notRun string
	// unexplained losses belong to no fault.
	unexplained atomic.Int64
}

// ticket is a one-time token and when its use was acknowledged.
type ticket struct {
	account *account
	token   store.Token
	used    atomic.Int64 // Unix nanoseconds; 0 means not
}

// made is a session that was acknowledged while the run went on.
type made struct {
	token store.Token
	at    time.Time
	shard int
}

// record is what came of the operations.
type record struct {
	mu     sync.Mutex
	events []event
	made   []made
	left   map[*session]time.Time // acknowledged log-outs
}

// event is the end of an operation.
type event struct {
	due   time.Duration
	done  time.Time
	shard int
	write bool
	class string // of the error; empty for success
}

func newFailover(env Env) (*Workload, error) {
	f := &failover{env: env, counts: newFailoverCounts(env)}
	f.record.left = map[*session]time.Time{}
	rng := newRand(env.Seed, 1)
	one := func(*rand.Rand) int { return 2 }
	if err := errors.Join(f.staying.plan(rng, env.Population, one), f.leaving.plan(rng, f.counts.leaving, one)); err != nil {
		return nil, err
	}
	for i := range max(100, env.Population/2) {
		a := &account{id: fmt.Sprintf("usr_writing%08d", i)}
		a.email = a.id + "@example.com"
		f.writing = append(f.writing, a)
	}
	for i := range f.counts.tokens {
		f.mails = append(f.mails, &ticket{account: f.writing[i%len(f.writing)]})
	}
	f.plan.rng = newRand(env.Seed, 2)
	var inv Invariants
	f.inv.staying = inv.add("payload-belongs-to-the-token")
	f.inv.out = inv.add("logged-out-stays-out")
	f.inv.once = inv.add("token-verifies-once")
	return &Workload{
		Traffic: f, Warmup: env.warmedUp(), Measure: env.measured(), Workers: failoverWorkers, Faulty: true,
		Settings: map[string]string{
			"fault": env.Fault, "replication lag": lagText(env.Lag),
			"population": fmt.Sprintf("%d sessions that stay, %d that log out, %d one-time tokens", env.Population, f.counts.leaving, f.counts.tokens),
		},
		Load: f.load, OnPhase: f.onPhase, Watch: f.watch, Check: f.check,
		Invariants: &inv, Marks: f.marks, Scorecard: f.scorecard,
	}, nil
}

// lagText says what lag does.
func lagText(lag time.Duration) string {
	switch lag {
	case 0:
		return "none but the network's"
	case Cut:
		return "the links to the replicas are cut " + lagLead.String() + " before each fault"
	default:
		return lag.String() + " each way, from " + lagLead.String() + " before each fault"
	}
}

func (f *failover) load(ctx context.Context, st *store.RedisStorage) error {
	writers := population{accounts: f.writing}
	for _, p := range []*population{&f.staying, &f.leaving, &writers} {
		if err := p.createUsers(ctx, st, nil); err != nil {
			return err
		}
		if err := loading(ctx, p.size, f.env.Progress, func(ctx context.Context, i int) error {
			return p.create(ctx, st, p.session(uint64(i)), time.Time{})
		}); err != nil {
			return fmt.Errorf("create sessions: %w", err)
		}
	}
	if err := f.staying.verify(ctx, st, 4); err != nil {
		return err
	}
	return loading(ctx, len(f.mails), nil, func(ctx context.Context, i int) error {
		m := f.mails[i]
		created, err := st.Tokens.Create(ctx, m.account.id, store.PurposeMagicLink, 0)
		if err != nil {
			return fmt.Errorf("create one-time token %d: %w", i+1, err)
		}
		m.token = created.Token
		return nil
	})
}

func (f *failover) onPhase(_ context.Context, p load.Phase) {
	f.measuring.Store(p == load.PhaseMeasure || p == load.PhaseDrain && f.measuring.Load())
}

// Operations implements load.Traffic.
func (f *failover) Operations() []string { return failoverNames[:] }

// Next implements load.Traffic.
func (f *failover) Next(op *load.Op) {
	rng := f.plan.rng
	switch p := rng.Float64(); {
	case p < failoverCreateShare:
		op.Kind, op.Subject = failoverCreate, uint64(rng.IntN(len(f.writing)))
		return
	case p < failoverCreateShare+failoverLogoutShare && f.plan.leaving < f.leaving.size:
		op.Kind, op.Subject = failoverLogout, uint64(f.plan.leaving)
		f.plan.leaving++
		return
	case p < failoverCreateShare+failoverLogoutShare+failoverTokenShare && p >= failoverCreateShare+failoverLogoutShare && f.plan.mail < len(f.mails):
		op.Kind, op.Subject = failoverToken, uint64(f.plan.mail)
		f.plan.mail++
		return
	}
	op.Kind, op.Subject = failoverAuthenticate, uint64(rng.IntN(f.staying.size))
}

// Do implements load.Traffic.
func (f *failover) Do(ctx context.Context, op *load.Op) (int, error) {
	var user string
	var err error
	switch op.Kind {
	case failoverCreate:
		a := f.writing[op.Subject]
		user, err = a.id, f.create(ctx, a)
	case failoverLogout:
		s := f.leaving.session(op.Subject)
		user, err = s.account.id, f.logout(ctx, s)
	case failoverToken:
		m := f.mails[op.Subject]
		user, err = m.account.id, f.verify(ctx, m)
	default:
		s := f.staying.session(op.Subject)
		user, err = s.account.id, f.authenticate(ctx, s)
	}
	if f.measuring.Load() {
		f.record.add(event{due: op.Due, done: time.Now(), shard: f.shard(user), write: op.Kind != failoverAuthenticate, class: classify(err)})
	}
	return op.Kind, err
}

func (r *record) add(e event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// shard is where a user's sessions and tokens lie.
func (f *failover) shard(userID string) int {
	if f.env.Servers == nil {
		return 0
	}
	_, slot := f.env.Storage.Locate(userID)
	return f.env.Servers.ShardOf(slot)
}

func (f *failover) authenticate(ctx context.Context, s *session) error {
	id, ok, err := f.env.Storage.Sessions.Authenticate(ctx, s.token)
	if err == nil {
		f.inv.staying.check(!ok || id.User.ID == s.account.id, func() string {
			return "a token of " + s.account.id + " gave user " + id.User.ID
		})
	}
	return err
}

func (f *failover) create(ctx context.Context, a *account) error {
	created, err := f.env.Storage.Sessions.Create(ctx, store.NewSession{UserID: a.id})
	if err != nil {
		return err
	}
	one := made{token: created.Token, at: time.Now(), shard: f.shard(a.id)}
	f.record.mu.Lock()
	defer f.record.mu.Unlock()
	f.record.made = append(f.record.made, one)
	return nil
}

func (f *failover) logout(ctx context.Context, s *session) error {
	if err := f.env.Storage.Sessions.Delete(ctx, s.token); err != nil {
		return err
	}
	f.record.mu.Lock()
	defer f.record.mu.Unlock()
	f.record.left[s] = time.Now()
	return nil
}

func (f *failover) verify(ctx context.Context, m *ticket) error {
	_, ok, err := f.env.Storage.Tokens.Verify(ctx, m.token, store.PurposeMagicLink)
	if err == nil && ok {
		m.used.Store(time.Now().UnixNano())
	}
	return err
}

// classify names an error as an operator would look for it.
func classify(err error) string {
	if err == nil {
		return ""
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	text := err.Error()
	for _, known := range []string{
		"CLUSTERDOWN", "READONLY", "MOVED", "TRYAGAIN", "MASTERDOWN", "LOADING", "NOREPLICAS", "UNBLOCKED", "NOSCRIPT",
	} {
		if strings.Contains(text, known) {
			return known
		}
	}
	for _, known := range []string{"connection refused", "connection reset", "broken pipe", "use of closed network connection", "EOF", "i/o timeout", "pool timeout", "no primary", "all sentinels"} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(known)) {
			return known
		}
	}
	if errors.Is(err, store.ErrNotReplicated) {
		return "not replicated"
	}
	return "other"
}

// check looks every acknowledged write up: it is there, or it was lost in the
// fault that came after it or was under way.
func (f *failover) check(ctx context.Context) error {
	r := &f.record
	st := f.env.Storage
	err := loading(ctx, len(r.made), nil, func(ctx context.Context, i int) error {
		one := r.made[i]
		_, ok, err := patient(ctx, func(ctx context.Context) (store.Identity, bool, error) {
			return st.Sessions.Authenticate(ctx, one.token)
		})
		if err == nil && !ok {
			f.blame(one.at, one.shard, func(r *round) *atomic.Int64 { return &r.lost })
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("look up created sessions: %w", err)
	}
	var left []*session
	for s := range r.left {
		left = append(left, s)
	}
	err = loading(ctx, len(left), nil, func(ctx context.Context, i int) error {
		s := left[i]
		_, ok, err := patient(ctx, func(ctx context.Context) (store.Identity, bool, error) { return st.Sessions.Authenticate(ctx, s.token) })
		if err != nil {
			return err
		}
		f.inv.out.check(!ok, func() string {
			return "a session of " + s.account.id + " was accepted after its log-out had been acknowledged"
		})
		if ok {
			f.blame(r.left[s], f.shard(s.account.id), func(r *round) *atomic.Int64 { return &r.resurrected })
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look up logged-out sessions: %w", err)
	}
	return f.checkTokens(ctx)
}

// checkTokens presents each token once more whose use was acknowledged.
func (f *failover) checkTokens(ctx context.Context) error {
	err := loading(ctx, len(f.mails), nil, func(ctx context.Context, i int) error {
		m := f.mails[i]
		used := m.used.Load()
		if used == 0 {
			return nil
		}
		_, ok, err := patient(ctx, func(ctx context.Context) (store.SecureToken, bool, error) {
			return f.env.Storage.Tokens.Verify(ctx, m.token, store.PurposeMagicLink)
		})
		if err != nil {
			return err
		}
		f.inv.once.check(!ok, func() string { return "a one-time token of " + m.account.id + " was accepted twice" })
		if ok {
			f.blame(time.Unix(0, used), f.shard(m.account.id), func(r *round) *atomic.Int64 { return &r.twice })
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("verify one-time tokens again: %w", err)
	}
	return nil
}

// lookTries bounds how often a look at the end is repeated: a client may have to
// find out first who is the primary now.
const lookTries = 8

// patient repeats a look that fails.
func patient[T any](ctx context.Context, look func(context.Context) (T, bool, error)) (found T, ok bool, err error) {
	for range lookTries {
		if found, ok, err = look(ctx); err == nil {
			return found, ok, nil
		}
		waitFor(ctx, time.Now().Add(250*time.Millisecond))
	}
	return found, ok, err
}

// blame counts a loss of what was acknowledged at a moment in a shard: for the
// first fault of that shard that was not over by then.
func (f *failover) blame(at time.Time, shard int, count func(*round) *atomic.Int64) {
	for _, r := range f.rounds {
		if r.shard == shard && at.Before(r.over) {
			count(r).Add(1)
			return
		}
	}
	f.unexplained.Add(1)
}
