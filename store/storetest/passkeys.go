package storetest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/store"
)

func passkeyScenarios() []scenario {
	return []scenario{
		{name: "W-1 an added passkey is found and listed, and unused", run: addPasskey},
		{name: "W-1 a touch and an authentication note the use", run: touchPasskey},
		{name: "W-1 a deleted passkey is absent, and its credential free", run: deletePasskey},
		{name: "W-1 passkeys are listed newest first, and the user's own", run: listPasskeys},
		{name: "W-2 an unknown credential is absent", run: unknownPasskey},
		{name: "W-2 a passkey of a missing user is not-found and leaves nothing behind", run: passkeyOfNobody},
		{name: "W-3 a credential that somebody has is a conflict", run: credentialTwice},
		{name: "W-4 a challenge is set and got", run: challenge},
		{name: "W-4 a challenge expires", waits: true, run: challengeExpires},
		{name: "W-4 a challenge is consumed once", run: consumeChallenge},
		{name: "W-5 credentials of all bytes and sizes come back unchanged", run: oddCredentials},
		{name: "W-5 what cannot be stored of a passkey is refused", run: invalidPasskeys},
		{name: "W-5 bytes are base64 with padding at rest", run: passkeyAtRest},
		{name: "W-6 delete-all removes the passkeys of one user only", run: deleteAllPasskeys},
		{name: "W-7 the last way to log in is not deleted", run: guardedPasskeys},
		{name: "W-8 a deleted user's passkeys are absent, and their credentials free", run: passkeysOfDeleted},
		{name: "W-9 a user has a bounded number of passkeys", run: manyPasskeys},
	}
}

// passkey adds a passkey with this credential to a user.
func (h *harness) passkey(userID, credential string) store.Passkey {
	h.Helper()
	p, err := h.Passkeys.Add(h.Context(), newPasskey(userID, credential))
	h.must(err)
	return p
}

func newPasskey(userID, credential string) store.NewPasskey {
	return store.NewPasskey{UserID: userID, CredentialID: []byte(credential), PublicKey: []byte("key of " + credential)}
}

// wantPasskey compares a passkey with what is found of it.
func (h *harness) wantPasskey(p store.Passkey) {
	h.Helper()
	found, ok, err := h.Passkeys.Find(h.Context(), p.CredentialID)
	h.must(err)
	if diff := cmp.Diff(p, found); !ok || diff != "" {
		h.Errorf("found: %t, difference (-want +got):\n%s", ok, diff)
	}
}

// noPasskey expects nobody to have the credential.
func (h *harness) noPasskey(credential string) {
	h.Helper()
	_, ok, err := h.Passkeys.Find(h.Context(), []byte(credential))
	h.must(err)
	if ok {
		h.Errorf("credential %.40q is found", credential)
	}
	if got, ok, err := h.Passkeys.Authenticate(h.Context(), []byte(credential)); ok || err != nil {
		h.Errorf("credential %.40q authenticates %q: %v", credential, got.User.ID, err)
	}
}

// wantCredentials compares a user's list, newest first.
func (h *harness) wantCredentials(userID string, want ...string) {
	h.Helper()
	list, err := h.Passkeys.List(h.Context(), userID)
	h.must(err)
	got := []string{}
	for _, p := range list {
		got = append(got, string(p.CredentialID))
		h.wantPasskey(p)
	}
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		h.Errorf("credentials of %q (-want +got):\n%s", userID, diff)
	}
}

func addPasskey(h *harness) {
	u := h.user("a@example.org")
	name := "Ada's phone"
	p, err := h.Passkeys.Add(h.Context(), store.NewPasskey{UserID: u.ID, CredentialID: []byte("c"), PublicKey: []byte("k"), Name: &name})
	h.must(err)
	want := store.Passkey{UserID: u.ID, CredentialID: []byte("c"), PublicKey: []byte("k"), Name: &name, CreatedAt: p.CreatedAt}
	if diff := cmp.Diff(want, p); diff != "" {
		h.Errorf("added (-want +got):\n%s", diff)
	}
	if off := time.Since(p.CreatedAt); off.Abs() > time.Minute {
		h.Errorf("created %s ago, want now", off)
	}
	h.wantPasskey(p)
	h.wantCredentials(u.ID, "c")
}

