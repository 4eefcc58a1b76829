package scenarios

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sort"
	"strconv"
	"time"

	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/store"
)

// TTLExpiry is sessions that die by their TTL inside a large live population.
func TTLExpiry() Scenario {
	return Scenario{
		Name:       "ttl-expiry",
		About:      "Sessions that die by TTL among many that live: a steady drizzle and a storm of one common deadline. Is every one valid until its end and never after, and when does the memory come back?",
		Operations: expiryNames[:],
		Headline:   "validate",
		Rate:       6000,
		Population: 60000,
		Check: func(env Env) error {
			if env.For < 2*time.Second {
				return fmt.Errorf("ttl-expiry needs at least 2s of measuring around its storm, not %s", env.For)
			}
			return nil
		},
		Need: func(env Env) int64 { return int64(env.Population) * bytesPerSession },
		New:  newExpiry,
	}
}

// The kinds of operation of ttl-expiry. A check of a dying session learns only
// when it is done whether it was before or after the end.
const (
	expiryValidate = iota
	expiryBefore
	expiryAfter
)

var expiryNames = [...]string{"validate", "check-before-end", "check-after-end"}

const (
	// dyingShare of the population ends while the scenario runs: most of them in
	// the storm, the rest spread evenly over the measured time.
	dyingShare   = 0.5
	drizzleShare = 0.2
	// stormAt is the storm's deadline as a share of the measured time.
	stormAt = 0.4
	// checkShare of the operations look at a dying session. Only one dying
	// session in probedEvery is ever looked at: a look at an expired key deletes
	// it, and the others shall be the server's own work.
	checkShare  = 0.15
	probedEvery = 10
	// sessionsEach is how many sessions a living user has. A dying one has one: the
	// sessions of a user lie under one key, which goes with the last of them.
	sessionsEach = 10
)

type expiry struct {
	env   Env
	pop   population // the living ones
	dying []dyingSession
	plan  struct {
		rng     *rand.Rand
		popular *zipf
		order   []uint64 // of the living, by popularity
		// visits use one living session each.
		visits visits
		// probes are numbers of dying sessions, by their planned end.
		probes  []int
		measure bool
	}
	inv struct{ before, after, live, payload *Invariant }

	timeline timeline
	// clockDoubt is by how much the server's clock and ours may differ.
	clockDoubt time.Duration
	reclaim    reclaim
}

// dyingSession ends at a planned time after the planned start of measuring.
type dyingSession struct {
	account *account
	token   store.Token
	end     time.Duration
	expires time.Time
}

func newExpiry(env Env) (*Workload, error) {
	e := &expiry{env: env}
	rng := newRand(env.Seed, 1)
	dying := int(dyingShare * float64(env.Population))
	err := e.pop.plan(rng, env.Population-dying, func(*rand.Rand) int { return sessionsEach })
	if err != nil {
		return nil, err
	}
	e.planDying(rng, dying)
	e.planChecks()
	e.plan.rng = newRand(env.Seed, 2)
	e.plan.visits = visits{}
	e.plan.popular = newZipf(0.99, e.pop.size)
	for _, n := range newRand(env.Seed, 3).Perm(e.pop.size) {
		e.plan.order = append(e.plan.order, uint64(n))
	}
	var inv Invariants
	e.inv.before = inv.add("session-valid-until-its-end")
	e.inv.after = inv.add("no-expired-session-served")
	e.inv.live = inv.add("live-session-found")
	e.inv.payload = inv.add("payload-belongs-to-the-token")
	return &Workload{
		Traffic:      e,
		Warmup:       env.warmedUp(),
		Measure:      env.measured(),
		Settings:     e.settings(),
		Sessions:     env.Population,
		Load:         e.load,
		OnPhase:      e.onPhase,
		Watch:        e.watch,
		Check:        e.checkSampling,
		Invariants:   &inv,
		Measurements: e.measurements,
		Marks:        e.marks,
	}, nil
}

func (e *expiry) settings() map[string]string {
	return map[string]string{
		"population": strconv.Itoa(e.env.Population) + " sessions",
		"dying":      fmt.Sprintf("%d, %g %% of them spread over the run, the rest in one storm", len(e.dying), 100*drizzleShare),
		"popularity": e.plan.popular.String(),
		"records":    sizeSpec,
		"checked":    fmt.Sprintf("one dying session in %d, within %s of its end", probedEvery, checkReach),
	}
}

func (e *expiry) planDying(rng *rand.Rand, n int) {
	storm := time.Duration(stormAt * float64(e.env.For))
	for i := range n {
		a := &account{id: fmt.Sprintf("usr_dying%08d", i)}
		a.email = a.id + "@example.com"
		e.pop.accounts = append(e.pop.accounts, a)
		end := storm
		if rng.Float64() < drizzleShare {
			end = time.Duration(rng.Int64N(int64(e.env.For)))
		}
		e.dying = append(e.dying, dyingSession{account: a, end: end})
	}
}

// planChecks picks the sessions that will be looked at.
func (e *expiry) planChecks() {
	for i := 0; i < len(e.dying); i += probedEvery {
		e.plan.probes = append(e.plan.probes, i)
	}
	sort.Slice(e.plan.probes, func(i, j int) bool {
		return e.dying[e.plan.probes[i]].end < e.dying[e.plan.probes[j]].end
	})
}

