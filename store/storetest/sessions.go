package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/store"
)

func sessionScenarios() []scenario {
	return []scenario{
		{name: "S-1 a created session is found with its user, agent and address", run: createSession},
		{name: "S-1 beyond the bound the session that ends first makes room", run: boundedSessions},
		{name: "S-2 an unknown, foreign or malformed token is absent", run: unknownToken},
		{name: "S-3 a deleted session is absent and may be deleted again", run: deleteSession},
		{name: "S-4 deleting one session keeps the other", run: twoSessions},
		{name: "S-5 delete-all ends the sessions of one user only", run: deleteAll},
		{name: "S-5 delete-all ends more sessions than a page holds", run: deleteMany},
		{name: "S-8 times are equal at creation and the end is in the future", run: sessionDefaults},
		{name: "S-9 deleting the user ends its sessions", run: sessionsOfDeleted},
		{name: "S-10 a list is newest first, without tokens, and the user's own", run: listSessions},
		{name: "S-10 a list is longer than a page", run: listMany},
		{name: "S-11 a refresh keeps all but the end and the time of update", run: refreshKeeps},
		{name: "S-12 refreshing an unknown session is not-found", run: refreshUnknown},
		{name: "S-13 a deleted or revoked session is not revived", run: refreshDead},
		{name: "S-14 absurd lifetimes are refused", run: absurdLifetimes},
		{name: "S-15 sessions are never without a TTL, which is that of the last", run: alwaysTTL},
		{name: "S-19 no key and no value holds a token", run: tokenAtRest},
		{name: "S-20 a token that is in use is a conflict", run: duplicateToken},
		{name: "S-20 a token of another user is refused", run: foreignToken},
		{name: "S-22 absent, empty, odd and large texts come back unchanged", run: sessionTexts},
	}
}

func createSession(h *harness) {
	u := h.user("a@example.org")
	agent, ip := "Mozilla/5.0", "2001:db8::1"
	token := store.NewToken(u.ID)
	created, err := h.Sessions.Create(h.Context(), store.NewSession{UserID: u.ID, Token: token, UserAgent: &agent, IPAddress: &ip})
	h.must(err)
	if !created.Token.Equal(token) || created.UserID != u.ID || created.TokenHash != token.Hash() {
		h.Error("the created session has another token, hash or user")
	}
	h.wantSession(created)
	found, ok, err := h.Sessions.Authenticate(h.Context(), token)
	h.must(err)
	if diff := cmp.Diff(store.Identity{Session: created, User: u}, found); !ok || diff != "" {
		h.Errorf("authenticated: %t, difference (-want +got):\n%s", ok, diff)
	}
}

// Of so many, the first to end is looked for among some: it is surely none of the
// half that lasts longest. The newest session stays, however short it is.
func boundedSessions(h *harness) {
	u := h.user("a@example.org")
	const most, more = store.DefaultMaxSessions, 5
	var ended int
	all := make([]store.Session, most+more)
	for i := range all {
		all[i] = h.session(u.ID, 24*time.Hour-time.Duration(i)*time.Second)
		if i >= most && !h.alive(all[i].Token) {
			h.Errorf("session %d is not there once it was created", i+1)
		}
	}
	for i, s := range all {
		alive := h.alive(s.Token)
		if i < most/2 && !alive {
			h.Errorf("session %d of %d has ended, which lasts longer than half of them", i+1, len(all))
		}
		if !alive {
			ended++
		}
	}
	list, err := h.Sessions.List(h.Context(), u.ID)
	h.must(err)
	if ended != more || len(list) != most {
		h.Errorf("%d sessions have ended and %d are listed, want %d and %d", ended, len(list), more, most)
	}
}

// wantSession compares a session with what its token finds.
func (h *harness) wantSession(s store.Session) {
	h.Helper()
	found, ok, err := h.Sessions.Find(h.Context(), s.Token)
	h.must(err)
	if diff := cmp.Diff(s, found); !ok || diff != "" {
		h.Errorf("found: %t, difference (-want +got):\n%s", ok, diff)
	}
}

