package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/store"
)

func oauthScenarios() []scenario {
	return []scenario{
		{name: "O-1 a created account has its fields and finds its user", run: createAccount},
		{name: "O-1 an unknown account or user is absent", run: unknownAccount},
		{name: "O-1 an account of a missing user is not-found and leaves nothing behind", run: accountOfNobody},
		{name: "O-2 creating the same account twice is a conflict", run: accountTwice},
		{name: "O-3 a user has accounts at several providers, and several at one", run: severalAccounts},
		{name: "O-4 an account of another user is already linked, and stays theirs", run: foreignAccount},
		{name: "O-4 linking one's own account again changes nothing", run: linkAgain},
		{name: "O-5 unlinking removes all of that provider only", run: unlink},
		{name: "O-5 unlinking nothing succeeds", run: unlinkNothing},
		{name: "O-6 accounts are listed newest first, and the user's own", run: listAccounts},
		{name: "O-7 the only account is not unlinked", run: guardOnly},
		{name: "O-7 an account is unlinked while there is another provider", run: guardOtherProvider},
		{name: "O-7 an account is unlinked while there is a passkey", run: guardPasskey},
		{name: "O-7 an account is unlinked while there is a password", run: guardPassword},
		{name: "O-10 an account of a deleted user is absent, and can be linked again", run: accountOfDeleted},
		{name: "O-11 odd providers and subjects do not collide", run: oddAccounts},
		{name: "O-11 what cannot be stored of an account is refused", run: invalidAccounts},
		{name: "O-12 a user has a bounded number of accounts", run: manyAccounts},
	}
}

// account links an account to a user.
func (h *harness) account(userID, provider, subject string) store.OAuthAccount {
	h.Helper()
	a, err := h.OAuth.Create(h.Context(), store.NewOAuthAccount{UserID: userID, Provider: provider, Subject: subject})
	h.must(err)
	return a
}

// wantAccount compares an account with what is found of it, and its user.
func (h *harness) wantAccount(a store.OAuthAccount) {
	h.Helper()
	found, ok, err := h.OAuth.FindAccount(h.Context(), a.Provider, a.Subject)
	h.must(err)
	if diff := cmp.Diff(a, found); !ok || diff != "" {
		h.Errorf("found: %t, difference (-want +got):\n%s", ok, diff)
	}
	owner, ok, err := h.OAuth.FindUser(h.Context(), a.Provider, a.Subject)
	h.must(err)
	want, _, err := h.Users.FindByID(h.Context(), a.UserID)
	h.must(err)
	if diff := cmp.Diff(want, owner); !ok || diff != "" {
		h.Errorf("user found: %t, difference (-want +got):\n%s", ok, diff)
	}
}

// noAccount expects nobody to have the account.
func (h *harness) noAccount(provider, subject string) {
	h.Helper()
	_, ok, err := h.OAuth.FindAccount(h.Context(), provider, subject)
	h.must(err)
	_, user, err := h.OAuth.FindUser(h.Context(), provider, subject)
	h.must(err)
	if ok || user {
		h.Errorf("account %.40q at %.40q is found: %t, its user: %t", subject, provider, ok, user)
	}
}

// wantAccounts compares a user's list with accounts in any order.
func (h *harness) wantAccounts(userID string, want ...store.OAuthAccount) {
	h.Helper()
	got, err := h.OAuth.List(h.Context(), userID)
	h.must(err)
	byName := func(a, b store.OAuthAccount) int {
		return strings.Compare(a.Provider+" "+a.Subject, b.Provider+" "+b.Subject)
	}
	slices.SortFunc(got, byName)
	slices.SortFunc(want, byName)
	if diff := cmp.Diff(want, got); len(want)+len(got) > 0 && diff != "" {
		h.Errorf("accounts of %.40q (-want +got):\n%s", userID, diff)
	}
}

