package memory_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/memory"
)

// model is what the store should hold, in the plainest terms.
type model struct {
	store    *store.RedisStorage
	emails   map[string]string // by user id
	sessions map[store.Token]*login
	known    []store.Token
}

type login struct {
	user    string
	expires time.Time
}

// TestAgainstModel does random sequences of operations to the store and to a
// model, in the fake time of a bubble.
func TestAgainstModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(noDeadline{t}, func(rt *rapid.T) {
			s, err := memory.NewServer(nil).Open(t.Context(), "test")
			if err != nil {
				rt.Fatal(err)
			}
			m := &model{store: s, emails: map[string]string{}, sessions: map[store.Token]*login{}}
			rt.Repeat(map[string]func(*rapid.T){
				"":               m.compare,
				"create user":    m.createUser,
				"change email":   m.changeEmail,
				"delete user":    m.deleteUser,
				"create session": m.createSession,
				"refresh":        m.refresh,
				"delete session": m.deleteSession,
				"delete all":     m.deleteAll,
				"clean up":       m.cleanUp,
				"wait":           m.wait,
			})
		})
	})
}

// noDeadline hides the deadline of a test, which may not be asked for in a
// bubble.
type noDeadline struct{ testing.TB }

// Few ids and emails, so that sequences meet themselves.
func drawID(t *rapid.T) string { return rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "id") }

func drawEmail(t *rapid.T) string { return rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "email") }

func drawLife(t *rapid.T) time.Duration {
	return time.Duration(rapid.IntRange(1, 2000).Draw(t, "ms")) * time.Millisecond
}

func (m *model) drawToken(t *rapid.T) store.Token {
	if len(m.known) == 0 {
		return store.NewToken("1")
	}
	return rapid.SampledFrom(m.known).Draw(t, "token")
}

func (m *model) owner(email string) (string, bool) {
	for id, e := range m.emails {
		if e == email {
			return id, true
		}
	}
	return "", false
}

// expect compares an error with the kind that the model calls for.
func expect(t *rapid.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("error is %v, want %v", err, kind)
	}
}

func (m *model) createUser(t *rapid.T) {
	id, email := drawID(t), drawEmail(t)
	_, err := m.store.Users.Create(t.Context(), store.NewUser{ID: id, Email: email})
	_, emailTaken := m.owner(email)
	if _, idTaken := m.emails[id]; idTaken || emailTaken {
		expect(t, err, store.ErrConflict)
		return
	}
	expect(t, err, nil)
	m.emails[id] = email
}

func (m *model) changeEmail(t *rapid.T) {
	id, email := drawID(t), drawEmail(t)
	u, ok, err := m.store.Users.FindByID(t.Context(), id)
	expect(t, err, nil)
	if !ok {
		return
	}
	u.Email = email
	_, err = m.store.Users.Update(t.Context(), u)
	if owner, taken := m.owner(email); taken && owner != id {
		expect(t, err, store.ErrConflict)
		return
	}
	expect(t, err, nil)
	m.emails[id] = email
}

func (m *model) deleteUser(t *rapid.T) {
	id := drawID(t)
	expect(t, m.store.Users.Delete(t.Context(), id), nil)
	delete(m.emails, id)
	m.forget(id)
}

// forget ends the sessions of a user.
func (m *model) forget(id string) {
	for token, s := range m.sessions {
		if s.user == id {
			delete(m.sessions, token)
		}
	}
}

func (m *model) createSession(t *rapid.T) {
	id, expires := drawID(t), time.Now().Add(drawLife(t)-500*time.Millisecond)
	s, err := m.store.Sessions.Create(t.Context(), store.NewSession{UserID: id, ExpiresAt: expires})
	if _, ok := m.emails[id]; !ok {
		expect(t, err, store.ErrNotFound)
		return
	}
	expect(t, err, nil)
	m.known = append(m.known, s.Token)
	if expires.After(time.Now()) {
		m.sessions[s.Token] = &login{user: id, expires: expires}
	}
}

// alive applies the rule of expiry: strictly after its end a session is gone.
func (m *model) alive(token store.Token) (*login, bool) {
	s, ok := m.sessions[token]
	return s, ok && !time.Now().After(s.expires)
}

func (m *model) refresh(t *rapid.T) {
	token, d := m.drawToken(t), drawLife(t)
	got, err := m.store.Sessions.Refresh(t.Context(), token, d)
	s, ok := m.alive(token)
	if !ok {
		expect(t, err, store.ErrNotFound)
		return
	}
	expect(t, err, nil)
	s.expires = time.Now().Add(d)
	if !got.ExpiresAt.Equal(s.expires) {
		t.Fatalf("ends at %s, want %s", got.ExpiresAt, s.expires)
	}
}

func (m *model) deleteSession(t *rapid.T) {
	token := m.drawToken(t)
	expect(t, m.store.Sessions.Delete(t.Context(), token), nil)
	delete(m.sessions, token)
}

func (m *model) deleteAll(t *rapid.T) {
	id := drawID(t)
	expect(t, m.store.Sessions.DeleteAllOfUser(t.Context(), id), nil)
	m.forget(id)
}

func (m *model) cleanUp(t *rapid.T) {
	_, err := m.store.Sessions.CleanupExpired(t.Context())
	expect(t, err, nil)
}

func (*model) wait(t *rapid.T) { <-time.After(drawLife(t)) }

// compare asks the store everything that the model knows.
func (m *model) compare(t *rapid.T) {
	for _, id := range []string{"1", "2", "3"} {
		u, ok, err := m.store.Users.FindByID(t.Context(), id)
		expect(t, err, nil)
		if email, there := m.emails[id]; ok != there || u.Email != email {
			t.Fatalf("user %s: found %t with %q, want %t with %q", id, ok, u.Email, there, email)
		}
		m.compareList(t, id)
	}
	for _, email := range []string{"a", "b", "c"} {
		u, ok, err := m.store.Users.FindByEmail(t.Context(), email)
		expect(t, err, nil)
		if id, there := m.owner(email); ok != there || u.ID != id {
			t.Fatalf("email %s: found %t with %q, want %t with %q", email, ok, u.ID, there, id)
		}
	}
	for _, token := range m.known {
		got, ok, err := m.store.Sessions.Authenticate(t.Context(), token)
		expect(t, err, nil)
		s, there := m.alive(token)
		if ok != there || ok && (got.User.ID != s.user || !got.Session.ExpiresAt.Equal(s.expires)) {
			t.Fatalf("session: found %t as %+v, want %t as %+v", ok, got, there, s)
		}
	}
}

// compareList expects the list to have exactly the user's living sessions.
func (m *model) compareList(t *rapid.T, id string) {
	list, err := m.store.Sessions.List(t.Context(), id)
	expect(t, err, nil)
	hashes := map[string]bool{}
	for token, s := range m.sessions {
		if _, ok := m.alive(token); ok && s.user == id {
			hashes[token.Hash()] = true
		}
	}
	for _, s := range list {
		if !hashes[s.TokenHash] {
			t.Fatalf("user %s: a session is listed that should not be", id)
		}
	}
	if len(list) != len(hashes) {
		t.Fatalf("user %s: %d sessions listed, want %d", id, len(list), len(hashes))
	}
}
