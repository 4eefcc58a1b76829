package storetest

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/store"
)

func tokenScenarios() []scenario {
	return []scenario{
		{name: "K-1 a token that was verified is used, and its text is gone", run: verifyToken},
		{name: "K-2 a token is good for once", run: verifyTwice},
		{name: "K-3 checking uses up nothing, and minds the purpose", run: checkToken},
		{name: "K-4 a wrong purpose uses up nothing", run: wrongPurpose},
		{name: "K-5 a token ends at its millisecond", waits: true, run: tokenEnds},
		{name: "K-6 a user has many tokens at once, up to a bound", run: manyTokens},
		{name: "K-7 of concurrent verifications exactly one succeeds", run: raceVerify},
		{name: "K-8 cleaning up drops what has expired and nothing else", waits: true, run: cleanTokens},
		{name: "K-9 no key and no value holds a token", run: secretAtRest},
		{name: "K-10 a token that was verified is no good to check", run: checkUsed},
		{name: "K-5 tokens leave nothing behind", waits: true, run: tokensEnd},
		{name: "U-16 a token goes with its user", run: tokenGoes},
		{name: "K-1 absurd lifetimes and purposes are refused", run: absurdTokens},
	}
}

// token creates a secure token.
func (h *harness) token(userID string, purpose store.TokenPurpose, d time.Duration) store.SecureToken {
	h.Helper()
	k, err := h.Tokens.Create(h.Context(), userID, purpose, d)
	h.must(err)
	return k
}

// verify reports whether the token was good for the purpose.
func (h *harness) verify(t store.Token, purpose store.TokenPurpose) bool {
	h.Helper()
	_, ok, err := h.Tokens.Verify(h.Context(), t, purpose)
	h.must(err)
	return ok
}

// check reports whether the token would be good for the purpose.
func (h *harness) check(t store.Token, purpose store.TokenPurpose) bool {
	h.Helper()
	ok, err := h.Tokens.Check(h.Context(), t, purpose)
	h.must(err)
	return ok
}

func purposes() []store.TokenPurpose {
	return []store.TokenPurpose{store.PurposeMagicLink, store.PurposePasswordReset, store.PurposeEmailVerification}
}

func verifyToken(h *harness) {
	u := h.user("a@example.org")
	for _, purpose := range purposes() {
		created := h.token(u.ID, purpose, 0)
		life := created.ExpiresAt.Sub(created.CreatedAt)
		if len(created.Token) != 43 || created.TokenHash != created.Token.Hash() || created.UserID != u.ID || created.UsedAt != nil ||
			life != purpose.Lifetime() || !created.UpdatedAt.Equal(created.CreatedAt) || time.Since(created.CreatedAt).Abs() > time.Minute {
			h.Errorf("created %+v", created)
		}
		got, ok, err := h.Tokens.Verify(h.Context(), created.Token, purpose)
		h.must(err)
		if !ok || got.UsedAt == nil || got.UsedAt.Before(created.CreatedAt) || !got.UpdatedAt.Equal(*got.UsedAt) {
			h.Fatalf("verified: %t, %+v", ok, got)
		}
		want := created
		want.Token, want.UsedAt, want.UpdatedAt = "", got.UsedAt, got.UpdatedAt
		if diff := cmp.Diff(want, got); diff != "" {
			h.Errorf("difference (-want +got):\n%s", diff)
		}
	}
}

func verifyTwice(h *harness) {
	k := h.token(h.user("a@example.org").ID, store.PurposeMagicLink, 0)
	if !h.verify(k.Token, k.Purpose) || h.verify(k.Token, k.Purpose) {
		h.Error("want the first verification to succeed, and the second not to")
	}
}

func checkToken(h *harness) {
	u := h.user("a@example.org")
	k := h.token(u.ID, store.PurposePasswordReset, 0)
	for range 3 {
		if !h.check(k.Token, k.Purpose) || h.check(k.Token, store.PurposeMagicLink) {
			h.Error("want true for the token's purpose, and false for another")
		}
	}
	for _, unknown := range []store.Token{store.NewToken(u.ID), store.NewToken("usr_other"), "", "x"} {
		if h.check(unknown, k.Purpose) || h.verify(unknown, k.Purpose) {
			h.Error("an unknown token is accepted")
		}
	}
	if !h.verify(k.Token, k.Purpose) {
		h.Error("checking has used the token up")
	}
}

