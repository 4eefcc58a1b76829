package store_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/memory"
)

// ends are the operations that leave dead sessions to be swept.
func ends() map[string]func(ctx context.Context, s *store.RedisStorage) error {
	return map[string]func(ctx context.Context, s *store.RedisStorage) error{
		"log out everywhere": func(ctx context.Context, s *store.RedisStorage) error {
			return s.Sessions.DeleteAllOfUser(ctx, user1)
		},
		"delete the user": func(ctx context.Context, s *store.RedisStorage) error { return s.Users.Delete(ctx, user1) },
	}
}

// leftovers counts sessions and indexes, those that were set aside included.
func leftovers(t *testing.T, s *store.RedisStorage) (n int) {
	t.Helper()
	check(t, s.Keys(t.Context(), func(keys []string) error {
		for _, key := range keys {
			if strings.Contains(key, "}:s:") || strings.Contains(key, "}:g:") || strings.HasSuffix(key, "}:i") {
				n++
			}
		}
		return nil
	}))
	return n
}

// crowd creates user 1 with n sessions.
func crowd(t *testing.T, s *store.RedisStorage, n int) []store.Session {
	t.Helper()
	_, err := s.Users.Create(t.Context(), store.NewUser{ID: user1, Email: emailA})
	check(t, err)
	sessions := make([]store.Session, n)
	for i := range sessions {
		sessions[i], err = s.Sessions.Create(t.Context(), store.NewSession{UserID: user1})
		check(t, err)
	}
	return sessions
}

func TestACutSweepIsTakenUp(t *testing.T) {
	const sessions = 1200
	for name, end := range ends() {
		for n := 1; n <= 4; n++ {
			t.Run(name, func(t *testing.T) {
				server := memory.NewServer(nil)
				s := openHealthy(t, server)
				crowd(t, s, sessions)
				// After the first command the outcome is known, and only the sweep fails.
				err := end(t.Context(), openMortal(t, server, n, n == 1))
				if (err != nil) != (n == 1) {
					t.Errorf("died at command %d: error is %v", n, err)
				}
				left := leftovers(t, s)
				got, err := s.Sessions.CleanupExpired(t.Context())
				check(t, err)
				if left == 0 || got != int64(left-1) || leftovers(t, s) > 0 {
					t.Errorf("died at command %d: %d keys left, %d cleaned up, %d left after it", n, left, got, leftovers(t, s))
				}
			})
		}
	}
}

func TestASweepOutlivesItsCaller(t *testing.T) {
	for name, end := range ends() {
		t.Run(name, func(t *testing.T) {
			server := memory.NewServer(nil)
			healthy := openHealthy(t, server)
			crowd(t, healthy, 700)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s := openHooked(t, server, func(script string, after bool) {
				if after && strings.HasPrefix(script, "user_") {
					cancel()
				}
			})
			check(t, end(ctx, s))
			if left := leftovers(t, healthy); left > 0 {
				t.Errorf("%d keys are left", left)
			}
			if owner, ok, err := healthy.Users.FindByEmail(t.Context(), emailA); err != nil || ok && owner.ID != user1 {
				t.Errorf("%s finds %q: %v", emailA, owner.ID, err)
			}
		})
	}
}

// The index that was set aside outlives a session whose token is used again.
func TestALateSweepSparesATokenThatIsUsedAgain(t *testing.T) {
	server := memory.NewServer(nil)
	s := openHealthy(t, server)
	old := crowd(t, s, 3)[0]
	if err := s.Sessions.DeleteAllOfUser(t.Context(), user1); err != nil {
		t.Fatal(err)
	}
	crowdAgain, err := s.Sessions.Create(t.Context(), store.NewSession{UserID: user1, Token: old.Token})
	check(t, err)
	_ = openMortal(t, server, 1, true).Sessions.DeleteAllOfUser(t.Context(), user1) // It dies before its sweep.
	check(t, s.Sessions.Delete(t.Context(), old.Token))
	again, err := s.Sessions.Create(t.Context(), store.NewSession{UserID: user1, Token: crowdAgain.Token})
	check(t, err)
	if n, err := s.Sessions.CleanupExpired(t.Context()); err != nil || n != 1 {
		t.Errorf("%d cleaned up, want 1: %v", n, err)
	}
	if _, alive, err := s.Sessions.Find(t.Context(), again.Token); err != nil || !alive {
		t.Errorf("alive: %t, error %v", alive, err)
	}
}

func TestAnIndexSetAsideEndsWithItsSessions(t *testing.T) {
	server := memory.NewServer(nil)
	s := openHealthy(t, server)
	crowd(t, s, 3)
	_ = openMortal(t, server, 1, true).Sessions.DeleteAllOfUser(t.Context(), user1) // It dies before its sweep.
	k, err := s.Inspect(t.Context(), keyEnding(t, s, "}:g:"))
	check(t, err)
	if off := k.TTL - store.DefaultSessionLifetime; off.Abs() > time.Minute {
		t.Errorf("it lives for %s, want %s", k.TTL, store.DefaultSessionLifetime)
	}
}
