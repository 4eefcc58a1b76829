package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/cast"
	"github.com/toriibench/toriibench/store/memory"
)

// judging gives the judge by other rules.
func judging(t *testing.T, s *store.RedisStorage, opts store.LockoutOptions) *store.BruteForce {
	t.Helper()
	b, err := s.BruteForce.With(opts)
	check(t, err)
	return b
}

// fail records n failures of an email.
func fail(t *testing.T, b *store.BruteForce, email string, n int) (last store.Attempt) {
	t.Helper()
	for range n {
		var err error
		last, _, err = b.RecordFailure(t.Context(), store.NewAttempt{Email: email})
		check(t, err)
	}
	return last
}

func statusOf(t *testing.T, b *store.BruteForce, email string) store.LockoutStatus {
	t.Helper()
	s, err := b.Status(t.Context(), email)
	check(t, err)
	return s
}

// hintOf is LockedAt of a user.
func hintOf(t *testing.T, s *store.RedisStorage, id string) *time.Time {
	t.Helper()
	u, ok, err := s.Users.FindByID(t.Context(), id)
	if err != nil || !ok {
		t.Fatalf("user %s is there: %t, %v", id, ok, err)
	}
	return u.LockedAt
}

// traces lists the keys of failed attempts.
func traces(t *testing.T, s *store.RedisStorage) (found []string) {
	t.Helper()
	check(t, s.Keys(t.Context(), func(keys []string) error {
		for _, key := range keys {
			for _, kind := range []string{"}:f", "}:l", "}:h"} {
				if strings.HasSuffix(key, kind) {
					found = append(found, key)
				}
			}
		}
		return nil
	}))
	return found
}

// Failures at the minutes 0, 3, 6, 9 and 12: the window has only four of them
// after minute 15.
func TestALockEvaporatesUnlessItIsSticky(t *testing.T) {
	for _, c := range []struct {
		mode     store.LockoutMode
		evapours time.Duration
	}{{store.WindowCount, 15*time.Minute + time.Millisecond}, {store.Sticky, 27 * time.Minute}} {
		t.Run(c.mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := judging(t, openHealthy(t, memory.NewServer(nil)), store.LockoutOptions{Mode: c.mode})
				begin := time.Now().Truncate(time.Millisecond)
				at := func(d time.Duration) { <-time.After(time.Until(begin.Add(d))) }
				for _, minute := range []time.Duration{0, 3, 6, 9, 12} {
					at(minute * time.Minute)
					if statusOf(t, b, emailA).Locked {
						t.Errorf("locked at minute %d", minute)
					}
					fail(t, b, emailA, 1)
				}
				for _, moment := range []time.Duration{12 * time.Minute, 15 * time.Minute, c.evapours - time.Millisecond} {
					at(moment)
					if s := statusOf(t, b, emailA); !s.Locked || !s.LockedUntil.Equal(begin.Add(27*time.Minute)) {
						t.Errorf("after %s it is %+v, want locked until minute 27", moment, s)
					}
				}
				at(c.evapours)
				if s := statusOf(t, b, emailA); s.Locked || s.LockedUntil != nil {
					t.Errorf("after %s it is %+v", c.evapours, s)
				}
			})
		})
	}
}

func TestFailuresOfOneMillisecondAreAllCounted(t *testing.T) {
	now := time.Now()
	b := openHealthy(t, memory.NewServer(func() time.Time { return now })).BruteForce
	ip := "192.0.2.1"
	for range 500 {
		_, _, err := b.RecordFailure(t.Context(), store.NewAttempt{Email: emailA, IPAddress: &ip})
		check(t, err)
	}
	if s := statusOf(t, b, emailA); s.FailedAttempts != 500 {
		t.Errorf("%d failures are counted, want 500", s.FailedAttempts)
	}
}

// Somebody makes up emails for thirty days.
func TestMadeUpEmailsFillMemoryNoLongerThanTheRetention(t *testing.T) {
	const emails, retention = 100_000, 7 * 24 * time.Hour
	const every = 30 * 24 * time.Hour / emails
	begin := time.Now()
	now := begin
	s := openHealthy(t, memory.NewServer(func() time.Time { return now }))
	b := judging(t, s, store.LockoutOptions{MaxAttempts: 1, Mode: store.Sticky})
	for i := range emails {
		now = begin.Add(time.Duration(i) * every)
		fail(t, b, fmt.Sprintf("%d@example.org", i), 1)
	}
	recent, locked := int(retention/every)+1, int(store.DefaultLockoutPeriod/every)+1
	if n := len(traces(t, s)); n < recent-1 || n > recent+locked {
		t.Errorf("%d keys, want %d to %d", n, recent, recent+locked)
	}
	now = now.Add(retention + time.Millisecond)
	if left := traces(t, s); len(left) > 0 {
		t.Errorf("%d keys are left after the retention", len(left))
	}
}

