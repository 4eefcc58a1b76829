package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/store"
)

func bruteForceScenarios() []scenario {
	return []scenario{
		{name: "B-1 a recorded failure has an id, its email and its address, which may be absent", run: recordFailure},
		{name: "B-1 an address that no host has is cut and does not spare the failure", run: oddAddress},
		{name: "B-2 stats count from a time on, that time included", run: attemptStats},
		{name: "B-2 the newest thousand failures of an email are kept", run: attemptsKept},
		{name: "B-3 clearing returns how many there were and leaves other emails alone", run: clearAttempts},
		{name: "B-4 the time of locking is set, got and taken away, and nobody has one", run: lockedAt},
		{name: "B-5 cleaning up removes what is old, except of locked users", run: cleanupAttempts},
		{name: "B-17 every key ends within the retention", run: attemptsEnd},
		{name: "B-17 nothing is left after the retention", waits: true, run: attemptsGone},
		{name: "B-17 attempts of a locked user are kept longer, but not for ever", run: lockedAttemptsEnd},
		{name: "B-18 what cannot be is refused", run: invalidAttempts},
	}
}

// lockout is the judge by other rules.
func (h *harness) lockout(opts store.LockoutOptions) *store.BruteForce {
	h.Helper()
	b, err := h.BruteForce.With(opts)
	h.must(err)
	return b
}

// fail records n failures.
func (h *harness) fail(email string, n int) (last store.Attempt, status store.LockoutStatus) {
	h.Helper()
	for range n {
		var err error
		last, status, err = h.BruteForce.RecordFailure(h.Context(), store.NewAttempt{Email: email})
		h.must(err)
	}
	return last, status
}

// wantLocked compares the status of an email.
func (h *harness) wantLocked(email string, locked bool, attempts int) store.LockoutStatus {
	h.Helper()
	s, err := h.BruteForce.Status(h.Context(), email)
	h.must(err)
	if s.Email != email || s.Locked != locked || (s.LockedUntil != nil) != locked || s.FailedAttempts != attempts {
		h.Errorf("status of %.20q is %+v, want locked %t with %d attempts", email, s, locked, attempts)
	}
	return s
}

// wantAttempts compares how many failures of an email are kept.
func (h *harness) wantAttempts(email string, n int) store.AttemptStats {
	h.Helper()
	stats, err := h.BruteForce.Stats(h.Context(), email, time.UnixMilli(0))
	h.must(err)
	if stats.Count != n || (stats.Latest != nil) != (n > 0) {
		h.Errorf("%.20q has %+v, want %d", email, stats, n)
	}
	return stats
}

// wantHint compares LockedAt of the user who has an email, got in both ways.
func (h *harness) wantHint(u store.User, want *time.Time) {
	h.Helper()
	stored, _, err := h.Users.FindByID(h.Context(), u.ID)
	h.must(err)
	at, ok, err := h.BruteForce.LockedAt(h.Context(), u.Email)
	h.must(err)
	if diff := cmp.Diff(want, stored.LockedAt); diff != "" {
		h.Errorf("LockedAt (-want +got):\n%s", diff)
	}
	if ok != (want != nil) || ok && !at.Equal(*want) {
		h.Errorf("locked at %s (%t), want %v", at, ok, want)
	}
}

const mail = "a@example.org"

func text(s string) *string { return &s }

func recordFailure(h *harness) {
	for _, ip := range []*string{nil, text(""), text("-"), text("192.0.2.1"), text("2001:db8::1%eth 0")} {
		a, _, err := h.BruteForce.RecordFailure(h.Context(), store.NewAttempt{Email: mail, IPAddress: ip, ID: 7})
		h.must(err)
		if a.ID != 7 || a.Email != mail || time.Since(a.AttemptedAt).Abs() > time.Minute {
			h.Errorf("recorded %+v", a)
		}
		if diff := cmp.Diff(ip, a.IPAddress); diff != "" {
			h.Errorf("address (-want +got):\n%s", diff)
		}
	}
	// All have one id: they are kept apart by their addresses alone.
	h.wantAttempts(mail, 5)
	a, _ := h.fail(mail, 1)
	if a.ID <= 0 || a.IPAddress != nil {
		h.Errorf("recorded %+v, want an id and no address", a)
	}
}

