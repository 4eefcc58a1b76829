package scenarios

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/store"
)

// SessionChurn is the life of sessions: log in, validate many times, refresh,
// log out, log out everywhere; and of the one-time tokens that go by mail.
func SessionChurn() Scenario {
	return Scenario{
		Name:       "session-churn",
		About:      "Logins, many validations, refreshes, logouts and one-time tokens over a live population: what a request pays for its session.",
		Operations: churnNames[:],
		Headline:   "validate",
		Rate:       8000,
		Population: 20000,
		Check: func(env Env) error {
			m, err := churnMix(env.Profile)
			if err != nil {
				return err
			}
			return checkTokens(env, m)
		},
		Need: churnNeed,
		New:  newChurn,
	}
}

// churnNeed counts the sessions and tokens that the traffic adds, as if none ever
// ended, and a token as large as a session.
func churnNeed(env Env) int64 {
	m, err := churnMix(env.Profile)
	if err != nil {
		return 0 // Check refuses it.
	}
	added := (env.warmedUp().Count() + env.measured().Count()) * (m[churnLogin] + m[churnCreate] + m[churnTokenIssue]) / 100
	return (int64(env.Population) + int64(added)) * bytesPerSession
}

// The kinds of operation of session-churn.
const (
	churnValidate = iota
	churnMiss
	churnRefresh
	churnLogin
	churnLoginFail
	churnCreate
	churnLogout
	churnList
	churnRevoke
	churnTokenIssue
	churnTokenVerify
	churnTokenMiss
	churnKinds
)

var churnNames = [churnKinds]string{
	"validate", "validate-miss", "refresh", "login", "login-fail", "create", "logout", "list", "revoke-all",
	"token-issue", "token-verify", "token-miss",
}

// mix gives the share of each kind of operation in percent.
type mix [churnKinds]float64

// churnMix returns the traffic mix of a profile. The shares are those of a
// steady consumer site (P1), sliding sessions touched at most every five minutes
// (P2), a touch on every request (P3) and a Monday-morning login storm (P4).
// List and revoke-all share one figure of the profile, half each. Half of its
// operations on one-time tokens issue one, and a tenth present one that must be
// refused.
func churnMix(profile string) (mix, error) {
	mixes := map[string]mix{
		"P1": {
			churnValidate: 98.4, churnMiss: 1, churnLogin: 0.15, churnLoginFail: 0.10, churnCreate: 0.15, churnLogout: 0.08,
			churnList: 0.01, churnRevoke: 0.01, churnTokenIssue: 0.05, churnTokenVerify: 0.04, churnTokenMiss: 0.01,
		},
		"P2": {
			churnValidate: 92.5, churnMiss: 1, churnRefresh: 6, churnLogin: 0.15, churnLoginFail: 0.10, churnCreate: 0.10, churnLogout: 0.08,
			churnList: 0.01, churnRevoke: 0.01, churnTokenIssue: 0.025, churnTokenVerify: 0.02, churnTokenMiss: 0.005,
		},
		"P3": {
			churnValidate: 49.5, churnMiss: 0.5, churnRefresh: 49.5, churnLogin: 0.15, churnLoginFail: 0.10, churnCreate: 0.05, churnLogout: 0.10,
			churnList: 0.025, churnRevoke: 0.025, churnTokenIssue: 0.025, churnTokenVerify: 0.02, churnTokenMiss: 0.005,
		},
		"P4": {
			churnValidate: 60, churnMiss: 3, churnRefresh: 3, churnLogin: 22, churnLoginFail: 6, churnCreate: 2.5, churnLogout: 1,
			churnList: 0.1, churnRevoke: 0.1, churnTokenIssue: 1.15, churnTokenVerify: 0.92, churnTokenMiss: 0.23,
		},
	}
	m, ok := mixes[profile]
	if !ok {
		return mix{}, fmt.Errorf("unknown profile %q: there are P1 (steady), P2 (sliding), P3 (touch on every request), P4 (login storm)", profile)
	}
	return m, nil
}

