package store

import (
	"context"
	"errors"
	"fmt"
)

// Passwords is the repository of password hashes: texts such as Argon2id's in
// the PHC form, which this package neither makes nor compares. They are not part
// of a User, so that no copy of one can carry them. It is safe for concurrent
// use. RedisStorage holds one.
type Passwords struct{ *engine }

// Set stores the hash of a user's password in place of the one before. It ends
// no session: see Change. A missing user is ErrNotFound.
func (p *Passwords) Set(ctx context.Context, userID, hash string) error {
	return p.set(ctx, "set password", userID, anyHash, hash)
}

// Rehash is Set, unless the hash that is stored is another than old, or none, which
// it reports by false: for a hash of the same password with another cost.
func (p *Passwords) Rehash(ctx context.Context, userID, old, hash string) (bool, error) {
	const op = "rehash password"
	if err := checkRequired("old password hash", old); err != nil {
		return false, fmt.Errorf("%s: %w", op, err)
	}
	err := p.set(ctx, op, userID, old, hash)
	if errors.Is(err, ErrConflict) {
		return false, nil
	}
	return err == nil, err
}

func (p *Passwords) set(ctx context.Context, op, userID, old, hash string) error {
	if err := checkRequired("password hash", hash); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	tag := userTag(userID)
	return p.do(ctx, op, scriptPasswordSet, []string{p.keys.user(tag), p.keys.password(tag)}, userCheck(userID), hash, old)
}

// Change is Set and Sessions.DeleteAllOfUser in one atomic step: a password that
// was changed leaves no session of before. It also drops the user's secure tokens
// to log in and to set a password that were not used, which whoever knew the one
// before may have asked for; those that verify an email stay.
func (p *Passwords) Change(ctx context.Context, userID, hash string) error {
	return p.change(ctx, "change password", userID, anyHash, hash)
}

// Replace is Change, but ErrConflict, with nothing changed, when the hash that is
// stored is another than old, or none: for who has compared with that one.
func (p *Passwords) Replace(ctx context.Context, userID, old, hash string) error {
	const op = "replace password"
	if err := checkRequired("old password hash", old); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return p.change(ctx, op, userID, old, hash)
}

// anyHash is what a script is given to replace where it does not matter.
const anyHash = ""

func (p *Passwords) change(ctx context.Context, op, userID, old, hash string) error {
	if err := checkRequired("password hash", hash); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	tag := userTag(userID)
	return p.do(ctx, op, scriptPasswordChange, p.withTokens(tag), userCheck(userID), hash, old)
}

// withTokens are the keys of a password and of what goes with a change of it.
func (p *Passwords) withTokens(tag string) []string {
	return []string{p.keys.user(tag), p.keys.password(tag), p.keys.sessions(tag), p.keys.tokens(tag)}
}

// Reset is Tokens.Verify with PurposePasswordReset and Change in one atomic
// step, for the user of the token, whom it returns. It reports false, and has
// changed nothing, when the token cannot be used. The user and true may come with
// an ErrNotReplicated: the password is in force.
func (p *Passwords) Reset(ctx context.Context, t Token, hash string) (User, bool, error) {
	const op = "reset password"
	if err := checkRequired("password hash", hash); err != nil {
		return User{}, false, fmt.Errorf("%s: %w", op, err)
	}
	tag, ok := t.tag()
	if !ok {
		return User{}, false, nil
	}
	out, err := p.eval(ctx, op, scriptPasswordReset, p.withTokens(tag), sessionMember(t), string(PurposePasswordReset), hash)
	switch {
	case err != nil && (len(out) == 0 || out[0] != replyOK):
		return User{}, false, err
	case out[0] == replyAbsent:
		return User{}, false, nil
	case out[0] != replyOK:
		return User{}, false, out.err(op, "secure token")
	}
	user, bad := decodeUser(out.value())
	if bad != nil {
		return User{}, false, fmt.Errorf("%s: %w", op, bad)
	}
	return user.user, true, err
}

// Get returns the hash of a user's password, or false when the user has none or
// is not there.
func (p *Passwords) Get(ctx context.Context, userID string) (string, bool, error) {
	const op = "get password"
	tag := userTag(userID)
	values, err := p.get(ctx, op, p.keys.user(tag), p.keys.password(tag))
	if err != nil || values[0] == "" || values[1] == "" {
		return "", false, err
	}
	user, err := decodeUser(values[0])
	if err != nil {
		return "", false, fmt.Errorf("%s: %w", op, err)
	}
	if user.state != stateActive || user.user.ID != userID {
		return "", false, nil
	}
	return values[1], true, nil
}

// Remove takes the password away. A missing user is ErrNotFound; one without a
// password is no error.
func (p *Passwords) Remove(ctx context.Context, userID string) error {
	return p.remove(ctx, userID, "")
}

// RemoveUnlessLast is Remove, but ErrLastMethod for a user who could not log in
// after it: one without an OAuth account and without a passkey. Question and
// removal are one atomic step.
func (p *Passwords) RemoveUnlessLast(ctx context.Context, userID string) error {
	return p.remove(ctx, userID, "1")
}

func (p *Passwords) remove(ctx context.Context, userID, guard string) error {
	tag := userTag(userID)
	keys := []string{p.keys.user(tag), p.keys.password(tag), p.keys.accounts(tag), p.keys.passkeys(tag)}
	return p.do(ctx, "remove password", scriptPasswordRemove, keys, userCheck(userID), guard)
}

// do runs a script that gives nothing but its success.
func (p *Passwords) do(ctx context.Context, op string, script scriptName, keys []string, args ...string) error {
	out, err := p.eval(ctx, op, script, keys, args...)
	if err != nil {
		return err
	}
	return out.err(op, "user")
}
