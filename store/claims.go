package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// What nobody else may have - an email, an account at a provider, a passkey's
// credential - lies in another slot of a cluster than its user, so no script
// can write both. A claim, stored under what is claimed, names a user and a
// nonce; it is live if and only if what it is for lies with that user, bears
// the nonce, and is finished or still in time. A claim that is dead stays dead,
// because nonces are never used twice; everybody may replace it. Whoever meets
// a claim whose other side is still pending completes that first, so that the
// first claim wins and nobody waits.
//
// The steps are: something pending with a nonce, at the user; the claim with
// the same nonce; what is pending made final.
type claim struct{ id, nonce string }

// String is the stored form. The id comes last: it may hold anything.
func (c claim) String() string { return recordFormat + " " + c.nonce + " " + c.id }

func parseClaim(raw string) (claim, error) {
	rest, found := strings.CutPrefix(raw, recordFormat+" ")
	nonce, id, more := strings.Cut(rest, " ")
	if !found || !more || nonce == "" || id == "" {
		return claim{}, corrupt("claim")
	}
	return claim{id: id, nonce: nonce}, nil
}

// maxClaims bounds how often a claim is tried again because a dead one that it
// wanted to replace was replaced by another dead one.
const maxClaims = 16

// commitWindow is how long the three steps may take. A crash in the middle
// blocks what is pending for as long, and what is claimed not at all.
const commitWindow = 10 * time.Second

func commitWindowText() string { return strconv.FormatInt(commitWindow.Milliseconds(), 10) }

var (
	errTooLate     = errors.New("it was deleted meanwhile, or took longer than " + commitWindow.String() + " and was given up, try again")
	errClaimsStorm = errors.New("too many others claim the same, try again")
	// errDeadClaim: what was pending is gone. It never leaves the package.
	errDeadClaim = errors.New("claim is dead")
)

// contest is what takes a T for one user alone.
type contest[T any] struct {
	*engine

	op string
	// key is where the claim lies.
	key string
	// commit completes what is pending under a claim, or finds it complete, and
	// gives it. It reports false when the claim is dead.
	commit func(ctx context.Context, c claim) (T, bool, error)
	// owner is commit for a claim of others: it reports false also when what
	// they have is something else by now.
	owner func(ctx context.Context, c claim) (T, bool, error)
	// abort takes back what is pending under a claim.
	abort func(ctx context.Context, c claim) error
}

// settle does the last two steps for what is pending under mine. When it
// belongs to somebody, theirs is the second result and what was pending is
// taken back. When what was pending is gone, the error is errDeadClaim.
func (c contest[T]) settle(ctx context.Context, mine claim) (won T, theirs *T, err error) {
	theirs, err = c.take(ctx, mine)
	if err != nil {
		return won, nil, err
	}
	if theirs != nil {
		return won, theirs, c.abort(ctx, mine)
	}
	won, live, err := c.commit(ctx, mine)
	if err == nil && !live {
		c.release(ctx, c.key, mine)
		err = errDeadClaim
	}
	return won, nil, err
}

// take makes a claim, or gives what its owner has.
func (c contest[T]) take(ctx context.Context, mine claim) (*T, error) {
	dead := ""
	for range maxClaims {
		out, err := c.eval(ctx, c.op, scriptClaimTake, []string{c.key}, mine.String(), dead)
		if err != nil || out[0] == replyOK {
			return nil, err
		}
		rival, err := parseClaim(out.value())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.op, err)
		}
		// A replica may not know yet what makes the claim live.
		theirs, live, err := c.owner(WithPrimaryReads(ctx), rival)
		if err != nil {
			return nil, err
		}
		if live {
			return &theirs, nil
		}
		dead = rival.String()
	}
	return nil, Unavailable(c.op, errClaimsStorm)
}

// claimed reads the claim under a key, live or dead.
func (e *engine) claimed(ctx context.Context, op, key string) (claim, bool, error) {
	values, err := e.get(ctx, op, key)
	if err != nil || values[0] == "" {
		return claim{}, false, err
	}
	c, err := parseClaim(values[0])
	if err != nil {
		return claim{}, false, fmt.Errorf("%s: %w", op, err)
	}
	return c, true, nil
}

// release removes a dead claim. Its failure is harmless, because everybody may
// replace a dead claim, and so is not reported.
func (e *engine) release(ctx context.Context, key string, c claim) {
	_, _ = e.eval(ctx, "release claim", scriptClaimRelease, []string{key}, c.String())
}
