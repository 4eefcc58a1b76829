// Package storetest is the conformance suite of the store: what users,
// sessions, accounts, passkeys and cached copies must do, whatever driver and server lie below.
// Each case is a named subtest. The letters and numbers in front of the names
// are those of the catalogue in which the behaviour was first written down: U
// for users, S for sessions, O for accounts at providers, X for PKCE verifiers, W
// for passkeys, B for brute force, C for cached copies, A for what must be atomic,
// L for the life of a storage; ID, HASH, TOK and JWT for what stands for a user and
// a session, and F for the flows of package auth.
package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
)

// Options say what a harness can bear and what it can do. The zero value
// works.
type Options struct {
	// Rounds is how often each concurrent case is repeated; 0 means 200, or 20
	// under -short.
	Rounds int
	// Workers is how many goroutines a concurrent case starts at once, 4 or more;
	// 0 means 32.
	Workers int
	// Tolerance is how far the clocks of client and server may differ; 0 means
	// 50 ms.
	Tolerance time.Duration
	// Broken opens a storage and then breaks its server, for the case that
	// tells an outage from absence. Nil leaves the case out.
	Broken func(t *testing.T) *store.RedisStorage
	// Stalled opens a storage whose commands time out soon and then stalls its
	// server, for the same case. Nil leaves it out.
	Stalled func(t *testing.T) *store.RedisStorage
	// Emails is how many made-up emails the case on their memory tries; 0 means
	// 5000. On a real server each key is looked at over the network.
	Emails int
	// Full opens a storage, and gives what makes its server refuse to use more
	// memory. Nil leaves the case out.
	Full func(t *testing.T) (s *store.RedisStorage, fill func())
}

func (o Options) withDefaults() Options {
	if o.Rounds == 0 {
		o.Rounds = 200
		if testing.Short() {
			o.Rounds = 20
		}
	}
	if o.Emails == 0 {
		o.Emails = 5000
	}
	if o.Workers == 0 {
		o.Workers = 32
	}
	if o.Tolerance == 0 {
		o.Tolerance = 50 * time.Millisecond
	}
	return o
}

// scenario is one case of the suite.
type scenario struct {
	name string
	// waits says that the case spends its time waiting, beside others.
	waits bool
	run   func(h *harness)
}

// Run runs every case, each against a storage of its own: open gives one with
// a prefix that nobody else uses and closes it when the test ends.
func Run(t *testing.T, open func(t *testing.T) *store.RedisStorage, opts Options) {
	t.Helper()
	opts = opts.withDefaults()
	for _, c := range scenarios(opts) {
		t.Run(c.name, func(t *testing.T) {
			if c.waits {
				t.Parallel()
			}
			c.run(&harness{T: t, RedisStorage: open(t), opts: opts})
		})
	}
}

// scenarios lists the whole suite.
func scenarios(opts Options) []scenario {
	all := idScenarios()
	all = append(all, jwtScenarios()...)
	all = append(all, userScenarios()...)
	all = append(all, userRaces()...)
	all = append(all, sessionScenarios()...)
	all = append(all, lifetimeScenarios()...)
	all = append(all, sessionRaces()...)
	all = append(all, oauthScenarios()...)
	all = append(all, pkceScenarios()...)
	all = append(all, passkeyScenarios()...)
	all = append(all, linkRaces()...)
	all = append(all, passwordScenarios()...)
	all = append(all, tokenScenarios()...)
	all = append(all, cacheScenarios()...)
	all = append(all, cacheLoadScenarios()...)
	all = append(all, bruteForceScenarios()...)
	all = append(all, bruteForceLockScenarios()...)
	all = append(all, bruteForceRaces()...)
	all = append(all, cacheEmailScenarios()...)
	all = append(all, cacheAbsenceScenarios()...)
	all = append(all, cacheFreshScenarios()...)
	all = append(all, cacheEntryScenarios()...)
	all = append(all, historyScenarios()...)
	all = append(all, flowScenarios()...)
	all = append(all, flowPasswordScenarios()...)
	all = append(all, flowOAuthScenarios()...)
	all = append(all, flowRaces()...)
	all = append(all, storageScenarios()...)
	return append(all, outageScenarios(opts)...)
}

// harness is what a case works with.
type harness struct {
	*testing.T
	*store.RedisStorage

	opts Options
}

// user creates a user with this email.
func (h *harness) user(email string) store.User {
	h.Helper()
	u, err := h.Users.Create(h.Context(), store.NewUser{Email: email})
	h.must(err)
	return u
}

