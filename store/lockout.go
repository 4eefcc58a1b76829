package store

import (
	"fmt"
	"time"
)

// What zero values of LockoutOptions stand for.
const (
	DefaultMaxAttempts      = 5
	DefaultLockoutPeriod    = 15 * time.Minute
	DefaultAttemptRetention = 7 * 24 * time.Hour
)

// MaxAttemptsKept is how many failed attempts are kept for one email: the
// newest. Counts go no further.
const MaxAttemptsKept = 1000

// LockedRetention is how long the failed attempts of a user who was locked are
// kept after the last one, whatever the retention, for whoever has to look into
// it. It is the longest retention too.
const LockedRetention = 90 * 24 * time.Hour

// LockoutMode says how long a lock lasts.
type LockoutMode int

const (
	// WindowCount locks while MaxAttempts failures lie within the last Period,
	// for a Period after the last of them at most. So a lock ends early when the
	// older failures leave the window: after failures at the minutes 0, 3, 6, 9
	// and 12, five in fifteen minutes lock until 15, not until 27.
	WindowCount LockoutMode = iota
	// Sticky is WindowCount, but a lock stays for a whole Period after the
	// failure that brought it about, or after the last one that was recorded
	// nevertheless while MaxAttempts lay within the Period.
	Sticky
)

// String is the mode as scripts know it.
func (m LockoutMode) String() string {
	switch m {
	case WindowCount:
		return "window"
	case Sticky:
		return "sticky"
	default:
		return fmt.Sprintf("LockoutMode(%d)", int(m))
	}
}

// LockoutOptions say when failed attempts to log in lock an email. The zero
// value is five failures within fifteen minutes. Processes that share the keys
// should agree on them.
type LockoutOptions struct {
	// Disabled leaves every email unlocked and records nothing.
	Disabled bool
	// MaxAttempts is how many failures within Period lock: 1 to MaxAttemptsKept;
	// 0 means DefaultMaxAttempts.
	MaxAttempts int
	// Period is how far back failures count, and how long after the last of them
	// a lock ends: a millisecond to LockedRetention; 0 means
	// DefaultLockoutPeriod.
	Period time.Duration
	// Retention is how long failures are kept: Period to LockedRetention; 0 means
	// DefaultAttemptRetention, or Period when that is longer.
	Retention time.Duration
	// Mode is WindowCount unless set.
	Mode LockoutMode
}

// complete fills in the defaults.
func (o LockoutOptions) complete() LockoutOptions {
	o.MaxAttempts = or(o.MaxAttempts, DefaultMaxAttempts)
	o.Period = or(o.Period, DefaultLockoutPeriod)
	o.Retention = or(o.Retention, max(DefaultAttemptRetention, o.Period))
	return o
}

// LockoutStatus is whether an email is locked. One that comes with an error
// says that it is, so that nobody is let in by who overlooks the error.
type LockoutStatus struct {
	Email string
	// FailedAttempts counts those within the last Period.
	FailedAttempts int
	Locked         bool
	// LockedUntil is nil when the email is not locked, and with an error. At that
	// instant it no longer is locked.
	LockedUntil *time.Time
	// At is the server's time of this status.
	At time.Time
}

// RetryAfter returns the whole seconds from now until the lock ends, never
// negative, or false when the email is not locked. With At for now it does not
// depend on this machine's clock.
func (s LockoutStatus) RetryAfter(now time.Time) (time.Duration, bool) {
	if s.LockedUntil == nil {
		return 0, false
	}
	return max(0, s.LockedUntil.Sub(now).Truncate(time.Second)), true
}

// Err returns an ErrLocked when the email is locked, as a *LockedError unless
// the status came with an error, and nil otherwise.
func (s LockoutStatus) Err() error {
	if s.LockedUntil == nil {
		if s.Locked {
			return ErrLocked
		}
		return nil
	}
	wait, _ := s.RetryAfter(s.At)
	return &LockedError{LockedUntil: *s.LockedUntil, RetryAfter: wait}
}

// LockedError is an ErrLocked that says until when.
type LockedError struct {
	LockedUntil time.Time
	// RetryAfter is the whole seconds until then, by the server's clock.
	RetryAfter time.Duration
}

// Error names no email: a log may keep it.
func (e *LockedError) Error() string {
	return fmt.Sprintf("%v: until %s, try again in %s", ErrLocked, e.LockedUntil.Format(time.RFC3339), e.RetryAfter)
}

// Unwrap makes it an ErrLocked.
func (*LockedError) Unwrap() error { return ErrLocked }
