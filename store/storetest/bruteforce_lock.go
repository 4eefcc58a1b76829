package storetest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/store"
)

func bruteForceLockScenarios() []scenario {
	return []scenario{
		{name: "B-6 an email locks with the fifth failure, for fifteen minutes", run: fifthFailure},
		{name: "B-7 clearing unlocks and zeroes", run: clearLock},
		{name: "B-8 unlocking is true once", run: unlockOnce},
		{name: "B-9 it says after how many seconds to try again", run: retryAfter},
		{name: "B-10 emails are independent, whatever is in them", run: independentEmails},
		{name: "B-11 when it is disabled nothing locks and nothing is recorded", run: disabled},
		{name: "B-12 a login while locked records nothing, even with the right password", run: loginWhileLocked},
		{name: "B-13 a login that succeeds clears", run: loginClears},
		{name: "B-14 failures age out of the window and take the lock with them", waits: true, run: aging(store.WindowCount)},
		{name: "B-14 a sticky lock stays when failures age out", waits: true, run: aging(store.Sticky)},
		{name: "B-15 a failure that is recorded again under its id counts once", run: recordTwice},
		{name: "B-15 a login that is admitted again under its id stays admitted", run: admitTwice},
	}
}

func fifthFailure(h *harness) {
	u := h.user(mail)
	for _, email := range []string{mail, "nobody"} {
		h.wantLocked(email, false, 0)
		if _, status := h.fail(email, 4); status.Locked {
			h.Errorf("locked by four failures: %+v", status)
		}
		h.wantLocked(email, false, 4)
		h.wantHint(u, nil)
		a, status := h.fail(email, 1)
		until := a.AttemptedAt.Add(15 * time.Minute)
		for _, s := range []store.LockoutStatus{status, h.wantLocked(email, true, 5)} {
			if s.LockedUntil == nil || !s.LockedUntil.Equal(until) {
				h.Errorf("status is %+v, want locked until %s", s, until)
			}
		}
		if email == mail {
			h.wantHint(u, &a.AttemptedAt)
			h.must(h.BruteForce.SetLockedAt(h.Context(), mail, nil))
			h.wantLocked(mail, true, 5)
		}
	}
}

func clearLock(h *harness) {
	for _, mode := range []store.LockoutMode{store.WindowCount, store.Sticky} {
		b := h.lockout(store.LockoutOptions{Mode: mode})
		email := mode.String() + "@example.org"
		u := h.user(email)
		for range 6 {
			_, _, err := b.RecordFailure(h.Context(), store.NewAttempt{Email: email})
			h.must(err)
		}
		n, err := b.Clear(h.Context(), email)
		h.must(err)
		status, err := b.Status(h.Context(), email)
		h.must(err)
		if n != 6 || status.Locked || status.FailedAttempts != 0 {
			h.Errorf("%s: cleared %d, status %+v", mode, n, status)
		}
		h.wantHint(u, nil)
	}
	h.wantRecords(2)
}

func unlockOnce(h *harness) {
	u := h.user(mail)
	for _, email := range []string{mail, "nobody"} {
		h.fail(email, 5)
		for _, want := range []bool{true, false} {
			was, err := h.BruteForce.Unlock(h.Context(), email)
			h.must(err)
			if was != want {
				h.Errorf("%s was locked: %t, want %t", email, was, want)
			}
			h.wantLocked(email, false, 0)
		}
	}
	h.wantHint(u, nil)
	// A hint whose attempts are gone is taken away too.
	at := time.Now()
	h.must(h.BruteForce.SetLockedAt(h.Context(), mail, &at))
	_, err := h.BruteForce.Unlock(h.Context(), mail)
	h.must(err)
	h.wantHint(u, nil)
	h.wantRecords(1)
}