// session creates a session of the user that lives for d.
func (h *harness) session(userID string, d time.Duration) store.Session {
	h.Helper()
	s, err := h.Sessions.Create(h.Context(), store.NewSession{UserID: userID, ExpiresAt: time.Now().Add(d)})
	h.must(err)
	return s
}

// alive reports whether the token finds a session.
func (h *harness) alive(token store.Token) bool {
	h.Helper()
	_, ok, err := h.Sessions.Find(h.Context(), token)
	h.must(err)
	return ok
}

// keys lists every key under the prefix with its content.
func (h *harness) keys() map[string]store.Key {
	h.Helper()
	found := map[string]store.Key{}
	h.must(h.Keys(h.Context(), func(keys []string) error {
		for _, key := range keys {
			k, err := h.Inspect(h.Context(), key)
			if err != nil {
				return err
			}
			found[key] = k
		}
		return nil
	}))
	return found
}

// rounds repeats a concurrent case.
func (h *harness) rounds(round func(n int)) {
	h.Helper()
	for n := 0; n < h.opts.Rounds && !h.Failed(); n++ {
		round(n)
	}
}

// together runs f in as many goroutines as there are workers, which start
// behind one barrier, and waits for all of them.
func (h *harness) together(f func(worker int)) { h.atOnce(h.opts.Workers, f) }

// atOnce is together for n workers.
func (*harness) atOnce(n int, f func(worker int)) {
	var barrier, done sync.WaitGroup
	barrier.Add(1)
	for worker := range n {
		done.Go(func() {
			barrier.Wait()
			f(worker)
		})
	}
	barrier.Done()
	done.Wait()
}

// must ends the test when something failed that should not.
func (h *harness) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// want fails the test unless err is of the kind.
func (h *harness) want(err, kind error) {
	h.Helper()
	if !errors.Is(err, kind) {
		h.Errorf("error is %v, want %v", err, kind)
	}
}

// elapse waits until a moment has passed.
func elapse(until time.Time) {
	<-time.After(time.Until(until))
}

// eventually asks until the answer is yes, for half a minute at most.
func (h *harness) eventually(what string, ask func() bool) {
	h.Helper()
	const limit = 30 * time.Second
	for end := time.Now().Add(limit); time.Now().Before(end); elapse(time.Now().Add(10 * time.Millisecond)) {
		if ask() {
			return
		}
	}
	h.Errorf("%s: still not so after %s", what, limit)
}

// inTime prepares what has to be done before an end that is near. A machine that
// stalls misses the end: it gets an empty storage and another try, with twice the
// life. What prepare returns as an error counts only before the end.
func (h *harness) inTime(prepare func(life time.Duration) (end time.Time, err error)) {
	h.Helper()
	const shortest, tries = 300 * time.Millisecond, 5
	for try := range tries {
		end, err := prepare(shortest << try)
		if time.Until(end) > h.opts.Tolerance {
			h.must(err)
			return
		}
		_, err = h.DeleteAll(h.Context())
		h.must(err)
	}
	h.Fatalf("not prepared before its end in %d tries, the last with %s", tries, shortest<<(tries-1))
}

// asking tells whether something is there, and between which moments its end lies.
type asking struct {
	ask         func() bool
	early, late time.Time
}

// wantEnd expects something to be there until its end, and not after it.
func (h *harness) wantEnd(a asking) {
	h.Helper()
	early, late := a.early.Add(-h.opts.Tolerance), a.late.Add(h.opts.Tolerance)
	for ; time.Now().Before(early); elapse(time.Now().Add(5 * time.Millisecond)) {
		if there, left := a.ask(), time.Until(early); !there && left > 0 {
			h.Errorf("gone %s before its end", left+h.opts.Tolerance)
			return
		}
	}
	elapse(late.Add(2 * time.Millisecond))
	if a.ask() {
		h.Error("there after its end")
	}
}

// wantLasting begins something that lives for d and expects it to be there for
// that long. The server counts from somewhere within the call.
func (h *harness) wantLasting(d time.Duration, begin func() error, there func() bool) {
	h.Helper()
	before := time.Now()
	h.must(begin())
	h.wantEnd(asking{there, before.Add(d), time.Now().Add(d)})
}

// consumer takes something that is good for once.
type consumer func() (string, bool, error)

// wantConsumed expects the text the first time and nothing after it.
func (h *harness) wantConsumed(consume consumer, want string) {
	h.Helper()
	for i, first := range []bool{true, false, false} {
		got, ok, err := consume()
		h.must(err)
		if ok != first || ok && got != want {
			h.Errorf("the %d. time it gives %q (%t)", i+1, got, ok)
		}
	}
}
