package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/cast"
	"github.com/toriibench/toriibench/store/memory"
)

// Whoever takes LockedAt away and dies leaves it, or the hold that tells the next
// who clears of it.
func TestACrashWhileTakingTheHintAwayIsMadeGoodByTheNext(t *testing.T) {
	for _, d := range deaths(4) {
		t.Run(d.String(), func(t *testing.T) {
			server := memory.NewServer(nil)
			s := openHealthy(t, server)
			cast.Populate(t, s)
			fail(t, s.BruteForce, emailA, 5)
			err := openMortal(t, server, d).BruteForce.SetLockedAt(t.Context(), emailA, nil)
			if (err == nil) != (d.command > 3) || err != nil && !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("the caller was told %v", err)
			}
			if !statusOf(t, s.BruteForce, emailA).Locked {
				t.Error("it has ended the lock")
			}
			_, err = s.BruteForce.Clear(t.Context(), emailA)
			check(t, err)
			if left := traces(t, s); len(left) > 0 || hintOf(t, s, user1) != nil {
				t.Errorf("the next clearing leaves %v and the hint %v", left, hintOf(t, s, user1))
			}
		})
	}
}

// choosy is a driver that expects every read to be for the primary.
type choosy struct {
	store.Driver

	t *testing.T
}

func (d choosy) Get(ctx context.Context, keys ...string) ([]string, error) {
	if !store.PrimaryReads(ctx) {
		d.t.Errorf("%s may be read from a replica", keys)
	}
	return d.Driver.Get(ctx, keys...)
}

// A replica that does not know of a lock yet must not let go of what is to be
// looked into, nor lose the hint.
func TestLocksAreJudgedByThePrimary(t *testing.T) {
	server := memory.NewServer(nil)
	cast.Populate(t, openHealthy(t, server))
	s, err := store.Open(t.Context(), store.Config{URLs: []string{"memory"}}, func(ctx context.Context, cfg store.Config) (store.Driver, error) {
		d, err := server.Dial(ctx, cfg)
		return choosy{d, t}, err
	})
	check(t, err)
	last := fail(t, s.BruteForce, emailA, 5)
	n, err := s.BruteForce.CleanupOld(t.Context(), last.AttemptedAt.Add(time.Minute))
	if n != 0 || err != nil {
		t.Errorf("%d attempts of a locked user are gone, %v", n, err)
	}
	check(t, s.BruteForce.SetLockedAt(t.Context(), emailA, nil))
	n, err = s.BruteForce.CleanupOld(t.Context(), last.AttemptedAt.Add(time.Minute))
	if n != 5 || err != nil {
		t.Errorf("%d attempts are gone, want 5: %v", n, err)
	}
}
