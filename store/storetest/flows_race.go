package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/auth"
)

func flowRaces() []scenario {
	return []scenario{
		{name: "F-6 of concurrent resets exactly one succeeds, and its password is the one", run: raceReset},
		{name: "F-7 no login with the old password outlives a concurrent change", run: raceChange},
		{name: "F-9 of concurrent logins by a magic link exactly one succeeds", run: raceMagicLink},
		{name: "F-11 concurrent first logins by one account are one user", run: raceFirstLogin},
		{name: "B-15 of concurrent strict logins via the service exactly five check a password", run: raceStrictLogin},
		{name: "X-3 of concurrent takers of a verifier exactly one gets it, via the service", run: raceTake},
	}
}

// winners counts who succeeded; all others must have got an error of the kind.
func (h *harness) winners(kind error, f func(worker int) error) int {
	h.Helper()
	var won atomic.Int64
	h.together(func(worker int) {
		err := f(worker)
		switch {
		case err == nil:
			won.Add(1)
		case !errors.Is(err, kind):
			h.Error(err)
		}
	})
	return int(won.Load())
}

func raceReset(h *harness) {
	s := h.service(auth.Options{})
	h.rounds(func(n int) {
		email := fmt.Sprintf("a%d@example.org", n)
		h.register(s, email)
		token := h.reset(s, email)
		var winner atomic.Int64
		won := h.winners(auth.ErrInvalidToken, func(worker int) error {
			_, err := s.ResetPassword(h.Context(), token, fmt.Sprintf("password %d", worker))
			if err == nil {
				winner.Store(int64(worker))
			}
			return err
		})
		if won != 1 {
			h.Fatalf("round %d: %d resets succeeded", n, won)
		}
		h.enter(s, email, fmt.Sprintf("password %d", winner.Load()))
	})
}

// raceChange has logins with the old password under way while it is changed. All
// that were let in must be out when both are over.
func raceChange(h *harness) {
	s := h.service(auth.Options{HashesAtOnce: h.opts.Workers})
	h.rounds(func(n int) {
		email := fmt.Sprintf("a%d@example.org", n)
		u := h.register(s, email)
		var lock sync.Mutex
		var let []store.Identity
		h.together(func(worker int) {
			if worker == 0 {
				if err := s.ChangePassword(h.Context(), u.ID, secret, other); err != nil {
					h.Error(err)
				}
				return
			}
			id, err := s.Login(h.Context(), email, secret, auth.Client{})
			// Those who come late fail, and so lock the email.
			if err != nil && !errors.Is(err, auth.ErrCredentials) && !errors.Is(err, store.ErrLocked) {
				h.Error(err)
			}
			if err == nil {
				lock.Lock()
				defer lock.Unlock()
				let = append(let, id)
			}
		})
		for _, id := range let {
			h.ended(s, id)
		}
		if list, err := h.Sessions.List(h.Context(), u.ID); err != nil || len(list) > 0 {
			h.Errorf("round %d: %d sessions are left (%v)", n, len(list), err)
		}
	})
}

func raceMagicLink(h *harness) {
	s := h.service(auth.Options{})
	h.rounds(func(n int) {
		token, err := s.RequestMagicLink(h.Context(), fmt.Sprintf("a%d@example.org", n))
		h.must(err)
		won := h.winners(auth.ErrInvalidToken, func(int) error {
			_, err := s.LoginByMagicLink(h.Context(), token.Token, auth.Client{})
			return err
		})
		if list, err := h.Sessions.List(h.Context(), token.UserID); won != 1 || err != nil || len(list) != 1 {
			h.Errorf("round %d: %d logins, %d sessions (%v)", n, won, len(list), err)
		}
	})
}

func raceFirstLogin(h *harness) {
	s := h.service(auth.Options{})
	h.rounds(func(n int) {
		p := auth.ProviderIdentity{
			Provider: "github", Subject: strconv.Itoa(n), Email: fmt.Sprintf("a%d@example.org", n), EmailVerified: true,
		}
		var ids sync.Map
		h.together(func(int) {
			id, err := s.LoginByOAuth(h.Context(), p, auth.Client{})
			if err != nil {
				h.Error(err)
				return
			}
			ids.Store(id.User.ID, true)
		})
		users := 0
		ids.Range(func(any, any) bool { users++; return true })
		if users != 1 {
			h.Errorf("round %d: logged in as %d users", n, users)
		}
	})
}

func raceStrictLogin(h *harness) {
	s := h.service(auth.Options{Strict: true})
	h.rounds(func(n int) {
		email := fmt.Sprintf("a%d@example.org", n)
		h.register(s, email)
		var checked atomic.Int64
		h.together(func(int) {
			_, err := s.Login(h.Context(), email, other, auth.Client{})
			switch {
			case errors.Is(err, auth.ErrCredentials):
				checked.Add(1)
			case !errors.Is(err, store.ErrLocked):
				h.Errorf("error is %v, want locked", err)
			}
		})
		if got := checked.Load(); got != store.DefaultMaxAttempts {
			h.Errorf("round %d: %d passwords were checked, want %d", n, got, store.DefaultMaxAttempts)
		}
	})
}

func raceTake(h *harness) {
	s := h.service(auth.Options{})
	h.rounds(func(n int) {
		handshake, err := s.BeginOAuth(h.Context())
		h.must(err)
		won := h.winners(auth.ErrInvalidToken, func(int) error {
			_, err := s.TakeVerifier(h.Context(), handshake.State)
			return err
		})
		if won != 1 {
			h.Errorf("round %d: %d got the verifier", n, won)
		}
	})
}
