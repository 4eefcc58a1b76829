package store

import (
	"context"
	"fmt"
	"time"
)

// Users is the repository of users. It is safe for concurrent use.
// RedisStorage holds one.
type Users struct{ *engine }

// Create stores a new user. It returns ErrConflict when the id or the email is
// taken, ErrInvalid for what cannot be stored, and ErrUnavailable when it took
// longer than the ten seconds in which it must be complete.
func (u *Users) Create(ctx context.Context, n NewUser) (User, error) {
	const op = "create user"
	created, winner, err := u.create(ctx, op, n, "")
	return created, taken(op, winner, err)
}

// Register is Create and Passwords.Set in one: there is never a user without the
// password, who would be in the way of another attempt.
func (u *Users) Register(ctx context.Context, n NewUser, passwordHash string) (User, error) {
	const op = "register user"
	if err := checkRequired("password hash", passwordHash); err != nil {
		return User{}, fmt.Errorf("%s: %w", op, err)
	}
	created, winner, err := u.create(ctx, op, n, passwordHash)
	return created, taken(op, winner, err)
}

// taken makes an error of a winner.
func taken(op string, winner *User, err error) error {
	if err == nil && winner != nil {
		return fmt.Errorf("%s: email is taken: %w", op, ErrConflict)
	}
	return err
}

// FindByID returns the user, or false when there is none.
func (u *Users) FindByID(ctx context.Context, id string) (User, bool, error) {
	r, found, err := u.load(ctx, "find user by id", id)
	return r.user, found, err
}

// FindByEmail returns the user who has exactly this email, or false.
func (u *Users) FindByEmail(ctx context.Context, email string) (User, bool, error) {
	const op = "find user by email"
	holder, found, err := u.claimed(ctx, op, u.keys.email(email))
	if err != nil || !found {
		return User{}, false, err
	}
	r, live, err := u.owner(ctx, op, holder)
	if err != nil || !live || r.user.Email != email {
		return User{}, false, err
	}
	return r.user, true, nil
}

// FindOrCreateByEmail returns the user who has this email, unchanged, or
// creates one without a name and unverified. Concurrent callers get the same
// user.
func (u *Users) FindOrCreateByEmail(ctx context.Context, email string) (User, error) {
	found, ok, err := u.FindByEmail(WithPrimaryReads(ctx), email)
	if err != nil || ok {
		return found, err
	}
	created, winner, err := u.create(ctx, "find or create user", NewUser{Email: email}, "")
	if err == nil && winner != nil {
		return *winner, nil
	}
	return created, err
}

// Update writes email, name, EmailVerifiedAt and LockedAt. UpdatedAt must be
// that of the stored user: when somebody else has written since the caller
// read it, or the email is taken, the result is ErrConflict and nothing has
// changed; read again and repeat. A missing user is ErrNotFound.
//
// With another email, EmailVerifiedAt is taken away if it still is the one that is
// stored, which was about the email before: who knows that the new one is verified
// sets a time of its own. Tokens that were mailed to the old one are no good from
// then on.
func (u *Users) Update(ctx context.Context, changed User) (User, error) {
	const op = "update user"
	if err := checkUser(changed); err != nil {
		return User{}, fmt.Errorf("%s: %w", op, err)
	}
	stored, found, err := u.load(WithPrimaryReads(ctx), op, changed.ID)
	switch {
	case err != nil:
		return User{}, err
	case !found:
		return User{}, reply{replyAbsent}.err(op, "user")
	case changed.UpdatedAt.UnixMilli() != stored.user.UpdatedAt.UnixMilli():
		return User{}, reply{replyConflict}.err(op, "user")
	case changed.Email != stored.user.Email:
		return u.changeEmail(ctx, op, stored, changed)
	default:
		return u.one(ctx, op, scriptUserUpdate, changed.ID, millis(changed.UpdatedAt), stored.nonce,
			optionalMillis(changed.EmailVerifiedAt), optionalMillis(changed.LockedAt), encodeUserJSON(changed))
	}
}

// MarkEmailVerified sets EmailVerifiedAt to the server's time. A missing user
// is ErrNotFound.
func (u *Users) MarkEmailVerified(ctx context.Context, id string) (User, error) {
	return u.one(ctx, "mark email verified", scriptUserVerify, id)
}

// Delete removes the user with everything that belongs to it, which ends all of
// its sessions, in one atomic step, and then frees the email, its accounts at
// providers and its credentials. A missing user is no error. A creation that is
// under way, or whose outcome nobody knows, is undone.
func (u *Users) Delete(ctx context.Context, id string) error {
	const op = "delete user"
	tag := userTag(id)
	out, err := u.eval(ctx, op, scriptUserDelete, u.keys.all(tag), userCheck(id))
	if err != nil || out[0] == replyAbsent {
		return err
	}
	if err := out.err(op, "user"); err != nil {
		return err
	}
	r, err := decodeUser(out.value())
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	accounts, rest, ok1 := cutCounted(out[2:])
	passkeys, rest, ok2 := cutCounted(rest)
	if !ok1 || !ok2 || len(rest) > 0 {
		return fmt.Errorf("%s: %w", op, corrupt("script reply"))
	}
	ctx, cancel := aftermath(ctx)
	defer cancel()
	u.release(ctx, u.keys.email(r.user.Email), claim{id: id, nonce: r.nonce})
	u.releaseLinks(ctx, id, layout.account, accounts)
	u.releaseLinks(ctx, id, layout.credential, passkeys)
	return nil
}

// releaseTimeout bounds what is done after a deletion has taken effect.
const releaseTimeout = 3 * time.Second

// aftermath is the context of what only frees memory: it goes on when the
// caller gives up, because nobody would take it up soon, but not for long.
func aftermath(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
}

// load reads a finished user record.
func (u *Users) load(ctx context.Context, op, id string) (userRecord, bool, error) {
	values, err := u.get(ctx, op, u.keys.user(userTag(id)))
	if err != nil || values[0] == "" {
		return userRecord{}, false, err
	}
	r, err := decodeUser(values[0])
	if err != nil {
		return userRecord{}, false, fmt.Errorf("%s: %w", op, err)
	}
	if r.state != stateActive || r.user.ID != id {
		return userRecord{}, false, nil
	}
	return r, true, nil
}

// one runs a script on one user record that gives the new record.
func (u *Users) one(ctx context.Context, op string, script scriptName, id string, args ...string) (User, error) {
	key := u.keys.user(userTag(id))
	out, err := u.eval(ctx, op, script, []string{key}, append([]string{userCheck(id)}, args...)...)
	if err != nil {
		return User{}, err
	}
	if err := out.err(op, "user"); err != nil {
		return User{}, err
	}
	r, err := decodeUser(out.value())
	if err != nil {
		return User{}, fmt.Errorf("%s: %w", op, err)
	}
	return r.user, nil
}

// draft completes and checks what a caller wants to create.
func draft(n NewUser) (User, error) {
	user := User{
		ID:              n.ID,
		Email:           n.Email,
		Name:            n.Name,
		EmailVerifiedAt: n.EmailVerifiedAt,
	}
	if user.ID == "" {
		user.ID = NewUserID()
	}
	return user, checkUser(user)
}