// bounds adds the shares up.
func (m mix) bounds() mix {
	for kind := 1; kind < churnKinds; kind++ {
		m[kind] += m[kind-1]
	}
	return m
}

// DefaultProfile is the mix that session-churn runs unless told otherwise: it is
// the one with every kind of operation and a realistic share of each.
const DefaultProfile = "P2"

// lifetime is how long churn's sessions live, at creation and after a refresh.
const lifetime = store.DefaultSessionLifetime

type churn struct {
	env  Env
	pop  population
	plan *churnPlan
	inv  struct {
		found, gone, payload, refresh, listed, once, ttl *Invariant
	}
}

func newChurn(env Env) (*Workload, error) {
	m, err := churnMix(env.Profile)
	if err != nil {
		return nil, err
	}
	c := &churn{env: env}
	rng := newRand(env.Seed, 1)
	if err := c.pop.plan(rng, env.Population, sessionsPerUser); err != nil {
		return nil, err
	}
	c.plan = newChurnPlan(&c.pop, m, newRand(env.Seed, 2))
	var inv Invariants
	c.inv.found = inv.add("live-session-found")
	c.inv.gone = inv.add("no-logged-out-session-served")
	c.inv.payload = inv.add("payload-belongs-to-the-token")
	c.inv.refresh = inv.add("no-refresh-lost")
	c.inv.listed = inv.add("list-agrees-with-logins")
	c.inv.once = inv.add("token-verifies-once")
	c.inv.ttl = inv.add("every-session-has-a-ttl")
	return &Workload{
		Traffic:    c,
		Warmup:     env.warmedUp(),
		Measure:    env.measured(),
		Settings:   c.settings(),
		Sessions:   env.Population,
		Load:       c.load,
		Check:      c.checkRest,
		Invariants: &inv,
	}, nil
}

func (c *churn) settings() map[string]string {
	return map[string]string{
		"profile":    c.env.Profile,
		"population": strconv.Itoa(c.env.Population) + " sessions of " + strconv.Itoa(len(c.pop.accounts)) + " users",
		"popularity": c.plan.popular.String(),
		"records":    sizeSpec,
		"tokens":     fmt.Sprintf("magic links and email verifications, half each, one in %d never used; %d under way at the start", unreadMails, c.plan.mails.planned),
	}
}

// Operations implements load.Traffic.
func (c *churn) Operations() []string { return churnNames[:] }

// Next implements load.Traffic.
func (c *churn) Next(op *load.Op) { c.plan.next(op) }