func wrongPurpose(h *harness) {
	k := h.token(h.user("a@example.org").ID, store.PurposeEmailVerification, 0)
	for _, purpose := range purposes()[:2] {
		if h.verify(k.Token, purpose) {
			h.Errorf("it is good for %s", purpose)
		}
	}
	if !h.verify(k.Token, k.Purpose) {
		h.Error("a wrong purpose has used the token up")
	}
}

func tokenEnds(h *harness) {
	u := h.user("a@example.org")
	late := h.token(u.ID, store.PurposeMagicLink, time.Minute)
	k := h.token(u.ID, store.PurposeMagicLink, 300*time.Millisecond)
	h.wantEnd(asking{func() bool { return h.check(k.Token, k.Purpose) }, k.ExpiresAt, k.ExpiresAt})
	if h.verify(k.Token, k.Purpose) {
		h.Error("it is good after its end")
	}
	if !h.verify(late.Token, late.Purpose) {
		h.Error("one that lives longer is not good")
	}
}

func manyTokens(h *harness) {
	u := h.user("a@example.org")
	all := make([]store.SecureToken, store.MaxTokens)
	for n := range all {
		all[n] = h.token(u.ID, purposes()[n%3], 0)
	}
	_, err := h.Tokens.Create(h.Context(), u.ID, store.PurposeMagicLink, 0)
	h.want(err, store.ErrTooMany)
	h.token(h.user("b@example.org").ID, store.PurposeMagicLink, 0)
	for n, k := range all {
		if !h.verify(k.Token, k.Purpose) {
			h.Fatalf("number %d of %d is not good", n, len(all))
		}
	}
}

// verifiers is how many come at once with one token.
const verifiers = 64

func raceVerify(h *harness) {
	u := h.user("a@example.org")
	h.rounds(func(n int) {
		k := h.token(u.ID, store.PurposeMagicLink, time.Minute)
		var winners atomic.Int64
		h.atOnce(verifiers, func(int) {
			_, ok, err := h.Tokens.Verify(h.Context(), k.Token, k.Purpose)
			if err != nil {
				h.Error(err)
			}
			if ok {
				winners.Add(1)
			}
		})
		if got := winners.Load(); got != 1 {
			h.Errorf("round %d: %d verifications have succeeded, want one", n, got)
		}
		if n%100 == 99 { // A user has a bounded number of tokens.
			h.must(h.Users.Delete(h.Context(), u.ID))
			u = h.user("a@example.org")
		}
	})
}

func cleanTokens(h *harness) {
	var kept, used, last store.SecureToken
	var s store.Session
	h.inTime(func(life time.Duration) (time.Time, error) {
		u := h.user("a@example.org")
		kept, used = h.token(u.ID, store.PurposeMagicLink, time.Hour), h.token(u.ID, store.PurposeMagicLink, time.Hour)
		h.verify(used.Token, used.Purpose)
		s = h.session(u.ID, time.Hour)
		first := h.token(u.ID, store.PurposeMagicLink, life)
		h.token(u.ID, store.PurposeMagicLink, life)
		last = h.token(u.ID, store.PurposeMagicLink, life)
		return first.ExpiresAt, nil // After it a later one would have shed the first.
	})
	elapse(last.ExpiresAt.Add(h.opts.Tolerance + 2*time.Millisecond))
	for _, want := range []int64{3, 0} {
		n, err := h.Tokens.CleanupExpired(h.Context())
		h.must(err)
		if n != want {
			h.Errorf("%d tokens cleaned up, want %d", n, want)
		}
	}
	h.wantSession(s)
	if !h.verify(kept.Token, kept.Purpose) || h.verify(used.Token, used.Purpose) {
		h.Error("want the one that was not used to be good, and the other not")
	}
}

