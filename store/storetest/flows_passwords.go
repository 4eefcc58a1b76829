package storetest

import (
	"strings"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/auth"
)

func flowPasswordScenarios() []scenario {
	return []scenario{
		{name: "F-5 a reset for an unknown email succeeds and makes no token", run: resetNobody},
		{name: "F-6 a weak new password does not burn the reset token, success does", run: resetOnce},
		{name: "F-7 a changed password ends the old one and all sessions", run: changeByService},
		{name: "F-7 guessing the old password locks", run: guessByChange},
		{name: "F-8 a reset unlocks and ends all sessions", run: resetUnlocks},
	}
}

func resetNobody(h *harness) {
	s := h.service(auth.Options{})
	token, ok, err := s.RequestReset(h.Context(), mail)
	h.must(err)
	if ok || token.Token != "" {
		h.Error("a token was made for nobody")
	}
	if left := h.keys(); len(left) > 0 {
		h.Errorf("keys were made: %v", left)
	}
}

// reset asks for a token to set a new password.
func (h *harness) reset(s *auth.Service, email string) store.Token {
	h.Helper()
	token, ok, err := s.RequestReset(h.Context(), email)
	h.must(err)
	if !ok {
		h.Fatalf("no token for %s", email)
	}
	return token.Token
}

func resetOnce(h *harness) {
	s := h.service(auth.Options{})
	u := h.register(s, mail)
	token := h.reset(s, mail)
	for _, weak := range []string{"", "short", strings.Repeat(" ", 9)} {
		_, err := s.ResetPassword(h.Context(), token, weak)
		h.want(err, store.ErrInvalid)
	}
	h.enter(s, mail, secret)
	got, err := s.ResetPassword(h.Context(), token, other)
	h.must(err)
	if got.ID != u.ID {
		h.Errorf("the password of %q was reset, want %q", got.ID, u.ID)
	}
	_, err = s.ResetPassword(h.Context(), token, "a third password")
	h.want(err, auth.ErrInvalidToken)
	h.wantOut(s, mail, secret, auth.ErrCredentials)
	h.enter(s, mail, other)
	link, err := s.RequestMagicLink(h.Context(), mail)
	h.must(err)
	for _, bad := range []store.Token{"", "x", store.NewToken(u.ID), link.Token} {
		_, err := s.ResetPassword(h.Context(), bad, secret)
		h.want(err, auth.ErrInvalidToken)
	}
	h.enter(s, mail, other)
}

func changeByService(h *harness) {
	for name, s := range h.both() {
		email := name + "@example.org"
		u := h.register(s, email)
		ids := []store.Identity{h.enter(s, email, secret), h.enter(s, email, secret)}
		h.want(s.ChangePassword(h.Context(), u.ID, other, other), auth.ErrCredentials)
		h.wantIdentity(s, ids[0])
		h.must(s.ChangePassword(h.Context(), u.ID, secret, other))
		for _, id := range ids {
			h.ended(s, id)
		}
		h.wantAttempts(email, 0)
		h.wantOut(s, email, secret, auth.ErrCredentials)
		h.enter(s, email, other)
	}
	h.want(h.service(auth.Options{}).ChangePassword(h.Context(), "usr_nobody", secret, other), store.ErrNotFound)
}

func guessByChange(h *harness) {
	for name, s := range h.both() {
		email := name + "@example.org"
		u := h.register(s, email)
		for range store.DefaultMaxAttempts {
			h.want(s.ChangePassword(h.Context(), u.ID, "a guess of it", other), auth.ErrCredentials)
		}
		h.want(s.ChangePassword(h.Context(), u.ID, secret, other), store.ErrLocked)
		h.wantOut(s, email, secret, store.ErrLocked)
	}
}

func resetUnlocks(h *harness) {
	s := h.service(auth.Options{})
	u := h.register(s, mail)
	id := h.enter(s, mail, secret)
	for range store.DefaultMaxAttempts {
		h.wantOut(s, mail, other, auth.ErrCredentials)
	}
	h.wantOut(s, mail, secret, store.ErrLocked)
	_, err := s.ResetPassword(h.Context(), h.reset(s, mail), other)
	h.must(err)
	h.ended(s, id)
	h.wantLocked(mail, false, 0)
	h.wantHint(u, nil)
	h.enter(s, mail, other)
}