func createAccount(h *harness) {
	u := h.user("a@example.org")
	a := h.account(u.ID, "github", "42")
	if a.UserID != u.ID || a.Provider != "github" || a.Subject != "42" || !a.UpdatedAt.Equal(a.CreatedAt) {
		h.Errorf("created %+v", a)
	}
	if off := time.Since(a.CreatedAt); off.Abs() > time.Minute {
		h.Errorf("created %s ago, want now", off)
	}
	h.wantAccount(a)
	h.wantAccounts(u.ID, a)
	h.wantUser(u)
}

func unknownAccount(h *harness) {
	h.account(h.user("a@example.org").ID, "github", "42")
	h.noAccount("github", "43")
	h.noAccount("gitlab", "42")
	h.noAccount("", "")
	h.wantAccounts("usr_nobody")
}

func accountOfNobody(h *harness) {
	n := store.NewOAuthAccount{UserID: "usr_nobody", Provider: "github", Subject: "42"}
	_, err := h.OAuth.Create(h.Context(), n)
	h.want(err, store.ErrNotFound)
	_, err = h.OAuth.Link(h.Context(), n)
	h.want(err, store.ErrNotFound)
	h.must(h.OAuth.Unlink(h.Context(), n.UserID, n.Provider))
	h.must(h.OAuth.UnlinkUnlessLast(h.Context(), n.UserID, n.Provider))
	h.noAccount("github", "42")
	if left := h.keys(); len(left) > 0 {
		h.Errorf("%d keys were made: %v", len(left), left)
	}
}

func accountTwice(h *harness) {
	u := h.user("a@example.org")
	a := h.account(u.ID, "github", "42")
	before := h.keys()
	_, err := h.OAuth.Create(h.Context(), store.NewOAuthAccount{UserID: u.ID, Provider: "github", Subject: "42"})
	h.want(err, store.ErrConflict)
	if errors.Is(err, store.ErrAccountLinked) {
		h.Errorf("error is %v, as if another user had the account", err)
	}
	h.wantAccount(a)
	if diff := cmp.Diff(before, h.keys()); diff != "" {
		h.Errorf("keys have changed (-before +after):\n%s", diff)
	}
}

func severalAccounts(h *harness) {
	u := h.user("a@example.org")
	all := []store.OAuthAccount{h.account(u.ID, "github", "42"), h.account(u.ID, "github", "43"), h.account(u.ID, "gitlab", "42")}
	for _, a := range all {
		h.wantAccount(a)
	}
	h.wantAccounts(u.ID, all...)
}

func foreignAccount(h *harness) {
	a, b := h.user("a@example.org"), h.user("b@example.org")
	theirs := h.account(a.ID, "github", "42")
	before := h.keys()
	n := store.NewOAuthAccount{UserID: b.ID, Provider: "github", Subject: "42"}
	for _, claim := range []func() error{
		func() error { _, err := h.OAuth.Link(h.Context(), n); return err },
		func() error { _, err := h.OAuth.Create(h.Context(), n); return err },
	} {
		err := claim()
		h.want(err, store.ErrAccountLinked)
		h.want(err, store.ErrConflict)
	}
	h.wantAccount(theirs)
	h.wantAccounts(b.ID)
	if diff := cmp.Diff(before, h.keys()); diff != "" {
		h.Errorf("keys have changed (-before +after):\n%s", diff)
	}
}

func linkAgain(h *harness) {
	u := h.user("a@example.org")
	n := store.NewOAuthAccount{UserID: u.ID, Provider: "github", Subject: "42"}
	first, err := h.OAuth.Link(h.Context(), n)
	h.must(err)
	again, err := h.OAuth.Link(h.Context(), n)
	h.must(err)
	if diff := cmp.Diff(first, again); diff != "" {
		h.Errorf("linked again (-first +again):\n%s", diff)
	}
	h.wantAccount(first)
	h.wantAccounts(u.ID, first)
}