func touchPasskey(h *harness) {
	u := h.user("a@example.org")
	p := h.passkey(u.ID, "c")
	h.must(h.Passkeys.Touch(h.Context(), p.CredentialID))
	touched, _, err := h.Passkeys.Find(h.Context(), p.CredentialID)
	h.must(err)
	if touched.LastUsedAt == nil || touched.LastUsedAt.Before(p.CreatedAt) {
		h.Fatalf("last used at %v, want a time from %s on", touched.LastUsedAt, p.CreatedAt)
	}
	elapse(time.Now().Add(2 * time.Millisecond))
	got, ok, err := h.Passkeys.Authenticate(h.Context(), p.CredentialID)
	h.must(err)
	if diff := cmp.Diff(u, got.User); !ok || diff != "" {
		h.Errorf("authenticated: %t, user (-want +got):\n%s", ok, diff)
	}
	if used := got.Passkey.LastUsedAt; used == nil || !used.After(*touched.LastUsedAt) {
		h.Errorf("last used at %v, want later than %s", used, touched.LastUsedAt)
	}
	h.wantPasskey(got.Passkey)
	touched.LastUsedAt = got.Passkey.LastUsedAt
	if diff := cmp.Diff(touched, got.Passkey); diff != "" {
		h.Errorf("more than the time of use has changed (-before +after):\n%s", diff)
	}
}

func deletePasskey(h *harness) {
	u := h.user("a@example.org")
	h.passkey(u.ID, "c")
	kept := h.passkey(u.ID, "kept")
	h.must(h.Passkeys.Delete(h.Context(), []byte("c")))
	h.noPasskey("c")
	h.wantPasskey(kept)
	h.must(h.Passkeys.Delete(h.Context(), []byte("c")))
	h.wantPasskey(h.passkey(h.user("b@example.org").ID, "c"))
	h.must(h.Passkeys.Delete(h.Context(), []byte("c")))
	h.must(h.Passkeys.Delete(h.Context(), []byte("kept")))
	h.wantRecords(2)
}

func listPasskeys(h *harness) {
	a, b := h.user("a@example.org"), h.user("b@example.org")
	h.wantCredentials(a.ID)
	for _, c := range []string{"1", "2", "3", "4"} {
		h.passkey(a.ID, c)
		h.passkey(b.ID, "b"+c)
		elapse(time.Now().Add(2 * time.Millisecond)) // No two of one millisecond.
	}
	h.wantCredentials(a.ID, "4", "3", "2", "1")
	h.wantCredentials(b.ID, "b4", "b3", "b2", "b1")
}

func unknownPasskey(h *harness) {
	h.passkey(h.user("a@example.org").ID, "c")
	for _, c := range []string{"", "C", "c\x00", strings.Repeat("c", 5000)} {
		h.noPasskey(c)
		h.must(h.Passkeys.Touch(h.Context(), []byte(c)))
		h.must(h.Passkeys.Delete(h.Context(), []byte(c)))
		h.must(h.Passkeys.DeleteUnlessLast(h.Context(), []byte(c)))
	}
	h.wantCredentials("usr_nobody")
}

func passkeyOfNobody(h *harness) {
	_, err := h.Passkeys.Add(h.Context(), newPasskey("usr_nobody", "c"))
	h.want(err, store.ErrNotFound)
	h.must(h.Passkeys.DeleteAll(h.Context(), "usr_nobody"))
	h.must(h.Passkeys.DeleteAllUnlessLast(h.Context(), "usr_nobody"))
	h.noPasskey("c")
	if left := h.keys(); len(left) > 0 {
		h.Errorf("%d keys were made: %v", len(left), left)
	}
}

func credentialTwice(h *harness) {
	a, b := h.user("a@example.org"), h.user("b@example.org")
	p := h.passkey(a.ID, "c")
	before := h.keys()
	for _, id := range []string{a.ID, b.ID} {
		n := newPasskey(id, "c")
		n.PublicKey = []byte("another key")
		_, err := h.Passkeys.Add(h.Context(), n)
		h.want(err, store.ErrConflict)
	}
	h.wantPasskey(p)
	h.wantCredentials(b.ID)
	if diff := cmp.Diff(before, h.keys()); diff != "" {
		h.Errorf("keys have changed (-before +after):\n%s", diff)
	}
}

