package storetest

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/store"
)

func userScenarios() []scenario {
	return []scenario{
		{name: "U-1 a created user is found by id and by email", run: createAndFind},
		{name: "U-2 an unknown id or email is absent", run: unknownUser},
		{name: "U-3 both times are equal at creation and not in the future", run: timesAtCreation},
		{name: "U-4 an update changes name and verification and moves its time forward", run: update},
		{name: "U-4 an update of an older version is a conflict", run: staleUpdate},
		{name: "U-5 a deleted user is absent", run: deleteUser},
		{name: "U-6 find-or-create finds, or creates without a name", run: findOrCreate},
		{name: "U-7 a marked user is verified on the next read", run: markVerified},
		{name: "U-8 an id that the caller chose is honoured", run: chosenID},
		{name: "U-9 a taken id or email is a conflict that leaves nothing behind", run: takenIDOrEmail},
		{name: "U-10 a changed email frees the old one", run: changeEmail},
		{name: "U-10 a changed email is not verified, unless somebody says so", run: changeVerified},
		{name: "U-10 a change to a taken email leaves both users intact", run: changeToTaken},
		{name: "U-11 emails that differ in case are different users", run: caseVariants},
		{name: "U-15 writing to a missing user is not-found and creates nothing", run: missingUser},
		{name: "U-16 a deleted user's email is free and nothing attaches to its next owner", run: reRegister},
		{name: "U-17 odd ids and emails do not collide", run: oddUsers},
		{name: "U-18 what cannot be stored is refused", run: invalidUsers},
	}
}

func createAndFind(h *harness) {
	name := "Ada"
	created, err := h.Users.Create(h.Context(), store.NewUser{Email: "ada@example.org", Name: &name})
	h.must(err)
	if created.Email != "ada@example.org" || created.Name == nil || *created.Name != name || created.EmailVerifiedAt != nil {
		h.Errorf("created %+v, want the given email and name, unverified", created)
	}
	if !store.ValidUserID(created.ID) {
		h.Errorf("id %q was not made by NewUserID", created.ID)
	}
	h.wantUser(created)
}

// wantUser compares a user with what is found of it in both ways.
func (h *harness) wantUser(u store.User) {
	h.Helper()
	byID, ok, err := h.Users.FindByID(h.Context(), u.ID)
	h.must(err)
	if diff := cmp.Diff(u, byID); !ok || diff != "" {
		h.Errorf("found by id: %t, difference (-want +got):\n%s", ok, diff)
	}
	byEmail, ok, err := h.Users.FindByEmail(h.Context(), u.Email)
	h.must(err)
	if diff := cmp.Diff(u, byEmail); !ok || diff != "" {
		h.Errorf("found by email: %t, difference (-want +got):\n%s", ok, diff)
	}
}

// noUser expects neither the id nor the email to be there.
func (h *harness) noUser(id, email string) {
	h.Helper()
	_, ok, err := h.Users.FindByID(h.Context(), id)
	h.must(err)
	if ok {
		h.Errorf("id %.40q is found", id)
	}
	_, ok, err = h.Users.FindByEmail(h.Context(), email)
	h.must(err)
	if ok {
		h.Errorf("email %.40q is found", email)
	}
}

func unknownUser(h *harness) {
	h.noUser("usr_nobody", "nobody@example.org")
	h.noUser("", "")
}

func timesAtCreation(h *harness) {
	u := h.user("a@example.org")
	if !u.CreatedAt.Equal(u.UpdatedAt) {
		h.Errorf("created at %s, updated at %s", u.CreatedAt, u.UpdatedAt)
	}
	if ahead := time.Until(u.CreatedAt); ahead > h.opts.Tolerance {
		h.Errorf("created %s in the future", ahead)
	}
}

func update(h *harness) {
	u := h.user("a@example.org")
	name, verified, locked := "", time.UnixMilli(1_700_000_000_123).UTC(), time.UnixMilli(1_700_000_000_456).UTC()
	changed := u
	changed.Name, changed.EmailVerifiedAt, changed.LockedAt = &name, &verified, &locked
	got, err := h.Users.Update(h.Context(), changed)
	h.must(err)
	if !got.UpdatedAt.After(u.UpdatedAt) {
		h.Errorf("updated at %s, not later than %s", got.UpdatedAt, u.UpdatedAt)
	}
	changed.UpdatedAt = got.UpdatedAt
	h.wantUser(changed)
	changed.Name, changed.EmailVerifiedAt, changed.LockedAt = nil, nil, nil
	got, err = h.Users.Update(h.Context(), changed)
	h.must(err)
	changed.UpdatedAt = got.UpdatedAt
	h.wantUser(changed)
}

