package store

import (
	"errors"
	"fmt"
)

// What callers branch on, with errors.Is. An outage is never reported as
// absence: a Find that could not ask the server returns ErrUnavailable.
var (
	// ErrNotFound: an operation needed a user or a session that is not there.
	ErrNotFound = errors.New("not found")
	// ErrConflict: an id, an email or a token is taken, or the record was
	// changed by somebody else since the caller read it.
	ErrConflict = errors.New("conflict")
	// ErrInvalid: the caller's arguments can never work; nothing was sent.
	ErrInvalid = errors.New("invalid")
	// ErrUnavailable: the server cannot be reached, timed out, or refused. The
	// outcome of a write is unknown.
	ErrUnavailable = errors.New("storage unavailable")
	// ErrLocked: too many attempts to log in with an email have failed. It comes
	// as a *LockedError, which says until when.
	ErrLocked = errors.New("locked after too many failed attempts")
	// ErrCorrupt: a stored record cannot be read. The message names its kind,
	// never its content.
	ErrCorrupt = errors.New("corrupt record")
	// ErrAccountLinked: the account at a provider belongs to another user, and
	// stays so. It is also an ErrConflict.
	ErrAccountLinked = fmt.Errorf("account is linked to another user: %w", ErrConflict)
	// ErrLastMethod: the removal would have left the user without any password,
	// passkey and account at a provider; nothing was removed.
	ErrLastMethod = errors.New("last login method")
	// ErrTooMany: the user has as many accounts, passkeys or secure tokens as are
	// kept.
	ErrTooMany = errors.New("too many")
	// ErrNotReplicated: a write was done, but fewer than Config.WaitReplicas
	// replicas have it: a failover may undo it. It is also an ErrUnavailable. What
	// may be done twice, such as a log-out or a change of a password, may be repeated
	// and waits again; what was used up or taken by it is found so, and its
	// repetition fails. After a creation or an addition, which may have stopped
	// halfway, read what is there first.
	ErrNotReplicated = fmt.Errorf("not acknowledged by enough replicas: %w", ErrUnavailable)
	// ErrOutOfMemory: the server has reached maxmemory and refused the write,
	// which did not happen. It is also an ErrUnavailable.
	ErrOutOfMemory = fmt.Errorf("server out of memory: %w", ErrUnavailable)
)

// Unavailable makes an ErrUnavailable of err, which kept op from being done.
// Nil stays nil, and an error that is one already only gains the name of the
// operation. The text of err must not quote arguments of a command.
func Unavailable(op string, err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) {
		return during(op, err)
	}
	return fmt.Errorf("%s: %w: %w", op, ErrUnavailable, err)
}

// during says what was being done when a driver failed. Drivers classify; nil
// stays nil.
func during(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", op, err)
}

// invalid builds an ErrInvalid that says what is wrong with which argument.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// refusal makes an ErrInvalid of err, which says what is wrong with which
// argument. Nil stays nil.
func refusal(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrInvalid, err)
}

// corrupt builds an ErrCorrupt that names the kind of record.
func corrupt(kind string) error {
	return fmt.Errorf("%s: %w", kind, ErrCorrupt)
}
