package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// BruteForce is the repository of failed attempts to log in, and the judge of
// whether they lock an email. It is safe for concurrent use. RedisStorage holds
// one.
//
// An email need not belong to a user, so that nobody learns from a lock who has
// an account. All times are the server's. A login asks Status, checks the
// password and calls RecordFailure or Clear; logins that come at the same time
// may then check a few passwords more than MaxAttempts. To be strict, it calls
// Admit, checks the password and calls Clear if it was right, and nothing else.
//
// Every failure to ask the server is an error, and none means that an email is
// not locked. Emails that no user can have, of more than 16 KiB or not UTF-8,
// are ErrInvalid.
type BruteForce struct {
	*engine

	options LockoutOptions
}

// With returns a judge of the same attempts by other rules, or an ErrInvalid
// that names the field that is wrong.
func (b *BruteForce) With(opts LockoutOptions) (*BruteForce, error) {
	opts = opts.complete()
	if err := opts.check(); err != nil {
		return nil, err
	}
	return &BruteForce{b.engine, opts}, nil
}

// RecordFailure records a failed attempt and decides in the same step whether
// the email is locked now. It records even when the email was locked already:
// that the password was checked is a fact, and to ask before is what Status and
// Admit are for. If it is locked, the User who has the email gets LockedAt.
//
// With an error nobody knows whether the attempt is recorded, unless that is
// ErrInvalid; the attempt's ID lets it be repeated without counting twice. An error
// that comes with Attempt.AttemptedAt is about LockedAt alone: the attempt is
// recorded, and the status is that of the email. What it costs does not tell
// whether somebody has the email. A
// caller whose ctx ends when the client hangs up should pass
// context.WithoutCancel(ctx), lest hanging up spares the failure.
func (b *BruteForce) RecordFailure(ctx context.Context, n NewAttempt) (Attempt, LockoutStatus, error) {
	return b.record(ctx, "record failed attempt", n, "")
}

// Admit asks for leave to check a password. It refuses with a *LockedError, and
// records nothing, while the email is locked. Otherwise it records a failure in
// advance, which Clear takes back when the password was right: so at most
// MaxAttempts passwords are checked within a Period, however many logins come at
// once, unless one of them was right. Logins with the right password count too
// until they are cleared: of more than MaxAttempts at once, some are refused. What
// is not cleared because of an outage stays a failure, even of the right password.
//
// With any other error the password must not be checked, unless it comes with
// Attempt.AttemptedAt, see RecordFailure; to repeat the call with the attempt's ID
// counts once.
func (b *BruteForce) Admit(ctx context.Context, n NewAttempt) (Attempt, error) {
	a, _, err := b.record(ctx, "admit login", n, "guard")
	return a, err
}

// record runs the script that records and decides, and has the hint written.
func (b *BruteForce) record(ctx context.Context, op string, n NewAttempt, guard string) (Attempt, LockoutStatus, error) {
	a, err := draftAttempt(n)
	if err != nil {
		return Attempt{}, undecided(n.Email), fmt.Errorf("%s: %w", op, err)
	}
	if b.options.Disabled {
		return Attempt{Email: a.Email, IPAddress: a.IPAddress}, unlocked(n.Email), nil
	}
	out, err := b.eval(ctx, op, scriptAttemptRecord, b.keys.attempts(textTag(n.Email)), append(b.rules(),
		milliseconds(b.options.Retention), strconv.Itoa(MaxAttemptsKept), milliseconds(LockedRetention), a.member(), guard)...)
	if err != nil {
		return a, undecided(n.Email), err
	}
	if err := out.err(op, "lock"); err != nil {
		return a, undecided(n.Email), err
	}
	f := fields{rest: strings.Join(out[1:min(len(out), 5)], " ")}
	a.AttemptedAt = f.time()
	status, err := f.status(op, n.Email)
	switch {
	case err != nil:
		return a, undecided(n.Email), err
	case out[0] == replyLocked:
		return Attempt{Email: a.Email, IPAddress: a.IPAddress}, status, during(op, status.Err())
	case status.Locked && len(out) > 5:
		return a, status, b.hint(ctx, op, out[5], optionalMillis(&a.AttemptedAt))
	default:
		return a, status, nil
	}
}

// Status tells whether the email is locked.
func (b *BruteForce) Status(ctx context.Context, email string) (LockoutStatus, error) {
	const op = "look up lock"
	if err := checkText("email", email); err != nil {
		return undecided(email), fmt.Errorf("%s: %w", op, err)
	}
	if b.options.Disabled {
		return unlocked(email), nil
	}
	out, err := b.eval(ctx, op, scriptAttemptStatus, b.keys.attempts(textTag(email)), b.rules()...)
	if err != nil {
		return undecided(email), err
	}
	if err := out.err(op, "lock"); err != nil {
		return undecided(email), err
	}
	f := fields{rest: strings.Join(out[1:], " ")}
	return f.status(op, email)
}

// Stats counts the failed attempts that were made at since or later, as far as
// they are kept. since is cut to the millisecond.
func (b *BruteForce) Stats(ctx context.Context, email string, since time.Time) (AttemptStats, error) {
	const op = "count failed attempts"
	if err := first(checkText("email", email), checkTime("since", since)); err != nil {
		return AttemptStats{}, fmt.Errorf("%s: %w", op, err)
	}
	out, err := b.eval(ctx, op, scriptAttemptStats, b.keys.attempts(textTag(email)), millis(since))
	if err != nil {
		return AttemptStats{}, err
	}
	f := fields{rest: strings.Join(out[1:], " ")}
	stats := AttemptStats{Count: f.count(), Latest: f.optionalTime()}
	if !f.done() {
		return AttemptStats{}, fmt.Errorf("%s: %w", op, corrupt("script reply"))
	}
	return stats, nil
}

// rules are the first arguments of scripts that judge.
func (b *BruteForce) rules() []string {
	return []string{milliseconds(b.options.Period), strconv.Itoa(b.options.MaxAttempts), b.options.Mode.String()}
}

// unlocked is the status of every email when there are no locks.
func unlocked(email string) LockoutStatus {
	return LockoutStatus{Email: email, At: truncate(time.Now())}
}

// undecided is the status that comes with an error.
func undecided(email string) LockoutStatus { return LockoutStatus{Email: email, Locked: true} }

// status reads what scripts give of a lock: now, count and end.
func (f *fields) status(op, email string) (LockoutStatus, error) {
	s := LockoutStatus{Email: email, At: f.time(), FailedAttempts: f.count(), LockedUntil: f.optionalTime()}
	s.Locked = s.LockedUntil != nil
	if !f.done() {
		return undecided(email), fmt.Errorf("%s: %w", op, corrupt("script reply"))
	}
	return s, nil
}

// count reads a number that is no longer than a list.
func (f *fields) count() int {
	word := f.word()
	n, err := strconv.ParseUint(word, 10, 31)
	f.bad = f.bad || err != nil
	return int(n)
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
