package store_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/cast"
	"github.com/toriibench/toriibench/store/memory"
)

// lastFailure are the ways to record the failure that locks.
func lastFailure() map[string]func(ctx context.Context, b *store.BruteForce, n store.NewAttempt) error {
	return map[string]func(ctx context.Context, b *store.BruteForce, n store.NewAttempt) error{
		"record": func(ctx context.Context, b *store.BruteForce, n store.NewAttempt) error {
			_, _, err := b.RecordFailure(ctx, n)
			return err
		},
		"admit": func(ctx context.Context, b *store.BruteForce, n store.NewAttempt) error {
			_, err := b.Admit(ctx, n)
			return err
		},
	}
}

func TestACrashLosesTheHintAndNeverTheLock(t *testing.T) {
	for name, lock := range lastFailure() {
		for _, d := range deaths(3) {
			t.Run(name+"/"+d.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { crashLocking(t, lock, d) })
			})
		}
	}
}

func crashLocking(t *testing.T, lock func(context.Context, *store.BruteForce, store.NewAttempt) error, d death) {
	t.Helper()
	server := memory.NewServer(nil)
	s := openHealthy(t, server)
	cast.Populate(t, s)
	fail(t, s.BruteForce, emailA, 4)
	attempt := store.NewAttempt{Email: emailA, ID: store.NewAttemptID()}
	err := lock(t.Context(), openMortal(t, server, d).BruteForce, attempt)
	if (err == nil) != (d.command > 2) || err != nil && !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("the caller was told %v", err)
	}
	recorded := d.command > 1 || d.reaches
	if got := statusOf(t, s.BruteForce, emailA); got.Locked != recorded {
		t.Errorf("the failure has reached the server: %t, but the status is %+v", recorded, got)
	}
	if hint, want := hintOf(t, s, user1), d.command > 2 || d == (death{2, true}); (hint != nil) != want {
		t.Errorf("the hint is %v, want one: %t", hint, want)
	}
	cast.WantConsistent(t, s, user1, user2)
	// Who does not know repeats, and what was lost is there.
	check(t, lock(t.Context(), s.BruteForce, attempt))
	if got := statusOf(t, s.BruteForce, emailA); !got.Locked || got.FailedAttempts != 5 || hintOf(t, s, user1) == nil {
		t.Errorf("repeated, the status is %+v, the hint %v", got, hintOf(t, s, user1))
	}
	<-time.After(store.DefaultLockoutPeriod)
	if statusOf(t, s.BruteForce, emailA).Locked {
		t.Error("locked for ever")
	}
	<-time.After(store.LockedRetention)
	if left := traces(t, s); len(left) > 0 {
		t.Errorf("keys for ever: %v", left)
	}
}

func TestACrashWhileClearingIsMadeGoodByTheNext(t *testing.T) {
	for name, end := range map[string]func(b *store.BruteForce) error{
		"clear":  func(b *store.BruteForce) error { _, err := b.Clear(t.Context(), emailA); return err },
		"unlock": func(b *store.BruteForce) error { _, err := b.Unlock(t.Context(), emailA); return err },
	} {
		for _, d := range deaths(4) {
			t.Run(name+"/"+d.String(), func(t *testing.T) {
				server := memory.NewServer(nil)
				s := openHealthy(t, server)
				cast.Populate(t, s)
				fail(t, s.BruteForce, emailA, 5)
				err := end(openMortal(t, server, d).BruteForce)
				if (err == nil) != (d.command > 3) || err != nil && !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("the caller was told %v", err)
				}
				if got, want := statusOf(t, s.BruteForce, emailA), d == (death{1, false}); got.Locked != want {
					t.Errorf("status is %+v, want locked: %t", got, want)
				}
				_, err = s.BruteForce.Clear(t.Context(), emailA)
				check(t, err)
				if left := traces(t, s); len(left) > 0 || hintOf(t, s, user1) != nil {
					t.Errorf("the next clearing leaves %v and the hint %v", left, hintOf(t, s, user1))
				}
			})
		}
	}
}