// load stores the living first, which shows how fast it goes; then the dying,
// whose ends lie at fixed times after a start of measuring that is far enough
// away; and waits for the warm-up's time.
func (e *expiry) load(ctx context.Context, st *store.RedisStorage) error {
	if err := e.pop.createUsers(ctx, st, e.env.Progress); err != nil {
		return err
	}
	began := time.Now()
	err := loading(ctx, e.pop.size, e.env.Progress, func(ctx context.Context, i int) error {
		return e.pop.create(ctx, st, e.pop.session(uint64(i)), time.Time{})
	})
	if err != nil {
		return fmt.Errorf("create living sessions: %w", err)
	}
	if err := e.pop.verify(ctx, st, 10); err != nil {
		return err
	}
	if e.clockDoubt, err = e.env.readClock(ctx); err != nil {
		return err
	}
	each := time.Since(began) / time.Duration(max(e.pop.size, 1))
	e.timeline = newTimeline(e.env, setupTime(time.Duration(len(e.dying))*each))
	return e.loadDying(ctx, st)
}

// loadDying stores the dying sessions.
func (e *expiry) loadDying(ctx context.Context, st *store.RedisStorage) error {
	err := loading(ctx, len(e.dying), e.env.Progress, func(ctx context.Context, i int) error {
		d := &e.dying[i]
		d.expires = e.timeline.start.Add(d.end).Truncate(time.Millisecond)
		agent := userAgent(newRand(e.env.Seed, uint64(1000+i)), medianRecord-bareRecord)
		created, err := st.Sessions.Create(ctx, store.NewSession{UserID: d.account.id, UserAgent: &agent, ExpiresAt: d.expires})
		if err != nil {
			return fmt.Errorf("create dying session %d of %d: %w", i+1, len(e.dying), err)
		}
		d.token = created.Token
		return nil
	})
	if err != nil {
		return err
	}
	return e.timeline.loaded(ctx)
}

// onPhase holds the measured phase back until its planned start, which leaves
// the drain after the warm-up some room.
func (e *expiry) onPhase(ctx context.Context, p load.Phase) {
	if p == load.PhaseMeasure {
		waitFor(ctx, e.timeline.start)
		e.plan.measure = true
	}
}

// Operations implements load.Traffic.
func (e *expiry) Operations() []string { return expiryNames[:] }

// checkReach is how far from a session's planned end the checks of it lie.
const checkReach = 250 * time.Millisecond

// Next implements load.Traffic. During the warm-up only the living are looked at.
// A visit may check a dying session besides its own.
func (e *expiry) Next(op *load.Op) {
	rng := e.plan.rng
	defer e.plan.visits.leave(op)
	if e.plan.measure && rng.Float64() < checkShare {
		if n, ok := e.probe(rng, op.Due); ok {
			op.Kind, op.Subject = expiryBefore, uint64(n)
			return
		}
	}
	op.Kind = expiryValidate
	op.Subject = e.plan.visits.choose(op, func() uint64 { return e.plan.order[e.plan.popular.draw(rng)] })
}

// probe picks a session that is planned to end within checkReach of due.
func (e *expiry) probe(rng *rand.Rand, due time.Duration) (int, bool) {
	probes := e.plan.probes
	from := sort.Search(len(probes), func(i int) bool { return e.dying[probes[i]].end >= due-checkReach })
	to := sort.Search(len(probes), func(i int) bool { return e.dying[probes[i]].end > due+checkReach })
	if from == to {
		return 0, false
	}
	return probes[from+rng.IntN(to-from)], true
}

// Do implements load.Traffic.
func (e *expiry) Do(ctx context.Context, op *load.Op) (int, error) {
	if op.Kind == expiryValidate {
		return op.Kind, e.validate(ctx, e.pop.session(op.Subject))
	}
	return e.check(ctx, &e.dying[op.Subject])
}

func (e *expiry) validate(ctx context.Context, s *session) error {
	id, ok, err := e.env.Storage.Sessions.Authenticate(ctx, s.token)
	if err != nil {
		return err
	}
	e.inv.live.check(ok, func() string { return "a living session of " + s.account.id + " was not found" })
	e.inv.payload.check(!ok || id.User.ID == s.account.id, func() string {
		return "a token of " + s.account.id + " gave user " + id.User.ID
	})
	return nil
}

// check looks at a dying session. The reply is judged only where the clocks leave
// no doubt: a reply that came before the end must be a hit, a request that left
// after it must miss.
func (e *expiry) check(ctx context.Context, d *dyingSession) (int, error) {
	sent := time.Now()
	_, ok, err := e.env.Storage.Sessions.Authenticate(ctx, d.token)
	done := time.Now()
	if err != nil {
		return e.kindAt(d, sent), err
	}
	doubt := e.clockDoubt + time.Millisecond
	switch {
	case sent.After(d.expires.Add(doubt)):
		e.inv.after.check(!ok, func() string {
			return fmt.Sprintf("a session was accepted %s after its end", sent.Sub(d.expires))
		})
	case done.Before(d.expires.Add(-doubt)):
		e.inv.before.check(ok, func() string {
			return fmt.Sprintf("a session was refused %s before its end", d.expires.Sub(done))
		})
	}
	return e.kindAt(d, sent), nil
}

func (e *expiry) kindAt(d *dyingSession, t time.Time) int {
	if t.After(d.expires) {
		return expiryAfter
	}
	return expiryBefore
}

func (e *expiry) marks(started time.Time) []Mark {
	return []Mark{{e.timeline.at(stormAt).Sub(started), "deadline of the storm"}}
}