func (c *churn) load(ctx context.Context, st *store.RedisStorage) error {
	if err := c.pop.createUsers(ctx, st, c.env.Progress); err != nil {
		return err
	}
	err := loading(ctx, c.pop.size, c.env.Progress, func(ctx context.Context, i int) error {
		if err := c.pop.create(ctx, st, c.pop.session(uint64(i)), time.Time{}); err != nil {
			return fmt.Errorf("create session %d of %d: %w", i+1, c.env.Population, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := c.loadTokens(ctx, st); err != nil {
		return err
	}
	return c.pop.verify(ctx, st, 10)
}

// Do implements load.Traffic.
func (c *churn) Do(ctx context.Context, op *load.Op) (int, error) {
	switch op.Kind {
	case churnValidate:
		return c.validate(ctx, op)
	case churnMiss:
		return op.Kind, c.miss(ctx, op)
	case churnRefresh:
		return c.refresh(ctx, op)
	case churnLogin:
		return op.Kind, c.login(ctx, c.pop.session(op.Subject))
	case churnLoginFail:
		_, _, err := c.env.Storage.Users.FindByEmail(ctx, "nobody-"+strconv.FormatUint(op.Param, 36)+"@example.com")
		return op.Kind, err
	case churnCreate:
		return op.Kind, c.pop.create(ctx, c.env.Storage, c.pop.session(op.Subject), time.Now().Add(lifetime))
	case churnLogout:
		return c.logout(ctx, op)
	case churnList:
		return op.Kind, c.list(ctx, c.pop.session(op.Subject).account)
	case churnTokenIssue:
		return c.issueToken(ctx, op)
	case churnTokenVerify, churnTokenMiss:
		return c.presentToken(ctx, op)
	default:
		return op.Kind, c.revoke(ctx, c.pop.session(op.Subject).account)
	}
}

// validate authenticates a session and judges the reply by what was known
// before and after it.
func (c *churn) validate(ctx context.Context, op *load.Op) (int, error) {
	s := c.pop.session(op.Subject)
	if !s.born.Load() {
		// Its login is still on the way, as in a stall, or failed: the user has
		// nothing to show.
		return churnMiss, c.unknown(ctx, op)
	}
	gone, expires := s.gone.Load(), s.expires.Load()
	id, ok, err := c.env.Storage.Sessions.Authenticate(ctx, s.token)
	if err != nil {
		return op.Kind, err
	}
	c.judge(s, gone, ok)
	if !ok {
		return churnMiss, nil
	}
	c.inv.payload.check(id.User.ID == s.account.id && id.Session.UserID == s.account.id &&
		id.Session.UserAgent != nil && *id.Session.UserAgent == s.agent, func() string {
		return fmt.Sprintf("a token of %s gave user %s", s.account.id, id.User.ID)
	})
	c.inv.refresh.check(id.Session.ExpiresAt.UnixMilli() >= expires, func() string {
		return fmt.Sprintf("a session of %s ends at %s, before the acknowledged %s", s.account.id,
			id.Session.ExpiresAt, time.UnixMilli(expires).UTC())
	})
	return op.Kind, nil
}

// judge compares whether s was found with what must hold: gone is what was known
// before the operation was sent.
func (c *churn) judge(s *session, gone, found bool) {
	if gone {
		c.inv.gone.check(!found, func() string {
			return "a session of " + s.account.id + " was found after its logout had been acknowledged"
		})
		return
	}
	if !s.doomed.Load() {
		c.inv.found.check(found, func() string {
			return "a live session of " + s.account.id + " was not found"
		})
	}
}

// miss presents a token that must not work: half of them a logged-out one.
func (c *churn) miss(ctx context.Context, op *load.Op) error {
	s := c.pop.session(op.Subject)
	if !s.gone.Load() {
		return c.unknown(ctx, op)
	}
	_, ok, err := c.env.Storage.Sessions.Authenticate(ctx, s.token)
	if err != nil {
		return err
	}
	c.judge(s, true, ok)
	return nil
}

// unknown presents a token that nobody was ever given.
func (c *churn) unknown(ctx context.Context, op *load.Op) error {
	_, ok, err := c.env.Storage.Sessions.Authenticate(ctx, store.NewToken(c.pop.session(op.Subject).account.id))
	if err != nil {
		return err
	}
	c.inv.gone.check(!ok, func() string { return "a token that was never issued was accepted" })
	return nil
}

func (c *churn) refresh(ctx context.Context, op *load.Op) (int, error) {
	s := c.pop.session(op.Subject)
	if !s.born.Load() {
		return churnMiss, c.unknown(ctx, op)
	}
	gone := s.gone.Load()
	refreshed, err := c.env.Storage.Sessions.Refresh(ctx, s.token, lifetime)
	if isNotFound(err) {
		c.judge(s, gone, false)
		return op.Kind, nil
	}
	if err != nil {
		return op.Kind, err
	}
	c.judge(s, gone, true)
	s.expiresAtLeast(refreshed.ExpiresAt)
	return op.Kind, nil
}

// login finds the user by email, as a password login does, and opens a session.
func (c *churn) login(ctx context.Context, s *session) error {
	user, ok, err := c.env.Storage.Users.FindByEmail(ctx, s.account.email)
	if err != nil {
		return err
	}
	c.inv.payload.check(ok && user.ID == s.account.id, func() string {
		return "the email of " + s.account.id + " gave another user or none"
	})
	return c.pop.create(ctx, c.env.Storage, s, time.Now().Add(lifetime))
}

func (c *churn) logout(ctx context.Context, op *load.Op) (int, error) {
	s := c.pop.session(op.Subject)
	if !s.born.Load() {
		return churnMiss, c.unknown(ctx, op)
	}
	s.doomed.Store(true)
	if err := c.env.Storage.Sessions.Delete(ctx, s.token); err != nil {
		return op.Kind, err
	}
	s.gone.Store(true)
	return op.Kind, nil
}

// list compares a user's list of sessions with what is certain: it holds every
// live session and none that has gone.
func (c *churn) list(ctx context.Context, a *account) error {
	gone := map[string]bool{}
	var open []*session
	a.mu.Lock()
	for _, s := range a.mu.sessions {
		if s.gone.Load() {
			gone[s.token.Hash()] = true
		} else {
			open = append(open, s)
		}
	}
	a.mu.Unlock()
	listed, err := c.env.Storage.Sessions.List(ctx, a.id)
	if err != nil {
		return err
	}
	found := map[string]bool{}
	for _, s := range listed {
		found[s.TokenHash] = true
		c.inv.listed.check(!gone[s.TokenHash] && s.UserID == a.id, func() string {
			return "the list of " + a.id + " holds a session that had been logged out, or somebody else's"
		})
	}
	for _, s := range open {
		if !s.doomed.Load() {
			c.inv.listed.check(found[s.token.Hash()], func() string {
				return "the list of " + a.id + " lacks a live session"
			})
		}
	}
	return nil
}

// revoke logs a user out everywhere. What was open before it started must be
// gone once it is acknowledged.
func (c *churn) revoke(ctx context.Context, a *account) error {
	a.mu.Lock()
	a.revoking.Add(1)
	open := a.mu.sessions
	a.mu.sessions = nil
	for _, s := range open {
		s.doomed.Store(true)
	}
	a.mu.Unlock()
	if err := c.env.Storage.Sessions.DeleteAllOfUser(ctx, a.id); err != nil {
		return err
	}
	for _, s := range open {
		s.gone.Store(true)
	}
	a.revoked.Add(1)
	return nil
}

// checkRest looks at what is left when all traffic has ended: the lists of every
// tenth user, one-time tokens, and times to live.
func (c *churn) checkRest(ctx context.Context) error {
	err := loading(ctx, (len(c.pop.accounts)+9)/10, nil, func(ctx context.Context, i int) error {
		if err := c.list(ctx, c.pop.accounts[10*i]); err != nil {
			return fmt.Errorf("list a user's sessions: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := c.checkTokens(ctx); err != nil {
		return err
	}
	return c.checkTTLs(ctx)
}

// checkTTLs looks at the time to live of every tenth session that should still
// be there: the server must be about to forget it when it ends, not later and
// never not at all.
func (c *churn) checkTTLs(ctx context.Context) error {
	const every = 10
	doubt, err := c.env.readClock(ctx)
	if err != nil {
		return err
	}
	return loading(ctx, c.pop.size/every, nil, func(ctx context.Context, i int) error {
		s := c.pop.session(uint64(i * every))
		if !s.born.Load() || s.doomed.Load() {
			return nil
		}
		ttl, ok, err := c.env.Storage.Sessions.TTL(ctx, s.token)
		if err != nil {
			return fmt.Errorf("look at a session's time to live: %w", err)
		}
		c.inv.ttl.check(ok && ttl > 0 && ttl <= lifetime+doubt+time.Second, func() string {
			return fmt.Sprintf("a session of %s has a time to live of %s on the server", s.account.id, ttl)
		})
		return nil
	})
}
