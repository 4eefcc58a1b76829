package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/toriibench/toriibench/store"
)

func userRaces() []scenario {
	return []scenario{
		{name: "U-12 concurrent find-or-create gives one user", run: raceFindOrCreate},
		{name: "U-13 of concurrent creations with one email exactly one succeeds", run: raceCreate},
		{name: "U-13 of concurrent changes to one email exactly one succeeds", run: raceChangeEmail},
		{name: "U-14 concurrent changes of different fields are all kept", run: raceFields},
	}
}

func raceFindOrCreate(h *harness) {
	h.rounds(func(n int) {
		email := fmt.Sprintf("a%d@example.org", n)
		ids := make([]string, h.opts.Workers)
		h.together(func(worker int) {
			u, err := h.Users.FindOrCreateByEmail(h.Context(), email)
			if err != nil {
				h.Error(err)
			}
			ids[worker] = u.ID
		})
		for _, id := range ids {
			if id != ids[0] {
				h.Fatalf("round %d: ids %q and %q for one email", n, ids[0], id)
			}
		}
	})
	h.wantRecords(h.opts.Rounds)
}

// wantRecords expects nothing but n users, each a record and a claim.
func (h *harness) wantRecords(n int) {
	h.Helper()
	if keys := h.keys(); !h.Failed() && len(keys) != 2*n {
		h.Errorf("%d keys for %d users, want 2 each", len(keys), n)
	}
}

func raceCreate(h *harness) {
	h.rounds(func(n int) {
		email := fmt.Sprintf("a%d@example.org", n)
		var winners atomic.Int64
		h.together(func(int) {
			_, err := h.Users.Create(h.Context(), store.NewUser{Email: email})
			switch {
			case err == nil:
				winners.Add(1)
			case !errors.Is(err, store.ErrConflict):
				h.Error(err)
			}
		})
		if winners.Load() != 1 {
			h.Errorf("round %d: %d creations have succeeded", n, winners.Load())
		}
	})
	h.wantRecords(h.opts.Rounds)
}

func raceChangeEmail(h *harness) {
	users := make([]store.User, h.opts.Workers)
	for i := range users {
		users[i] = h.user(fmt.Sprintf("user%d@example.org", i))
	}
	h.rounds(func(n int) {
		email := fmt.Sprintf("wanted%d@example.org", n)
		var winner atomic.Int64
		var winners atomic.Int64
		h.together(func(worker int) {
			changed := users[worker]
			changed.Email = email
			got, err := h.Users.Update(h.Context(), changed)
			switch {
			case err == nil:
				users[worker] = got
				winners.Add(1)
				winner.Store(int64(worker))
			case !errors.Is(err, store.ErrConflict):
				h.Error(err)
			}
		})
		if winners.Load() != 1 {
			h.Fatalf("round %d: %d changes have succeeded", n, winners.Load())
		}
		h.wantUser(users[winner.Load()])
	})
	for _, u := range users {
		h.wantUser(u)
	}
	h.wantRecords(len(users))
}

// amend reads, changes and writes until nobody came between.
func (h *harness) amend(id string, change func(*store.User)) error {
	for range 10_000 {
		u, ok, err := h.Users.FindByID(h.Context(), id)
		if err != nil || !ok {
			return errors.Join(err, fmt.Errorf("user found: %t", ok))
		}
		change(&u)
		if _, err = h.Users.Update(h.Context(), u); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return errors.New("others came between 10000 times")
}

func raceFields(h *harness) {
	h.rounds(func(n int) {
		u := h.user(fmt.Sprintf("a%d@example.org", n))
		name, locked := "Ada", time.UnixMilli(1_700_000_000_000).UTC()
		changes := []func(u *store.User){
			func(u *store.User) { u.LockedAt = &locked },
			func(u *store.User) { u.Name = &name },
		}
		email, moves := u.Email, n%2 == 1
		if moves { // Which may well end a verification.
			email = "new-" + u.Email
			changes = append(changes, func(u *store.User) { u.Email = email })
		}
		h.together(func(worker int) {
			var err error
			if worker < len(changes) {
				err = h.amend(u.ID, changes[worker])
			} else {
				_, err = h.Users.MarkEmailVerified(h.Context(), u.ID)
			}
			if err != nil {
				h.Error(err)
			}
		})
		got, _, err := h.Users.FindByEmail(h.Context(), email)
		h.must(err)
		if got.ID != u.ID || got.EmailVerifiedAt == nil && !moves || got.LockedAt == nil || got.Name == nil {
			h.Errorf("round %d: a change is lost: %+v", n, got)
		}
	})
}
