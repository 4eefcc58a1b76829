package auth

import (
	"context"
	"errors"

	"github.com/toriibench/toriibench/store"
)

// NewAccount describes who registers. Email and Password are required.
type NewAccount struct {
	Email, Password string
	// Name is nil when absent.
	Name *string
}

// Register creates a user with a password, who is not verified and not logged in.
// It returns ErrInvalid for what the rules refuse, and ErrConflict when the email
// is taken: the user who has it stays as before, password included.
func (s *Service) Register(ctx context.Context, n NewAccount) (store.User, error) {
	const op = "register"
	for _, err := range []error{CheckEmail(n.Email), CheckPassword(n.Password), CheckName(n.Name)} {
		if err != nil {
			return store.User{}, during(op, err)
		}
	}
	hash, err := s.hasher.hash(ctx, n.Password)
	if err != nil {
		return store.User{}, during(op, err)
	}
	return s.storage.Users.Register(ctx, store.NewUser{Email: n.Email, Name: n.Name}, hash)
}

// Login begins a session for whoever knows the password of the email's user, and
// forgets the failures before. It returns ErrCredentials when the email is
// unknown, its user has no password, or it is another, each of which counts as a
// failure; and ErrLocked, as a *store.LockedError, after too many, which counts
// nothing. A user whose email is not verified is let in: Identity.User says so. A
// hash that has another cost than Options.Hashing is replaced, as far as that works.
func (s *Service) Login(ctx context.Context, email, password string, from Client) (store.Identity, error) {
	const op = "log in"
	ctx = store.WithPrimaryReads(ctx)
	p, err := s.prove(ctx, store.NewAttempt{Email: email, IPAddress: from.IPAddress}, password)
	if err != nil {
		return store.Identity{}, during(op, err)
	}
	id, err := s.enter(ctx, p.user, from)
	if err != nil {
		return store.Identity{}, during(op, err)
	}
	if err := s.confirm(ctx, p, password, &id); err != nil {
		return store.Identity{}, during(op, err)
	}
	s.rehash(ctx, p, password)
	return id, nil
}

// proof is that somebody knows the password of a user: the one that has the hash.
type proof struct {
	user store.User
	hash string
}

// prove checks a password, unless the email is locked, and records a failure. All
// of it is one turn of hashing: who waits for it has not been admitted yet, and sees
// the failures of those before.
func (s *Service) prove(ctx context.Context, attempt store.NewAttempt, password string) (proof, error) {
	return inTurn(ctx, s.hasher, func() (proof, error) {
		if err := s.admit(ctx, attempt); err != nil {
			return proof{}, err
		}
		p, err := s.compare(ctx, attempt.Email, password)
		if !s.strict && errors.Is(err, ErrCredentials) {
			// To hang up must not spare the failure.
			a, _, unrecorded := s.storage.BruteForce.RecordFailure(context.WithoutCancel(ctx), attempt)
			if unlessRecorded(a, unrecorded) != nil {
				return proof{}, unrecorded
			}
		}
		return p, err
	})
}

// unlessRecorded drops the error of an attempt that is recorded: only the time of locking
// could not be written into its user, which shows that there is one.
func unlessRecorded(a store.Attempt, err error) error {
	if !a.AttemptedAt.IsZero() {
		return nil
	}
	return err
}

// admit refuses while the email is locked.
func (s *Service) admit(ctx context.Context, attempt store.NewAttempt) error {
	if s.strict {
		a, err := s.storage.BruteForce.Admit(ctx, attempt)
		return unlessRecorded(a, err)
	}
	status, err := s.storage.BruteForce.Status(ctx, attempt.Email)
	if err != nil {
		return err
	}
	return status.Err()
}

// compare does the same for an email that is unknown, for one whose user has no
// password, and for a wrong password: it asks storage as often, and hashes.
func (s *Service) compare(ctx context.Context, email, password string) (proof, error) {
	user, found, err := s.storage.Users.FindByEmail(ctx, email)
	if err == nil && !found {
		user.ID = store.NewUserID() // Nobody's.
		_, _, err = s.storage.Users.FindByID(ctx, user.ID)
	}
	if err != nil {
		return proof{}, err
	}
	hash, has, err := s.storage.Passwords.Get(ctx, user.ID)
	if err != nil {
		return proof{}, err
	}
	if !has {
		hash = s.hasher.dummy
	}
	same, err := verify(hash, password)
	switch {
	case err != nil:
		return proof{}, err
	case !same || !has || !found:
		return proof{}, ErrCredentials
	default:
		return proof{user: user, hash: hash}, nil
	}
}

