package store_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/memory"
)

// counted is a driver that counts commands and refuses to do what only a
// single node would: every command's keys must have one hash tag.
type counted struct {
	store.Driver

	t     *testing.T
	count *atomic.Int64
}

func (c counted) saw(keys []string) {
	c.t.Helper()
	c.count.Add(1)
	for _, key := range keys {
		if tag(key) != tag(keys[0]) {
			c.t.Errorf("keys %s and %s in one command", keys[0], key)
		}
	}
}

// tag is what stands between the braces of a key.
func tag(key string) string {
	_, rest, _ := strings.Cut(key, "{")
	inside, _, _ := strings.Cut(rest, "}")
	return inside
}

func (c counted) Get(ctx context.Context, keys ...string) ([]string, error) {
	c.saw(keys)
	return c.Driver.Get(ctx, keys...)
}

func (c counted) Eval(ctx context.Context, script *store.Script, keys []string, args ...string) ([]string, error) {
	c.saw(keys)
	return c.Driver.Eval(ctx, script, keys, args...)
}

func (c counted) Unlink(ctx context.Context, keys ...string) (int64, error) {
	c.saw(keys)
	return c.Driver.Unlink(ctx, keys...)
}

func openCounted(t *testing.T) (*store.RedisStorage, *atomic.Int64) {
	t.Helper()
	count := new(atomic.Int64)
	s, err := store.Open(t.Context(), store.Config{URLs: []string{"memory"}},
		func(ctx context.Context, cfg store.Config) (store.Driver, error) {
			d, err := memory.Dial(ctx, cfg)
			return counted{d, t, count}, err
		})
	check(t, err)
	return s, count
}

// origin is a system of record with one user.
type origin struct{ user store.User }

func (o origin) User(context.Context, string) (store.User, bool, error) { return o.user, true, nil }

// The steps follow the table in the package's documentation, in an order in
// which each can be done.
func TestRoundTrips(t *testing.T) {
	s, count := openCounted(t)
	ctx := t.Context()
	var user store.User
	var session store.Session
	cache := s.NewCache(origin{store.User{ID: "9", Email: "x"}}, store.CacheOptions{})
	login := func() (err error) {
		session, err = s.Sessions.Create(ctx, store.NewSession{UserID: user.ID})
		return err
	}
	steps := []struct {
		name  string
		trips int64
		do    func() error
	}{
		{"Migrate", 1, func() error { return s.Migrate(ctx) }},
		{"Users.Create", 3, func() (err error) { user, err = s.Users.Create(ctx, store.NewUser{Email: emailA}); return err }},
		{"Users.FindByID", 1, func() error { _, _, err := s.Users.FindByID(ctx, user.ID); return err }},
		{"Users.FindByEmail", 2, func() error { _, _, err := s.Users.FindByEmail(ctx, emailA); return err }},
		{"Users.FindOrCreateByEmail, found", 2, func() error { _, err := s.Users.FindOrCreateByEmail(ctx, emailA); return err }},
		{"Users.FindOrCreateByEmail, created", 4, func() error { _, err := s.Users.FindOrCreateByEmail(ctx, emailB); return err }},
		{"Users.MarkEmailVerified", 1, func() (err error) { user, err = s.Users.MarkEmailVerified(ctx, user.ID); return err }},
		{"Users.Update", 2, func() (err error) { user, err = s.Users.Update(ctx, user); return err }},
		{"Users.Update, email", 5, func() (err error) { user.Email = emailC; user, err = s.Users.Update(ctx, user); return err }},
		{"Sessions.Create", 1, login},
		{"Sessions.Find", 1, func() error { _, _, err := s.Sessions.Find(ctx, session.Token); return err }},
		{"Sessions.Authenticate", 1, func() error { _, _, err := s.Sessions.Authenticate(ctx, session.Token); return err }},
		{"Sessions.Refresh", 1, func() error { _, err := s.Sessions.Refresh(ctx, session.Token, 1e9); return err }},
		{"Sessions.List", 2, func() error { _, err := s.Sessions.List(ctx, user.ID); return err }},
		{"Sessions.DeleteAllOfUser", 2, func() error { return s.Sessions.DeleteAllOfUser(ctx, user.ID) }},
		{"Sessions.Create again", 1, login},
		{"Sessions.Delete", 1, func() error { return s.Sessions.Delete(ctx, session.Token) }},
		{"Sessions.Find, no token", 0, func() error { _, _, err := s.Sessions.Find(ctx, "x"); return err }},
		{"Sessions.Create once more", 1, login},
		{"Cache.User, miss", 2, func() error { _, _, err := cache.User(ctx, "9"); return err }},
		{"Cache.User, hit", 1, func() error { _, _, err := cache.User(ctx, "9"); return err }},
		{"Cache.InvalidateUser", 1, func() error { return cache.InvalidateUser(ctx, user) }},
		{"Cache.PutSession", 1, func() error { return cache.PutSession(ctx, session, nil) }},
		{"Cache.Session", 1, func() error { _, _, err := cache.Session(ctx, session.Token); return err }},
		{"Cache.InvalidateSession", 1, func() error { return cache.InvalidateSession(ctx, session.Token) }},
		{"Users.Delete", 3, func() error { return s.Users.Delete(ctx, user.ID) }},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			before := count.Load()
			check(t, step.do())
			if got := count.Load() - before; got != step.trips {
				t.Errorf("%d round trips, want %d", got, step.trips)
			}
		})
	}
}

func TestMigrateRefusesAnotherVersion(t *testing.T) {
	server := memory.NewServer(nil)
	s := openHealthy(t, server)
	d, err := server.Dial(t.Context(), store.Config{})
	check(t, err)
	plant(t, d, store.DefaultKeyPrefix+":{schema}:v", "99")
	if err := s.Migrate(t.Context()); err == nil || !strings.Contains(fmt.Sprint(err), "schema version") {
		t.Errorf("error is %v, want one about the schema version", err)
	}
}

// plant writes a text under a key that is not there: schema_mark does just
// that.
func plant(t *testing.T, d store.Driver, key, value string) {
	t.Helper()
	_, err := d.Unlink(t.Context(), key)
	check(t, err)
	_, err = d.Eval(t.Context(), &store.Script{Name: "schema_mark"}, []string{key}, value)
	check(t, err)
}
