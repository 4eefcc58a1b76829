package auth

import (
	"errors"
	"fmt"

	"github.com/toriibench/toriibench/store"
)

// What callers branch on, with errors.Is, besides the errors of package store:
// store.ErrInvalid for what the rules refuse, store.ErrConflict for an email that
// is taken, store.ErrLocked, and store.ErrUnavailable for an outage.
var (
	// ErrCredentials: the email is unknown, or the password is not the one of its
	// user. It does not say which.
	ErrCredentials = errors.New("wrong email or password")
	// ErrInvalidToken: the token is unknown, for another purpose, used, or was
	// tampered with. One that is in storage may also have expired, or was mailed to an
	// email that its user has given up.
	ErrInvalidToken = errors.New("invalid token")
	// ErrExpired: a JSON Web Token was good until its end.
	ErrExpired = errors.New("token has expired")
	// ErrEmailUnverified: an account at a provider is not linked by an email that
	// the provider, or the user who has it here, has not verified.
	ErrEmailUnverified = errors.New("email is not verified")
)

// during says what was being done. Nil stays nil.
func during(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", op, err)
}

// invalid builds a store.ErrInvalid that says what is wrong, and quotes nothing.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", store.ErrInvalid, fmt.Sprintf(format, args...))
}
