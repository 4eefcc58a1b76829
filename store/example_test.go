package store_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/memory"
)

// A strict login: leave to check the password is asked before, and taken as a
// failure unless Clear follows.
func ExampleBruteForce_Admit() {
	ctx := context.Background()
	s, err := store.Open(ctx, store.Config{URLs: []string{"memory"}, Lockout: store.LockoutOptions{MaxAttempts: 2}}, memory.Dial)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	login := func(email, password string) error {
		if _, err := s.BruteForce.Admit(ctx, store.NewAttempt{Email: email}); err != nil {
			return err
		}
		if password != "correct horse" {
			return errors.New("wrong password")
		}
		_, err := s.BruteForce.Clear(ctx, email)
		return err
	}
	for _, password := range []string{"guess", "correct horse", "guess", "guess", "correct horse"} {
		err := login("ada@example.org", password)
		fmt.Println(password, "-", err == nil, errors.Is(err, store.ErrLocked))
	}
	// Output:
	// guess - false false
	// correct horse - true false
	// guess - false false
	// guess - false false
	// correct horse - false true
}
