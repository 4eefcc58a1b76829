package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/toriibench/toriibench/store"
)

func linkRaces() []scenario {
	return []scenario{
		{name: "O-4 concurrent links of one account to one user all succeed", run: raceSameLink},
		{name: "O-2 of concurrent creations of one account exactly one succeeds", run: raceCreateAccount},
		{name: "O-8 of concurrent unlinks of the last two providers one is refused", run: raceUnlink},
		{name: "O-8 an unlink and a deletion of a passkey leave one way to log in", run: raceUnlinkPasskey},
		{name: "O-9 of users who link one account at once exactly one has it", run: raceLink},
		{name: "W-3 of users who add one credential at once exactly one has it", run: raceAddPasskey},
		{name: "W-4 of concurrent consumers of a challenge exactly one gets it", run: raceChallenge},
		{name: "X-3 of concurrent consumers of a verifier exactly one gets it", run: racePKCE},
	}
}

// contenders creates a user for each worker.
func (h *harness) contenders() []store.User {
	h.Helper()
	users := make([]store.User, h.opts.Workers)
	for i := range users {
		users[i] = h.user(fmt.Sprintf("user%d@example.org", i))
	}
	return users
}

// oneWinner runs f in every worker, of which one must succeed and the others be
// told kind. It returns the winner.
func (h *harness) oneWinner(kind error, f func(worker int) error) int {
	h.Helper()
	var winners, winner atomic.Int64
	h.together(func(worker int) {
		err := f(worker)
		switch {
		case err == nil:
			winners.Add(1)
			winner.Store(int64(worker))
		case !errors.Is(err, kind):
			h.Error(err)
		}
	})
	if winners.Load() != 1 {
		h.Fatalf("%d have succeeded, want 1", winners.Load())
	}
	return int(winner.Load())
}

func raceSameLink(h *harness) {
	u := h.user("a@example.org")
	h.rounds(func(n int) {
		account := store.NewOAuthAccount{UserID: u.ID, Provider: "github", Subject: strconv.Itoa(n % 50)}
		got := make([]store.OAuthAccount, h.opts.Workers)
		h.together(func(worker int) {
			var err error
			if got[worker], err = h.OAuth.Link(h.Context(), account); err != nil {
				h.Error(err)
			}
		})
		for _, a := range got {
			if a != got[0] {
				h.Fatalf("round %d: %+v and %+v for one account", n, got[0], a)
			}
		}
		h.wantAccount(got[0])
		if n%50 == 49 {
			h.must(h.OAuth.Unlink(h.Context(), u.ID, "github"))
		}
	})
}

func raceCreateAccount(h *harness) {
	u := h.user("a@example.org")
	account := store.NewOAuthAccount{UserID: u.ID, Provider: "github", Subject: "42"}
	h.rounds(func(int) {
		h.oneWinner(store.ErrConflict, func(int) error { _, err := h.OAuth.Create(h.Context(), account); return err })
		h.must(h.OAuth.Unlink(h.Context(), u.ID, "github"))
	})
	h.wantRecords(1)
}

func raceUnlink(h *harness) {
	h.rounds(func(n int) {
		u := h.user(fmt.Sprintf("a%d@example.org", n))
		providers := []string{"github", "gitlab"}
		for _, p := range providers {
			h.account(u.ID, p, strconv.Itoa(n))
		}
		var refused, done atomic.Int64
		h.together(func(worker int) {
			err := h.OAuth.UnlinkUnlessLast(h.Context(), u.ID, providers[worker%2])
			switch {
			case err == nil:
				done.Add(1)
			case errors.Is(err, store.ErrLastMethod):
				refused.Add(1)
			default:
				h.Error(err)
			}
		})
		// Those of the first provider find nothing left; those of the other are
		// refused, each of them.
		half := int64(h.opts.Workers / 2)
		list, err := h.OAuth.List(h.Context(), u.ID)
		h.must(err)
		if len(list) != 1 || refused.Load() != half && refused.Load() != int64(h.opts.Workers)-half {
			h.Errorf("round %d: %d accounts are left, %d unlinks refused, %d done", n, len(list), refused.Load(), done.Load())
		}
	})
}