func oddAddress(h *harness) {
	for i, ip := range []string{strings.Repeat("1", 10<<10), "caf\xe9", strings.Repeat("ü", 100), "\x00\n "} {
		a, _, err := h.BruteForce.RecordFailure(h.Context(), store.NewAttempt{Email: mail, IPAddress: &ip})
		h.must(err)
		if len(*a.IPAddress) > 64 || len(ip) > 64 && len(*a.IPAddress) < 63 {
			h.Errorf("an address of %d bytes was kept as %q", len(ip), *a.IPAddress)
		}
		h.wantAttempts(mail, i+1)
	}
}

func attemptStats(h *harness) {
	b, before := h.BruteForce, time.Now().Add(-time.Minute)
	last, _ := h.fail(mail, 3)
	for _, c := range []struct {
		since time.Time
		want  int
	}{{before, 3}, {time.Time{}, 3}, {last.AttemptedAt.Add(time.Millisecond), 0}, {time.Now().Add(time.Hour), 0}} {
		stats, err := b.Stats(h.Context(), mail, c.since)
		h.must(err)
		if stats.Count != c.want || (stats.Latest != nil) != (c.want > 0) {
			h.Errorf("since %s there are %+v, want %d", c.since, stats, c.want)
		}
	}
	stats, err := b.Stats(h.Context(), mail, last.AttemptedAt)
	h.must(err)
	if stats.Count < 1 || stats.Latest == nil || !stats.Latest.Equal(last.AttemptedAt) {
		h.Errorf("since exactly %s there are %+v, want that one", last.AttemptedAt, stats)
	}
	h.wantAttempts("b@example.org", 0)
}

func attemptsKept(h *harness) {
	a, status := h.fail(mail, store.MaxAttemptsKept+3)
	stats := h.wantAttempts(mail, store.MaxAttemptsKept)
	if status.FailedAttempts != store.MaxAttemptsKept || !stats.Latest.Equal(a.AttemptedAt) {
		h.Errorf("status %+v, the latest at %s, want it at %s", status, stats.Latest, a.AttemptedAt)
	}
}

func clearAttempts(h *harness) {
	h.fail(mail, 3)
	h.fail("b@example.org", 3)
	for _, want := range []int64{3, 0} {
		n, err := h.BruteForce.Clear(h.Context(), mail)
		h.must(err)
		if n != want {
			h.Errorf("cleared %d, want %d", n, want)
		}
	}
	h.wantAttempts(mail, 0)
	h.wantAttempts("b@example.org", 3)
}

func lockedAt(h *harness) {
	b, u := h.BruteForce, h.user(mail)
	h.wantHint(u, nil)
	at := time.UnixMilli(1_700_000_000_123).UTC()
	precise := at.Add(456 * time.Microsecond)
	h.must(b.SetLockedAt(h.Context(), mail, &precise))
	h.wantHint(u, &at)
	h.wantLocked(mail, false, 0)
	h.must(b.SetLockedAt(h.Context(), mail, nil))
	h.wantHint(u, nil)

	before := h.keys()
	h.must(b.SetLockedAt(h.Context(), "nobody", &at))
	h.must(b.SetLockedAt(h.Context(), "nobody", nil))
	if _, ok, err := b.LockedAt(h.Context(), "nobody"); err != nil || ok {
		h.Errorf("nobody is locked: %t, %v", ok, err)
	}
	if after := h.keys(); len(after) != len(before) {
		h.Errorf("keys were made for nobody: %v", after)
	}
}

func cleanupAttempts(h *harness) {
	b := h.BruteForce
	u := h.user("locked@example.org")
	h.user("user@example.org")
	var last store.Attempt
	for _, email := range []string{u.Email, "user@example.org", "nobody"} {
		last, _ = h.fail(email, 1)
	}
	at := time.Now()
	h.must(b.SetLockedAt(h.Context(), u.Email, &at))
	after := last.AttemptedAt.Add(time.Millisecond)
	h.wantCleanup(time.UnixMilli(1), 0)
	h.wantCleanup(after, 2)
	h.wantCleanup(after, 0)
	h.wantAttempts(u.Email, 1)
	h.must(b.SetLockedAt(h.Context(), u.Email, nil))
	h.wantCleanup(h.wantAttempts(u.Email, 1).Latest.UTC(), 0)
	h.wantCleanup(after, 1)
}

func (h *harness) wantCleanup(before time.Time, want int64) {
	h.Helper()
	n, err := h.BruteForce.CleanupOld(h.Context(), before)
	h.must(err)
	if n != want {
		h.Errorf("cleaned up %d from before %s, want %d", n, before, want)
	}
}