func unknownToken(h *harness) {
	u := h.user("a@example.org")
	s := h.session(u.ID, time.Hour)
	text := string(s.Token)
	for _, token := range []store.Token{
		"", "x", store.NewToken(u.ID), store.NewToken("usr_other"), store.Token(text[:42]), store.Token(text + "A"),
		store.Token(text[:42] + "\n"), store.Token(strings.ToUpper(text)), store.Token(strings.Repeat("!", 43)), "a.b.c",
	} {
		if h.alive(token) {
			h.Errorf("a token of %d characters is found", len(token))
		}
		h.must(h.Sessions.Delete(h.Context(), token))
	}
	if !h.alive(s.Token) {
		h.Error("deleting other tokens has ended the session")
	}
}

func deleteSession(h *harness) {
	s := h.session(h.user("a@example.org").ID, time.Hour)
	h.must(h.Sessions.Delete(h.Context(), s.Token))
	if h.alive(s.Token) {
		h.Error("the session is still found")
	}
	h.must(h.Sessions.Delete(h.Context(), s.Token))
	h.wantRecords(1)
}

func twoSessions(h *harness) {
	u := h.user("a@example.org")
	a, b := h.session(u.ID, time.Hour), h.session(u.ID, time.Hour)
	h.wantSession(a)
	h.must(h.Sessions.Delete(h.Context(), a.Token))
	if h.alive(a.Token) {
		h.Error("the deleted one is found")
	}
	h.wantSession(b)
}

func deleteAll(h *harness) {
	a, b := h.user("a@example.org"), h.user("b@example.org")
	h.must(h.Sessions.DeleteAllOfUser(h.Context(), a.ID))
	dead := []store.Session{h.session(a.ID, time.Hour), h.session(a.ID, time.Hour)}
	kept := h.session(b.ID, time.Hour)
	h.must(h.Sessions.DeleteAllOfUser(h.Context(), a.ID))
	for _, s := range dead {
		if h.alive(s.Token) {
			h.Error("a session of the user is alive")
		}
	}
	h.wantSession(kept)
	h.wantSession(h.session(a.ID, time.Hour))
	h.wantUser(a)
	// Two users with sessions.
	if keys := h.keys(); len(keys) != 6 {
		h.Errorf("%d keys, want 6: %v", len(keys), keys)
	}
}

// manySessions is more than a page of a list, and fewer than make room.
const manySessions = 963

func deleteMany(h *harness) {
	u := h.user("a@example.org")
	for range manySessions {
		h.session(u.ID, time.Hour)
	}
	h.must(h.Sessions.DeleteAllOfUser(h.Context(), u.ID))
	h.wantRecords(1)
	for range manySessions {
		h.session(u.ID, time.Hour)
	}
	h.must(h.Users.Delete(h.Context(), u.ID))
	h.wantRecords(0)
}

func sessionDefaults(h *harness) {
	s, err := h.Sessions.Create(h.Context(), store.NewSession{UserID: h.user("a@example.org").ID})
	h.must(err)
	if !s.CreatedAt.Equal(s.UpdatedAt) || time.Since(s.CreatedAt).Abs() > time.Minute {
		h.Errorf("created at %s, updated at %s", s.CreatedAt, s.UpdatedAt)
	}
	if got := s.ExpiresAt.Sub(s.CreatedAt); got != store.DefaultSessionLifetime {
		h.Errorf("lives for %s, want %s", got, store.DefaultSessionLifetime)
	}
	if len(s.Token) != 43 {
		h.Errorf("the token has %d characters, want 43", len(s.Token))
	}
}

func sessionsOfDeleted(h *harness) {
	u := h.user("a@example.org")
	s := h.session(u.ID, time.Hour)
	h.must(h.Users.Delete(h.Context(), u.ID))
	if h.alive(s.Token) {
		h.Error("the session has outlived its user")
	}
	_, err := h.Sessions.Refresh(h.Context(), s.Token, time.Hour)
	h.want(err, store.ErrNotFound)
	h.wantRecords(0)
}

func listSessions(h *harness) {
	u, other := h.user("a@example.org"), h.user("b@example.org")
	h.session(other.ID, time.Hour)
	var wanted []store.Session
	for i := range 5 {
		s, err := h.Sessions.Create(h.Context(), store.NewSession{
			UserID:    u.ID,
			CreatedAt: time.Now().Add(time.Duration(i) * time.Second),
			ExpiresAt: time.Now().Add(time.Hour - time.Duration(i%3)*time.Minute),
		})
		h.must(err)
		s.Token = ""
		wanted = append([]store.Session{s}, wanted...)
	}
	got, err := h.Sessions.List(h.Context(), u.ID)
	h.must(err)
	if diff := cmp.Diff(wanted, got); diff != "" {
		h.Errorf("list (-want +got):\n%s", diff)
	}
	got, err = h.Sessions.List(h.Context(), "usr_nobody")
	h.must(err)
	if len(got) > 0 {
		h.Errorf("nobody has %d sessions", len(got))
	}
}

