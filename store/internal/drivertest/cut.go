package drivertest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/cast"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

// Cut runs every operation of several commands while its connection is cut, and
// some while the server is killed, at each command, and looks at what is left.
func Cut(t *testing.T, engine string, dial store.Dial) {
	t.Helper()
	s := setup{engine: engine, dial: dial}
	server, doomed := testservers.Start(t, engine), testservers.Start(t, engine, "--appendonly", "yes", "--appendfsync", "always")
	loadScripts(t, server)
	places := map[string]place{
		"cut connections": {server: server, proxy: testservers.NewProxy(t, server)},
		"killed servers": {
			server: doomed, proxy: testservers.NewProxy(t, doomed),
			strike: func() { doomed.Kill(t) }, mend: func() { doomed.Restart(t) },
		},
	}
	trials := map[string][]trial{"cut connections": cutTrials(), "killed servers": killTrials()}
	later := map[string][]check{}
	for name, p := range places {
		t.Run(name, func(t *testing.T) { later[name] = cutEverywhere(t, s, p, trials[name]) })
	}
	<-time.After(pendingEnds)
	for name, checks := range later {
		t.Run(name+", later", func(t *testing.T) {
			for _, c := range checks {
				t.Run(c.name, c.run)
			}
		})
	}
}

// check is what is looked at later.
type check struct {
	name string
	run  func(t *testing.T)
}

// loadScripts makes every command of an operation one that the server knows.
func loadScripts(t *testing.T, server *testservers.Server) {
	t.Helper()
	for _, script := range store.Scripts(store.Config{}) {
		server.Do(t, "SCRIPT", "LOAD", script.Lua)
	}
}

// trial is an operation that is cut off, and what must hold then.
type trial struct {
	cast.Operation

	// begin brings about what the operation finds.
	begin func(t *testing.T, s *store.RedisStorage) store.Token
	// judge looks at what is there at once. Cut says where the operation was.
	judge func(t *testing.T, c cutting)
	// later looks again when what was pending has ended; nil does not.
	later func(t *testing.T, s *store.RedisStorage)
}

// cutting is a trial that was cut off.
type cutting struct {
	trial

	// healthy is a storage of the keys, whose connections nobody cuts.
	healthy *store.RedisStorage
	token   store.Token
	// command is where the cut was, or beyond the last.
	command int
	reaches bool
	err     error
}

// maxCommands is more than any operation takes.
const maxCommands = 20

// pendingEnds is when everything that was pending has ended.
const pendingEnds = 10*time.Second + 500*time.Millisecond

// place is where trials happen.
type place struct {
	server *testservers.Server
	proxy  *testservers.Proxy
	prefix string
	// strike is done at the cut, and mend after it; nil does nothing.
	strike, mend func()
}

// cutEverywhere cuts the operations at each of their commands, and gives what must
// hold when all that was pending has ended.
func cutEverywhere(t *testing.T, s setup, p place, trials []trial) (later []check) {
	t.Helper()
	for i, tr := range trials {
		command, was := 1, true
		for ; was && command < maxCommands; command++ {
			for _, reaches := range p.outcomes() {
				p.prefix = fmt.Sprintf("%d-%d-%t", i, command, reaches)
				name := fmt.Sprintf("%s, command %d, which reaches the server %t", tr.Name, command, reaches)
				t.Run(name, func(t *testing.T) {
					var c cutting
					c, was = s.cut(t, cutting{trial: tr, command: command, reaches: reaches}, p)
					tr.judge(t, c)
				})
				there := p
				later = append(later, check{name, func(t *testing.T) { s.judgeLater(t, tr, there) }})
			}
		}
		if was || command == 2 {
			t.Errorf("%s was cut off at %d commands", tr.Name, command-2)
		}
		t.Logf("%s: %d commands", tr.Name, command-2)
	}
	return later
}

// outcomes are whether a command at which the cut is may reach the server. To a
// server that is killed before a command it is the same as after the one before.
func (p place) outcomes() []bool {
	if p.strike != nil {
		return []bool{true}
	}
	return []bool{false, true}
}

func (p place) healthy(t *testing.T, s setup) *store.RedisStorage {
	t.Helper()
	return openStore(t, s.dial, store.Config{URLs: []string{p.server.URL()}, KeyPrefix: p.prefix})
}

