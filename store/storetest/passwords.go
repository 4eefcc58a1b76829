package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/toriibench/toriibench/store"
)

func passwordScenarios() []scenario {
	return []scenario{
		{name: "P-1 a hash is set, overwritten and removed", run: setPassword},
		{name: "P-1 an unknown user has no password", run: noUserNoPassword},
		{name: "P-2 a user without a hash has none", run: noPassword},
		{name: "P-3 a hash is in no user and no copy of one", run: passwordApart},
		{name: "U-15 setting and removing the password of a missing user is not-found", run: passwordOfNobody},
		{name: "U-16 a password goes with its user", run: passwordGoes},
		{name: "A13 changing the password ends every session", run: changePassword},
		{name: "A13 a reset uses up its token, sets the hash and ends every session", run: resetPassword},
		{name: "A13 a reset that may not be changes nothing", run: refusedReset},
		{name: "A13 a change drops what was mailed to log in or to set a password", run: dropMailed},
		{name: "A13 a replacement and a rehash need the hash that is stored", run: replacePassword},
		{name: "A13 no session of before outlives a concurrent change", run: racePasswordChange},
		{name: "A14 who registers has a password at once", run: register},
		{name: "A14 of concurrent registrations one wins, with its own password", run: raceRegister},
		{name: "A9 a password goes unless it is the last way to log in", run: lastPassword},
		{name: "A9 a password and an account, removed at once: one stays", run: raceLastPassword},
	}
}

// wantPassword expects a user's hash, "" for none.
func (h *harness) wantPassword(userID, want string) {
	h.Helper()
	got, ok, err := h.Passwords.Get(h.Context(), userID)
	h.must(err)
	if got != want || ok != (want != "") {
		h.Errorf("user %s has the hash %q (%t), want %q", userID, got, ok, want)
	}
}

// phc is what a hash looks like.
func phc(n int) string {
	return fmt.Sprintf("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$%043d", n)
}

func setPassword(h *harness) {
	a, b := h.user("a@example.org"), h.user("b@example.org")
	h.must(h.Passwords.Set(h.Context(), a.ID, phc(1)))
	h.wantPassword(a.ID, phc(1))
	h.must(h.Passwords.Set(h.Context(), a.ID, phc(2)))
	h.wantPassword(a.ID, phc(2))
	h.wantPassword(b.ID, "")
	h.must(h.Passwords.Remove(h.Context(), a.ID))
	h.wantPassword(a.ID, "")
	h.must(h.Passwords.Remove(h.Context(), a.ID))
	for _, bad := range []string{"", "\xff", strings.Repeat("x", 16<<10+1)} {
		h.want(h.Passwords.Set(h.Context(), a.ID, bad), store.ErrInvalid)
		h.want(h.Passwords.Change(h.Context(), a.ID, bad), store.ErrInvalid)
	}
	h.wantPassword(a.ID, "")
}

func noUserNoPassword(h *harness) { h.wantPassword("usr_nobody", "") }

func noPassword(h *harness) { h.wantPassword(h.user("a@example.org").ID, "") }

func passwordApart(h *harness) {
	u := h.user("a@example.org")
	h.must(h.Passwords.Set(h.Context(), u.ID, phc(7)))
	found, _, err := h.Users.FindByID(h.Context(), u.ID)
	h.must(err)
	cache := h.NewCache(newSource(found), store.CacheOptions{})
	wantCached(h, cache, found, true)
	shown, err := json.Marshal(found)
	h.must(err)
	if strings.Contains(string(shown), "argon2id") || strings.Contains(fmt.Sprintf("%+v", found), "argon2id") {
		h.Error("a user shows its hash")
	}
	holders := 0
	for _, k := range h.keys() {
		if strings.Contains(strings.Join(k.Values, "\n"), "argon2id") {
			holders++
		}
	}
	if holders != 1 {
		h.Errorf("%d keys hold the hash, want one", holders)
	}
}

func passwordOfNobody(h *harness) {
	h.want(h.Passwords.Set(h.Context(), "usr_nobody", phc(1)), store.ErrNotFound)
	h.want(h.Passwords.Change(h.Context(), "usr_nobody", phc(1)), store.ErrNotFound)
	h.want(h.Passwords.Remove(h.Context(), "usr_nobody"), store.ErrNotFound)
	h.wantRecords(0)
}

func passwordGoes(h *harness) {
	u, err := h.Users.Register(h.Context(), store.NewUser{ID: "usr_1", Email: "a@example.org"}, phc(1))
	h.must(err)
	h.must(h.Users.Delete(h.Context(), u.ID))
	h.wantPassword(u.ID, "")
	_, err = h.Users.Create(h.Context(), store.NewUser{ID: "usr_1", Email: "a@example.org"})
	h.must(err)
	h.wantPassword(u.ID, "")
	h.wantRecords(1)
}

