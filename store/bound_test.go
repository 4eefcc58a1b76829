package store_test

import (
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