func unlink(h *harness) {
	a, b := h.user("a@example.org"), h.user("b@example.org")
	h.account(a.ID, "github", "1")
	h.account(a.ID, "github", "2")
	kept, theirs := h.account(a.ID, "gitlab", "1"), h.account(b.ID, "github", "3")
	h.must(h.OAuth.Unlink(h.Context(), a.ID, "github"))
	h.noAccount("github", "1")
	h.noAccount("github", "2")
	h.wantAccount(kept)
	h.wantAccounts(a.ID, kept)
	h.wantAccount(theirs)
	h.wantAccount(h.account(b.ID, "github", "1"))
	h.must(h.OAuth.Unlink(h.Context(), a.ID, "gitlab"))
	h.must(h.OAuth.Unlink(h.Context(), b.ID, "github"))
	h.wantRecords(2)
}

func unlinkNothing(h *harness) {
	u := h.user("a@example.org")
	h.must(h.OAuth.Unlink(h.Context(), u.ID, "github"))
	a := h.account(u.ID, "github", "42")
	h.must(h.OAuth.Unlink(h.Context(), u.ID, "gitlab"))
	h.must(h.OAuth.UnlinkUnlessLast(h.Context(), u.ID, "gitlab"))
	h.must(h.OAuth.Unlink(h.Context(), u.ID, ""))
	h.wantAccount(a)
}

func listAccounts(h *harness) {
	a, b := h.user("a@example.org"), h.user("b@example.org")
	want := make([]store.OAuthAccount, 5)
	for i := range want {
		want[len(want)-1-i] = h.account(a.ID, "github", strconv.Itoa(i))
		h.account(b.ID, "github", fmt.Sprint("b", i))
		elapse(time.Now().Add(2 * time.Millisecond)) // No two of one millisecond.
	}
	got, err := h.OAuth.List(h.Context(), a.ID)
	h.must(err)
	if diff := cmp.Diff(want, got); diff != "" {
		h.Errorf("listed (-want +got):\n%s", diff)
	}
}

func guardOnly(h *harness) {
	u := h.user("a@example.org")
	first, second := h.account(u.ID, "github", "1"), h.account(u.ID, "github", "2")
	before := h.keys()
	h.want(h.OAuth.UnlinkUnlessLast(h.Context(), u.ID, "github"), store.ErrLastMethod)
	h.wantAccounts(u.ID, first, second)
	if diff := cmp.Diff(before, h.keys()); diff != "" {
		h.Errorf("keys have changed (-before +after):\n%s", diff)
	}
	h.must(h.OAuth.Unlink(h.Context(), u.ID, "github"))
	h.wantAccounts(u.ID)
}

func guardOtherProvider(h *harness) {
	u := h.user("a@example.org")
	h.account(u.ID, "github", "1")
	kept := h.account(u.ID, "gitlab", "1")
	h.must(h.OAuth.UnlinkUnlessLast(h.Context(), u.ID, "github"))
	h.wantAccounts(u.ID, kept)
	h.want(h.OAuth.UnlinkUnlessLast(h.Context(), u.ID, "gitlab"), store.ErrLastMethod)
	h.wantAccounts(u.ID, kept)
}

func guardPasskey(h *harness) {
	u := h.user("a@example.org")
	h.account(u.ID, "github", "1")
	p := h.passkey(u.ID, "credential")
	h.must(h.OAuth.UnlinkUnlessLast(h.Context(), u.ID, "github"))
	h.noAccount("github", "1")
	h.wantPasskey(p)
}

func guardPassword(h *harness) {
	u := h.user("a@example.org")
	h.account(u.ID, "github", "1")
	h.must(h.Passwords.Set(h.Context(), u.ID, phc(1)))
	h.must(h.OAuth.UnlinkUnlessLast(h.Context(), u.ID, "github"))
	h.noAccount("github", "1")
	h.wantPassword(u.ID, phc(1))
}