// wantChallenge compares what an id finds; "" means nothing.
func (h *harness) wantChallenge(id, want string) {
	h.Helper()
	got, ok, err := h.Passkeys.Challenge(h.Context(), id)
	h.must(err)
	if ok != (want != "") || got != want {
		h.Errorf("id %.40q finds %.40q (%t), want %.40q", id, got, ok, want)
	}
}

func challenge(h *harness) {
	h.wantChallenge("id", "")
	h.wantChallenge("", "")
	h.must(h.Passkeys.SetChallenge(h.Context(), "id", "challenge", time.Minute))
	h.must(h.OAuth.StorePKCE(h.Context(), "id", "verifier", time.Minute))
	h.wantChallenge("id", "challenge")
	h.wantVerifier("id", "verifier")
	h.must(h.Passkeys.SetChallenge(h.Context(), "id", "next", time.Minute))
	h.wantChallenge("id", "next")
	h.want(h.Passkeys.SetChallenge(h.Context(), "", "x", time.Minute), store.ErrInvalid)
	h.want(h.Passkeys.SetChallenge(h.Context(), "id", "caf\xe9", time.Minute), store.ErrInvalid)
}

func challengeExpires(h *harness) {
	const d = 250 * time.Millisecond
	begin := func() error { return h.Passkeys.SetChallenge(h.Context(), "id", "challenge", d) }
	h.wantLasting(d, begin, func() bool {
		_, ok, err := h.Passkeys.Challenge(h.Context(), "id")
		h.must(err)
		return ok
	})
	if _, ok, err := h.Passkeys.ConsumeChallenge(h.Context(), "id"); ok || err != nil {
		h.Errorf("consumed after its end: %t, %v", ok, err)
	}
}

func (h *harness) consumeChallenge(id string) consumer {
	return func() (string, bool, error) { return h.Passkeys.ConsumeChallenge(h.Context(), id) }
}

func consumeChallenge(h *harness) {
	h.must(h.Passkeys.SetChallenge(h.Context(), "id", "challenge", time.Minute))
	h.wantConsumed(h.consumeChallenge("id"), "challenge")
	h.wantChallenge("id", "")
}

// oddCredential has every byte, the zero byte first.
func oddCredential(size int) string {
	raw := make([]byte, size)
	for i := range raw {
		raw[i] = byte(i)
	}
	return string(raw)
}

func oddCredentials(h *harness) {
	u := h.user("a@example.org")
	var all []store.Passkey
	for _, c := range []string{
		"\x00", "\x00\x00", "\x00\x00\x00", "a\x00b", "\n", "{}", "\xff\xfe", "caf\xe9",
		oddCredential(16), oddCredential(64), oddCredential(255), oddCredential(1022), oddCredential(store.MaxCredentialID),
	} {
		h.noPasskey(c)
		n := newPasskey(u.ID, c)
		n.PublicKey = bytes.Repeat([]byte(c+"\x00"), 3)
		p, err := h.Passkeys.Add(h.Context(), n)
		h.must(err)
		all = append(all, p)
	}
	for _, p := range all {
		h.wantPasskey(p)
	}
	list, err := h.Passkeys.List(h.Context(), u.ID)
	h.must(err)
	if len(list) != len(all) {
		h.Errorf("%d passkeys listed, want %d", len(list), len(all))
	}
}

func invalidPasskeys(h *harness) {
	u := h.user("a@example.org")
	long, latin := strings.Repeat("x", 16<<10+1), "caf\xe9"
	some := []byte("x")
	for i, n := range []store.NewPasskey{
		{CredentialID: some, PublicKey: some},
		{UserID: u.ID, PublicKey: some},
		{UserID: u.ID, CredentialID: some},
		{UserID: u.ID, CredentialID: []byte(oddCredential(store.MaxCredentialID + 1)), PublicKey: some},
		{UserID: u.ID, CredentialID: some, PublicKey: []byte(long)},
		{UserID: u.ID, CredentialID: some, PublicKey: some, Name: &long},
		{UserID: u.ID, CredentialID: some, PublicKey: some, Name: &latin},
	} {
		if _, err := h.Passkeys.Add(h.Context(), n); !errors.Is(err, store.ErrInvalid) {
			h.Errorf("case %d: error is %v, want %v", i, err, store.ErrInvalid)
		}
	}
	h.wantRecords(1)
}

