package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/toriibench/toriibench/store"
)

// RequestReset makes a token by which the user who has the email can set a new
// password, for the caller to mail there; it lives for 15 minutes. For an unknown
// email it is false and there is nothing to mail. Whoever asks must get the same
// answer in both cases, and for store.ErrTooMany, which only a user can have.
func (s *Service) RequestReset(ctx context.Context, email string) (store.SecureToken, bool, error) {
	const op = "request password reset"
	user, found, err := s.storage.Users.FindByEmail(store.WithPrimaryReads(ctx), email)
	if err != nil || !found {
		return store.SecureToken{}, false, during(op, err)
	}
	token, err := s.tokenFor(ctx, user, store.PurposePasswordReset)
	if errors.Is(err, store.ErrNotFound) {
		return store.SecureToken{}, false, nil
	}
	return token, err == nil, during(op, err)
}

// tokenFor makes a token that is to be mailed to the user's email. It returns
// ErrNotFound when the user has another by now, or was deleted: a token for the
// new one must not go to the old.
func (s *Service) tokenFor(ctx context.Context, user store.User, purpose store.TokenPurpose) (store.SecureToken, error) {
	token, err := s.storage.Tokens.Create(ctx, user.ID, purpose, 0)
	if err != nil {
		return store.SecureToken{}, err
	}
	if token.Email != user.Email {
		return store.SecureToken{}, fmt.Errorf("user with this email %w", store.ErrNotFound)
	}
	return token, nil
}

// ResetPassword gives the user of the token a new password, ends all sessions and
// unlocks the email. What else was mailed to log in or to set a password, and was
// not used, is no good from then on. It returns ErrInvalid when the password is refused by the
// rules, which leaves the token good, and ErrInvalidToken when the token is not.
// An error that comes with a user means that the password is in force, and only the
// unlocking has failed, or a failover may undo it: store.ErrNotReplicated.
func (s *Service) ResetPassword(ctx context.Context, token store.Token, password string) (store.User, error) {
	const op = "reset password"
	ctx = store.WithPrimaryReads(ctx)
	if err := CheckPassword(password); err != nil {
		return store.User{}, during(op, err)
	}
	// Who makes up tokens is not worth a hash.
	good, err := s.storage.Tokens.Check(ctx, token, store.PurposePasswordReset)
	if err == nil && !good {
		err = ErrInvalidToken
	}
	if err != nil {
		return store.User{}, during(op, err)
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return store.User{}, during(op, err)
	}
	user, ok, err := s.storage.Passwords.Reset(ctx, token, hash)
	if err == nil && !ok {
		err = ErrInvalidToken // Somebody was faster.
	}
	if !ok {
		return store.User{}, during(op, err)
	}
	_, locked := s.storage.BruteForce.Unlock(context.WithoutCancel(ctx), user.Email)
	return user, during(op, errors.Join(err, locked))
}

// RequestMagicLink makes a token that logs in the user who has the email, for the
// caller to mail there; it lives for 15 minutes. When nobody has the email, a user
// without a name and a password is created. ErrInvalid is for what is no email, and
// store.ErrNotFound for one that its user gives up at this moment: try again.
func (s *Service) RequestMagicLink(ctx context.Context, email string) (store.SecureToken, error) {
	const op = "request magic link"
	if err := CheckEmail(email); err != nil {
		return store.SecureToken{}, during(op, err)
	}
	user, err := s.storage.Users.FindOrCreateByEmail(ctx, email)
	if err != nil {
		return store.SecureToken{}, during(op, err)
	}
	token, err := s.tokenFor(ctx, user, store.PurposeMagicLink)
	return token, during(op, err)
}

// LoginByMagicLink uses the token up and begins a session for its user, or returns
// ErrInvalidToken. Neither does a lock stand in its way, which is about passwords,
// nor does it end one.
//
// It does not mark the email as verified. Somebody else may have registered with
// it before and know a password; to the owner of the mailbox, who only wants to
// log in, it would be a promise that the account is theirs alone.
func (s *Service) LoginByMagicLink(ctx context.Context, token store.Token, from Client) (store.Identity, error) {
	const op = "log in by magic link"
	user, _, err := s.use(ctx, token, store.PurposeMagicLink)
	if err != nil {
		return store.Identity{}, during(op, err)
	}
	id, err := s.open(ctx, user, from)
	if errors.Is(err, store.ErrNotFound) {
		err = ErrInvalidToken // The user was deleted meanwhile.
	}
	if err != nil {
		return store.Identity{}, during(op, err)
	}
	return id, nil
}

// RequestVerification makes a token that verifies the user's email, and returns the
// email that it is for: the caller mails it there, and not to one that it has read
// before, which may be another. It lives for 24 hours. A missing user is
// store.ErrNotFound.
func (s *Service) RequestVerification(ctx context.Context, userID string) (token store.SecureToken, email string, err error) {
	token, err = s.storage.Tokens.Create(ctx, userID, store.PurposeEmailVerification, 0)
	return token, token.Email, during("request verification", err)
}

// VerifyEmail uses the token up and marks the email of its user as verified, or
// returns ErrInvalidToken, also when the user has another email than the one that
// the token was mailed to. A user who is verified already stays so.
func (s *Service) VerifyEmail(ctx context.Context, token store.Token) (store.User, error) {
	const op = "verify email"
	user, used, err := s.use(ctx, token, store.PurposeEmailVerification)
	if err != nil {
		return store.User{}, during(op, err)
	}
	if user.EmailVerifiedAt != nil {
		return user, nil
	}
	user.EmailVerifiedAt = used.UsedAt
	user, err = s.storage.Users.Update(ctx, user)
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		err = ErrInvalidToken // The user has changed just now.
	}
	return user, during(op, err)
}

// use uses a token up and loads its user, who still has the email that the token
// was mailed to.
func (s *Service) use(ctx context.Context, t store.Token, purpose store.TokenPurpose) (store.User, store.SecureToken, error) {
	used, ok, err := s.storage.Tokens.Verify(ctx, t, purpose)
	if err != nil {
		return store.User{}, store.SecureToken{}, err
	}
	if !ok {
		return store.User{}, store.SecureToken{}, ErrInvalidToken
	}
	user, found, err := s.storage.Users.FindByID(store.WithPrimaryReads(ctx), used.UserID)
	if err == nil && (!found || user.Email != used.Email) {
		err = ErrInvalidToken // The user was deleted or changed meanwhile.
	}
	if err != nil {
		return store.User{}, store.SecureToken{}, err
	}
	return user, used, nil
}