func accountOfDeleted(h *harness) {
	a, err := h.Users.Create(h.Context(), store.NewUser{ID: "1", Email: "a@example.org"})
	h.must(err)
	h.account(a.ID, "github", "1")
	h.account(a.ID, "gitlab", "1")
	h.must(h.Users.Delete(h.Context(), a.ID))
	h.noAccount("github", "1")
	h.wantAccounts(a.ID)
	if left := h.keys(); len(left) > 0 {
		h.Errorf("%d keys are left: %v", len(left), left)
	}
	b, err := h.Users.Create(h.Context(), store.NewUser{ID: "1", Email: "b@example.org"})
	h.must(err)
	h.noAccount("github", "1")
	h.wantAccounts(b.ID)
	h.wantAccount(h.account(b.ID, "github", "1"))
	h.wantAccount(h.account(h.user("c@example.org").ID, "gitlab", "1"))
}

func oddAccounts(h *harness) {
	u := h.user("a@example.org")
	var all []store.OAuthAccount
	pairs := [][2]string{{"1", "1:1"}, {"1:1", "1"}, {"11:", "1"}, {"ab", "c"}, {"a", "bc"}, {"a", "3:bc"}}
	for _, text := range oddTexts() {
		pairs = append(pairs, [2]string{"p", text}, [2]string{text, "s"})
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return strings.Compare(a[0]+"\xff"+a[1], b[0]+"\xff"+b[1]) })
	for _, pair := range slices.Compact(pairs) {
		h.noAccount(pair[0], pair[1])
		all = append(all, h.account(u.ID, pair[0], pair[1]))
	}
	for _, a := range all {
		h.wantAccount(a)
	}
	h.wantAccounts(u.ID, all...)
	h.must(h.OAuth.Unlink(h.Context(), u.ID, "a}"))
	h.noAccount("a}", "s")
	h.wantAccount(all[0])
}

func invalidAccounts(h *harness) {
	u := h.user("a@example.org")
	long, latin := strings.Repeat("x", 16<<10+1), "caf\xe9"
	for i, n := range []store.NewOAuthAccount{
		{Provider: "p", Subject: "s"},
		{UserID: u.ID, Subject: "s"},
		{UserID: u.ID, Provider: "p"},
		{UserID: u.ID, Provider: long, Subject: "s"},
		{UserID: u.ID, Provider: "p", Subject: long},
		{UserID: u.ID, Provider: latin, Subject: "s"},
		{UserID: u.ID, Provider: "p", Subject: latin},
	} {
		if _, err := h.OAuth.Create(h.Context(), n); !errors.Is(err, store.ErrInvalid) {
			h.Errorf("case %d: error is %v, want %v", i, err, store.ErrInvalid)
		}
	}
	h.wantRecords(1)
}

func manyAccounts(h *harness) {
	u := h.user("a@example.org")
	for i := range store.MaxOAuthAccounts {
		h.account(u.ID, "github", strconv.Itoa(i))
	}
	more := store.NewOAuthAccount{UserID: u.ID, Provider: "github", Subject: "more"}
	_, err := h.OAuth.Link(h.Context(), more)
	h.want(err, store.ErrTooMany)
	h.noAccount("github", "more")
	h.passkey(u.ID, "another kind")
	again, err := h.OAuth.Link(h.Context(), store.NewOAuthAccount{UserID: u.ID, Provider: "github", Subject: "0"})
	h.must(err)
	h.wantAccount(again)
	h.must(h.OAuth.Unlink(h.Context(), u.ID, "github"))
	h.wantAccounts(u.ID)
	linked, err := h.OAuth.Link(h.Context(), more)
	h.must(err)
	h.wantAccount(linked)
	// User and email, account and passkey with their claims.
	if keys := h.keys(); len(keys) != 6 {
		h.Errorf("%d keys, want 6: %v", len(keys), keys)
	}
}