func listMany(h *harness) {
	u := h.user("a@example.org")
	ends := time.Now().Add(time.Hour)
	hashes := map[string]bool{}
	for range manySessions {
		s, err := h.Sessions.Create(h.Context(), store.NewSession{UserID: u.ID, ExpiresAt: ends})
		h.must(err)
		hashes[s.TokenHash] = true
	}
	list, err := h.Sessions.List(h.Context(), u.ID)
	h.must(err)
	for _, s := range list {
		delete(hashes, s.TokenHash)
	}
	if len(list) != manySessions || len(hashes) > 0 {
		h.Errorf("%d sessions listed, %d of %d missing", len(list), len(hashes), manySessions)
	}
}

func refreshKeeps(h *harness) {
	agent, ip := "agent", "192.0.2.1"
	n := store.NewSession{UserID: h.user("a@example.org").ID, UserAgent: &agent, IPAddress: &ip}
	s, err := h.Sessions.Create(h.Context(), n)
	h.must(err)
	for _, d := range []time.Duration{time.Minute, time.Hour, 10 * 365 * 24 * time.Hour} {
		before := time.Now().Add(d - h.opts.Tolerance)
		got, err := h.Sessions.Refresh(h.Context(), s.Token, d)
		h.must(err)
		if after := time.Now().Add(d + h.opts.Tolerance); got.ExpiresAt.Before(before) || got.ExpiresAt.After(after) {
			h.Errorf("refreshed for %s, it ends at %s, want from %s to %s", d, got.ExpiresAt, before, after)
		}
		if !got.UpdatedAt.After(s.UpdatedAt) {
			h.Errorf("updated at %s, not later than %s", got.UpdatedAt, s.UpdatedAt)
		}
		s.UpdatedAt, s.ExpiresAt = got.UpdatedAt, got.ExpiresAt
		h.wantSession(s)
	}
}

func refreshUnknown(h *harness) {
	u := h.user("a@example.org")
	for _, token := range []store.Token{"", "x", store.NewToken(u.ID), store.NewToken("usr_nobody")} {
		_, err := h.Sessions.Refresh(h.Context(), token, time.Hour)
		h.want(err, store.ErrNotFound)
	}
	h.wantRecords(1)
}

func refreshDead(h *harness) {
	u := h.user("a@example.org")
	deleted, revoked := h.session(u.ID, time.Hour), h.session(u.ID, time.Hour)
	h.must(h.Sessions.Delete(h.Context(), deleted.Token))
	h.must(h.Sessions.DeleteAllOfUser(h.Context(), u.ID))
	for _, s := range []store.Session{deleted, revoked} {
		_, err := h.Sessions.Refresh(h.Context(), s.Token, time.Hour)
		h.want(err, store.ErrNotFound)
		if h.alive(s.Token) {
			h.Error("a refresh has revived the session")
		}
	}
}

func absurdLifetimes(h *harness) {
	u := h.user("a@example.org")
	s := h.session(u.ID, time.Hour)
	for _, d := range []time.Duration{-time.Hour, 0, time.Microsecond, store.MaxSessionLifetime + 1, 1<<63 - 1} {
		_, err := h.Sessions.Refresh(h.Context(), s.Token, d)
		h.want(err, store.ErrInvalid)
	}
	for _, far := range []time.Time{
		time.Now().Add(store.MaxSessionLifetime + time.Hour),
		time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC),
		time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(1<<20, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Unix(1<<62, 0),
	} {
		_, err := h.Sessions.Create(h.Context(), store.NewSession{UserID: u.ID, ExpiresAt: far})
		h.want(err, store.ErrInvalid)
		_, err = h.Sessions.Create(h.Context(), store.NewSession{UserID: u.ID, CreatedAt: far})
		h.want(err, store.ErrInvalid)
	}
	h.wantSession(s)
}

