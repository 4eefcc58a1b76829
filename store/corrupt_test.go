package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/memory"
)

// keyEnding finds the one key that ends like this.
func keyEnding(t *testing.T, s *store.RedisStorage, part string) string {
	t.Helper()
	var found []string
	check(t, s.Keys(t.Context(), func(keys []string) error {
		for _, key := range keys {
			if strings.Contains(key, part) {
				found = append(found, key)
			}
		}
		return nil
	}))
	if len(found) != 1 {
		t.Fatalf("keys with %s: %v, want one", part, found)
	}
	return found[0]
}

func TestCorruptRecordsAreErrors(t *testing.T) {
	for _, damage := range []struct {
		part string
		hits []string
	}{
		{"}:u", []string{"find by id", "find by email", "authenticate", "list", "mark", "update", "refresh", "create session", "delete", "revoke"}},
		{"}:s", []string{"authenticate", "list", "refresh"}},
		{"}:e", []string{"find by email", "create user"}},
	} {
		for _, name := range damage.hits {
			t.Run(damage.part+" "+name, func(t *testing.T) {
				server := memory.NewServer(nil)
				s := openHealthy(t, server)
				user, err := s.Users.Create(t.Context(), store.NewUser{ID: user1, Email: emailA})
				check(t, err)
				session, err := s.Sessions.Create(t.Context(), store.NewSession{UserID: user1})
				check(t, err)
				d, err := server.Dial(t.Context(), store.Config{})
				check(t, err)
				if damage.part == "}:s" {
					plantSession(t, d, session, "hush, not a record")
				} else {
					plant(t, d, keyEnding(t, s, damage.part), "hush, not a record")
				}
				err = attempts(t, s, user, session.Token)[name]()
				if !errors.Is(err, store.ErrCorrupt) || strings.Contains(err.Error(), "hush") {
					t.Errorf("error is %v, want %v without the content", err, store.ErrCorrupt)
				}
			})
		}
	}
}

// attempts are the operations that meet the user, its session or its email.
func attempts(t *testing.T, s *store.RedisStorage, u store.User, token store.Token) map[string]func() error {
	t.Helper()
	ctx := t.Context()
	return map[string]func() error{
		"find by id":     func() error { _, _, err := s.Users.FindByID(ctx, u.ID); return err },
		"find by email":  func() error { _, _, err := s.Users.FindByEmail(ctx, u.Email); return err },
		"authenticate":   func() error { _, _, err := s.Sessions.Authenticate(ctx, token); return err },
		"list":           func() error { _, err := s.Sessions.List(ctx, u.ID); return err },
		"mark":           func() error { _, err := s.Users.MarkEmailVerified(ctx, u.ID); return err },
		"update":         func() error { _, err := s.Users.Update(ctx, u); return err },
		"refresh":        func() error { _, err := s.Sessions.Refresh(ctx, token, time.Hour); return err },
		"create session": func() error { _, err := s.Sessions.Create(ctx, store.NewSession{UserID: u.ID}); return err },
		"create user":    func() error { _, err := s.Users.Create(ctx, store.NewUser{Email: u.Email}); return err },
		"delete":         func() error { return s.Users.Delete(ctx, u.ID) },
		"revoke":         func() error { return s.Sessions.DeleteAllOfUser(ctx, u.ID) },
	}
}

func TestCorruptCopiesAreMissesAndAreReplaced(t *testing.T) {
	for _, text := range []string{"x", "\n", "5\n{", "5\n{}", "5\nnull", `5` + "\n" + `{"schema":2,"cached_at":1,"user":{}}`} {
		t.Run(text, func(t *testing.T) {
			server := memory.NewServer(nil)
			s := openHealthy(t, server)
			at := time.UnixMilli(1_700_000_000_000).UTC()
			cache := s.NewCache(origin{store.User{ID: user1, Email: emailA, CreatedAt: at, UpdatedAt: at}}, store.CacheOptions{})
			_, _, err := cache.User(t.Context(), user1)
			check(t, err)
			d, err := server.Dial(t.Context(), store.Config{})
			check(t, err)
			plant(t, d, keyEnding(t, s, "}:cu"), text)
			for _, fromSource := range []bool{true, false} {
				got, ok, err := cache.User(t.Context(), user1)
				check(t, err)
				if !ok || got.Email != emailA || got.FromSource != fromSource {
					t.Errorf("found: %t, %+v, want it from the source: %t", ok, got, fromSource)
				}
			}
			if got := cache.Stats().Corrupt; got != 1 {
				t.Errorf("%d corrupt entries counted, want 1", got)
			}
		})
	}
}

func TestAgeIsNeverNegative(t *testing.T) {
	now := time.Now()
	ahead, behind := now.Add(time.Second), now.Add(-time.Second)
	if got := (store.CachedUser{CachedAt: ahead}).Age(now); got != 0 {
		t.Errorf("age is %s, want 0", got)
	}
	if got := (store.CachedSession{CachedAt: behind}).Age(now); got != time.Second {
		t.Errorf("age is %s, want 1s", got)
	}
}