func staleUpdate(h *harness) {
	u := h.user("a@example.org")
	fresh, err := h.Users.MarkEmailVerified(h.Context(), u.ID)
	h.must(err)
	_, err = h.Users.Update(h.Context(), u)
	h.want(err, store.ErrConflict)
	u.Email = "b@example.org"
	_, err = h.Users.Update(h.Context(), u)
	h.want(err, store.ErrConflict)
	h.wantUser(fresh)
}

func deleteUser(h *harness) {
	u := h.user("a@example.org")
	h.must(h.Users.Delete(h.Context(), u.ID))
	h.noUser(u.ID, u.Email)
	h.must(h.Users.Delete(h.Context(), u.ID))
	if left := h.keys(); len(left) > 0 {
		h.Errorf("%d keys are left: %v", len(left), left)
	}
}

func findOrCreate(h *harness) {
	created, err := h.Users.FindOrCreateByEmail(h.Context(), "a@example.org")
	h.must(err)
	if created.Name != nil || created.EmailVerifiedAt != nil || created.Email != "a@example.org" {
		h.Errorf("created %+v, want no name and unverified", created)
	}
	name, verified := "Ada", time.UnixMilli(1_700_000_000_123).UTC()
	named, err := h.Users.Create(h.Context(), store.NewUser{Email: "b@example.org", Name: &name, EmailVerifiedAt: &verified})
	h.must(err)
	for _, want := range []store.User{created, named} {
		found, err := h.Users.FindOrCreateByEmail(h.Context(), want.Email)
		h.must(err)
		if diff := cmp.Diff(want, found); diff != "" {
			h.Errorf("found another one (-created +found):\n%s", diff)
		}
	}
	h.wantRecords(2)
}

func markVerified(h *harness) {
	u := h.user("a@example.org")
	marked, err := h.Users.MarkEmailVerified(h.Context(), u.ID)
	h.must(err)
	if marked.EmailVerifiedAt == nil || time.Since(*marked.EmailVerifiedAt).Abs() > time.Minute {
		h.Errorf("verified at %v, want now", marked.EmailVerifiedAt)
	}
	if !marked.UpdatedAt.After(u.UpdatedAt) {
		h.Errorf("updated at %s, not later than %s", marked.UpdatedAt, u.UpdatedAt)
	}
	h.wantUser(marked)
}

func chosenID(h *harness) {
	u, err := h.Users.Create(h.Context(), store.NewUser{ID: "1", Email: "a@example.org"})
	h.must(err)
	if u.ID != "1" {
		h.Errorf("id is %q, want 1", u.ID)
	}
	h.wantUser(u)
}

func takenIDOrEmail(h *harness) {
	u, err := h.Users.Create(h.Context(), store.NewUser{ID: "1", Email: "a@example.org"})
	h.must(err)
	before := h.keys()
	_, err = h.Users.Create(h.Context(), store.NewUser{ID: "1", Email: "b@example.org"})
	h.want(err, store.ErrConflict)
	_, err = h.Users.Create(h.Context(), store.NewUser{ID: "2", Email: "a@example.org"})
	h.want(err, store.ErrConflict)
	h.wantUser(u)
	h.noUser("2", "b@example.org")
	if diff := cmp.Diff(before, h.keys()); diff != "" {
		h.Errorf("keys have changed (-before +after):\n%s", diff)
	}
}

func changeEmail(h *harness) {
	u := h.user("old@example.org")
	name := "Ada"
	changed := u
	changed.Email, changed.Name = "new@example.org", &name
	got, err := h.Users.Update(h.Context(), changed)
	h.must(err)
	changed.UpdatedAt = got.UpdatedAt
	h.wantUser(changed)
	_, ok, err := h.Users.FindByEmail(h.Context(), "old@example.org")
	h.must(err)
	if ok {
		h.Error("the old email still finds the user")
	}
	other := h.user("old@example.org")
	h.wantUser(other)
	h.wantUser(changed)
}

func changeVerified(h *harness) {
	u, err := h.Users.MarkEmailVerified(h.Context(), h.user("a@example.org").ID)
	h.must(err)
	u.Email = "b@example.org"
	u, err = h.Users.Update(h.Context(), u)
	h.must(err)
	if u.EmailVerifiedAt != nil {
		h.Errorf("the new email is verified at %s, as the old one was", u.EmailVerifiedAt)
	}
	h.wantUser(u)
	at := time.UnixMilli(1_700_000_000_123).UTC()
	for _, email := range []string{"c@example.org", "C@example.org"} {
		u.Email, u.EmailVerifiedAt = email, &at
		u, err = h.Users.Update(h.Context(), u)
		h.must(err)
		if u.EmailVerifiedAt == nil || !u.EmailVerifiedAt.Equal(at) {
			h.Errorf("%s is verified at %v, want %s", email, u.EmailVerifiedAt, at)
		}
		at = at.Add(time.Second)
	}
	h.wantUser(u)
}

