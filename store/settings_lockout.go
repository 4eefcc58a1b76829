package store

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// lockout is when failed attempts to log in lock an email.
func lockout() []setting {
	return []setting{
		{
			field: "Lockout.Disabled", name: "lockout_disabled", otherwise: "false",
			set: truth(func(r *reading) *bool { return &r.Lockout.Disabled }),
		},
		{
			field: "Lockout.MaxAttempts", name: "lockout_max_attempts", otherwise: strconv.Itoa(DefaultMaxAttempts),
			set: count(func(r *reading) *int { return &r.Lockout.MaxAttempts }),
			check: func(cfg Config) error {
				return checkRange(cfg.Lockout.complete().MaxAttempts, 1, MaxAttemptsKept)
			},
		},
		{
			field: "Lockout.Period", name: "lockout_period", otherwise: short(DefaultLockoutPeriod),
			set: span(func(r *reading) *time.Duration { return &r.Lockout.Period }),
			check: func(cfg Config) error {
				return checkLockoutSpan(cfg.Lockout.complete().Period, time.Millisecond)
			},
		},
		{
			field: "Lockout.Retention", name: "lockout_retention", otherwise: short(DefaultAttemptRetention),
			set: span(func(r *reading) *time.Duration { return &r.Lockout.Retention }),
			check: func(cfg Config) error {
				o := cfg.Lockout.complete()
				return checkLockoutSpan(o.Retention, o.Period)
			},
		},
		{
			field: "Lockout.Mode", name: "lockout_mode", otherwise: WindowCount.String(),
			set:   func(r *reading, value string) error { return r.setLockoutMode(value) },
			check: func(cfg Config) error { return checkLockoutMode(cfg.Lockout.Mode) },
		},
	}
}

// check names what is wrong with completed options.
func (o LockoutOptions) check() error {
	for _, s := range lockout() {
		if s.check == nil {
			continue
		}
		if err := s.check(Config{Lockout: o}); err != nil {
			return refusal(fmt.Errorf("%s: %w", s.field, err))
		}
	}
	return nil
}

func (r *reading) setLockoutMode(value string) error {
	for _, mode := range []LockoutMode{WindowCount, Sticky} {
		if value == mode.String() {
			r.Lockout.Mode = mode
			return nil
		}
	}
	return errLockoutMode
}

var errLockoutMode = errors.New("give " + WindowCount.String() + " or " + Sticky.String())

func checkLockoutMode(mode LockoutMode) error {
	if mode != WindowCount && mode != Sticky {
		return errLockoutMode
	}
	return nil
}

// checkLockoutSpan bounds a time from below, and by what is kept at most.
func checkLockoutSpan(d, least time.Duration) error {
	if d < least || d > LockedRetention {
		return fmt.Errorf("%s; give %s to %s", d, short(least), short(LockedRetention))
	}
	return nil
}
