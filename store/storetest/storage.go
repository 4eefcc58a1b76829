package storetest

import (
	"errors"
	"maps"
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
		all = append(all, scenario{name: "S-21 an outage is never absence", run: outage(opts.Broken)})
	}
	if opts.Stalled != nil {
		all = append(all, scenario{name: "S-21 a stalled server is never absence", waits: true, run: outage(opts.Stalled)})
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
		h.account(u.ID, "github", email)
		h.passkey(u.ID, u.ID)
		h.must(h.OAuth.StorePKCE(h.Context(), email, "verifier", time.Hour))
		h.must(h.Passkeys.SetChallenge(h.Context(), email, "challenge", time.Hour))
	}
	c := h.NewCache(newSource(someone(1)), store.CacheOptions{})
	wantCached(h, c, someone(1), true)
	wantCachedByEmail(h, c, someone(1), true)
	h.must(c.InvalidateUser(h.Context(), someone(1)))
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

func outage(open func(t *testing.T) *store.RedisStorage) func(h *harness) {
	return func(h *harness) {
		wantOutage(&harness{T: h.T, RedisStorage: open(h.T), opts: h.opts})
	}
}

// wantOutage expects every operation to say that the server is unavailable.
func wantOutage(h *harness) {
	h.Helper()
	if s, _ := h.BruteForce.Status(h.Context(), "a"); !s.Locked {
		h.Error("during an outage an email is not locked")
	}
	operations := map[string]func() error{
		"health":     func() error { return h.HealthCheck(h.Context()) },
		"migrate":    func() error { return h.Migrate(h.Context()) },
		"delete all": func() error { _, err := h.DeleteAll(h.Context()); return err },
	}
	for _, more := range []map[string]func() error{
		userOperations(h), sessionOperations(h), secretOperations(h), linkOperations(h), cacheOperations(h), lockOperations(h),
	} {
		maps.Copy(operations, more)
	}
	for name, operation := range operations {
		h.Run(name, func(t *testing.T) {
			if err := operation(); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("error is %v, want %v", err, store.ErrUnavailable)
			}
		})
	}
}

func userOperations(h *harness) map[string]func() error {
	return map[string]func() error{
		"create user":         func() error { _, err := h.Users.Create(h.Context(), store.NewUser{Email: "a"}); return err },
		"find user by id":     func() error { _, _, err := h.Users.FindByID(h.Context(), "usr_1"); return err },
		"find user by email":  func() error { _, _, err := h.Users.FindByEmail(h.Context(), "a"); return err },
		"find or create user": func() error { _, err := h.Users.FindOrCreateByEmail(h.Context(), "a"); return err },
		"update user":         func() error { _, err := h.Users.Update(h.Context(), someone(1)); return err },
		"mark verified":       func() error { _, err := h.Users.MarkEmailVerified(h.Context(), "usr_1"); return err },
		"delete user":         func() error { return h.Users.Delete(h.Context(), "usr_1") },
		"register user": func() error {
			_, err := h.Users.Register(h.Context(), store.NewUser{Email: "a"}, phc(1))
			return err
		},
	}
}

func sessionOperations(h *harness) map[string]func() error {
	token := store.NewToken("usr_1")
	return map[string]func() error{
		"create session":     func() error { _, err := h.Sessions.Create(h.Context(), store.NewSession{UserID: "usr_1"}); return err },
		"find session":       func() error { _, _, err := h.Sessions.Find(h.Context(), token); return err },
		"authenticate":       func() error { _, _, err := h.Sessions.Authenticate(h.Context(), token); return err },
		"list sessions":      func() error { _, err := h.Sessions.List(h.Context(), "usr_1"); return err },
		"refresh session":    func() error { _, err := h.Sessions.Refresh(h.Context(), token, time.Hour); return err },
		"delete session":     func() error { return h.Sessions.Delete(h.Context(), token) },
		"delete all of user": func() error { return h.Sessions.DeleteAllOfUser(h.Context(), "usr_1") },
		"clean up":           func() error { _, err := h.Sessions.CleanupExpired(h.Context()); return err },
	}
}

