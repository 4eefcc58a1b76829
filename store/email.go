package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// An email and its user lie in different slots of a cluster, so no script can
// write both. A claim, stored under the email, names a user and a nonce; it is
// live if and only if the user's record bears the nonce, as its own or as that
// of a creation or a change of email that is still in time, and with it the
// email. A claim that is
// dead stays dead, because nonces are never used twice; everybody may replace
// it. Whoever meets a claim whose record is still pending completes the record
// first, so that the first claim wins and nobody waits.
type claim struct{ id, nonce string }

// String is the stored form. The id comes last: it may hold anything.
func (c claim) String() string { return recordFormat + " " + c.nonce + " " + c.id }

func parseClaim(raw string) (claim, error) {
	rest, found := strings.CutPrefix(raw, recordFormat+" ")
	nonce, id, more := strings.Cut(rest, " ")
	if !found || !more || nonce == "" || id == "" {
		return claim{}, corrupt("email claim")
	}
	return claim{id: id, nonce: nonce}, nil
}

// maxClaims bounds how often a claim is tried again because a dead one that it
// wanted to replace was replaced by another dead one.
const maxClaims = 16

var (
	errTooLate     = errors.New("it took longer than " + commitWindow.String() + " and was given up, try again")
	errClaimsStorm = errors.New("too many others claim the same email, try again")
)

// create stores a user. When the email belongs to somebody, that user is the
// second result and nothing was created.
func (u *Users) create(ctx context.Context, op string, n NewUser) (User, *User, error) {
	user, err := draft(n)
	if err != nil {
		return User{}, nil, fmt.Errorf("%s: %w", op, err)
	}
	mine := claim{id: user.ID, nonce: newNonce()}
	out, err := u.eval(ctx, op, u.scripts.userCreate, []string{u.keys.user(userTag(user.ID))},
		userCheck(user.ID), mine.nonce, commitWindowText(), optionalMillis(user.EmailVerifiedAt), encodeUserJSON(user))
	if err != nil {
		return User{}, nil, err
	}
	if err := out.err(op, "id"); err != nil {
		return User{}, nil, err
	}
	winner, err := u.claim(ctx, op, user.Email, mine)
	if err != nil || winner != nil {
		return User{}, winner, err
	}
	r, live, err := u.commit(ctx, op, mine)
	if err == nil && !live {
		u.release(ctx, user.Email, mine)
		err = Unavailable(op, errTooLate)
	}
	return r.user, nil, err
}

// changeEmail updates a user whose email becomes another.
func (u *Users) changeEmail(ctx context.Context, op string, stored userRecord, changed User) (User, error) {
	next := claim{id: changed.ID, nonce: newNonce()}
	out, err := u.eval(ctx, op, u.scripts.userChange, []string{u.keys.user(userTag(changed.ID))},
		userCheck(changed.ID), millis(changed.UpdatedAt), stored.nonce, next.nonce, commitWindowText(),
		optionalMillis(changed.EmailVerifiedAt), optionalMillis(changed.LockedAt), encodeUserJSON(changed))
	if err != nil {
		return User{}, err
	}
	if err := out.err(op, "user"); err != nil {
		return User{}, err
	}
	winner, err := u.claim(ctx, op, changed.Email, next)
	if err != nil {
		return User{}, err
	}
	if winner != nil {
		return User{}, reply{replyTaken}.err(op, "email")
	}
	r, live, err := u.commit(ctx, op, next)
	if err != nil {
		return User{}, err
	}
	if !live {
		u.release(ctx, changed.Email, next)
		return User{}, reply{replyConflict}.err(op, "user")
	}
	u.release(ctx, stored.user.Email, claim{id: changed.ID, nonce: stored.nonce})
	return r.user, nil
}

// claim takes an email. When it belongs to somebody, that user is the result
// and what was pending under mine is taken back.
func (u *Users) claim(ctx context.Context, op, email string, mine claim) (*User, error) {
	dead := ""
	for range maxClaims {
		out, err := u.eval(ctx, op, u.scripts.emailClaim, []string{u.keys.email(email)}, mine.String(), dead)
		if err != nil || out[0] == replyOK {
			return nil, err
		}
		theirs, err := parseClaim(out.value())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", op, err)
		}
		r, live, err := u.owner(ctx, op, theirs)
		if err != nil {
			return nil, err
		}
		if live && r.user.Email == email {
			return &r.user, u.abort(ctx, op, mine)
		}
		dead = theirs.String()
	}
	return nil, Unavailable(op, errClaimsStorm)
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
	out, err := u.eval(ctx, op, u.scripts.userCommit, []string{u.keys.user(userTag(c.id))}, c.nonce)
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
	_, err := u.eval(ctx, op, u.scripts.userAbort, []string{u.keys.user(userTag(c.id))}, c.nonce)
	return err
}

// release removes a dead claim. Its failure is harmless, because everybody may
// replace a dead claim, and so is not reported.
func (u *Users) release(ctx context.Context, email string, c claim) {
	_, _ = u.eval(ctx, "release email", u.scripts.emailRelease, []string{u.keys.email(email)}, c.String())
}

func commitWindowText() string { return strconv.FormatInt(commitWindow.Milliseconds(), 10) }
