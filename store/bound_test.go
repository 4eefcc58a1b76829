package store_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/memory"
)

// Of few sessions it is exactly the first to end that makes room: one that has
// ended before one that lives, and never the newest.
func TestTheFirstToEndMakesRoom(t *testing.T) {
	for name, c := range map[string]struct {
		ends []time.Duration
		live []int
	}{
		"within the bound":     {[]time.Duration{3, 2, 1}, []int{0, 1, 2}},
		"the first in between": {[]time.Duration{3, 1, 2, 4}, []int{0, 2, 3}},
		"the newest is first":  {[]time.Duration{3, 2, 4, 1}, []int{0, 2, 3}},
		"again and again":      {[]time.Duration{1, 2, 3, 4, 5, 6}, []int{3, 4, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := store.Open(t.Context(), store.Config{URLs: []string{"memory"}, MaxSessions: 3}, memory.Dial)
			check(t, err)
			_, err = s.Users.Create(t.Context(), store.NewUser{ID: user1, Email: emailA})
			check(t, err)
			var tokens []store.Token
			for _, hours := range c.ends {
				made, err := s.Sessions.Create(t.Context(), store.NewSession{UserID: user1, ExpiresAt: time.Now().Add(hours * time.Hour)})
				check(t, err)
				tokens = append(tokens, made.Token)
			}
			for i, token := range tokens {
				_, alive, err := s.Sessions.Find(t.Context(), token)
				check(t, err)
				if want := slices.Contains(c.live, i); alive != want {
					t.Errorf("session %d is alive: %t, want %t", i+1, alive, want)
				}
			}
		})
	}
}

// Links that somebody has asked for by the thousand keep their user from nothing
// any more once they have ended, whatever else goes on.
func TestEndedTokensLeaveRoom(t *testing.T) {
	now := time.Now()
	s := openHealthy(t, memory.NewServer(func() time.Time { return now }))
	_, err := s.Users.Create(t.Context(), store.NewUser{ID: user1, Email: emailA})
	check(t, err)
	_, err = s.Tokens.Create(t.Context(), user1, store.PurposeEmailVerification, 0)
	check(t, err)
	for range store.MaxTokens - 1 {
		_, err = s.Tokens.Create(t.Context(), user1, store.PurposePasswordReset, 0)
		check(t, err)
	}
	reset := func() error {
		_, err := s.Tokens.Create(t.Context(), user1, store.PurposePasswordReset, 0)
		return err
	}
	if err := reset(); !errors.Is(err, store.ErrTooMany) {
		t.Errorf("error is %v, want %v", err, store.ErrTooMany)
	}
	now = now.Add(store.PurposePasswordReset.Lifetime() + time.Millisecond)
	check(t, reset())
	if n, err := s.Tokens.CleanupExpired(t.Context()); n != 0 || err != nil {
		t.Errorf("%d that have ended are left, %v", n, err)
	}
}
