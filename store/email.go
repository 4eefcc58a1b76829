package store

import (
	"context"
	"errors"
	"fmt"
)

// contest takes an email for a user: see claim. What is pending is the record
// of a new user, or a change of email noted in the record of an old one.
func (u *Users) contest(op, email string) contest[userRecord] {
	return contest[userRecord]{
		engine: u.engine,
		op:     op,
		key:    u.keys.email(email),
		commit: func(ctx context.Context, c claim) (userRecord, bool, error) { return u.commit(ctx, op, c) },
		owner: func(ctx context.Context, c claim) (userRecord, bool, error) {
			r, live, err := u.owner(ctx, op, c)
			return r, live && r.user.Email == email, err
		},
		abort: func(ctx context.Context, c claim) error { return u.abort(ctx, op, c) },
	}
}

// create stores a user. When the email belongs to somebody, that user is the
// second result and nothing was created.
func (u *Users) create(ctx context.Context, op string, n NewUser, passwordHash string) (User, *User, error) {
	user, err := draft(n)
	if err != nil {
		return User{}, nil, fmt.Errorf("%s: %w", op, err)
	}
	mine := claim{id: user.ID, nonce: newNonce()}
	out, err := u.eval(ctx, op, scriptUserCreate, u.keys.birth(user.ID),
		userCheck(user.ID), mine.nonce, commitWindowText(), optionalMillis(user.EmailVerifiedAt), encodeUserJSON(user), passwordHash)
	if err != nil {
		return User{}, nil, err
	}
	if err := out.err(op, "id"); err != nil {
		return User{}, nil, err
	}
	r, theirs, err := u.contest(op, user.Email).settle(ctx, mine)
	switch {
	case errors.Is(err, errDeadClaim):
		return User{}, nil, Unavailable(op, errTooLate)
	case err == nil && theirs != nil:
		return User{}, &theirs.user, nil
	default:
		return r.user, nil, err
	}
}

// changeEmail updates a user whose email becomes another, of which a verification
// of the old one says nothing.
func (u *Users) changeEmail(ctx context.Context, op string, stored userRecord, changed User) (User, error) {
	if optionalMillis(changed.EmailVerifiedAt) == optionalMillis(stored.user.EmailVerifiedAt) {
		changed.EmailVerifiedAt = nil
	}
	next := claim{id: changed.ID, nonce: newNonce()}
	out, err := u.eval(ctx, op, scriptUserChange, []string{u.keys.user(userTag(changed.ID))},
		userCheck(changed.ID), millis(changed.UpdatedAt), stored.nonce, next.nonce, commitWindowText(),
		optionalMillis(changed.EmailVerifiedAt), optionalMillis(changed.LockedAt), encodeUserJSON(changed))
	if err != nil {
		return User{}, err
	}
	if err := out.err(op, "user"); err != nil {
		return User{}, err
	}
	r, theirs, err := u.contest(op, changed.Email).settle(ctx, next)
	switch {
	case errors.Is(err, errDeadClaim):
		return User{}, reply{replyConflict}.err(op, "user")
	case err != nil:
		return User{}, err
	case theirs != nil:
		return User{}, reply{replyTaken}.err(op, "email")
	}
	u.release(ctx, u.keys.email(stored.user.Email), claim{id: changed.ID, nonce: stored.nonce})
	return r.user, nil
}

// owner returns the record that a claim points to if the claim is live. The
// usual case, a finished record, costs a read only.
func (u *Users) owner(ctx context.Context, op string, c claim) (userRecord, bool, error) {
	values, err := u.get(ctx, op, u.keys.user(userTag(c.id)))
	if err != nil || values[0] == "" {
		return userRecord{}, false, err
	}
	r, err := decodeUser(values[0])
	if err != nil {
		return userRecord{}, false, fmt.Errorf("%s: %w", op, err)
	}
	if r.nonce == c.nonce && r.state == stateActive {
		return r, r.user.ID == c.id, nil
	}
	if r.nonce != c.nonce && !r.pending {
		return userRecord{}, false, nil
	}
	return u.commit(ctx, op, c)
}

// commit completes what is pending under a claim, or finds it complete. It
// reports false when the claim is dead.
func (u *Users) commit(ctx context.Context, op string, c claim) (userRecord, bool, error) {
	out, err := u.eval(ctx, op, scriptUserCommit, u.keys.birth(c.id), c.nonce)
	if err != nil || out[0] == replyGone {
		return userRecord{}, false, err
	}
	if err := out.err(op, "user"); err != nil {
		return userRecord{}, false, err
	}
	r, err := decodeUser(out.value())
	if err != nil {
		return userRecord{}, false, fmt.Errorf("%s: %w", op, err)
	}
	return r, r.user.ID == c.id, nil
}

// abort takes back what is pending under a claim.
func (u *Users) abort(ctx context.Context, op string, c claim) error {
	_, err := u.eval(ctx, op, scriptUserAbort, u.keys.birth(c.id), c.nonce)
	return err
}