// cut does a trial and tells whether the operation was cut off.
func (s setup) cut(t *testing.T, c cutting, p place) (_ cutting, was bool) {
	t.Helper()
	c.healthy = p.healthy(t, s)
	c.token = c.begin(t, c.healthy)
	_, witness := login(t, c.healthy, "witness@example.org")
	dying, err := store.Open(t.Context(), store.Config{URLs: []string{p.proxy.URL()}, KeyPrefix: p.prefix}, s.dial)
	mustWork(t, "open", err)
	p.proxy.CutAt(c.command, c.reaches, p.strike)
	c.err = timed(t, late, func() error { return c.Run(t.Context(), dying) })
	was = p.proxy.Heal()
	if err := dying.Close(); err != nil {
		t.Logf("close: %v", err)
	}
	if was && p.mend != nil {
		p.mend()
		c.healthy = p.healthy(t, s)
	}
	if _, ok, err := c.healthy.Sessions.Authenticate(t.Context(), witness.Token); err != nil || !ok {
		t.Errorf("of what was acknowledged before, nothing is left: %t, %v", ok, err)
	}
	if c.err != nil && !errors.Is(c.err, store.ErrUnavailable) && !errors.Is(c.err, store.ErrConflict) {
		t.Errorf("the caller was told %v", c.err)
	}
	return c, was
}

// judgeLater looks at what is left when all that was pending has ended.
func (s setup) judgeLater(t *testing.T, tr trial, p place) {
	t.Helper()
	healthy := p.healthy(t, s)
	cast.WantTidy(t, healthy) // Before what is done later takes over what is left.
	if tr.later != nil {
		tr.later(t, healthy)
	}
}

// cutTrials are all operations of several commands.
func cutTrials() []trial {
	all := []trial{registerTrial(cast.EmailB), registerTrial(cast.EmailC)}
	for _, op := range []cast.Operation{
		cast.Create("3", cast.EmailB), cast.Create("3", cast.EmailC),
		cast.FindOrCreate(cast.EmailB), cast.FindOrCreate(cast.EmailA), cast.Change(cast.User1, cast.EmailB),
		cast.Change(cast.User1, cast.EmailC), cast.Remove(cast.User1), cast.Remove(cast.User2),
	} {
		all = append(all, userTrial(op))
	}
	for _, op := range []cast.Operation{
		cast.Link(cast.User1, "a/3"), cast.Link(cast.User1, "a/2"), cast.CreateAccount(cast.User1, "a/3"), cast.CreateAccount(cast.User1, "a/1"),
		cast.Unlink(cast.User1, "a"), cast.UnlinkUnlessLast(cast.User1, "a"), cast.FindAccount("a/1"),
		cast.AddPasskey(cast.User1, "c3"), cast.AddPasskey(cast.User1, "c2"), cast.DeletePasskey("c1"), cast.DeleteUnlessLast("c1"),
		cast.DeletePasskeys(cast.User1), cast.Authenticate("c1"), cast.Remove(cast.User1), cast.Remove(cast.User2),
	} {
		all = append(all, linkTrial(op))
	}
	all = append(all, lockTrials()...)
	return append(all, cacheTrials()...)
}

// killTrials are a few of each kind.
func killTrials() []trial {
	return []trial{
		registerTrial(cast.EmailB), userTrial(cast.Change(cast.User1, cast.EmailB)), userTrial(cast.Remove(cast.User1)),
		linkTrial(cast.Link(cast.User1, "a/3")), linkTrial(cast.DeletePasskey("c1")), lockTrials()[0],
	}
}

func userTrial(op cast.Operation) trial {
	return trial{
		Operation: op,
		begin:     cast.Populate,
		judge: func(t *testing.T, c cutting) {
			cast.WantConsistent(t, c.healthy, cast.User1, cast.User2, "3")
			cast.WantUsable(t, c.healthy, c.token)
			cast.WantSameFate(t, c.healthy, c.token)
		},
		later: func(t *testing.T, s *store.RedisStorage) {
			cast.WantConsistent(t, s, cast.User1, cast.User2, "3")
			_, err := s.Users.Create(t.Context(), store.NewUser{ID: "3", Email: "d@example.org"})
			_, ok, findErr := s.Users.FindByID(t.Context(), "3")
			if err := errors.Join(findErr, ifNot(ok, err)); err != nil {
				t.Errorf("id 3 is blocked for ever: %v", err)
			}
		},
	}
}

