package store_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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

func (c counted) Lookup(ctx context.Context, key, hash, field string) (string, string, error) {
	c.saw([]string{key, hash})
	return c.Driver.Lookup(ctx, key, hash, field)
}

func (c counted) Eval(ctx context.Context, script *store.Script, keys []string, args ...string) ([]string, error) {
	c.saw(keys)
	return c.Driver.Eval(ctx, script, keys, args...)
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

func (o origin) UserByEmail(context.Context, string) (store.User, bool, error) {
	return o.user, true, nil
}

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
	account, credential := store.NewOAuthAccount{Provider: "github", Subject: "42"}, []byte("c")
	add := func() error {
		_, err := s.Passkeys.Add(ctx, store.NewPasskey{UserID: user.ID, CredentialID: credential, PublicKey: []byte("k")})
		return err
	}
	var mailed store.SecureToken
	mail := func() (err error) {
		mailed, err = s.Tokens.Create(ctx, user.ID, store.PurposePasswordReset, 0)
		return err
	}
	fail := func(n int) func() error {
		return func() (err error) {
			for range n {
				_, _, err = s.BruteForce.RecordFailure(ctx, store.NewAttempt{Email: user.Email})
			}
			return err
		}
	}
	steps := []struct {
		name  string
		trips int64
		do    func() error
	}{
		{"Migrate", 1, func() error { return s.Migrate(ctx) }},
		{"Users.Create", 3, func() (err error) {
			user, err = s.Users.Create(ctx, store.NewUser{Email: emailA})
			account.UserID = user.ID
			return err
		}},
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
		{"Sessions.List", 1, func() error { _, err := s.Sessions.List(ctx, user.ID); return err }},
		{"Sessions.DeleteAllOfUser", 1, func() error { return s.Sessions.DeleteAllOfUser(ctx, user.ID) }},
		{"Sessions.Create again", 1, login},
		{"Sessions.Delete", 1, func() error { return s.Sessions.Delete(ctx, session.Token) }},
		{"Sessions.Find, no token", 0, func() error { _, _, err := s.Sessions.Find(ctx, "x"); return err }},
		{"Sessions.Create once more", 1, login},
		{"OAuth.Create", 3, func() error { _, err := s.OAuth.Create(ctx, account); return err }},
		{"OAuth.Link, again", 1, func() error { _, err := s.OAuth.Link(ctx, account); return err }},
		{"OAuth.FindUser", 2, func() error { _, _, err := s.OAuth.FindUser(ctx, account.Provider, account.Subject); return err }},
		{"OAuth.FindAccount", 2, func() error { _, _, err := s.OAuth.FindAccount(ctx, account.Provider, account.Subject); return err }},
		{"OAuth.List", 1, func() error { _, err := s.OAuth.List(ctx, user.ID); return err }},
		{"OAuth.StorePKCE", 1, func() error { return s.OAuth.StorePKCE(ctx, "state", "verifier", 1e9) }},
		{"OAuth.PKCE", 1, func() error { _, _, err := s.OAuth.PKCE(ctx, "state"); return err }},
		{"OAuth.ConsumePKCE", 1, func() error { _, _, err := s.OAuth.ConsumePKCE(ctx, "state"); return err }},
		{"OAuth.DeletePKCE", 1, func() error { return s.OAuth.DeletePKCE(ctx, "state") }},
		{"Passkeys.Add", 3, add},
		{"Passkeys.Find", 2, func() error { _, _, err := s.Passkeys.Find(ctx, credential); return err }},
		{"Passkeys.Touch", 2, func() error { return s.Passkeys.Touch(ctx, credential) }},
		{"Passkeys.Authenticate", 2, func() error { _, _, err := s.Passkeys.Authenticate(ctx, credential); return err }},
		{"Passkeys.List", 1, func() error { _, err := s.Passkeys.List(ctx, user.ID); return err }},
		{"Passkeys.SetChallenge", 1, func() error { return s.Passkeys.SetChallenge(ctx, "id", "text", 1e9) }},
		{"Passkeys.Challenge", 1, func() error { _, _, err := s.Passkeys.Challenge(ctx, "id"); return err }},
		{"Passkeys.ConsumeChallenge", 1, func() error { _, _, err := s.Passkeys.ConsumeChallenge(ctx, "id"); return err }},
		{"OAuth.UnlinkUnlessLast", 2, func() error { return s.OAuth.UnlinkUnlessLast(ctx, user.ID, account.Provider) }},
		{"OAuth.Unlink, nothing", 1, func() error { return s.OAuth.Unlink(ctx, user.ID, account.Provider) }},
		{"Passkeys.Delete", 3, func() error { return s.Passkeys.Delete(ctx, credential) }},
		{"Passkeys.Delete, nothing", 1, func() error { return s.Passkeys.Delete(ctx, credential) }},
		{"Passkeys.Add again", 3, add},
		{"Passkeys.DeleteAll", 2, func() error { return s.Passkeys.DeleteAll(ctx, user.ID) }},
		{"Passwords.Set", 1, func() error { return s.Passwords.Set(ctx, user.ID, "hash") }},
		{"Passwords.Get", 1, func() error { _, _, err := s.Passwords.Get(ctx, user.ID); return err }},
		{"Passwords.Change", 1, func() error { return s.Passwords.Change(ctx, user.ID, "hash") }},
		{"Passwords.Replace", 1, func() error { return s.Passwords.Replace(ctx, user.ID, "hash", "hash") }},
		{"Passwords.Rehash", 1, func() error { _, err := s.Passwords.Rehash(ctx, user.ID, "hash", "hash"); return err }},
		{"Passwords.Remove", 1, func() error { return s.Passwords.Remove(ctx, user.ID) }},
		{"Tokens.Create", 1, mail},
		{"Tokens.Check", 1, func() error { _, err := s.Tokens.Check(ctx, mailed.Token, store.PurposeMagicLink); return err }},
		{"Tokens.Verify, other purpose", 1, func() error { _, _, err := s.Tokens.Verify(ctx, mailed.Token, store.PurposeMagicLink); return err }},
		{"Passwords.Reset", 1, func() error { _, _, err := s.Passwords.Reset(ctx, mailed.Token, "hash"); return err }},
		{"Users.Register", 3, func() error {
			_, err := s.Users.Register(ctx, store.NewUser{Email: "r@example.org"}, "hash")
			return err
		}},
		{"Cache.User, miss", 2, func() error { _, _, err := cache.User(ctx, "9"); return err }},
		{"Cache.User, hit", 1, func() error { _, _, err := cache.User(ctx, "9"); return err }},
		{"Cache.UserByEmail, half a miss", 3, func() error { _, _, err := cache.UserByEmail(ctx, "x"); return err }},
		{"Cache.UserByEmail, hit", 2, func() error { _, _, err := cache.UserByEmail(ctx, "x"); return err }},
		{"Cache.Fresh", 1, func() error { _, _, err := cache.Fresh(ctx, "9"); return err }},
		{"Cache.FreshByEmail", 2, func() error { _, _, err := cache.FreshByEmail(ctx, "x"); return err }},
		{"Cache.PutUser", 2, func() error { return cache.PutUser(ctx, user, 0) }},
		{"Cache.InvalidateUser", 2, func() error { return cache.InvalidateUser(ctx, user, user.Email) }},
		{"Cache.InvalidateUser, email", 3, func() error { return cache.InvalidateUser(ctx, user, emailA) }},
		{"Cache.ForgetUser", 2, func() error { return cache.ForgetUser(ctx, user.ID, user.Email) }},
		{"Cache.PutSession", 1, func() error { return cache.PutSession(ctx, session, nil) }},
		{"Cache.Session", 1, func() error { _, _, err := cache.Session(ctx, session.Token); return err }},
		{"Cache.InvalidateSession", 1, func() error { return cache.InvalidateSession(ctx, session.Token) }},
		{"BruteForce.Status", 1, func() error { _, err := s.BruteForce.Status(ctx, user.Email); return err }},
		{"BruteForce.Clear, nothing", 1, func() error { _, err := s.BruteForce.Clear(ctx, user.Email); return err }},
		{"BruteForce.Admit", 1, func() error { _, err := s.BruteForce.Admit(ctx, store.NewAttempt{Email: user.Email}); return err }},
		{"BruteForce.Clear", 1, func() error { _, err := s.BruteForce.Clear(ctx, user.Email); return err }},
		{"BruteForce.Unlock, not locked", 2, func() error { _, err := s.BruteForce.Unlock(ctx, user.Email); return err }},
		{"BruteForce.RecordFailure", 1, fail(1)},
		{"BruteForce.RecordFailure, three more", 3, fail(3)},
		{"BruteForce.RecordFailure, which locks", 2, fail(1)},
		{"BruteForce.RecordFailure, nobody's, of which two lock", 8, func() error { email := user.Email; user.Email = "x"; err := fail(6)(); user.Email = email; return err }},
		{"BruteForce.Stats", 1, func() error { _, err := s.BruteForce.Stats(ctx, user.Email, time.Now()); return err }},
		{"BruteForce.LockedAt", 2, func() error { _, _, err := s.BruteForce.LockedAt(ctx, user.Email); return err }},
		{"BruteForce.Clear, a lock", 3, func() error { _, err := s.BruteForce.Clear(ctx, user.Email); return err }},
		{"BruteForce.SetLockedAt, none", 3, func() error { return s.BruteForce.SetLockedAt(ctx, user.Email, nil) }},
		{"BruteForce.SetLockedAt", 2, func() error { at := time.Now(); return s.BruteForce.SetLockedAt(ctx, user.Email, &at) }},
		{"BruteForce.RecordFailure, five again", 6, fail(5)},
		{"BruteForce.Unlock", 3, func() error { _, err := s.BruteForce.Unlock(ctx, user.Email); return err }},
		{"Passkeys.Add once more", 3, add},
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

// plantSession replaces the record of a session: session_create writes what it
// is given.
func plantSession(t *testing.T, d store.Driver, s store.Session, record string) {
	t.Helper()
	hash, err := hex.DecodeString(s.TokenHash)
	check(t, err)
	prefix := store.DefaultKeyPrefix + ":{" + string(s.Token)[:12] + "}:"
	user, err := d.Get(t.Context(), prefix+"u")
	check(t, err)
	who := strings.Fields(user[0])[2]
	_, err = d.Eval(t.Context(), &store.Script{Name: "session_delete"}, []string{prefix + "s"}, string(hash))
	check(t, err)
	out, err := d.Eval(t.Context(), &store.Script{Name: "session_create"}, []string{prefix + "u", prefix + "s"},
		who, string(hash), strconv.FormatInt(s.ExpiresAt.UnixMilli(), 10), record, "1000")
	if err != nil || out[0] != "ok" {
		t.Fatalf("plant a session: %q and %v", out, err)
	}
}

// plant writes a text under a key that is not there: schema_mark does just
// that.
func plant(t *testing.T, d store.Driver, key, value string) {
	t.Helper()
	_, err := d.Eval(t.Context(), &store.Script{Name: "unlink"}, []string{key})
	check(t, err)
	_, err = d.Eval(t.Context(), &store.Script{Name: "schema_mark"}, []string{key}, value)
	check(t, err)
}
