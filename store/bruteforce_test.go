package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

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
		for n := 1; n <= 3; n++ {
			for _, reaches := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/dies at command %d, which reaches the server: %t", name, n, reaches), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { crashLocking(t, lock, n, reaches) })
				})
			}
		}
	}
}

func crashLocking(t *testing.T, lock func(context.Context, *store.BruteForce, store.NewAttempt) error, n int, reaches bool) {
	t.Helper()
	server := memory.NewServer(nil)
	s := openHealthy(t, server)
	cast.Populate(t, s)
	fail(t, s.BruteForce, emailA, 4)
	attempt := store.NewAttempt{Email: emailA, ID: store.NewAttemptID()}
	err := lock(t.Context(), openMortal(t, server, n, reaches).BruteForce, attempt)
	if (err == nil) != (n > 2) || err != nil && !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("the caller was told %v", err)
	}
	recorded := n > 1 || reaches
	if got := statusOf(t, s.BruteForce, emailA); got.Locked != recorded {
		t.Errorf("the failure has reached the server: %t, but the status is %+v", recorded, got)
	}
	if hint, want := hintOf(t, s, user1), n > 2 || n == 2 && reaches; (hint != nil) != want {
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
		for n := 1; n <= 4; n++ {
			for _, reaches := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/dies at command %d, which reaches the server: %t", name, n, reaches), func(t *testing.T) {
					server := memory.NewServer(nil)
					s := openHealthy(t, server)
					cast.Populate(t, s)
					fail(t, s.BruteForce, emailA, 5)
					err := end(openMortal(t, server, n, reaches).BruteForce)
					if (err == nil) != (n > 3) || err != nil && !errors.Is(err, store.ErrUnavailable) {
						t.Errorf("the caller was told %v", err)
					}
					if got, want := statusOf(t, s.BruteForce, emailA), n == 1 && !reaches; got.Locked != want {
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
}

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

func TestInvalidLockoutOptions(t *testing.T) {
	s := openHealthy(t, memory.NewServer(nil))
	for _, c := range []struct {
		field string
		opts  store.LockoutOptions
	}{
		{"MaxAttempts", store.LockoutOptions{MaxAttempts: -1}},
		{"MaxAttempts", store.LockoutOptions{MaxAttempts: store.MaxAttemptsKept + 1}},
		{"Period", store.LockoutOptions{Period: -1}},
		{"Period", store.LockoutOptions{Period: time.Microsecond}},
		{"Period", store.LockoutOptions{Period: store.LockedRetention + 1}},
		{"Retention", store.LockoutOptions{Retention: time.Minute}},
		{"Retention", store.LockoutOptions{Retention: store.LockedRetention + 1}},
		{"Mode", store.LockoutOptions{Mode: 2}},
		{"Mode", store.LockoutOptions{Mode: -1}},
	} {
		_, err := s.BruteForce.With(c.opts)
		_, openErr := store.Open(t.Context(), store.Config{URLs: []string{"memory"}, Lockout: c.opts}, memory.Dial)
		for _, err := range []error{err, openErr} {
			if !errors.Is(err, store.ErrInvalid) || !strings.Contains(fmt.Sprint(err), c.field) {
				t.Errorf("%+v: error is %v, want %v that names %s", c.opts, err, store.ErrInvalid, c.field)
			}
		}
	}
	for _, opts := range []store.LockoutOptions{
		{},
		{MaxAttempts: store.MaxAttemptsKept, Period: time.Millisecond, Mode: store.Sticky},
		{Period: store.LockedRetention},
	} {
		judging(t, s, opts)
	}
}

func TestConfiguredLockout(t *testing.T) {
	s, err := store.Open(t.Context(), store.Config{URLs: []string{"memory"}, Lockout: store.LockoutOptions{MaxAttempts: 2}}, memory.Dial)
	check(t, err)
	fail(t, s.BruteForce, emailA, 2)
	if got := statusOf(t, s.BruteForce, emailA); !got.Locked {
		t.Errorf("status is %+v, want locked by two failures", got)
	}
}

func TestLockoutFromAURL(t *testing.T) {
	const url = "redis://h/?lockout_disabled=true&lockout_max_attempts=3&lockout_period=1h&lockout_retention=48h&lockout_mode=sticky"
	cfg, err := store.ParseURL(url)
	check(t, err)
	want := store.LockoutOptions{
		Disabled: true, MaxAttempts: 3, Period: time.Hour, Retention: 48 * time.Hour, Mode: store.Sticky,
	}
	if diff := cmp.Diff(want, cfg.Lockout); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	for name, value := range map[string]string{"lockout_mode": "forever", "lockout_retention": "1m", "lockout_max_attempts": "-1"} {
		_, err := store.ParseURL("redis://h/?" + name + "=" + value)
		if !errors.Is(err, store.ErrInvalid) || !strings.Contains(fmt.Sprint(err), name) {
			t.Errorf("%s: error is %v, want %v that names it", name, err, store.ErrInvalid)
		}
	}
}

func TestRetryAfterIsWholeSecondsAndNeverNegative(t *testing.T) {
	until := time.UnixMilli(1_700_000_000_000).UTC()
	s := store.LockoutStatus{Locked: true, LockedUntil: &until}
	for before, want := range map[time.Duration]time.Duration{
		1500 * time.Millisecond: time.Second, 999 * time.Millisecond: 0, 0: 0, -time.Hour: 0, 900 * time.Second: 900 * time.Second,
	} {
		if got, ok := s.RetryAfter(until.Add(-before)); !ok || got != want {
			t.Errorf("%s before the end: %s (%t), want %s", before, got, ok, want)
		}
	}
	s.At = until.Add(-90 * time.Second)
	var locked *store.LockedError
	if !errors.As(s.Err(), &locked) {
		t.Fatalf("error is %v", s.Err())
	}
	if diff := cmp.Diff(&store.LockedError{LockedUntil: until, RetryAfter: 90 * time.Second}, locked); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}