func secretOperations(h *harness) map[string]func() error {
	token := store.NewToken("usr_1")
	return map[string]func() error{
		"set password":     func() error { return h.Passwords.Set(h.Context(), "usr_1", phc(1)) },
		"change password":  func() error { return h.Passwords.Change(h.Context(), "usr_1", phc(1)) },
		"replace password": func() error { return h.Passwords.Replace(h.Context(), "usr_1", phc(1), phc(2)) },
		"rehash password":  func() error { _, err := h.Passwords.Rehash(h.Context(), "usr_1", phc(1), phc(2)); return err },
		"reset password":   func() error { _, _, err := h.Passwords.Reset(h.Context(), token, phc(1)); return err },
		"get password":     func() error { _, _, err := h.Passwords.Get(h.Context(), "usr_1"); return err },
		"remove password":  func() error { return h.Passwords.Remove(h.Context(), "usr_1") },
		"login":            func() error { _, err := h.Login(h.Context(), "a", store.NewSession{UserID: "usr_1"}); return err },
		"create token":     func() error { _, err := h.Tokens.Create(h.Context(), "usr_1", store.PurposeMagicLink, 0); return err },
		"verify token":     func() error { _, _, err := h.Tokens.Verify(h.Context(), token, store.PurposeMagicLink); return err },
		"check token":      func() error { _, err := h.Tokens.Check(h.Context(), token, store.PurposeMagicLink); return err },
		"clean up tokens":  func() error { _, err := h.Tokens.CleanupExpired(h.Context()); return err },
	}
}

func linkOperations(h *harness) map[string]func() error {
	account, credential := store.NewOAuthAccount{UserID: "usr_1", Provider: "github", Subject: "1"}, []byte("c")
	return map[string]func() error{
		"create account":     func() error { _, err := h.OAuth.Create(h.Context(), account); return err },
		"link account":       func() error { _, err := h.OAuth.Link(h.Context(), account); return err },
		"find by account":    func() error { _, _, err := h.OAuth.FindUser(h.Context(), "github", "1"); return err },
		"find account":       func() error { _, _, err := h.OAuth.FindAccount(h.Context(), "github", "1"); return err },
		"list accounts":      func() error { _, err := h.OAuth.List(h.Context(), "usr_1"); return err },
		"unlink":             func() error { return h.OAuth.Unlink(h.Context(), "usr_1", "github") },
		"unlink unless last": func() error { return h.OAuth.UnlinkUnlessLast(h.Context(), "usr_1", "github") },
		"store verifier":     func() error { return h.OAuth.StorePKCE(h.Context(), "state", "verifier", time.Hour) },
		"get verifier":       func() error { _, _, err := h.OAuth.PKCE(h.Context(), "state"); return err },
		"consume verifier":   func() error { _, _, err := h.OAuth.ConsumePKCE(h.Context(), "state"); return err },
		"delete verifier":    func() error { return h.OAuth.DeletePKCE(h.Context(), "state") },
		"add passkey":        func() error { _, err := h.Passkeys.Add(h.Context(), newPasskey("usr_1", "c")); return err },
		"find passkey":       func() error { _, _, err := h.Passkeys.Find(h.Context(), credential); return err },
		"use passkey":        func() error { _, _, err := h.Passkeys.Authenticate(h.Context(), credential); return err },
		"touch passkey":      func() error { return h.Passkeys.Touch(h.Context(), credential) },
		"list passkeys":      func() error { _, err := h.Passkeys.List(h.Context(), "usr_1"); return err },
		"delete passkey":     func() error { return h.Passkeys.Delete(h.Context(), credential) },
		"delete unless last": func() error { return h.Passkeys.DeleteUnlessLast(h.Context(), credential) },
		"delete passkeys":    func() error { return h.Passkeys.DeleteAll(h.Context(), "usr_1") },
		"all unless last":    func() error { return h.Passkeys.DeleteAllUnlessLast(h.Context(), "usr_1") },
		"set challenge":      func() error { return h.Passkeys.SetChallenge(h.Context(), "id", "text", time.Hour) },
		"get challenge":      func() error { _, _, err := h.Passkeys.Challenge(h.Context(), "id"); return err },
		"consume challenge":  func() error { _, _, err := h.Passkeys.ConsumeChallenge(h.Context(), "id"); return err },
	}
}

