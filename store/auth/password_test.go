package auth_test

import (
	"context"
	"errors"
	"testing"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/auth"
)

// Who has stolen the old password and changes it while its owner resets it: the
// reset stays, whenever it comes.
func TestAResetAtAnyStepOfAChange(t *testing.T) {
	const chosen = "the owner's choice"
	atAnyStep(t, 5, func(_ *store.RedisStorage, s *auth.Service, meanwhile func(func())) {
		u, reset := register(t, s), false
		token, _, err := s.RequestReset(t.Context(), email)
		if err != nil {
			t.Fatal(err)
		}
		meanwhile(func() {
			_, err := s.ResetPassword(context.Background(), token.Token, chosen)
			if reset = true; err != nil {
				t.Error(err)
			}
		})
		err = s.ChangePassword(t.Context(), u.ID, secret, other)
		if err != nil && (!reset || !errors.Is(err, auth.ErrCredentials)) {
			t.Error(err)
		}
		if !reset {
			return
		}
		if _, err := s.Login(t.Context(), email, chosen, auth.Client{}); err != nil {
			t.Errorf("the owner: %v", err)
		}
		if _, err := s.Login(t.Context(), email, other, auth.Client{}); !errors.Is(err, auth.ErrCredentials) {
			t.Errorf("the thief: %v", err)
		}
	})
}
