package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/store"
)

func sessionRaces() []scenario {
	return []scenario{
		{name: "S-17 no refresh revives a session that is being deleted", run: raceRefreshDelete},
		{name: "S-18 delete-all ends every session that was created before", run: raceDeleteAll},
		{name: "S-18 delete-all ends sessions that are being refreshed", run: raceDeleteAllRefresh},
		{name: "S-10 a list longer than a page is complete while sessions are refreshed", run: raceListRefresh},
		{name: "S-20 of concurrent creations with one token exactly one succeeds", run: raceToken},
	}
}

func raceRefreshDelete(h *harness) {
	u := h.user("a@example.org")
	h.rounds(func(n int) {
		s := h.session(u.ID, time.Hour)
		var deleted atomic.Bool
		h.together(func(worker int) {
			if worker == 0 {
				if err := h.Sessions.Delete(h.Context(), s.Token); err != nil {
					h.Error(err)
				}
				deleted.Store(true)
			}
			gone := deleted.Load()
			found, err := true, error(nil)
			if worker%4 == 1 {
				_, found, err = h.Sessions.Find(h.Context(), s.Token)
			} else {
				_, err = h.Sessions.Refresh(h.Context(), s.Token, time.Hour)
			}
			if gone && found && err == nil {
				h.Errorf("round %d: the session was found or refreshed after its deletion", n)
			}
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				h.Error(err)
			}
		})
		if h.alive(s.Token) {
			h.Errorf("round %d: the session is alive", n)
		}
	})
	h.wantRecords(1)
}

// Ends move up and down the index while lists walk it.
func raceListRefresh(h *harness) {
	const sessions, lists = 900, 10
	u := h.user("a@example.org")
	tokens := make([]store.Token, sessions)
	for i := range tokens {
		tokens[i] = h.session(u.ID, 2*time.Hour+time.Duration(i)*time.Second).Token
	}
	var done atomic.Bool
	var refreshers sync.WaitGroup
	for worker := range 4 {
		refreshers.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(worker)))
			for !done.Load() {
				d := time.Hour + time.Duration(random.IntN(3600))*2*time.Second
				if _, err := h.Sessions.Refresh(h.Context(), tokens[random.IntN(sessions)], d); err != nil {
					h.Error(err)
					return
				}
			}
		})
	}
	for range lists {
		list, err := h.Sessions.List(h.Context(), u.ID)
		if err != nil || len(list) != sessions {
			h.Errorf("%d sessions listed, want %d: %v", len(list), sessions, err)
		}
	}
	done.Store(true)
	refreshers.Wait()
}

// storm creates sessions from every worker while cut happens, and returns
// those that surely were there before it and all of them.
func (h *harness) storm(userID string, cut func() error) (before, all []store.Session) {
	h.Helper()
	var mu sync.Mutex
	var begun atomic.Bool
	h.together(func(worker int) {
		for i := range 4 {
			if worker == 0 && i == 2 {
				begun.Store(true)
				if err := cut(); err != nil {
					h.Error(err)
				}
			}
			s, err := h.Sessions.Create(h.Context(), store.NewSession{UserID: userID})
			if err != nil {
				h.Error(err)
				return
			}
			early := !begun.Load()
			mu.Lock()
			all = append(all, s)
			if early {
				before = append(before, s)
			}
			mu.Unlock()
		}
	})
	return before, all
}

func raceDeleteAll(h *harness) {
	h.rounds(func(n int) {
		u := h.user(fmt.Sprintf("a%d@example.org", n))
		before, all := h.storm(u.ID, func() error { return h.Sessions.DeleteAllOfUser(h.Context(), u.ID) })
		for _, s := range before {
			if h.alive(s.Token) {
				h.Errorf("round %d: a session from before is alive", n)
			}
		}
		alive := map[string]bool{}
		for _, s := range all {
			if h.alive(s.Token) {
				alive[s.TokenHash] = true
			}
		}
		h.wantList(u.ID, alive)
		h.must(h.Users.Delete(h.Context(), u.ID))
	})
	h.wantRecords(0)
}

// wantList expects exactly these sessions to be listed.
func (h *harness) wantList(userID string, hashes map[string]bool) {
	h.Helper()
	list, err := h.Sessions.List(h.Context(), userID)
	h.must(err)
	listed := map[string]bool{}
	for _, s := range list {
		listed[s.TokenHash] = true
	}
	if diff := cmp.Diff(hashes, listed); diff != "" {
		h.Errorf("the list differs from what is alive (-alive +listed):\n%s", diff)
	}
}

func raceDeleteAllRefresh(h *harness) {
	u := h.user("a@example.org")
	h.rounds(func(n int) {
		s := h.session(u.ID, time.Hour)
		h.together(func(worker int) {
			if worker == 0 {
				if err := h.Sessions.DeleteAllOfUser(h.Context(), u.ID); err != nil {
					h.Error(err)
				}
				return
			}
			if _, err := h.Sessions.Refresh(h.Context(), s.Token, time.Hour); err != nil && !errors.Is(err, store.ErrNotFound) {
				h.Error(err)
			}
		})
		if h.alive(s.Token) {
			h.Errorf("round %d: the session is alive", n)
		}
	})
	h.wantRecords(1)
}

func raceToken(h *harness) {
	u := h.user("a@example.org")
	h.rounds(func(n int) {
		token := store.NewToken(u.ID)
		var winners atomic.Int64
		h.together(func(int) {
			_, err := h.Sessions.Create(h.Context(), store.NewSession{UserID: u.ID, Token: token})
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
}