func cacheOperations(h *harness) map[string]func() error {
	token := store.NewToken("usr_1")
	c := h.NewCache(newSource(someone(1)), store.CacheOptions{})
	return map[string]func() error{
		"cached user":        func() error { _, _, err := c.User(h.Context(), "usr_1"); return err },
		"cached by email":    func() error { _, _, err := c.UserByEmail(h.Context(), "a"); return err },
		"put user":           func() error { return c.PutUser(h.Context(), someone(1), 0) },
		"forget user":        func() error { return c.ForgetUser(h.Context(), "usr_1", "a") },
		"cached session":     func() error { _, _, err := c.Session(h.Context(), token); return err },
		"put session":        func() error { return c.PutSession(h.Context(), login(), nil) },
		"invalidate user":    func() error { return c.InvalidateUser(h.Context(), someone(1)) },
		"invalidate session": func() error { return c.InvalidateSession(h.Context(), token) },
		"invalidate by hash": func() error { return c.InvalidateSessionByHash(h.Context(), "usr_1", token.Hash()) },
	}
}

func lockOperations(h *harness) map[string]func() error {
	return map[string]func() error{
		"record failure":    func() error { _, _, err := h.BruteForce.RecordFailure(h.Context(), store.NewAttempt{}); return err },
		"admit":             func() error { _, err := h.BruteForce.Admit(h.Context(), store.NewAttempt{}); return err },
		"status":            func() error { _, err := h.BruteForce.Status(h.Context(), "a"); return err },
		"stats":             func() error { _, err := h.BruteForce.Stats(h.Context(), "a", time.Now()); return err },
		"clear failures":    func() error { _, err := h.BruteForce.Clear(h.Context(), "a"); return err },
		"unlock":            func() error { _, err := h.BruteForce.Unlock(h.Context(), "a"); return err },
		"set locked at":     func() error { return h.BruteForce.SetLockedAt(h.Context(), "a", nil) },
		"locked at":         func() error { _, _, err := h.BruteForce.LockedAt(h.Context(), "a"); return err },
		"clean up failures": func() error { _, err := h.BruteForce.CleanupOld(h.Context(), time.Now()); return err },
	}
}

func full(h *harness) {
	storage, fill := h.opts.Full(h.T)
	h = &harness{T: h.T, RedisStorage: storage, opts: h.opts}
	u := h.user("a@example.org")
	first, second := h.session(u.ID, time.Hour), h.session(u.ID, time.Hour)
	h.account(u.ID, "github", "1")
	h.passkey(u.ID, "c")
	h.must(h.OAuth.StorePKCE(h.Context(), "state", "verifier", time.Hour))
	h.fail(u.Email, 5)
	fill()
	_, err := h.Users.Create(h.Context(), store.NewUser{Email: "b@example.org"})
	h.want(err, store.ErrOutOfMemory)
	h.want(err, store.ErrUnavailable)
	_, err = h.Sessions.Create(h.Context(), store.NewSession{UserID: u.ID})
	h.want(err, store.ErrOutOfMemory)
	_, err = h.OAuth.Link(h.Context(), store.NewOAuthAccount{UserID: u.ID, Provider: "github", Subject: "2"})
	h.want(err, store.ErrOutOfMemory)
	h.want(h.OAuth.StorePKCE(h.Context(), "another", "verifier", time.Hour), store.ErrOutOfMemory)
	h.wantConsumed(h.consumePKCE("state"), "verifier")
	h.must(h.OAuth.UnlinkUnlessLast(h.Context(), u.ID, "github"))
	h.must(h.Passkeys.Delete(h.Context(), []byte("c")))
	h.noAccount("github", "1")
	h.wantCredentials(u.ID)
	_, err = h.BruteForce.Admit(h.Context(), store.NewAttempt{Email: "b@example.org"})
	h.want(err, store.ErrOutOfMemory)
	_, err = h.BruteForce.Admit(h.Context(), store.NewAttempt{Email: u.Email})
	h.want(err, store.ErrLocked)
	_, err = h.BruteForce.Unlock(h.Context(), u.Email)
	h.must(err)
	h.wantLocked(u.Email, false, 0)
	h.wantHint(u, nil)
	h.must(h.Sessions.Delete(h.Context(), first.Token))
	h.must(h.Sessions.DeleteAllOfUser(h.Context(), u.ID))
	if h.alive(first.Token) || h.alive(second.Token) {
		h.Error("a session is alive after the log-out")
	}
	h.must(h.Users.Delete(h.Context(), u.ID))
}