// wantTTLs expects the sessions to be kept until the last of them ends, give or
// take the tolerance.
func (h *harness) wantTTLs(last time.Time) {
	h.Helper()
	before := time.Until(last)
	key, k := h.sessionKey()
	if k.TTL <= 0 || k.TTL > before+h.opts.Tolerance || k.TTL < time.Until(last)-h.opts.Tolerance {
		h.Errorf("key %s has the TTL %s, want %s", key, k.TTL, before)
	}
}

// sessionKey is what lies under the only key that holds sessions.
func (h *harness) sessionKey() (name string, found store.Key) {
	h.Helper()
	n := 0
	for key, k := range h.keys() {
		if strings.HasSuffix(key, "}:s") {
			name, found = key, k
			n++
		}
	}
	if n != 1 {
		h.Fatalf("%d keys hold sessions, want one", n)
	}
	return name, found
}

func alwaysTTL(h *harness) {
	u := h.user("a@example.org")
	long, short := h.session(u.ID, time.Hour), h.session(u.ID, time.Minute)
	h.wantTTLs(long.ExpiresAt)
	moved, err := h.Sessions.Refresh(h.Context(), short.Token, 2*time.Hour)
	h.must(err)
	h.wantTTLs(moved.ExpiresAt)
	back, err := h.Sessions.Refresh(h.Context(), short.Token, time.Minute)
	h.must(err)
	h.wantTTLs(long.ExpiresAt)
	_, err = h.Users.MarkEmailVerified(h.Context(), u.ID)
	h.must(err)
	h.must(h.Sessions.Delete(h.Context(), long.Token))
	h.wantTTLs(back.ExpiresAt)
	h.must(h.Sessions.Delete(h.Context(), short.Token))
	h.wantRecords(1)
}

func tokenAtRest(h *harness) {
	u := h.user("a@example.org")
	s := h.session(u.ID, time.Hour)
	_, err := h.Sessions.Refresh(h.Context(), s.Token, time.Hour)
	h.must(err)
	cache := h.NewCache(newSource(), store.CacheOptions{})
	h.must(cache.PutSession(h.Context(), s, map[string]string{"device": "phone"}))
	keys := h.keys()
	if len(keys) < 4 {
		h.Errorf("%d keys, want user, email, sessions and copy", len(keys))
	}
	h.wantSecret(keys, s.Token)
	text, err := json.Marshal(s)
	h.must(err)
	for _, shown := range []string{fmt.Sprintf("%v %+v %#v", s, s, s), string(text)} {
		if strings.Contains(shown, string(s.Token)) {
			h.Error("a printed session shows its token")
		}
	}
}

func duplicateToken(h *harness) {
	s := h.session(h.user("a@example.org").ID, time.Hour)
	agent := "thief"
	_, err := h.Sessions.Create(h.Context(), store.NewSession{UserID: s.UserID, Token: s.Token, UserAgent: &agent})
	h.want(err, store.ErrConflict)
	h.wantSession(s)
}

func foreignToken(h *harness) {
	u := h.user("a@example.org")
	for _, token := range []store.Token{"mine", store.NewToken("usr_other"), store.Token(strings.Repeat("A", 43))} {
		_, err := h.Sessions.Create(h.Context(), store.NewSession{UserID: u.ID, Token: token})
		h.want(err, store.ErrInvalid)
	}
	_, err := h.Sessions.Create(h.Context(), store.NewSession{})
	h.want(err, store.ErrInvalid)
	h.wantRecords(1)
}

func sessionTexts(h *harness) {
	u := h.user("a@example.org")
	texts := append(oddTexts(), "", strings.Repeat("Mozilla ", 1024), strings.Repeat("é", 8<<10))
	for _, text := range texts {
		s, err := h.Sessions.Create(h.Context(), store.NewSession{UserID: u.ID, UserAgent: &text})
		h.must(err)
		h.wantSession(s)
		s, err = h.Sessions.Create(h.Context(), store.NewSession{UserID: u.ID, IPAddress: &text})
		h.must(err)
		h.wantSession(s)
	}
	for _, text := range []string{strings.Repeat("x", 16<<10+1), "\xff"} {
		_, err := h.Sessions.Create(h.Context(), store.NewSession{UserID: u.ID, UserAgent: &text})
		h.want(err, store.ErrInvalid)
	}
}
