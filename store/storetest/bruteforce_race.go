package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/toriibench/toriibench/store"
)

func bruteForceRaces() []scenario {
	return []scenario{
		{name: "B-15 a hundred concurrent failures are a hundred, with ids of their own", run: raceFailures},
		{name: "B-15 of concurrent strict logins exactly five check a password", run: raceAdmit},
		{name: "B-15 of concurrent strict logins each right password allows five more", run: raceAdmitClear},
		{name: "B-16 simultaneous failures from one address are all counted", run: raceAddress},
		{name: "U-14 a user who is locked and changed at once is both", run: raceHint},
	}
}

// crowd is how many come at once in the catalogue's races.
const crowd = 100

// hundred runs f a hundred times at once, and waits.
func (h *harness) hundred(f func(n int)) { h.atOnce(crowd, f) }

func raceFailures(h *harness) {
	h.rounds(func(n int) {
		email := fmt.Sprintf("a%d@example.org", n)
		var ids sync.Map
		var locked atomic.Int64
		h.hundred(func(int) {
			a, status, err := h.BruteForce.RecordFailure(h.Context(), store.NewAttempt{Email: email})
			if err != nil {
				h.Error(err)
			}
			if _, twice := ids.LoadOrStore(a.ID, true); twice || a.ID <= 0 {
				h.Errorf("round %d: id %d again, or none", n, a.ID)
			}
			if status.Locked {
				locked.Add(1)
			}
		})
		h.wantLocked(email, true, crowd)
		h.wantAttempts(email, crowd)
		// Each decision is made with its own record: only the first four do not lock.
		if locked.Load() != crowd-4 {
			h.Errorf("round %d: %d failures were told of the lock, want %d", n, locked.Load(), crowd-4)
		}
	})
}

func raceAdmit(h *harness) {
	for _, mode := range []store.LockoutMode{store.WindowCount, store.Sticky} {
		b := h.lockout(store.LockoutOptions{Mode: mode})
		h.rounds(func(n int) {
			email := fmt.Sprintf("%s%d@example.org", mode, n)
			var checked atomic.Int64
			h.hundred(func(int) {
				_, err := b.Admit(h.Context(), store.NewAttempt{Email: email})
				switch {
				case err == nil:
					checked.Add(1)
				case !errors.Is(err, store.ErrLocked):
					h.Error(err)
				}
			})
			if checked.Load() != 5 {
				h.Errorf("round %d: %d passwords were checked, want 5", n, checked.Load())
			}
			h.wantLocked(email, true, 5)
		})
	}
}

// Logins that fail and logins that succeed, at once: each success allows five
// more failures and no others.
func raceAdmitClear(h *harness) {
	h.rounds(func(n int) {
		email := fmt.Sprintf("a%d@example.org", n)
		var checked, successes atomic.Int64
		h.hundred(func(i int) {
			_, err := h.BruteForce.Admit(h.Context(), store.NewAttempt{Email: email})
			switch {
			case errors.Is(err, store.ErrLocked):
				return
			case err != nil:
				h.Error(err)
				return
			}
			checked.Add(1)
			if i%4 > 0 {
				return
			}
			successes.Add(1)
			if _, err := h.BruteForce.Clear(h.Context(), email); err != nil {
				h.Error(err)
			}
		})
		if most := 5 * (successes.Load() + 1); checked.Load() > most {
			h.Errorf("round %d: %d passwords were checked with %d right ones, at most %d may", n, checked.Load(), successes.Load(), most)
		}
	})
}

func raceAddress(h *harness) {
	ip := "192.0.2.1"
	h.rounds(func(n int) {
		email := fmt.Sprintf("a%d@example.org", n)
		h.hundred(func(int) {
			if _, _, err := h.BruteForce.RecordFailure(h.Context(), store.NewAttempt{Email: email, IPAddress: &ip}); err != nil {
				h.Error(err)
			}
		})
		h.wantAttempts(email, crowd)
	})
}

func raceHint(h *harness) {
	h.rounds(func(n int) {
		u := h.user(fmt.Sprintf("a%d@example.org", n))
		h.fail(u.Email, 4)
		name := "Ada"
		h.together(func(worker int) {
			var err error
			switch worker {
			case 0:
				_, err = h.Users.MarkEmailVerified(h.Context(), u.ID)
			case 1:
				err = h.amend(u.ID, func(u *store.User) { u.Name = &name })
			default:
				_, _, err = h.BruteForce.RecordFailure(h.Context(), store.NewAttempt{Email: u.Email})
			}
			if err != nil {
				h.Error(err)
			}
		})
		got, _, err := h.Users.FindByID(h.Context(), u.ID)
		h.must(err)
		if got.LockedAt == nil || got.EmailVerifiedAt == nil || got.Name == nil {
			h.Errorf("round %d: a change is lost: %+v", n, got)
		}
	})
}
