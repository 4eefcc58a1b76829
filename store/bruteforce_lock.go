package store

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// User.LockedAt is a hint: that its user was locked at some time and has not
// logged in or been unlocked since. It decides nothing but what CleanupOld
// leaves alone. It lies in the user's slot, away from the attempts, so it is
// written in a second step. Before that, in the step that locks, the email is
// marked with a hold: while it is there, the user may bear the hint, and the
// attempts are kept longer. Whoever takes the hint away removes the hold after
// it, so that what a crash interrupts is done by the next who clears.

// Clear forgets the failed attempts of an email, as after a login, and returns
// how many there were. It ends a lock, and takes LockedAt from the user who has
// the email, as far as the hold says that it may be there: not after LockedRetention,
// and not when the user has come to the email since. Unlock always does.
func (b *BruteForce) Clear(ctx context.Context, email string) (int64, error) {
	const op = "clear failed attempts"
	c, err := b.clear(ctx, op, email)
	if err != nil || !c.held {
		return c.removed, err
	}
	return c.removed, b.unhint(ctx, op, email, c)
}

// Unlock is Clear for who has proved in another way to own the email, as by
// resetting the password. It returns whether the email was locked.
func (b *BruteForce) Unlock(ctx context.Context, email string) (bool, error) {
	const op = "unlock"
	c, err := b.clear(ctx, op, email)
	if err != nil {
		return false, err
	}
	return c.locked && !b.options.Disabled, b.unhint(ctx, op, email, c)
}

// cleared is what there was to be cleared.
type cleared struct {
	removed      int64
	locked, held bool
	claim        string
}

func (b *BruteForce) clear(ctx context.Context, op, email string) (cleared, error) {
	if err := checkText("email", email); err != nil {
		return cleared{}, fmt.Errorf("%s: %w", op, err)
	}
	out, err := b.eval(ctx, op, scriptAttemptClear, b.keys.attempts(textTag(email)), b.rules()...)
	if err != nil {
		return cleared{}, err
	}
	removed, err := strconv.ParseInt(out.value(), 10, 64)
	if err != nil || len(out) != 5 {
		return cleared{}, fmt.Errorf("%s: %w", op, corrupt("script reply"))
	}
	return cleared{removed: removed, locked: out[2] == "1", held: out[3] == "1", claim: out[4]}, nil
}

// SetLockedAt sets LockedAt of the user who has the email, or takes it away with
// nil. It neither locks nor unlocks, but attempts are kept for LockedRetention
// meanwhile. That nobody has the email is no error.
func (b *BruteForce) SetLockedAt(ctx context.Context, email string, at *time.Time) error {
	const op = "set time of locking"
	if err := first(checkText("email", email), checkOptionalTime("time of locking", at)); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if at == nil {
		c, found, err := b.claimed(WithPrimaryReads(ctx), op, b.keys.email(email))
		if err != nil {
			return err
		}
		gone := cleared{held: true}
		if found {
			gone.claim = c.String()
		}
		return b.unhint(ctx, op, email, gone)
	}
	claim, err := b.hold(ctx, op, email, "hold")
	if err != nil || claim == "" {
		return err
	}
	return b.hint(ctx, op, claim, optionalMillis(at))
}

// LockedAt returns LockedAt of the user who has the email, or false when nobody
// has it or the user has none.
func (b *BruteForce) LockedAt(ctx context.Context, email string) (time.Time, bool, error) {
	u, found, err := b.users().FindByEmail(ctx, email)
	if err != nil || !found || u.LockedAt == nil {
		return time.Time{}, false, during("look up time of locking", err)
	}
	return *u.LockedAt, true, nil
}

// CleanupOld removes the failed attempts that were made before a time, except
// those with the email of a user who has LockedAt, and returns how many. All of
// them expire by themselves too. It walks the whole keyspace. Attempts of the
// last Period should be left alone: they are what locks.
func (b *BruteForce) CleanupOld(ctx context.Context, before time.Time) (int64, error) {
	const op = "clean up failed attempts"
	if err := checkTime("before", before); err != nil {
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	var total int64
	err := b.scan(ctx, op, func(keys []string) error {
		for _, key := range keys {
			if !b.keys.isAttempts(key) {
				continue
			}
			n, err := b.cleanup(WithPrimaryReads(ctx), op, b.keys.hashTag(key), millis(before))
			total += n
			if err != nil {
				return err
			}
		}
		return nil
	})
	return total, err
}

// cleanup does what CleanupOld does about one email, of which only the tag is
// known. The script is told whose claim was looked at; a claim that has come
// meanwhile it gives back.
func (b *BruteForce) cleanup(ctx context.Context, op, tag, before string) (int64, error) {
	looked := ""
	for range maxClaims {
		out, err := b.eval(ctx, op, scriptAttemptClean, b.keys.attempts(tag), before, looked)
		if err != nil {
			return 0, err
		}
		if out[0] == replyOK {
			n, err := strconv.ParseInt(out.value(), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", op, corrupt("script reply"))
			}
			return n, nil
		}
		looked = out.value()
		hinted, err := b.hinted(ctx, op, tag, looked)
		if err != nil || hinted {
			return 0, err
		}
	}
	return 0, nil // The email changes hands all the time: the next clean-up will do.
}

// hinted tells whether the user of a claim to the email with this tag has
// LockedAt.
func (b *BruteForce) hinted(ctx context.Context, op, tag, raw string) (bool, error) {
	c, err := parseClaim(raw)
	if err != nil {
		return false, fmt.Errorf("%s: %w", op, err)
	}
	r, live, err := b.users().owner(ctx, op, c)
	return live && textTag(r.user.Email) == tag && r.user.LockedAt != nil, err
}

// unhint takes LockedAt from the user whose email was cleared, and then the hold
// from the email.
func (b *BruteForce) unhint(ctx context.Context, op, email string, c cleared) error {
	if c.claim != "" {
		if err := b.hint(ctx, op, c.claim, none); err != nil {
			return err
		}
	}
	if !c.held {
		return nil
	}
	_, err := b.hold(ctx, op, email, "release")
	return err
}

// hold marks the email as one whose user may bear the hint, or ends that, and
// returns the claim to it, or "".
func (b *BruteForce) hold(ctx context.Context, op, email, verb string) (string, error) {
	out, err := b.eval(ctx, op, scriptAttemptHold, b.keys.attempts(textTag(email)),
		verb, milliseconds(LockedRetention), milliseconds(b.options.Retention))
	if err != nil {
		return "", err
	}
	return out.value(), nil
}

// hint writes LockedAt into the record of the user whom a claim names. A dead
// claim names nobody; one whose user is still being completed is completed
// first. Where there is no claim, it does the same with nobody's record, so that
// nobody can tell.
func (b *BruteForce) hint(ctx context.Context, op, raw, locked string) error {
	if raw == "" {
		id := NewUserID()
		_, err := b.eval(ctx, op, scriptUserLock, []string{b.keys.user(userTag(id))}, userCheck(id), newNonce(), locked)
		return err
	}
	c, err := parseClaim(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	key := b.keys.user(userTag(c.id))
	for range 2 {
		out, err := b.eval(ctx, op, scriptUserLock, []string{key}, userCheck(c.id), c.nonce, locked)
		if err != nil {
			return err
		}
		if out[0] != replyGone && out[0] != replyAbsent {
			return out.err(op, "user")
		}
		if _, live, err := b.users().owner(WithPrimaryReads(ctx), op, c); err != nil || !live {
			return err
		}
	}
	return nil // The user is being deleted.
}

func (b *BruteForce) users() *Users { return &Users{b.engine} }
