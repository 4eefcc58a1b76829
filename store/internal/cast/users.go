package cast

import (
	"strings"
	"testing"

	"github.com/toriibench/toriibench/store"
)

// WantConsistent expects ids and emails to agree: who is found in one way is
// found in the other.
func WantConsistent(t *testing.T, s *store.RedisStorage, ids ...string) {
	t.Helper()
	for _, email := range []string{EmailA, EmailB, EmailC} {
		u, ok, err := s.Users.FindByEmail(t.Context(), email)
		check(t, err)
		if !ok {
			continue
		}
		ids = append(ids, u.ID)
		if u.Email != email {
			t.Errorf("%s finds a user with %s", email, u.Email)
		}
	}
	for _, id := range ids {
		u, ok, err := s.Users.FindByID(t.Context(), id)
		check(t, err)
		if !ok {
			continue
		}
		byEmail, ok, err := s.Users.FindByEmail(t.Context(), u.Email)
		check(t, err)
		if !ok || byEmail.ID != id {
			t.Errorf("user %s has %s, which finds %q (%t)", id, u.Email, byEmail.ID, ok)
		}
	}
}

// WantUsable expects that no email is blocked, not even for a moment, and that
// no session outlives its user.
func WantUsable(t *testing.T, s *store.RedisStorage, token store.Token) {
	t.Helper()
	for _, email := range []string{EmailA, EmailB, EmailC} {
		u, err := s.Users.FindOrCreateByEmail(t.Context(), email)
		if err != nil || u.Email != email {
			t.Errorf("%s is blocked: %v", email, err)
		}
	}
	WantConsistent(t, s, User1, User2, "3")
	_, alive, err := s.Sessions.Find(t.Context(), token)
	check(t, err)
	_, exists, err := s.Users.FindByID(t.Context(), User1)
	check(t, err)
	// The user may have been deleted and created again, without the session.
	if alive && !exists {
		t.Error("the session has outlived its user")
	}
}

// WantSameFate expects user 1 and its session to be both there or both gone.
func WantSameFate(t *testing.T, s *store.RedisStorage, token store.Token) {
	t.Helper()
	_, alive, err := s.Sessions.Find(t.Context(), token)
	check(t, err)
	_, exists, err := s.Users.FindByID(t.Context(), User1)
	check(t, err)
	if alive != exists {
		t.Errorf("user there: %t, session alive: %t", exists, alive)
	}
}

// WantTidy expects that what never ends is a user, or belongs to one, or is a claim,
// perhaps a dead one: a crash may leave no more than that for good. It is so once
// the ten seconds for what is pending have passed.
func WantTidy(t *testing.T, s *store.RedisStorage) {
	t.Helper()
	endless := map[string]string{}
	check(t, s.Keys(t.Context(), func(keys []string) error {
		for _, key := range keys {
			k, err := s.Inspect(t.Context(), key)
			if err != nil {
				return err
			}
			if k.TTL < 0 {
				endless[key] = k.Values[0]
			}
		}
		return nil
	}))
	for key, value := range endless {
		slot, kind, _ := strings.Cut(key, "}:")
		switch kind {
		case "e", "a", "d":
		case "u":
			if !strings.HasPrefix(value, "1 a ") {
				t.Errorf("a user who is still being created never ends: %s", key)
			}
		case "p", "o", "k":
			if endless[slot+"}:u"] == "" {
				t.Errorf("%s never ends, and has no user", key)
			}
		default:
			t.Errorf("%s never ends", key)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