func attemptsEnd(h *harness) {
	b := h.lockout(store.LockoutOptions{MaxAttempts: 2, Period: time.Hour, Retention: time.Hour, Mode: store.Sticky})
	each := h.opts.Emails / h.opts.Workers
	h.together(func(worker int) {
		for i := range each {
			email := fmt.Sprintf("%d.%d@example.org", worker, i)
			for range 1 + i%2 {
				if _, _, err := b.RecordFailure(h.Context(), store.NewAttempt{Email: email}); err != nil {
					h.Error(err)
					return
				}
			}
		}
	})
	keys := h.keys()
	for key, k := range keys {
		if k.TTL <= 0 || k.TTL > time.Hour {
			h.Fatalf("key %s lives for %s", key, k.TTL)
		}
	}
	// Half of the emails have a lock too.
	if want := h.opts.Workers * (each + each/2); len(keys) != want {
		h.Errorf("%d keys, want %d", len(keys), want)
	}
}

func attemptsGone(h *harness) {
	for _, mode := range []store.LockoutMode{store.WindowCount, store.Sticky} {
		b := h.lockout(store.LockoutOptions{MaxAttempts: 2, Period: 300 * time.Millisecond, Retention: 300 * time.Millisecond, Mode: mode})
		for i := range 30 {
			n := store.NewAttempt{Email: fmt.Sprintf("%s%d@example.org", mode, i/3)}
			_, _, err := b.RecordFailure(h.Context(), n)
			h.must(err)
		}
	}
	h.eventually("no key is left", func() bool { return len(h.keys()) == 0 })
}

func lockedAttemptsEnd(h *harness) {
	h.user(mail)
	at := time.Now()
	for _, c := range []struct {
		what string
		do   func() error
		want time.Duration
	}{
		{"a failure", func() error { h.fail(mail, 1); return nil }, store.DefaultAttemptRetention},
		{"a set time of locking", func() error { return h.BruteForce.SetLockedAt(h.Context(), mail, &at) }, store.LockedRetention},
		{"another failure", func() error { h.fail(mail, 1); return nil }, store.LockedRetention},
		{"no time of locking", func() error { return h.BruteForce.SetLockedAt(h.Context(), mail, nil) }, store.DefaultAttemptRetention},
		{"the fifth failure", func() error { h.fail(mail, 3); return nil }, store.LockedRetention},
	} {
		h.must(c.do())
		for key, k := range h.keys() {
			switch ends := strings.HasSuffix(key, "}:f") || strings.HasSuffix(key, "}:h"); {
			case ends && (c.want-k.TTL).Abs() > time.Minute:
				h.Errorf("after %s, key %s lives for %s, want %s", c.what, key, k.TTL, c.want)
			case !ends && k.TTL != -1:
				h.Errorf("after %s, key %s ends in %s", c.what, key, k.TTL)
			}
		}
	}
}

func invalidAttempts(h *harness) {
	b, long, latin := h.BruteForce, strings.Repeat("x", 16<<10+1), "caf\xe9"
	far := time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, email := range []string{long, latin} {
		_, status, err := b.RecordFailure(h.Context(), store.NewAttempt{Email: email})
		h.want(err, store.ErrInvalid)
		h.want(status.Err(), store.ErrLocked)
		_, err = b.Admit(h.Context(), store.NewAttempt{Email: email})
		h.want(err, store.ErrInvalid)
		status, err = b.Status(h.Context(), email)
		h.want(err, store.ErrInvalid)
		h.want(status.Err(), store.ErrLocked)
		_, err = b.Stats(h.Context(), email, far)
		h.want(err, store.ErrInvalid)
		_, err = b.Clear(h.Context(), email)
		h.want(err, store.ErrInvalid)
		_, err = b.Unlock(h.Context(), email)
		h.want(err, store.ErrInvalid)
		h.want(b.SetLockedAt(h.Context(), email, nil), store.ErrInvalid)
	}
	_, _, err := b.RecordFailure(h.Context(), store.NewAttempt{Email: mail, ID: -1})
	h.want(err, store.ErrInvalid)
	_, err = b.Stats(h.Context(), mail, far)
	h.want(err, store.ErrInvalid)
	h.want(b.SetLockedAt(h.Context(), mail, &far), store.ErrInvalid)
	_, err = b.CleanupOld(h.Context(), far)
	h.want(err, store.ErrInvalid)
	if left := h.keys(); len(left) > 0 {
		h.Errorf("keys were made: %v", left)
	}
}
