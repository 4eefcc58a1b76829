package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/toriibench/toriibench/store"
)

// HandshakeLifetime is how long somebody may take at the provider.
const HandshakeLifetime = 10 * time.Minute

// Handshake begins a login at a provider: what the address there carries.
type Handshake struct {
	// State comes back with the browser. The caller keeps it in a cookie too and
	// compares: one that another browser has begun logs in as somebody else.
	State string
	// Challenge is the S256 challenge of the PKCE verifier, RFC 7636.
	Challenge string
}

// BeginOAuth makes a state and keeps a PKCE verifier under it for
// HandshakeLifetime.
func (s *Service) BeginOAuth(ctx context.Context) (Handshake, error) {
	state, verifier := randomText(), randomText()
	if err := s.storage.OAuth.StorePKCE(ctx, state, verifier, HandshakeLifetime); err != nil {
		return Handshake{}, during("begin OAuth", err)
	}
	challenge := sha256.Sum256([]byte(verifier))
	return Handshake{State: state, Challenge: base64.RawURLEncoding.EncodeToString(challenge[:])}, nil
}

// randomText is 256 random bits in 43 characters that need no escaping.
func randomText() string {
	raw := make([]byte, 32)
	rand.Read(raw) // It never fails; it ends the program instead.
	return base64.RawURLEncoding.EncodeToString(raw)
}

// TakeVerifier returns the PKCE verifier of a state, to exchange the provider's
// code with, and forgets it: of many calls at once one gets it, and the others
// ErrInvalidToken.
func (s *Service) TakeVerifier(ctx context.Context, state string) (string, error) {
	verifier, ok, err := s.storage.OAuth.ConsumePKCE(ctx, state)
	if err == nil && !ok {
		err = ErrInvalidToken
	}
	return verifier, during("take PKCE verifier", err)
}

// ProviderIdentity is what a provider says about somebody, as the caller has got it
// from there.
type ProviderIdentity struct {
	// Provider is the caller's name for it: 1 to 50 lower-case letters, digits and
	// hyphens.
	Provider string
	// Subject is the provider's name for the person, which it never gives to
	// another.
	Subject string
	// Email is needed at the first login only.
	Email string
	// EmailVerified is true only when the provider says so itself, as in OpenID
	// Connect's email_verified.
	EmailVerified bool
	// Name is for a new user; one that the rules refuse is left out.
	Name *string
}

// LoginByOAuth begins a session for the user to whom the account at the provider
// is linked. At the first login it is linked, to the user who has the email, or to
// a new one, whose email counts as verified.
//
// It is linked by email only if both sides have verified it; else the result is
// ErrEmailUnverified and nothing is written. Without the first, an account at a
// lax provider in somebody's name would take over their user. Without the second,
// whoever had registered with the email of another would share the account with
// its owner from then on, who would put it to use unsuspecting: Sudhodanan and
// Paverd, "Pre-hijacked accounts", USENIX Security 2022. Nor is a new user made of
// an email that the provider has not verified. The owner verifies the email here,
// or logs in otherwise and links the account by OAuth.Link.
func (s *Service) LoginByOAuth(ctx context.Context, p ProviderIdentity, from Client) (store.Identity, error) {
	const op = "log in by OAuth"
	ctx = store.WithPrimaryReads(ctx)
	for _, err := range []error{checkProvider(p.Provider), checkSubject(p.Subject)} {
		if err != nil {
			return store.Identity{}, during(op, err)
		}
	}
	user, err := s.resolve(ctx, p)
	if err != nil {
		return store.Identity{}, during(op, err)
	}
	id, err := s.open(ctx, user, from)
	if err != nil {
		return store.Identity{}, during(op, err)
	}
	return id, nil
}

// resolve finds the user of an account, linking it where the rules allow. What
// others do meanwhile makes it look again: two first logins of one person meet.
func (s *Service) resolve(ctx context.Context, p ProviderIdentity) (store.User, error) {
	var err error
	for range 4 {
		user, found, lost := s.storage.OAuth.FindUser(ctx, p.Provider, p.Subject)
		if lost != nil || found {
			return user, lost
		}
		user, err = s.adopt(ctx, p)
		if err == nil {
			_, err = s.storage.OAuth.Link(ctx, store.NewOAuthAccount{UserID: user.ID, Provider: p.Provider, Subject: p.Subject})
		}
		if err == nil {
			return user, nil
		}
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) {
			return store.User{}, err
		}
	}
	return store.User{}, err
}

// adopt finds the user to whom an account may be linked by its email, or makes one.
func (s *Service) adopt(ctx context.Context, p ProviderIdentity) (store.User, error) {
	if !p.EmailVerified {
		return store.User{}, fmt.Errorf("by the provider: %w", ErrEmailUnverified)
	}
	user, found, err := s.storage.Users.FindByEmail(ctx, p.Email)
	if err != nil {
		return store.User{}, err
	}
	if found && user.EmailVerifiedAt == nil {
		return store.User{}, fmt.Errorf("by the user who has it: %w", ErrEmailUnverified)
	}
	if found {
		return user, nil
	}
	if err := CheckEmail(p.Email); err != nil {
		return store.User{}, err
	}
	if CheckName(p.Name) != nil {
		p.Name = nil
	}
	now := time.Now()
	return s.storage.Users.Create(ctx, store.NewUser{Email: p.Email, Name: p.Name, EmailVerifiedAt: &now})
}