func changePassword(h *harness) {
	u, other := h.user("a@example.org"), h.user("b@example.org")
	dead := []store.Session{h.session(u.ID, time.Hour), h.session(u.ID, time.Hour)}
	kept := h.session(other.ID, time.Hour)
	h.must(h.Passwords.Change(h.Context(), u.ID, phc(1)))
	h.wantPassword(u.ID, phc(1))
	for _, s := range dead {
		if h.alive(s.Token) {
			h.Error("a session is alive")
		}
	}
	h.wantSession(kept)
	h.wantSession(h.session(u.ID, time.Hour))
}

func resetPassword(h *harness) {
	u := h.user("a@example.org")
	dead := h.session(u.ID, time.Hour)
	token := h.token(u.ID, store.PurposePasswordReset, 0)
	got, ok, err := h.Passwords.Reset(h.Context(), token.Token, phc(1))
	h.must(err)
	if !ok || got.ID != u.ID || h.alive(dead.Token) {
		h.Errorf("reset: %t, for user %q, session alive: %t", ok, got.ID, h.alive(dead.Token))
	}
	h.wantPassword(u.ID, phc(1))
	_, ok, err = h.Passwords.Reset(h.Context(), token.Token, phc(2))
	h.must(err)
	h.wantPassword(u.ID, phc(1))
	if ok || h.verify(token.Token, store.PurposePasswordReset) {
		h.Error("the token is good for a second time")
	}
}

func dropMailed(h *harness) {
	for i, change := range []func(u store.User) error{
		func(u store.User) error { return h.Passwords.Change(h.Context(), u.ID, phc(2)) },
		func(u store.User) error { return h.Passwords.Replace(h.Context(), u.ID, phc(1), phc(2)) },
		func(u store.User) error {
			_, _, err := h.Passwords.Reset(h.Context(), h.token(u.ID, store.PurposePasswordReset, 0).Token, phc(2))
			return err
		},
	} {
		u, other := h.user(fmt.Sprintf("a%d@example.org", i)), h.user(fmt.Sprintf("b%d@example.org", i))
		h.must(h.Passwords.Set(h.Context(), u.ID, phc(1)))
		var dropped, kept []store.SecureToken
		for _, purpose := range purposes() {
			k := h.token(u.ID, purpose, 0)
			if purpose == store.PurposeEmailVerification {
				kept = append(kept, k)
			} else {
				dropped = append(dropped, k, h.token(u.ID, purpose, time.Hour))
			}
			kept = append(kept, h.token(other.ID, purpose, 0))
		}
		h.must(change(u))
		for _, k := range dropped {
			if h.verify(k.Token, k.Purpose) {
				h.Errorf("change %d: a token from before is good: %s", i, k.Purpose)
			}
		}
		for _, k := range kept {
			if !h.verify(k.Token, k.Purpose) {
				h.Errorf("change %d: a token has gone: %s of %s", i, k.Purpose, k.Email)
			}
		}
	}
}

func replacePassword(h *harness) {
	u := h.user("a@example.org")
	s := h.session(u.ID, time.Hour)
	link := h.token(u.ID, store.PurposeMagicLink, 0)
	refused := func(stored string) {
		h.Helper()
		h.want(h.Passwords.Replace(h.Context(), u.ID, phc(9), phc(2)), store.ErrConflict)
		ok, err := h.Passwords.Rehash(h.Context(), u.ID, phc(9), phc(2))
		h.must(err)
		if ok || !h.check(link.Token, link.Purpose) {
			h.Errorf("rehashed: %t", ok)
		}
		h.wantPassword(u.ID, stored)
		h.wantSession(s)
	}
	refused("")
	h.must(h.Passwords.Set(h.Context(), u.ID, phc(1)))
	refused(phc(1))
	ok, err := h.Passwords.Rehash(h.Context(), u.ID, phc(1), phc(2))
	h.must(err)
	if !ok || !h.check(link.Token, link.Purpose) {
		h.Errorf("rehashed: %t", ok)
	}
	refused(phc(2))
	h.must(h.Passwords.Replace(h.Context(), u.ID, phc(2), phc(3)))
	h.wantPassword(u.ID, phc(3))
	if h.alive(s.Token) {
		h.Error("the session is alive")
	}
	for _, bad := range []string{"", "\xff"} {
		h.want(h.Passwords.Replace(h.Context(), u.ID, bad, phc(2)), store.ErrInvalid)
		_, err := h.Passwords.Rehash(h.Context(), u.ID, bad, phc(2))
		h.want(err, store.ErrInvalid)
	}
	h.want(h.Passwords.Replace(h.Context(), "usr_nobody", phc(1), phc(2)), store.ErrNotFound)
	_, err = h.Passwords.Rehash(h.Context(), "usr_nobody", phc(1), phc(2))
	h.want(err, store.ErrNotFound)
}

func refusedReset(h *harness) {
	u := h.user("a@example.org")
	s := h.session(u.ID, time.Hour)
	link := h.token(u.ID, store.PurposeMagicLink, 0)
	for _, token := range []store.Token{link.Token, store.NewToken(u.ID), "x", ""} {
		_, ok, err := h.Passwords.Reset(h.Context(), token, phc(1))
		h.must(err)
		if ok {
			h.Error("a token that is none for a reset has set a password")
		}
	}
	_, _, err := h.Passwords.Reset(h.Context(), h.token(u.ID, store.PurposePasswordReset, 0).Token, "")
	h.want(err, store.ErrInvalid)
	h.wantPassword(u.ID, "")
	h.wantSession(s)
	if !h.verify(link.Token, store.PurposeMagicLink) {
		h.Error("the magic link was used up")
	}
}

