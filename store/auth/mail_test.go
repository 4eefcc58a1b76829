package auth_test

import (
	"context"
	"errors"
	"testing"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/auth"
	"github.com/toriibench/toriibench/store/memory"
)

// moved changes the email of a user.
func moved(t *testing.T, st *store.RedisStorage, userID, to string) {
	t.Helper()
	u, _, err := st.Users.FindByID(context.Background(), userID)
	if err == nil {
		u.Email = to
		_, err = st.Users.Update(context.Background(), u)
	}
	if err != nil {
		t.Error(err)
	}
}

// Who asks for a mail and changes the email just then does not get one at the old
// address that is good for the new one.
func TestAChangeOfEmailAtAnyStepOfARequest(t *testing.T) {
	for name, c := range map[string]struct {
		ask func(ctx context.Context, s *auth.Service) (store.SecureToken, error)
		use func(ctx context.Context, s *auth.Service, token store.Token) (store.User, error)
	}{
		"reset": {
			func(ctx context.Context, s *auth.Service) (store.SecureToken, error) {
				token, _, err := s.RequestReset(ctx, email)
				return token, err
			},
			func(ctx context.Context, s *auth.Service, token store.Token) (store.User, error) {
				return s.ResetPassword(ctx, token, other)
			},
		},
		"magic link": {
			func(ctx context.Context, s *auth.Service) (store.SecureToken, error) {
				return s.RequestMagicLink(ctx, email)
			},
			func(ctx context.Context, s *auth.Service, token store.Token) (store.User, error) {
				id, err := s.LoginByMagicLink(ctx, token, auth.Client{})
				return id.User, err
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			atAnyStep(t, 3, func(st *store.RedisStorage, s *auth.Service, meanwhile func(func())) {
				u := register(t, s)
				meanwhile(func() { moved(t, st, u.ID, "victim@example.org") })
				token, err := c.ask(t.Context(), s)
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					t.Error(err)
				}
				used, err := c.use(t.Context(), s, token.Token)
				if err != nil && !errors.Is(err, auth.ErrInvalidToken) {
					t.Error(err)
				}
				if used.Email != "" && used.Email != email {
					t.Errorf("who reads the mails of %s has become %s", email, used.Email)
				}
			})
		})
	}
}

func TestAChangeOfEmailAtAnyStepOfAVerification(t *testing.T) {
	atAnyStep(t, 4, func(st *store.RedisStorage, s *auth.Service, meanwhile func(func())) {
		u := register(t, s)
		meanwhile(func() { moved(t, st, u.ID, "victim@example.org") })
		token, to, err := s.RequestVerification(t.Context(), u.ID)
		if err != nil {
			t.Error(err)
		}
		if _, err := s.VerifyEmail(t.Context(), token.Token); err != nil && !errors.Is(err, auth.ErrInvalidToken) {
			t.Error(err)
		}
		if u, _, err = st.Users.FindByID(t.Context(), u.ID); err != nil || u.EmailVerifiedAt != nil && u.Email != to {
			t.Errorf("mailed to %s, but %s is verified at %v (%v)", to, u.Email, u.EmailVerifiedAt, err)
		}
	})
}

// unreplicated is a driver whose writes of a script no replica has.
type unreplicated struct {
	store.Driver

	script string
}

func (d unreplicated) Eval(ctx context.Context, script *store.Script, keys []string, args ...string) ([]string, error) {
	out, err := d.Driver.Eval(ctx, script, keys, args...)
	if err == nil && script.Name == d.script {
		err = store.Replicated(script.Name, 0, 1, nil)
	}
	return out, err
}

// A reset that no replica has is a reset: its user can log in.
func TestAResetThatIsNotReplicatedUnlocks(t *testing.T) {
	st, err := store.Open(t.Context(), store.Config{URLs: []string{"memory"}}, func(ctx context.Context, cfg store.Config) (store.Driver, error) {
		d, err := memory.Dial(ctx, cfg)
		return unreplicated{d, "password_reset"}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := auth.New(st, auth.Options{Hashing: auth.Argon2id{Memory: 8, Passes: 1}})
	if err != nil {
		t.Fatal(err)
	}
	u := register(t, s)
	for range store.DefaultMaxAttempts {
		if _, err := s.Login(t.Context(), email, other, auth.Client{}); !errors.Is(err, auth.ErrCredentials) {
			t.Error(err)
		}
	}
	token, _, err := s.RequestReset(t.Context(), email)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.ResetPassword(t.Context(), token.Token, other); !errors.Is(err, store.ErrNotReplicated) || got.ID != u.ID {
		t.Errorf("reset for %q: %v", got.ID, err)
	}
	if _, err := s.Login(t.Context(), email, other, auth.Client{}); err != nil {
		t.Error(err)
	}
	// No such token is no reset, however many replicas there are.
	if got, err := s.ResetPassword(t.Context(), token.Token, secret); !errors.Is(err, auth.ErrInvalidToken) || got.ID != "" {
		t.Errorf("reset for %q: %v", got.ID, err)
	}
	if got, ok, err := st.Passwords.Reset(t.Context(), token.Token, "hash"); !errors.Is(err, store.ErrNotReplicated) || ok || got.ID != "" {
		t.Errorf("reset for %q: %t, %v", got.ID, ok, err)
	}
}
