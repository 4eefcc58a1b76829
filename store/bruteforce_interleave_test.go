package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/cast"
	"github.com/toriibench/toriibench/store/memory"
)

// lockOnce records a failure that locks at once.
func lockOnce(email string) cast.Operation {
	return cast.Operation{Name: "lock " + email, Run: func(ctx context.Context, s *store.RedisStorage) error {
		b, err := s.BruteForce.With(store.LockoutOptions{MaxAttempts: 1})
		if err == nil {
			_, _, err = b.RecordFailure(ctx, store.NewAttempt{Email: email})
		}
		return err
	}}
}

func unlock(email string) cast.Operation {
	return cast.Operation{Name: "unlock " + email, Run: func(ctx context.Context, s *store.RedisStorage) error {
		_, err := s.BruteForce.Unlock(ctx, email)
		return err
	}}
}

func setHint(email string, at *time.Time) cast.Operation {
	return cast.Operation{Name: fmt.Sprintf("set time of locking of %s: %t", email, at != nil), Run: func(ctx context.Context, s *store.RedisStorage) error {
		return s.BruteForce.SetLockedAt(ctx, email, at)
	}}
}

// exploreLock runs the operations in every order on a fresh keyspace, whose clock
// stands still, and judges what came of it and what their callers were told. It
// returns how many orders there were.
func exploreLock(t *testing.T, ops []cast.Operation, judge func(t *testing.T, s *store.RedisStorage, errs []error)) int {
	t.Helper()
	return everySchedule(t, func(choose func(n, options int) int) {
		now := time.Now()
		server := memory.NewServer(func() time.Time { return now })
		s := openHealthy(t, server)
		token := cast.Populate(t, s)
		errs := interleave(t, server, ops, choose)
		judge(t, s, errs)
		cast.WantConsistent(t, s, user1, user2, "3")
		cast.WantUsable(t, s, token)
		if t.Failed() {
			t.Logf("errors %v", errs)
		}
	})
}

// A lock beside every other writer: it holds, and the hint goes to who has the
// email, or to nobody.
func TestEveryInterleavingOfALock(t *testing.T) {
	at := time.Now()
	for _, other := range []cast.Operation{
		cast.Create("3", emailB), cast.FindOrCreate(emailB), cast.Change(user1, emailB), cast.Change(user2, emailB), cast.Change(user1, emailC),
		cast.Remove(user1), cast.Rename(user1), cast.MarkVerified(user1), cast.Replace(user1, emailA), cast.Replace(user1, emailB),
		lockOnce(emailA), lockOnce(emailB), setHint(emailA, &at), setHint(emailA, nil),
	} {
		for _, email := range []string{emailA, emailB} {
			ops := []cast.Operation{lockOnce(email), other}
			t.Run(ops[0].Name+" and "+ops[1].Name, func(t *testing.T) {
				n := exploreLock(t, ops, func(t *testing.T, s *store.RedisStorage, errs []error) {
					t.Helper()
					judgeLock(t, s, email, errs)
				})
				if n < 2 {
					t.Errorf("%d interleavings", n)
				}
			})
		}
	}
}

func judgeLock(t *testing.T, s *store.RedisStorage, email string, errs []error) {
	t.Helper()
	b := judging(t, s, store.LockoutOptions{MaxAttempts: 1})
	if got := statusOf(t, b, email); errs[0] != nil || !got.Locked {
		t.Errorf("the caller was told %v, and the status is %+v", errs[0], got)
	}
	if errs[1] != nil && !errors.Is(errs[1], store.ErrConflict) && !errors.Is(errs[1], store.ErrNotFound) {
		t.Errorf("the other was told %v", errs[1])
	}
	// Whoever is locked out can be let in again, and nothing of it stays.
	for _, email := range []string{emailA, emailB, emailC} {
		_, err := b.Unlock(t.Context(), email)
		check(t, err)
		u, _, err := s.Users.FindByEmail(t.Context(), email)
		check(t, err)
		if u.LockedAt != nil || statusOf(t, b, email).Locked {
			t.Errorf("%s is unlocked, but has %v", email, u.LockedAt)
		}
	}
	if left := traces(t, s); len(left) > 0 {
		t.Errorf("unlocking leaves %v", left)
	}
}

func TestEveryInterleavingOfALockAndItsEnd(t *testing.T) {
	ops := []cast.Operation{lockOnce(emailA), unlock(emailA)}
	exploreLock(t, ops, func(t *testing.T, s *store.RedisStorage, errs []error) {
		t.Helper()
		check(t, errors.Join(errs...))
		b := judging(t, s, store.LockoutOptions{MaxAttempts: 1})
		// The hint may be lost or stay; the lock is whole or gone.
		got, stats := statusOf(t, b, emailA), len(traces(t, s))
		if got.Locked != (got.FailedAttempts == 1) || got.Locked && stats != 2 {
			t.Errorf("the status is %+v with %d keys", got, stats)
		}
		_, err := b.Unlock(t.Context(), emailA)
		check(t, err)
		if left := traces(t, s); len(left) > 0 || hintOf(t, s, user1) != nil {
			t.Errorf("unlocking again leaves %v and the hint %v", left, hintOf(t, s, user1))
		}
	})
}
