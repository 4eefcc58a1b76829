package auth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/auth"
)

// Who has stolen the old password and changes it while its owner resets it: the
// reset stays, whenever it comes.
func TestAResetAtAnyStepOfAChange(t *testing.T) {
	const chosen = "the owner's choice"
	atAnyStep(t, 5, func(_ *store.RedisStorage, s *auth.Service, meanwhile func(func())) {
		u, reset := register(t, s), false
		token, _, err := s.RequestReset(t.Context(), email)
		if err != nil {
			t.Fatal(err)
		}
		meanwhile(func() {
			_, err := s.ResetPassword(context.Background(), token.Token, chosen)
			if reset = true; err != nil {
				t.Error(err)
			}
		})
		err = s.ChangePassword(t.Context(), u.ID, secret, other)
		if err != nil && (!reset || !errors.Is(err, auth.ErrCredentials)) {
			t.Error(err)
		}
		if !reset {
			return
		}
		if _, err := s.Login(t.Context(), email, chosen, auth.Client{}); err != nil {
			t.Errorf("the owner: %v", err)
		}
		if _, err := s.Login(t.Context(), email, other, auth.Client{}); !errors.Is(err, auth.ErrCredentials) {
			t.Errorf("the thief: %v", err)
		}
	})
}

// Of hundreds who guess at once from one process few are compared with the hash:
// who waits for a turn has not been admitted.
func TestWaitingIsNoAdmission(t *testing.T) {
	const turns = 2
	for strict, most := range map[bool]int64{false: store.DefaultMaxAttempts + turns - 1, true: store.DefaultMaxAttempts} {
		synctest.Test(t, func(t *testing.T) {
			_, s := open(t, auth.Options{HashesAtOnce: turns, Strict: strict}, func(context.Context, string) error {
				<-time.After(time.Millisecond)
				return nil
			})
			register(t, s)
			var compared atomic.Int64
			var all sync.WaitGroup
			for n := range 300 {
				all.Go(func() {
					switch _, err := s.Login(t.Context(), email, fmt.Sprintf("guess %d", n), auth.Client{}); {
					case errors.Is(err, auth.ErrCredentials):
						compared.Add(1)
					case !errors.Is(err, store.ErrLocked):
						t.Error(err)
					}
				})
			}
			all.Wait()
			if n := compared.Load(); n < store.DefaultMaxAttempts || n > most {
				t.Errorf("strict %t: %d passwords were compared, want %d to %d", strict, n, store.DefaultMaxAttempts, most)
			}
		})
	}
}

// A turn that never comes ends with the context, and counts nothing.
func TestWaitingEndsWithTheContext(t *testing.T) {
	begun, done := make(chan struct{}), make(chan struct{})
	var once sync.Once
	st, s := open(t, auth.Options{HashesAtOnce: 1, Strict: true}, func(_ context.Context, command string) error {
		if command == "attempt_record" {
			once.Do(func() { close(begun); <-done })
		}
		return nil
	})
	register(t, s)
	var first sync.WaitGroup
	first.Go(func() {
		if _, err := s.Login(context.Background(), email, secret, auth.Client{}); err != nil {
			t.Error(err)
		}
	})
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Login(ctx, email, other, auth.Client{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want %v", err, context.Canceled)
	}
	close(done)
	first.Wait()
	if status, err := st.BruteForce.Status(t.Context(), email); err != nil || status.FailedAttempts != 0 {
		t.Errorf("%d failures, %v", status.FailedAttempts, err)
	}
}

// The failure that locks looks like any other where the user cannot be told of it.
func TestALockWithoutItsHint(t *testing.T) {
	for _, strict := range []bool{false, true} {
		_, s := open(t, auth.Options{Strict: strict}, func(_ context.Context, command string) error {
			if command == "user_lock" {
				return store.Unavailable("driver", errors.New("gone"))
			}
			return nil
		})
		register(t, s)
		for _, who := range []string{email, "nobody@example.org"} {
			for range store.DefaultMaxAttempts {
				if _, err := s.Login(t.Context(), who, other, auth.Client{}); !errors.Is(err, auth.ErrCredentials) {
					t.Errorf("strict %t, %s: %v", strict, who, err)
				}
			}
			if _, err := s.Login(t.Context(), who, other, auth.Client{}); !errors.Is(err, store.ErrLocked) {
				t.Errorf("strict %t, %s: %v", strict, who, err)
			}
		}
	}
}

// What nobody can have chosen is not hashed, and fails as any wrong password does.
func TestATextTooLongIsNoPassword(t *testing.T) {
	st, s := open(t, auth.Options{}, func(context.Context, string) error { return nil })
	u := register(t, s)
	long := strings.Repeat("x", auth.MaxPassword+1)
	hash, err := auth.Argon2id{Memory: 8, Passes: 1}.Hash(long)
	if err == nil {
		err = st.Passwords.Set(t.Context(), u.ID, hash)
	}
	if err != nil {
		t.Fatal(err)
	}
	for n, who := range []string{email, "nobody@example.org"} {
		if _, err := s.Login(t.Context(), who, long, auth.Client{}); !errors.Is(err, auth.ErrCredentials) {
			t.Error(err)
		}
		if status, err := st.BruteForce.Status(t.Context(), who); err != nil || status.FailedAttempts != 1 {
			t.Errorf("%d: %d failures, %v", n, status.FailedAttempts, err)
		}
	}
}

// A session of which nobody gets to know is none.
func TestALoginThatFailsHalfwayLeavesNoSession(t *testing.T) {
	st, s := open(t, auth.Options{}, func(_ context.Context, command string) error {
		if command == "attempt_clear" {
			return store.Unavailable("driver", errors.New("gone"))
		}
		return nil
	})
	u := register(t, s)
	id, err := s.Login(t.Context(), email, secret, auth.Client{})
	if !errors.Is(err, store.ErrUnavailable) || id.Session.Token != "" {
		t.Errorf("logged in: %t, %v", id.Session.Token != "", err)
	}
	if list, err := st.Sessions.List(t.Context(), u.ID); err != nil || len(list) > 0 {
		t.Errorf("%d sessions are left, %v", len(list), err)
	}
}

// Who logs in after a lock has no LockedAt any more, even where the hold of the
// email does not tell of it.
func TestALoginTakesTheHintAway(t *testing.T) {
	st, s := open(t, auth.Options{}, func(context.Context, string) error { return nil })
	u := register(t, s)
	for range store.DefaultMaxAttempts {
		if _, err := s.Login(t.Context(), email, other, auth.Client{}); !errors.Is(err, auth.ErrCredentials) {
			t.Error(err)
		}
	}
	const next = "grace@example.org"
	moved(t, st, u.ID, next)
	if at, locked, err := st.BruteForce.LockedAt(t.Context(), next); err != nil || !locked {
		t.Errorf("LockedAt is %s (%t), %v", at, locked, err)
	}
	id, err := s.Login(t.Context(), next, secret, auth.Client{})
	if err != nil || id.User.LockedAt != nil {
		t.Errorf("LockedAt is %v, %v", id.User.LockedAt, err)
	}
	if at, locked, err := st.BruteForce.LockedAt(t.Context(), next); err != nil || locked {
		t.Errorf("LockedAt stays %s, %v", at, err)
	}
}

// Lock, claim, user, hash, clearing together with the session, and the hash again.
func TestALoginTakesSixRoundTrips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := open(t, auth.Options{}, func(context.Context, string) error {
			<-time.After(time.Second)
			return nil
		})
		register(t, s)
		began := time.Now()
		if _, err := s.Login(t.Context(), email, secret, auth.Client{}); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 6*time.Second {
			t.Errorf("it took %s, want six round trips of a second", took)
		}
	})
}

