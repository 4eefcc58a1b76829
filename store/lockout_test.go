package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/memory"
)

func TestInvalidLockoutOptions(t *testing.T) {
	s := openHealthy(t, memory.NewServer(nil))
	for _, c := range []struct {
		field string
		opts  store.LockoutOptions
	}{
		{"MaxAttempts", store.LockoutOptions{MaxAttempts: -1}},
		{"MaxAttempts", store.LockoutOptions{MaxAttempts: store.MaxAttemptsKept + 1}},
		{"Period", store.LockoutOptions{Period: -1}},
		{"Period", store.LockoutOptions{Period: time.Microsecond}},
		{"Period", store.LockoutOptions{Period: store.LockedRetention + 1}},
		{"Retention", store.LockoutOptions{Retention: time.Minute}},
		{"Retention", store.LockoutOptions{Retention: store.LockedRetention + 1}},
		{"Mode", store.LockoutOptions{Mode: 2}},
		{"Mode", store.LockoutOptions{Mode: -1}},
	} {
		_, err := s.BruteForce.With(c.opts)
		_, openErr := store.Open(t.Context(), store.Config{URLs: []string{"memory"}, Lockout: c.opts}, memory.Dial)
		for _, err := range []error{err, openErr} {
			if !errors.Is(err, store.ErrInvalid) || !strings.Contains(fmt.Sprint(err), c.field) {
				t.Errorf("%+v: error is %v, want %v that names %s", c.opts, err, store.ErrInvalid, c.field)
			}
		}
	}
	for _, opts := range []store.LockoutOptions{
		{},
		{MaxAttempts: store.MaxAttemptsKept, Period: time.Millisecond, Mode: store.Sticky},
		{Period: store.LockedRetention},
	} {
		judging(t, s, opts)
	}
}

func TestConfiguredLockout(t *testing.T) {
	s, err := store.Open(t.Context(), store.Config{URLs: []string{"memory"}, Lockout: store.LockoutOptions{MaxAttempts: 2}}, memory.Dial)
	check(t, err)
	fail(t, s.BruteForce, emailA, 2)
	if got := statusOf(t, s.BruteForce, emailA); !got.Locked {
		t.Errorf("status is %+v, want locked by two failures", got)
	}
}

func TestLockoutFromAURL(t *testing.T) {
	const url = "redis://h/?lockout_disabled=true&lockout_max_attempts=3&lockout_period=1h&lockout_retention=48h&lockout_mode=sticky"
	cfg, err := store.ParseURL(url)
	check(t, err)
	want := store.LockoutOptions{
		Disabled: true, MaxAttempts: 3, Period: time.Hour, Retention: 48 * time.Hour, Mode: store.Sticky,
	}
	if diff := cmp.Diff(want, cfg.Lockout); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	for name, value := range map[string]string{"lockout_mode": "forever", "lockout_retention": "1m", "lockout_max_attempts": "-1"} {
		_, err := store.ParseURL("redis://h/?" + name + "=" + value)
		if !errors.Is(err, store.ErrInvalid) || !strings.Contains(fmt.Sprint(err), name) {
			t.Errorf("%s: error is %v, want %v that names it", name, err, store.ErrInvalid)
		}
	}
}

func TestRetryAfterIsWholeSecondsAndNeverNegative(t *testing.T) {
	until := time.UnixMilli(1_700_000_000_000).UTC()
	s := store.LockoutStatus{Locked: true, LockedUntil: &until}
	for before, want := range map[time.Duration]time.Duration{
		1500 * time.Millisecond: time.Second, 999 * time.Millisecond: 0, 0: 0, -time.Hour: 0, 900 * time.Second: 900 * time.Second,
	} {
		if got, ok := s.RetryAfter(until.Add(-before)); !ok || got != want {
			t.Errorf("%s before the end: %s (%t), want %s", before, got, ok, want)
		}
	}
	s.At = until.Add(-90 * time.Second)
	var locked *store.LockedError
	if !errors.As(s.Err(), &locked) {
		t.Fatalf("error is %v", s.Err())
	}
	if diff := cmp.Diff(&store.LockedError{LockedUntil: until, RetryAfter: 90 * time.Second}, locked); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}
