package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/toriibench/toriibench/store"
)

// JWTSessions are sessions that are JSON Web Tokens. They are nowhere in storage:
// there is nothing to list and nothing that could be deleted. It is safe for
// concurrent use.
type JWTSessions struct {
	jwt   *JWT
	users *store.Users
}

// NewJWTSessions returns sessions of the users.
func NewJWTSessions(jwt *JWT, users *store.Users) *JWTSessions { return &JWTSessions{jwt, users} }

// Create is JWT.Sign: nobody asks whether the user is there.
func (s *JWTSessions) Create(_ context.Context, n store.NewSession) (store.Session, error) {
	return s.jwt.Sign(n)
}

// Authenticate returns the session and its user, or false when the token is not
// good, or its user is not there. JWT.Verify tells why, without the user.
func (s *JWTSessions) Authenticate(ctx context.Context, t store.Token) (store.Identity, bool, error) {
	session, err := s.jwt.Verify(t)
	if err != nil {
		return store.Identity{}, false, nil //nolint:nilerr // Such a token is absent, as in storage.
	}
	user, found, err := s.users.FindByID(ctx, session.UserID)
	if err != nil || !found {
		return store.Identity{}, false, during("authenticate", err)
	}
	return store.Identity{Session: session, User: user}, true, nil
}

// Refresh makes another token of one that is good, which begins now and ends after
// d, a second to store.MaxSessionLifetime. The old one stays good until its end.
// The result is store.ErrNotFound when the token is not good, which is an
// ErrExpired or an ErrInvalidToken too, or its user is not there.
//
// A refresh prolongs without a bound, whatever Options.SessionLifetime: who has
// stolen a token refreshes it again and again, and neither a log-out nor a change
// of the password ends that. Offer it only where that cannot be; else let people
// log in again.
func (s *JWTSessions) Refresh(ctx context.Context, t store.Token, d time.Duration) (store.Session, error) {
	const op = "refresh session"
	if d < time.Second || d > store.MaxSessionLifetime {
		return store.Session{}, during(op, invalid("lifetime %s is not between 1s and %s", d, store.MaxSessionLifetime))
	}
	old, err := s.jwt.Verify(t)
	if err != nil {
		return store.Session{}, fmt.Errorf("%s: %w: %w", op, store.ErrNotFound, err)
	}
	_, found, err := s.users.FindByID(store.WithPrimaryReads(ctx), old.UserID)
	if err == nil && !found {
		err = fmt.Errorf("user %w", store.ErrNotFound)
	}
	if err != nil {
		return store.Session{}, during(op, err)
	}
	return s.jwt.Sign(store.NewSession{
		UserID: old.UserID, UserAgent: old.UserAgent, IPAddress: old.IPAddress, ExpiresAt: time.Now().Add(d),
	})
}

// List returns none.
func (s *JWTSessions) List(context.Context, string) ([]store.Session, error) { return nil, nil }

// Delete does nothing: the token is good until its end.
func (s *JWTSessions) Delete(context.Context, store.Token) error { return nil }

// DeleteAllOfUser does nothing.
func (s *JWTSessions) DeleteAllOfUser(context.Context, string) error { return nil }
