package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
)

func storageScenarios() []scenario {
	return []scenario{
		{name: "L-1 health is fine and migrating twice too", run: healthAndMigrate},
		{name: "L-2 delete-all removes every key under the prefix", run: deleteEverything},
		{name: "L-3 a closed storage is unavailable", run: closed},
	}
}

func outageScenarios(opts Options) []scenario {
	var all []scenario
	if opts.Broken != nil {
		all = append(all, scenario{name: "S-21 an outage is never absence", run: outage})
	}
	if opts.Full != nil {
		all = append(all, scenario{name: "S-21 a full server is out of memory, and still lets people log out", run: full})
	}
	return all
}

func healthAndMigrate(h *harness) {
	h.must(h.HealthCheck(h.Context()))
	h.must(h.Migrate(h.Context()))
	h.must(h.Migrate(h.Context()))
	if keys := h.keys(); len(keys) != 1 {
		h.Errorf("%d keys, want the marker: %v", len(keys), keys)
	}
}

func deleteEverything(h *harness) {
	h.must(h.Migrate(h.Context()))
	for _, email := range oddTexts()[6:] {
		u := h.user(email)
		h.session(u.ID, time.Hour)
	}
	c := h.NewCache(newSource(someone(1)), store.CacheOptions{})
	wantCached(h, c, someone(1), true)
	h.must(c.InvalidateSession(h.Context(), login().Token))
	before := len(h.keys())
	n, err := h.DeleteAll(h.Context())
	h.must(err)
	if left := len(h.keys()); n != int64(before) || left != 0 {
		h.Errorf("removed %d of %d keys, %d are left", n, before, left)
	}
}

func closed(h *harness) {
	h.must(h.Close())
	h.must(h.Close())
	h.want(h.HealthCheck(h.Context()), store.ErrUnavailable)
}

func outage(h *harness) {
	wantOutage(&harness{T: h.T, RedisStorage: h.opts.Broken(h.T), opts: h.opts})
}

// wantOutage expects every operation to say that the server is unavailable.
func wantOutage(h *harness) {
	h.Helper()
	token := store.NewToken("usr_1")
	c := h.NewCache(newSource(someone(1)), store.CacheOptions{})
	operations := map[string]func() error{
		"health":              func() error { return h.HealthCheck(h.Context()) },
		"migrate":             func() error { return h.Migrate(h.Context()) },
		"delete all":          func() error { _, err := h.DeleteAll(h.Context()); return err },
		"create user":         func() error { _, err := h.Users.Create(h.Context(), store.NewUser{Email: "a"}); return err },
		"find user by id":     func() error { _, _, err := h.Users.FindByID(h.Context(), "usr_1"); return err },
		"find user by email":  func() error { _, _, err := h.Users.FindByEmail(h.Context(), "a"); return err },
		"find or create user": func() error { _, err := h.Users.FindOrCreateByEmail(h.Context(), "a"); return err },
		"update user":         func() error { _, err := h.Users.Update(h.Context(), someone(1)); return err },
		"mark verified":       func() error { _, err := h.Users.MarkEmailVerified(h.Context(), "usr_1"); return err },
		"delete user":         func() error { return h.Users.Delete(h.Context(), "usr_1") },
		"create session":      func() error { _, err := h.Sessions.Create(h.Context(), store.NewSession{UserID: "usr_1"}); return err },
		"find session":        func() error { _, _, err := h.Sessions.Find(h.Context(), token); return err },
		"authenticate":        func() error { _, _, err := h.Sessions.Authenticate(h.Context(), token); return err },
		"list sessions":       func() error { _, err := h.Sessions.List(h.Context(), "usr_1"); return err },
		"refresh session":     func() error { _, err := h.Sessions.Refresh(h.Context(), token, time.Hour); return err },
		"delete session":      func() error { return h.Sessions.Delete(h.Context(), token) },
		"delete all of user":  func() error { return h.Sessions.DeleteAllOfUser(h.Context(), "usr_1") },
		"clean up":            func() error { _, err := h.Sessions.CleanupExpired(h.Context()); return err },
		"cached user":         func() error { _, _, err := c.User(h.Context(), "usr_1"); return err },
		"cached session":      func() error { _, _, err := c.Session(h.Context(), token); return err },
		"put session":         func() error { return c.PutSession(h.Context(), login(), nil) },
		"invalidate user":     func() error { return c.InvalidateUser(h.Context(), someone(1)) },
		"invalidate session":  func() error { return c.InvalidateSession(h.Context(), token) },
		"invalidate by hash":  func() error { return c.InvalidateSessionByHash(h.Context(), "usr_1", token.Hash()) },
	}
	for name, operation := range operations {
		h.Run(name, func(t *testing.T) {
			if err := operation(); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("error is %v, want %v", err, store.ErrUnavailable)
			}
		})
	}
}

func full(h *harness) {
	storage, fill := h.opts.Full(h.T)
	h = &harness{T: h.T, RedisStorage: storage, opts: h.opts}
	u := h.user("a@example.org")
	first, second := h.session(u.ID, time.Hour), h.session(u.ID, time.Hour)
	fill()
	_, err := h.Users.Create(h.Context(), store.NewUser{Email: "b@example.org"})
	h.want(err, store.ErrOutOfMemory)
	h.want(err, store.ErrUnavailable)
	_, err = h.Sessions.Create(h.Context(), store.NewSession{UserID: u.ID})
	h.want(err, store.ErrOutOfMemory)
	h.wantUser(u)
	h.must(h.Sessions.Delete(h.Context(), first.Token))
	h.must(h.Sessions.DeleteAllOfUser(h.Context(), u.ID))
	if h.alive(first.Token) || h.alive(second.Token) {
		h.Error("a session is alive after the log-out")
	}
	h.must(h.Users.Delete(h.Context(), u.ID))
}