// registerTrial is userTrial for a user with a password.
func registerTrial(email string) trial {
	tr := userTrial(cast.Register("3", email))
	judge, later := tr.judge, tr.later
	tr.judge = func(t *testing.T, c cutting) {
		wantBoth(t, c.healthy)
		if _, ok, err := c.healthy.Users.FindByID(t.Context(), "3"); err != nil || c.err == nil && !ok {
			t.Errorf("the caller was told that it was done, the user is there: %t, %v", ok, err)
		}
		judge(t, c)
		wantBoth(t, c.healthy)
	}
	tr.later = func(t *testing.T, s *store.RedisStorage) {
		wantBoth(t, s)
		later(t, s)
	}
	return tr
}

// wantBoth expects user 3 to be there with a password or not at all.
func wantBoth(t *testing.T, s *store.RedisStorage) {
	t.Helper()
	_, there, err := s.Users.FindByID(t.Context(), "3")
	mustWork(t, "find user", err)
	_, ok, err := s.Passwords.Get(t.Context(), "3")
	mustWork(t, "get password", err)
	if there != ok {
		t.Errorf("user there: %t, password there: %t", there, ok)
	}
}

// ifNot is err unless it does not matter.
func ifNot(ok bool, err error) error {
	if ok {
		return nil
	}
	return err
}

func linkTrial(op cast.Operation) trial {
	usable := func(t *testing.T, s *store.RedisStorage) {
		cast.WantLinksUsable(t, s)
		cast.WantLinksAgree(t, s)
	}
	return trial{
		Operation: op,
		begin:     cast.PopulateLinks,
		judge: func(t *testing.T, c cutting) {
			cast.WantKin(t, cast.WantLinksAgree(t, c.healthy))
			usable(t, c.healthy)
		},
		later: usable,
	}
}

// lockTrials are what locks an email and what ends that.
func lockTrials() []trial {
	attempt := func(n int) store.NewAttempt { return store.NewAttempt{Email: cast.EmailA, ID: int64(n)} }
	at := time.UnixMilli(1_700_000_000_000).UTC()
	do := func(name string, failures int, run func(ctx context.Context, b *store.BruteForce) error, hinted bool) trial {
		return trial{
			Operation: cast.Operation{Name: name, Run: func(ctx context.Context, s *store.RedisStorage) error { return run(ctx, s.BruteForce) }},
			begin: func(t *testing.T, s *store.RedisStorage) store.Token {
				token := cast.Populate(t, s)
				for n := range failures {
					_, _, err := s.BruteForce.RecordFailure(t.Context(), attempt(n+1))
					mustWork(t, "record failure", err)
				}
				return token
			},
			judge: func(t *testing.T, c cutting) { judgeLock(t, c, hinted) },
		}
	}
	return []trial{
		do("record the failure that locks", 4, func(ctx context.Context, b *store.BruteForce) error {
			_, _, err := b.RecordFailure(ctx, attempt(5))
			return err
		}, true),
		do("admit the last login", 4, func(ctx context.Context, b *store.BruteForce) error {
			_, err := b.Admit(ctx, attempt(5))
			return err
		}, true),
		do("clear", 5, func(ctx context.Context, b *store.BruteForce) error { _, err := b.Clear(ctx, cast.EmailA); return err }, false),
		do("unlock", 5, func(ctx context.Context, b *store.BruteForce) error { _, err := b.Unlock(ctx, cast.EmailA); return err }, false),
		do("set the time of locking", 0, func(ctx context.Context, b *store.BruteForce) error { return b.SetLockedAt(ctx, cast.EmailA, &at) }, true),
		do("take the time of locking away", 5, func(ctx context.Context, b *store.BruteForce) error { return b.SetLockedAt(ctx, cast.EmailA, nil) }, false),
	}
}