func raceUnlinkPasskey(h *harness) {
	h.rounds(func(n int) {
		u := h.user(fmt.Sprintf("a%d@example.org", n))
		name := strconv.Itoa(n)
		h.account(u.ID, "github", name)
		h.passkey(u.ID, name)
		removals := []func() error{
			func() error { return h.OAuth.UnlinkUnlessLast(h.Context(), u.ID, "github") },
			func() error { return h.Passkeys.DeleteUnlessLast(h.Context(), []byte(name)) },
			func() error { return h.Passkeys.DeleteAllUnlessLast(h.Context(), u.ID) },
		}
		h.together(func(worker int) {
			if err := removals[worker%len(removals)](); err != nil && !errors.Is(err, store.ErrLastMethod) {
				h.Error(err)
			}
		})
		accounts, err := h.OAuth.List(h.Context(), u.ID)
		h.must(err)
		passkeys, err := h.Passkeys.List(h.Context(), u.ID)
		h.must(err)
		if len(accounts)+len(passkeys) != 1 {
			h.Errorf("round %d: %d accounts and %d passkeys are left, want one", n, len(accounts), len(passkeys))
		}
	})
}

func raceLink(h *harness) {
	users := h.contenders()
	h.rounds(func(n int) {
		subject := strconv.Itoa(n)
		winner := h.oneWinner(store.ErrAccountLinked, func(worker int) error {
			_, err := h.OAuth.Link(h.Context(), store.NewOAuthAccount{UserID: users[worker].ID, Provider: "github", Subject: subject})
			return err
		})
		found, _, err := h.OAuth.FindUser(h.Context(), "github", subject)
		h.must(err)
		if found.ID != users[winner].ID {
			h.Errorf("round %d: %q has the account, and %q was told so", n, found.ID, users[winner].ID)
		}
		h.must(h.OAuth.Unlink(h.Context(), found.ID, "github"))
	})
	for _, u := range users {
		h.wantAccounts(u.ID)
	}
	h.wantRecords(len(users))
}

func raceAddPasskey(h *harness) {
	users := h.contenders()
	h.rounds(func(n int) {
		credential := strconv.Itoa(n)
		winner := h.oneWinner(store.ErrConflict, func(worker int) error {
			// Two workers for each user.
			_, err := h.Passkeys.Add(h.Context(), newPasskey(users[worker/2].ID, credential))
			return err
		})
		h.wantCredentials(users[winner/2].ID, credential)
		h.must(h.Passkeys.Delete(h.Context(), []byte(credential)))
	})
	h.wantRecords(len(users))
}

// errNothing is what a consumer is told who gets nothing.
var errNothing = errors.New("nothing")

// raceConsume stores a text and has all workers consume it.
func (h *harness) raceConsume(store func(text string) error, consume consumer) {
	h.Helper()
	h.rounds(func(n int) {
		want := fmt.Sprint("text ", n)
		h.must(store(want))
		h.oneWinner(errNothing, func(int) error {
			got, ok, err := consume()
			switch {
			case err != nil:
				return err
			case !ok:
				return errNothing
			case got != want:
				return fmt.Errorf("consumed %q, want %q", got, want)
			default:
				return nil
			}
		})
	})
	if left := h.keys(); len(left) > 0 {
		h.Errorf("%d keys are left", len(left))
	}
}

func racePKCE(h *harness) {
	h.raceConsume(func(text string) error { return h.OAuth.StorePKCE(h.Context(), "state", text, time.Minute) }, h.consumePKCE("state"))
}

func raceChallenge(h *harness) {
	h.raceConsume(func(text string) error { return h.Passkeys.SetChallenge(h.Context(), "id", text, time.Minute) }, h.consumeChallenge("id"))
}