func changeToTaken(h *harness) {
	a, b := h.user("a@example.org"), h.user("b@example.org")
	before := h.keys()
	changed := a
	changed.Email = b.Email
	_, err := h.Users.Update(h.Context(), changed)
	h.want(err, store.ErrConflict)
	h.wantUser(a)
	h.wantUser(b)
	if diff := cmp.Diff(before, h.keys()); diff != "" {
		h.Errorf("keys have changed (-before +after):\n%s", diff)
	}
}

func caseVariants(h *harness) {
	a, b := h.user("ada@example.org"), h.user("Ada@example.org")
	if a.ID == b.ID {
		h.Error("one user for two emails")
	}
	h.wantUser(a)
	h.wantUser(b)
}

func missingUser(h *harness) {
	ghost := store.User{ID: "usr_ghost", Email: "ghost@example.org"}
	_, err := h.Users.Update(h.Context(), ghost)
	h.want(err, store.ErrNotFound)
	_, err = h.Users.MarkEmailVerified(h.Context(), ghost.ID)
	h.want(err, store.ErrNotFound)
	_, err = h.Sessions.Create(h.Context(), store.NewSession{UserID: ghost.ID})
	h.want(err, store.ErrNotFound)
	h.must(h.Sessions.DeleteAllOfUser(h.Context(), ghost.ID))
	h.noUser(ghost.ID, ghost.Email)
	if left := h.keys(); len(left) > 0 {
		h.Errorf("%d keys were made: %v", len(left), left)
	}
}

func reRegister(h *harness) {
	first := h.user("a@example.org")
	old := h.session(first.ID, time.Hour)
	h.must(h.Users.Delete(h.Context(), first.ID))
	next := h.user("a@example.org")
	if next.ID == first.ID {
		h.Error("the next owner got the old id")
	}
	_, err := h.Users.Create(h.Context(), store.NewUser{ID: first.ID, Email: "b@example.org"})
	h.must(err)
	if h.alive(old.Token) {
		h.Error("a user of the same id has adopted an old session")
	}
	for _, id := range []string{first.ID, next.ID} {
		list, err := h.Sessions.List(h.Context(), id)
		h.must(err)
		if len(list) > 0 {
			h.Errorf("user %s has sessions: %v", id, list)
		}
	}
}

// oddTexts are texts that break naive keys.
func oddTexts() []string {
	long := strings.Repeat("x", 10<<10)
	return []string{
		"a", "A", " a", "a ", "a:b", "a", "a}", "{a}", "{", "}", "{}", "{}a", "a{b}c", ":", "::", "*", "?", "[a]",
		"a\nb", "a\x00b", "1 a b", "ümlaut", "u\u0308mlaut", "日本", "\u2028", "<&>", `"`, `\`, "\r\n", long, long + "y",
		"a@example.org", "a{b}@example.org", "a}b@example.org", "a:b@example.org", "a_b@example.org",
	}
}

func oddUsers(h *harness) {
	seen := map[string]store.User{}
	tokens := map[string]store.Token{}
	for _, text := range oddTexts() {
		u, err := h.Users.Create(h.Context(), store.NewUser{ID: text, Email: text})
		if _, twice := seen[text]; twice {
			h.want(err, store.ErrConflict)
			continue
		}
		h.must(err)
		seen[text] = u
		tokens[text] = h.session(text, time.Hour).Token
	}
	for text, u := range seen {
		h.wantUser(u)
		list, err := h.Sessions.List(h.Context(), text)
		h.must(err)
		if len(list) != 1 || list[0].UserID != text || list[0].TokenHash != tokens[text].Hash() {
			h.Errorf("user %.20q has %d sessions, want its own one", text, len(list))
		}
	}
	h.wantPlainKeys()
}

// wantPlainKeys expects that no text of a caller stands in a key, where it could
// choose the slot of a cluster, make two keys meet, or be read by whoever lists
// keys.
func (h *harness) wantPlainKeys() {
	h.Helper()
	plain := regexp.MustCompile(`^[^{}]+:\{(?:[\w-]{12,43}|schema)\}:[a-z]{1,2}(?::[\w-]{43})?$`)
	for key := range h.keys() {
		if !plain.MatchString(key) {
			h.Errorf("key %.60q is not made of hashes", key)
		}
	}
}

func invalidUsers(h *harness) {
	long, latin := strings.Repeat("x", 16<<10+1), "caf\xe9"
	far := time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, n := range []store.NewUser{
		{},
		{Email: long},
		{Email: "a", ID: long},
		{Email: "a", Name: &long},
		{Email: latin},
		{Email: "a", Name: &latin},
		{Email: "a", EmailVerifiedAt: &far},
	} {
		if _, err := h.Users.Create(h.Context(), n); !errors.Is(err, store.ErrInvalid) {
			h.Errorf("case %d: error is %v, want %v", i, err, store.ErrInvalid)
		}
	}
	if left := fmt.Sprint(h.keys()); left != "map[]" {
		h.Errorf("keys were made: %s", left)
	}
}