func tokensEnd(h *harness) {
	u := h.user("a@example.org")
	k := h.token(u.ID, store.PurposeMagicLink, 200*time.Millisecond)
	h.verify(k.Token, k.Purpose)
	h.eventually("only user and email are left", func() bool { return len(h.keys()) == 2 })
}

func secretAtRest(h *harness) {
	u := h.user("a@example.org")
	k := h.token(u.ID, store.PurposeMagicLink, 0)
	h.check(k.Token, k.Purpose)
	unused := h.token(u.ID, store.PurposeMagicLink, 0)
	keys := h.keys()
	if len(keys) != 3 {
		h.Errorf("%d keys, want user, email and tokens", len(keys))
	}
	h.wantSecret(keys, k.Token)
	h.wantSecret(keys, unused.Token)
	if strings.Contains(fmt.Sprintf("%v %+v %#v", k, k, k), string(k.Token)) {
		h.Error("a printed token shows itself")
	}
}

// wantSecret expects no key and no value to hold a token, in whatever spelling.
func (h *harness) wantSecret(keys map[string]store.Key, token store.Token) {
	h.Helper()
	for key, k := range keys {
		for how, spelling := range h.spellings(token) {
			if strings.Contains(key+"\n"+strings.Join(k.Values, "\n"), spelling) {
				h.Errorf("a key that ends in %q holds the token %s", key[strings.LastIndex(key, "}"):][:3], how)
			}
		}
	}
}

// spellings are the ways in which a token might be written, each without the tag
// of its user, which is no secret.
func (h *harness) spellings(token store.Token) map[string]string {
	h.Helper()
	const tag = 9
	raw, err := base64.RawURLEncoding.DecodeString(string(token))
	h.must(err)
	return map[string]string{
		"as text":        string(token)[base64.RawURLEncoding.EncodedLen(tag):],
		"as bytes":       string(raw[tag:]),
		"in hexadecimal": hex.EncodeToString(raw[tag:]),
		"in base64":      base64.RawStdEncoding.EncodeToString(raw[tag:]),
	}
}

func checkUsed(h *harness) {
	k := h.token(h.user("a@example.org").ID, store.PurposeMagicLink, 0)
	h.verify(k.Token, k.Purpose)
	if h.check(k.Token, k.Purpose) {
		h.Error("it is good after its use")
	}
}

func tokenGoes(h *harness) {
	_, err := h.Users.Create(h.Context(), store.NewUser{ID: "usr_1", Email: "a@example.org"})
	h.must(err)
	k := h.token("usr_1", store.PurposeMagicLink, 0)
	h.must(h.Users.Delete(h.Context(), "usr_1"))
	if h.verify(k.Token, k.Purpose) {
		h.Error("it is good without its user")
	}
	_, err = h.Users.Create(h.Context(), store.NewUser{ID: "usr_1", Email: "b@example.org"})
	h.must(err)
	if h.check(k.Token, k.Purpose) || h.verify(k.Token, k.Purpose) {
		h.Error("another user of the same id has got it")
	}
	h.wantRecords(1)
}

func absurdTokens(h *harness) {
	u := h.user("a@example.org")
	for _, d := range []time.Duration{-1, time.Microsecond, store.MaxTokenLifetime + 1, 1 << 62} {
		_, err := h.Tokens.Create(h.Context(), u.ID, store.PurposeMagicLink, d)
		h.want(err, store.ErrInvalid)
	}
	_, err := h.Tokens.Create(h.Context(), u.ID, "tea", time.Hour)
	h.want(err, store.ErrInvalid)
	_, _, err = h.Tokens.Verify(h.Context(), store.NewToken(u.ID), "tea")
	h.want(err, store.ErrInvalid)
	_, err = h.Tokens.Check(h.Context(), store.NewToken(u.ID), "")
	h.want(err, store.ErrInvalid)
	_, err = h.Tokens.Create(h.Context(), "usr_nobody", store.PurposeMagicLink, 0)
	h.want(err, store.ErrNotFound)
	h.wantRecords(1)
}