func retryAfter(h *harness) {
	if wait, ok := h.wantLocked(mail, false, 0).RetryAfter(time.Now()); ok {
		h.Errorf("an unlocked email is to be tried again in %s", wait)
	}
	h.fail(mail, 5)
	s := h.wantLocked(mail, true, 5)
	for _, now := range []time.Time{time.Now(), s.At} {
		if wait, ok := s.RetryAfter(now); !ok || wait <= 890*time.Second || wait > 900*time.Second || wait%time.Second != 0 {
			h.Errorf("it is to be tried again in %s (%t)", wait, ok)
		}
	}
	if wait, ok := s.RetryAfter(s.LockedUntil.Add(time.Hour)); !ok || wait != 0 {
		h.Errorf("after its end the lock is to be tried again in %s (%t)", wait, ok)
	}
	_, err := h.BruteForce.Admit(h.Context(), store.NewAttempt{Email: mail})
	var locked *store.LockedError
	if !errors.As(err, &locked) || !errors.Is(err, store.ErrLocked) || strings.Contains(err.Error(), mail) {
		h.Fatalf("error is %v, want a LockedError without the email", err)
	}
	if !locked.LockedUntil.Equal(*s.LockedUntil) || locked.RetryAfter <= 890*time.Second || locked.RetryAfter > 900*time.Second {
		h.Errorf("error is %+v, want the end %s", locked, s.LockedUntil)
	}
}

func independentEmails(h *harness) {
	seen := map[string]int{}
	for i, email := range append(oddTexts(), "") {
		if _, twice := seen[email]; !twice {
			seen[email] = 1 + i%7
			h.fail(email, seen[email])
		}
	}
	for email, n := range seen {
		h.wantAttempts(email, n)
		h.wantLocked(email, n >= 5, n)
	}
	h.wantPlainKeys()
}

func disabled(h *harness) {
	u := h.user(mail)
	b := h.lockout(store.LockoutOptions{Disabled: true, MaxAttempts: 1})
	before := h.keys()
	for range 3 {
		a, status, err := b.RecordFailure(h.Context(), store.NewAttempt{Email: mail})
		h.must(err)
		_, err = b.Admit(h.Context(), store.NewAttempt{Email: mail})
		h.must(err)
		if a.ID != 0 || status.Locked {
			h.Errorf("recorded %+v, status %+v", a, status)
		}
	}
	if diff := cmp.Diff(before, h.keys()); diff != "" {
		h.Errorf("keys have changed (-before +after):\n%s", diff)
	}
	h.fail(mail, 5)
	status, err := b.Status(h.Context(), mail)
	h.must(err)
	was, err := b.Unlock(h.Context(), mail)
	h.must(err)
	if status.Locked || was {
		h.Errorf("status %+v, was locked: %t", status, was)
	}
	h.wantHint(u, nil)
}

// login is a login as a service does it, the strict one and the other. It
// reports whether the password was checked and right.
func (h *harness) login(strict bool, email string, right bool) error {
	h.Helper()
	b := h.BruteForce
	if strict {
		if _, err := b.Admit(h.Context(), store.NewAttempt{Email: email}); err != nil {
			return err
		}
	} else {
		status, err := b.Status(h.Context(), email)
		if err := errors.Join(err, status.Err()); err != nil {
			return err
		}
	}
	if right {
		_, err := b.Clear(h.Context(), email)
		return err
	}
	if !strict {
		_, _, err := b.RecordFailure(h.Context(), store.NewAttempt{Email: email})
		h.must(err)
	}
	return errWrongPassword
}

var errWrongPassword = errors.New("wrong password")

func loginWhileLocked(h *harness) {
	for _, strict := range []bool{false, true} {
		email := fmt.Sprintf("%t@example.org", strict)
		u := h.user(email)
		for range 5 {
			h.want(h.login(strict, email, false), errWrongPassword)
		}
		locked := h.wantLocked(email, true, 5)
		hint := locked.LockedUntil.Add(-15 * time.Minute)
		for _, right := range []bool{false, true, false} {
			h.want(h.login(strict, email, right), store.ErrLocked)
		}
		if s := h.wantLocked(email, true, 5); !s.LockedUntil.Equal(*locked.LockedUntil) {
			h.Errorf("the lock was extended from %s to %s", locked.LockedUntil, s.LockedUntil)
		}
		h.wantHint(u, &hint)
	}
}