// dearer is a service with another cost of hashes.
func dearer(t *testing.T, st *store.RedisStorage) *auth.Service {
	t.Helper()
	s, err := auth.New(st, auth.Options{Hashing: auth.Argon2id{Memory: 8, Passes: 2, Lanes: 1}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestALoginRenewsTheHash(t *testing.T) {
	broken := false
	st, s := open(t, auth.Options{}, func(_ context.Context, command string) error {
		if broken && command == "password_set" {
			return store.Unavailable("driver", errors.New("gone"))
		}
		return nil
	})
	u := register(t, s)
	dear := dearer(t, st)
	before, err := s.Login(t.Context(), email, secret, auth.Client{})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		s      *auth.Service
		broken bool
		cost   string
	}{{s, false, "m=8,t=1,p=1"}, {dear, true, "m=8,t=1,p=1"}, {dear, false, "m=8,t=2,p=1"}, {s, false, "m=8,t=1,p=1"}} {
		broken = step.broken
		if _, err := step.s.Login(t.Context(), email, other, auth.Client{}); !errors.Is(err, auth.ErrCredentials) {
			t.Error(err)
		}
		old, _, err := st.Passwords.Get(t.Context(), u.ID)
		if err != nil {
			t.Error(err)
		}
		if _, err := step.s.Login(t.Context(), email, secret, auth.Client{}); err != nil {
			t.Error(err)
		}
		hash, _, err := st.Passwords.Get(t.Context(), u.ID)
		if err != nil || !strings.Contains(hash, step.cost) || strings.Contains(old, step.cost) != (hash == old) {
			t.Errorf("the hash is %s, before %s, want %s (%v)", hash, old, step.cost, err)
		}
	}
	if _, ok, err := s.Authenticate(t.Context(), before.Session.Token); err != nil || !ok {
		t.Errorf("the session of before is alive: %t, %v", ok, err)
	}
}

// A hash of the same password that appears meanwhile is in nobody's way.
func TestANewHashAtAnyStep(t *testing.T) {
	for name, do := range map[string]func(st *store.RedisStorage, s *auth.Service, u store.User) error{
		"login": func(st *store.RedisStorage, _ *auth.Service, _ store.User) error {
			_, err := dearer(t, st).Login(t.Context(), email, secret, auth.Client{})
			return err
		},
		"change": func(_ *store.RedisStorage, s *auth.Service, u store.User) error {
			return s.ChangePassword(t.Context(), u.ID, secret, other)
		},
	} {
		t.Run(name, func(t *testing.T) {
			atAnyStep(t, 6, func(st *store.RedisStorage, s *auth.Service, meanwhile func(func())) {
				u, renewed, done := register(t, s), false, false
				meanwhile(func() {
					_, err := dearer(t, st).Login(context.Background(), email, secret, auth.Client{})
					if renewed = true; err != nil && !done {
						t.Errorf("the other: %v", err)
					}
				})
				if err := do(st, s, u); err != nil {
					t.Errorf("renewed %t: %v", renewed, err)
				}
				done = true
			})
		})
	}
}