func racePasswordChange(h *harness) {
	h.rounds(func(n int) {
		u := h.user(fmt.Sprintf("a%d@example.org", n))
		before, _ := h.storm(u.ID, func() error { return h.Passwords.Change(h.Context(), u.ID, phc(n)) })
		for _, s := range before {
			if h.alive(s.Token) {
				h.Errorf("round %d: a session from before the change is alive", n)
			}
		}
		h.wantPassword(u.ID, phc(n))
		h.must(h.Users.Delete(h.Context(), u.ID))
	})
	h.wantRecords(0)
}

func register(h *harness) {
	u, err := h.Users.Register(h.Context(), store.NewUser{Email: "a@example.org"}, phc(1))
	h.must(err)
	h.wantUser(u)
	h.wantPassword(u.ID, phc(1))
	_, err = h.Users.Register(h.Context(), store.NewUser{Email: "a@example.org"}, phc(2))
	h.want(err, store.ErrConflict)
	_, err = h.Users.Register(h.Context(), store.NewUser{ID: u.ID, Email: "b@example.org"}, phc(3))
	h.want(err, store.ErrConflict)
	h.wantPassword(u.ID, phc(1))
	_, err = h.Users.Register(h.Context(), store.NewUser{Email: "b@example.org"}, "")
	h.want(err, store.ErrInvalid)
	// User, email and password, and nothing of those who were refused.
	if keys := h.keys(); len(keys) != 3 {
		h.Errorf("%d keys, want 3: %v", len(keys), keys)
	}
	for key, k := range h.keys() {
		if k.TTL != -1 {
			h.Errorf("key %s will vanish in %s", key, k.TTL)
		}
	}
}

func raceRegister(h *harness) {
	h.rounds(func(n int) {
		email := fmt.Sprintf("a%d@example.org", n)
		var winner atomic.Pointer[string]
		h.together(func(worker int) {
			u, err := h.Users.Register(h.Context(), store.NewUser{Email: email}, phc(worker))
			if err != nil {
				if !errors.Is(err, store.ErrConflict) {
					h.Error(err)
				}
				return
			}
			mine := u.ID + " " + phc(worker)
			if !winner.CompareAndSwap(nil, &mine) {
				h.Errorf("round %d: two registrations have succeeded", n)
			}
		})
		if winner.Load() == nil {
			h.Fatalf("round %d: nobody has registered", n)
		}
		id, hash, _ := strings.Cut(*winner.Load(), " ")
		h.wantPassword(id, hash)
		h.must(h.Users.Delete(h.Context(), id))
	})
	h.wantRecords(0)
}

func lastPassword(h *harness) {
	u := h.user("a@example.org")
	h.must(h.Passwords.RemoveUnlessLast(h.Context(), u.ID))
	h.must(h.Passwords.Set(h.Context(), u.ID, phc(1)))
	h.want(h.Passwords.RemoveUnlessLast(h.Context(), u.ID), store.ErrLastMethod)
	h.wantPassword(u.ID, phc(1))
	_, err := h.OAuth.Create(h.Context(), store.NewOAuthAccount{UserID: u.ID, Provider: "github", Subject: "1"})
	h.must(err)
	h.must(h.Passwords.RemoveUnlessLast(h.Context(), u.ID))
	h.wantPassword(u.ID, "")
	h.want(h.OAuth.UnlinkUnlessLast(h.Context(), u.ID, "github"), store.ErrLastMethod)
	h.must(h.Passwords.Set(h.Context(), u.ID, phc(2)))
	h.must(h.OAuth.UnlinkUnlessLast(h.Context(), u.ID, "github"))
}

func raceLastPassword(h *harness) {
	u := h.user("a@example.org")
	h.rounds(func(n int) {
		h.must(h.Passwords.Set(h.Context(), u.ID, phc(n)))
		_, err := h.OAuth.Link(h.Context(), store.NewOAuthAccount{UserID: u.ID, Provider: "github", Subject: "1"})
		h.must(err)
		h.together(func(worker int) {
			err := h.Passwords.RemoveUnlessLast(h.Context(), u.ID)
			if worker%2 == 0 {
				err = h.OAuth.UnlinkUnlessLast(h.Context(), u.ID, "github")
			}
			if err != nil && !errors.Is(err, store.ErrLastMethod) {
				h.Error(err)
			}
		})
		_, password, err := h.Passwords.Get(h.Context(), u.ID)
		h.must(err)
		accounts, err := h.OAuth.List(h.Context(), u.ID)
		h.must(err)
		if !password && len(accounts) == 0 {
			h.Errorf("round %d: the user cannot log in any more", n)
		}
	})
}