func loginClears(h *harness) {
	for _, strict := range []bool{false, true} {
		email := fmt.Sprintf("%t@example.org", strict)
		u := h.user(email)
		for range 3 {
			for range 4 {
				h.want(h.login(strict, email, false), errWrongPassword)
			}
			h.must(h.login(strict, email, true))
			h.wantLocked(email, false, 0)
		}
		h.wantHint(u, nil)
	}
	h.wantRecords(2)
}

// aging tries a few times: a machine that stalls for a second misses a phase.
func aging(mode store.LockoutMode) func(h *harness) {
	return func(h *harness) {
		seen := 0
		for try := 0; seen < 3 && try < 5; try++ {
			seen = h.age(fmt.Sprintf("a%d@example.org", try), mode)
		}
		if seen < 3 && !h.Failed() {
			h.Error("a phase of the lock was missed each time")
		}
	}
}

// age watches a lock by two failures that lie half a period apart, and returns
// how many of its three phases it saw. The times that the server gives make each
// answer exact.
func (h *harness) age(email string, mode store.LockoutMode) int {
	h.Helper()
	const period = 2 * time.Second
	b := h.lockout(store.LockoutOptions{MaxAttempts: 2, Period: period, Mode: mode})
	first, _, err := b.RecordFailure(h.Context(), store.NewAttempt{Email: email})
	h.must(err)
	elapse(time.Now().Add(period / 2))
	second, _, err := b.RecordFailure(h.Context(), store.NewAttempt{Email: email})
	h.must(err)
	seen := map[string]bool{}
	locks := !second.AttemptedAt.Add(-period).After(first.AttemptedAt)
	for end := second.AttemptedAt.Add(period); !seen["both have aged"] && !h.Failed(); elapse(time.Now().Add(5 * time.Millisecond)) {
		s, err := b.Status(h.Context(), email)
		h.must(err)
		phase, count, locked := "both have aged", 0, false
		switch since := s.At.Add(-period); {
		case !since.After(first.AttemptedAt):
			phase, count, locked = "both count", 2, s.At.Before(end)
		case !since.After(second.AttemptedAt):
			phase, count, locked = "one counts", 1, locks && mode == store.Sticky && s.At.Before(end)
		}
		seen[phase] = true
		if s.Locked != locked || s.FailedAttempts != count || locked && !s.LockedUntil.Equal(end) {
			h.Errorf("%s: status is %+v, want locked %t with %d until %s", phase, s, locked, count, end)
		}
	}
	return len(seen)
}

func recordTwice(h *harness) {
	u := h.user(mail)
	n := store.NewAttempt{Email: mail, IPAddress: text("192.0.2.1"), ID: store.NewAttemptID()}
	h.fail(mail, 4)
	first, status, err := h.BruteForce.RecordFailure(h.Context(), n)
	h.must(err)
	elapse(time.Now().Add(3 * time.Millisecond))
	again, statusAgain, err := h.BruteForce.RecordFailure(h.Context(), n)
	h.must(err)
	if diff := cmp.Diff(first, again); diff != "" {
		h.Errorf("recorded again (-first +again):\n%s", diff)
	}
	if !status.Locked || !statusAgain.Locked || !status.LockedUntil.Equal(*statusAgain.LockedUntil) {
		h.Errorf("first %+v, again %+v", status, statusAgain)
	}
	h.wantLocked(mail, true, 5)
	h.wantHint(u, &first.AttemptedAt)
}

func admitTwice(h *harness) {
	h.fail(mail, 4)
	n := store.NewAttempt{Email: mail, ID: store.NewAttemptID()}
	for range 2 {
		a, err := h.BruteForce.Admit(h.Context(), n)
		h.must(err)
		if a.ID != n.ID {
			h.Errorf("admitted %+v", a)
		}
	}
	a, err := h.BruteForce.Admit(h.Context(), store.NewAttempt{Email: mail})
	h.want(err, store.ErrLocked)
	if a.ID != 0 {
		h.Errorf("refused, but recorded %+v", a)
	}
	h.wantAttempts(mail, 5)
}