func passkeyAtRest(h *harness) {
	u := h.user("a@example.org")
	p := h.passkey(u.ID, "\x00\xffab")
	want := base64.StdEncoding.EncodeToString(p.CredentialID)
	if !strings.HasSuffix(want, "=") {
		h.Fatalf("%s has no padding to look for", want)
	}
	found := 0
	for key, k := range h.keys() {
		if k.Type == "hash" && strings.Contains(k.Values[1], `"`+want+`"`) {
			found++
		}
		if strings.Contains(key, want) || k.Type != "hash" && strings.Contains(fmt.Sprint(k.Values), want) {
			h.Errorf("%s holds the credential", key)
		}
	}
	if found != 1 {
		h.Errorf("%d records hold %s, want 1", found, want)
	}
}

func deleteAllPasskeys(h *harness) {
	a, b := h.user("a@example.org"), h.user("b@example.org")
	h.must(h.Passkeys.DeleteAll(h.Context(), a.ID))
	h.passkey(a.ID, "1")
	h.passkey(a.ID, "2")
	theirs, account := h.passkey(b.ID, "3"), h.account(a.ID, "github", "42")
	h.must(h.Passkeys.DeleteAll(h.Context(), a.ID))
	h.noPasskey("1")
	h.noPasskey("2")
	h.wantCredentials(a.ID)
	h.wantPasskey(theirs)
	h.wantAccount(account)
	h.wantPasskey(h.passkey(b.ID, "1"))
}

func guardedPasskeys(h *harness) {
	u := h.user("a@example.org")
	h.passkey(u.ID, "1")
	h.passkey(u.ID, "2")
	h.want(h.Passkeys.DeleteAllUnlessLast(h.Context(), u.ID), store.ErrLastMethod)
	h.must(h.Passkeys.DeleteUnlessLast(h.Context(), []byte("1")))
	h.noPasskey("1")
	h.want(h.Passkeys.DeleteUnlessLast(h.Context(), []byte("2")), store.ErrLastMethod)
	h.wantCredentials(u.ID, "2")
	h.account(u.ID, "github", "42")
	h.must(h.Passkeys.DeleteAllUnlessLast(h.Context(), u.ID))
	h.wantCredentials(u.ID)
	h.must(h.Passkeys.DeleteAllUnlessLast(h.Context(), u.ID))
	h.want(h.OAuth.UnlinkUnlessLast(h.Context(), u.ID, "github"), store.ErrLastMethod)
	h.passkey(u.ID, "3")
	h.must(h.Passkeys.DeleteUnlessLast(h.Context(), []byte("3")))
	h.noPasskey("3")
}

func passkeysOfDeleted(h *harness) {
	u, err := h.Users.Create(h.Context(), store.NewUser{ID: "1", Email: "a@example.org"})
	h.must(err)
	h.passkey(u.ID, "1")
	h.passkey(u.ID, "2")
	h.must(h.Users.Delete(h.Context(), u.ID))
	if left := h.keys(); len(left) > 0 {
		h.Errorf("%d keys are left: %v", len(left), left)
	}
	_, err = h.Users.Create(h.Context(), store.NewUser{ID: "1", Email: "b@example.org"})
	h.must(err)
	h.noPasskey("1")
	h.wantCredentials("1")
	h.wantPasskey(h.passkey("1", "1"))
	h.wantPasskey(h.passkey(h.user("c@example.org").ID, "2"))
}

func manyPasskeys(h *harness) {
	u := h.user("a@example.org")
	for i := range store.MaxPasskeys {
		h.passkey(u.ID, strconv.Itoa(i))
	}
	_, err := h.Passkeys.Add(h.Context(), newPasskey(u.ID, "more"))
	h.want(err, store.ErrTooMany)
	h.noPasskey("more")
	h.must(h.Passkeys.Delete(h.Context(), []byte("0")))
	h.wantPasskey(h.passkey(u.ID, "more"))
	h.must(h.Users.Delete(h.Context(), u.ID))
	if left := h.keys(); len(left) > 0 {
		h.Errorf("%d keys are left", len(left))
	}
}