func TestACorruptLockLetsNobodyIn(t *testing.T) {
	server := memory.NewServer(nil)
	s := openHealthy(t, server)
	b := judging(t, s, store.LockoutOptions{MaxAttempts: 1, Mode: store.Sticky})
	fail(t, b, emailA, 1)
	d, err := server.Dial(t.Context(), store.Config{})
	check(t, err)
	plant(t, d, keyEnding(t, s, "}:l"), "hush, no lock")
	for name, ask := range map[string]func() (store.LockoutStatus, error){
		"status": func() (store.LockoutStatus, error) { return b.Status(t.Context(), emailA) },
		"record": func() (store.LockoutStatus, error) {
			_, status, err := b.RecordFailure(t.Context(), store.NewAttempt{Email: emailA})
			return status, err
		},
		"admit": func() (store.LockoutStatus, error) {
			_, err := b.Admit(t.Context(), store.NewAttempt{Email: emailA})
			return store.LockoutStatus{Locked: true}, err
		},
	} {
		status, err := ask()
		if !errors.Is(err, store.ErrCorrupt) || strings.Contains(err.Error(), "hush") || !status.Locked {
			t.Errorf("%s: %+v and %v, want locked and %v without the content", name, status, err, store.ErrCorrupt)
		}
	}
	if was, err := b.Unlock(t.Context(), emailA); err != nil || !was || statusOf(t, b, emailA).Locked {
		t.Errorf("was locked: %t, %v", was, err)
	}
}

func TestACorruptClaimLosesTheHintOnly(t *testing.T) {
	server := memory.NewServer(nil)
	s := openHealthy(t, server)
	_, err := s.Users.Create(t.Context(), store.NewUser{ID: user1, Email: emailA})
	check(t, err)
	d, err := server.Dial(t.Context(), store.Config{})
	check(t, err)
	plant(t, d, keyEnding(t, s, "}:e"), "hush")
	fail(t, s.BruteForce, emailA, 4)
	if _, status, err := s.BruteForce.RecordFailure(t.Context(), store.NewAttempt{Email: emailA}); !errors.Is(err, store.ErrCorrupt) || !status.Locked {
		t.Errorf("status %+v and %v, want locked and %v", status, err, store.ErrCorrupt)
	}
	if !statusOf(t, s.BruteForce, emailA).Locked {
		t.Error("the lock is lost")
	}
}

// The user of a creation that is not complete yet gets the hint too.
func TestAUserWhoIsBeingCreatedIsLocked(t *testing.T) {
	server := memory.NewServer(nil)
	healthy := openHealthy(t, server)
	fail(t, healthy.BruteForce, emailA, 4)
	s := openHooked(t, server, func(script string, after bool) {
		if script == "claim_take" && after {
			fail(t, healthy.BruteForce, emailA, 1)
		}
	})
	u, err := s.Users.Create(t.Context(), store.NewUser{Email: emailA})
	check(t, err)
	if u.LockedAt == nil || hintOf(t, healthy, u.ID) == nil {
		t.Errorf("created %+v, want it with the hint", u)
	}
}

// A clean-up that looks at a user finds another one when it comes to remove.
func TestACleanUpLooksAtEveryOwner(t *testing.T) {
	server := memory.NewServer(nil)
	healthy := openHealthy(t, server)
	cast.Populate(t, healthy)
	last := fail(t, healthy.BruteForce, emailA, 1)
	at := time.Now()
	cleans := 0
	s := openHooked(t, server, func(script string, after bool) {
		if script != "attempt_clean" || after {
			return
		}
		if cleans++; cleans == 2 {
			check(t, cast.Replace(user1, emailA).Run(t.Context(), healthy))
			check(t, healthy.BruteForce.SetLockedAt(t.Context(), emailA, &at))
		}
	})
	n, err := s.BruteForce.CleanupOld(t.Context(), last.AttemptedAt.Add(time.Millisecond))
	if err != nil || n != 0 || cleans != 2 {
		t.Errorf("cleaned up %d in %d steps: %v, want none of a locked user", n, cleans, err)
	}
}