// enter forgets the failures of the user's email and begins a session.
func (s *Service) enter(ctx context.Context, user store.User, from Client) (store.Identity, error) {
	session, err := s.forgetAndBegin(ctx, user, s.newSession(user, from))
	switch {
	case err == nil:
		user.LockedAt = nil
		return store.Identity{Session: session, User: user}, nil
	case session.Token != "":
		// Nobody gets to know it.
		err = errors.Join(err, s.Sessions.Delete(context.WithoutCancel(ctx), session.Token))
	case errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrUnavailable):
		err = ErrCredentials // The user was deleted meanwhile.
	}
	return store.Identity{}, err
}

// forgetAndBegin does both in one round trip where it can. A session that comes with
// an error was begun.
func (s *Service) forgetAndBegin(ctx context.Context, user store.User, n store.NewSession) (store.Session, error) {
	if s.Sessions == s.storage.Sessions && user.LockedAt == nil {
		return s.storage.Login(ctx, user.Email, n)
	}
	var err error
	if user.LockedAt == nil {
		_, err = s.storage.BruteForce.Clear(ctx, user.Email)
	} else {
		// Clear looks for LockedAt only where there was a lock not long ago.
		_, err = s.storage.BruteForce.Unlock(ctx, user.Email)
	}
	if err != nil {
		return store.Session{}, err
	}
	return s.Sessions.Create(ctx, n)
}

// confirm takes the session back when the password is no longer the one that was
// proved. A change of it after the session began has ended the session; one
// before that, while the old password was being hashed, has not seen it.
func (s *Service) confirm(ctx context.Context, p proof, password string, id *store.Identity) error {
	_, err := s.proveAgain(ctx, p, password)
	if err == nil {
		return nil
	}
	return errors.Join(err, s.Sessions.Delete(context.WithoutCancel(ctx), id.Session.Token))
}

// proveAgain gives a proof that is good now: the hash may be another since, and of
// the same password, see rehash. It returns ErrCredentials when it is of another.
func (s *Service) proveAgain(ctx context.Context, p proof, password string) (proof, error) {
	hash, has, err := s.storage.Passwords.Get(ctx, p.user.ID)
	if err != nil || has && hash == p.hash {
		return p, err
	}
	p.hash = hash
	same := false
	if has {
		same, err = inTurn(ctx, s.hasher, func() (bool, error) { return verify(hash, password) })
	}
	if err == nil && !same {
		err = ErrCredentials
	}
	return p, err
}

// rehash gives the password a hash of the cost that is asked for, unless it has one
// or is another by now. What fails is left to the next login.
func (s *Service) rehash(ctx context.Context, p proof, password string) {
	if h, err := parsePHC(p.hash); err != nil || h.cost == s.hasher.cost {
		return
	}
	if hash, err := s.hasher.hash(ctx, password); err == nil {
		_, _ = s.storage.Passwords.Rehash(ctx, p.user.ID, p.hash, hash)
	}
}

// ChangePassword gives the user a new password and ends all sessions, the one from
// which it was asked for included. It also drops what was mailed and not used to log
// in or to set a password. When somebody else changes or resets the password at the
// same time, one of them gets through, and the others get ErrCredentials. It returns ErrInvalid when the new one is
// refused by the rules, store.ErrNotFound when the user is not there, and else
// what Login does: failures to prove the old one lock the email too, so that a
// stolen session does not serve to guess it.
func (s *Service) ChangePassword(ctx context.Context, userID, password, next string) error {
	const op = "change password"
	ctx = store.WithPrimaryReads(ctx)
	if err := CheckPassword(next); err != nil {
		return during(op, err)
	}
	user, found, err := s.storage.Users.FindByID(ctx, userID)
	if err == nil && !found {
		err = store.ErrNotFound
	}
	if err != nil {
		return during(op, err)
	}
	p, err := s.prove(ctx, store.NewAttempt{Email: user.Email}, password)
	if err == nil && p.user.ID != userID {
		err = ErrCredentials // The email has changed hands meanwhile.
	}
	if err != nil {
		return during(op, err)
	}
	if _, err := s.storage.BruteForce.Clear(ctx, user.Email); err != nil {
		return during(op, err)
	}
	hash, err := s.hasher.hash(ctx, next)
	if err != nil {
		return during(op, err)
	}
	err = s.storage.Passwords.Replace(ctx, userID, p.hash, hash)
	if errors.Is(err, store.ErrConflict) {
		p, err = s.proveAgain(ctx, p, password)
		if err == nil {
			err = s.storage.Passwords.Replace(ctx, userID, p.hash, hash)
		}
	}
	if errors.Is(err, store.ErrConflict) {
		err = ErrCredentials // It has changed again and again.
	}
	return during(op, err)
}