// judgeLock expects that to do it again makes good for what was lost, and that
// nothing is left of a lock that was ended after it.
func judgeLock(t *testing.T, c cutting, hinted bool) {
	t.Helper()
	cast.WantConsistent(t, c.healthy, cast.User1, cast.User2)
	before, err := c.healthy.BruteForce.Status(t.Context(), cast.EmailA)
	mustWork(t, "status", err)
	mustWork(t, "do it again", c.Run(t.Context(), c.healthy))
	u, ok, err := c.healthy.Users.FindByID(t.Context(), cast.User1)
	mustWork(t, "find user", err)
	after, err := c.healthy.BruteForce.Status(t.Context(), cast.EmailA)
	mustWork(t, "status", err)
	if !ok || (u.LockedAt != nil) != hinted {
		t.Errorf("done again, the user is %+v, want the hint: %t", u, hinted)
	}
	if before.FailedAttempts > after.FailedAttempts && hinted || after.FailedAttempts > 5 {
		t.Errorf("done again, %d failures became %d", before.FailedAttempts, after.FailedAttempts)
	}
	_, err = c.healthy.BruteForce.Unlock(t.Context(), cast.EmailA)
	mustWork(t, "unlock", err)
	u, _, err = c.healthy.Users.FindByID(t.Context(), cast.User1)
	mustWork(t, "find user", err)
	ended, err := c.healthy.BruteForce.Status(t.Context(), cast.EmailA)
	mustWork(t, "status", err)
	if u.LockedAt != nil || ended.Locked || ended.FailedAttempts > 0 {
		t.Errorf("unlocked, the user is %+v and the status %+v", u, ended)
	}
}

// row is the system of record of one user.
type row struct{ user store.User }

// User is part of store.Source.
func (r row) User(_ context.Context, id string) (store.User, bool, error) {
	return r.given(id == r.user.ID)
}

// UserByEmail is part of store.EmailSource.
func (r row) UserByEmail(_ context.Context, email string) (store.User, bool, error) {
	return r.given(email == r.user.Email)
}

func (r row) given(there bool) (store.User, bool, error) {
	if !there {
		return store.User{}, false, nil
	}
	return r.user, true, nil
}

// cacheTrials tell a cache of a change of email, and of a deletion.
func cacheTrials() []trial {
	was := row{store.User{ID: cast.User1, Email: cast.EmailA, CreatedAt: time.UnixMilli(1).UTC(), UpdatedAt: time.UnixMilli(1).UTC()}}
	changed := was
	changed.user.Email, changed.user.UpdatedAt = cast.EmailB, time.UnixMilli(2).UTC()
	tell := func(name string, now row, run func(ctx context.Context, c *store.Cache) error) trial {
		opts := store.CacheOptions{NoCoalesce: true, NegativeTTL: time.Minute}
		return trial{
			Operation: cast.Operation{Name: name, Run: func(ctx context.Context, s *store.RedisStorage) error { return run(ctx, s.NewCache(now, opts)) }},
			begin: func(t *testing.T, s *store.RedisStorage) store.Token {
				_, ok, err := s.NewCache(was, opts).UserByEmail(t.Context(), cast.EmailA)
				mustWork(t, "fill the cache", err)
				if !ok {
					t.Fatal("the user is not there")
				}
				return ""
			},
			judge: func(t *testing.T, c cutting) {
				if c.command > 1 || c.reaches {
					wantCopies(t, c.healthy.NewCache(now, opts), now)
				}
				mustWork(t, "do it again", c.Run(t.Context(), c.healthy))
				wantCopies(t, c.healthy.NewCache(now, opts), now)
			},
		}
	}
	return []trial{
		tell("invalidate a user", changed, func(ctx context.Context, c *store.Cache) error {
			return c.InvalidateUser(ctx, changed.user, cast.EmailA)
		}),
		tell("forget a user", row{}, func(ctx context.Context, c *store.Cache) error {
			return c.ForgetUser(ctx, cast.User1, cast.EmailA)
		}),
	}
}

// wantCopies expects of the cache what the system of record says.
func wantCopies(t *testing.T, cache *store.Cache, now row) {
	t.Helper()
	for range 2 {
		got, ok, err := cache.User(t.Context(), cast.User1)
		mustWork(t, "cached user", err)
		if ok != (now.user.ID == cast.User1) || got.Email != now.user.Email {
			t.Errorf("the cache gives %+v, %t, want %+v", got.User, ok, now)
		}
		for _, email := range []string{cast.EmailA, cast.EmailB} {
			got, ok, err := cache.UserByEmail(t.Context(), email)
			mustWork(t, "cached user", err)
			if ok != (now.user.Email == email) || got.ID != "" && got.Email != email {
				t.Errorf("for %s the cache gives %+v, %t, want %+v", email, got.User, ok, now)
			}
		}
	}
}
