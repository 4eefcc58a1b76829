package scenarios

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
)

// acks are acknowledged operations of shard 0, so many milliseconds after began.
func acks(began time.Time, write bool, ms ...int) []event {
	var all []event
	for _, at := range ms {
		all = append(all, event{done: began.Add(time.Duration(at) * time.Millisecond), write: write})
	}
	return all
}

func TestGapIsTheLongestSilenceAroundAFault(t *testing.T) {
	began := time.Unix(1000, 0)
	r := &round{began: began}
	next := began.Add(20 * time.Second)
	for name, c := range map[string]struct {
		events []event
		want   time.Duration
	}{
		"over the fault":         {acks(began, true, -5000, -10, 3990, 4000), 4 * time.Second},
		"some time after it":     {acks(began, true, -10, 10, 20, 2020, 2030), 2 * time.Second},
		"before it":              {acks(began, true, -900, -100, 50), 150 * time.Millisecond},
		"after the next one":     {acks(began, true, -10, 10, 25_000), 20 * time.Millisecond},
		"only of another kind":   {acks(began, false, -10, 4000), -1},
		"never again":            {acks(began, true, -20, -10), -1},
		"failures are not heard": {append(acks(began, true, -10), event{done: began.Add(time.Second), write: true, class: "timeout"}), -1},
	} {
		got := gap(c.events, r, next, true)
		if (got == nil) != (c.want < 0) || got != nil && *got != c.want {
			t.Errorf("%s: got %v, want %s", name, got, c.want)
		}
	}
	elsewhere := acks(began, true, -10, 10)
	for i := range elsewhere {
		elsewhere[i].shard = 1
	}
	if got := gap(elsewhere, r, next, true); got != nil {
		t.Errorf("another shard gave a gap of %s", *got)
	}
}

// steadily are operations of a second each millisecond, with a response time.
func steadily(started time.Time, from, to time.Duration, response time.Duration, class string) []event {
	var all []event
	for due := from; due < to; due += time.Millisecond {
		all = append(all, event{due: due, done: started.Add(due + response), class: class})
	}
	return all
}

func TestBackIsWhenResponsesAreAsBefore(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	started := time.Unix(1000, 0)
	r := &round{began: started.Add(4 * s)}
	next := started.Add(12 * s)
	usual := steadily(started, 0, 4*s, 2*ms, "")
	for name, c := range map[string]struct {
		after []event
		want  time.Duration
	}{
		"at once":         {steadily(started, 4*s, 12*s, 3*ms, ""), 0},
		"after an outage": {append(steadily(started, 4*s, 6*s, 2*ms, "timeout"), steadily(started, 6*s, 12*s, 2*ms, "")...), 2 * s},
		"after a slow time": {append(append(steadily(started, 4*s, 5*s, 2*ms, ""), steadily(started, 5*s, 7*s, 90*ms, "")...),
			steadily(started, 7*s, 12*s, 2*ms, "")...), 3 * s},
		"never": {steadily(started, 4*s, 12*s, 9*ms, ""), -1},
	} {
		got := back(append(usual[:len(usual):len(usual)], c.after...), r, started, next)
		if (got == nil) != (c.want < 0) || got != nil && *got != c.want {
			t.Errorf("%s: got %v, want %s", name, got, c.want)
		}
	}
	if got := back(usual[:50], r, started, next); got != nil {
		t.Errorf("of too few operations: %s", *got)
	}
}

func TestErrorsHaveTheNamesThatOperatorsLookFor(t *testing.T) {
	for want, err := range map[string]error{
		"":                   nil,
		"timeout":            fmt.Errorf("authenticate: %w", context.DeadlineExceeded),
		"CLUSTERDOWN":        errors.New("create session: storage unavailable: CLUSTERDOWN The cluster is down"),
		"connection refused": errors.New("dial tcp 127.0.0.1:1: connect: connection refused"),
		"not replicated":     fmt.Errorf("delete session: %w", store.ErrNotReplicated),
		"other":              errors.New("something else"),
	} {
		if got := classify(err); got != want {
			t.Errorf("%v is %q, want %q", err, got, want)
		}
	}
}

func TestLossesBelongToTheFaultThatWasNotOver(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	first, second, other := &round{shard: 0, began: at(10), over: at(15)}, &round{shard: 0, began: at(30), over: at(35)}, &round{shard: 1, began: at(20), over: at(25)}
	f := &failover{rounds: []*round{first, other, second}}
	lost := func(r *round) *atomic.Int64 { return &r.lost }
	for _, s := range []int{9, 12, 16, 31} {
		f.blame(at(s), 0, lost)
	}
	f.blame(at(36), 0, lost)
	f.blame(at(24), 1, lost)
	if a, b, c, d := first.lost.Load(), second.lost.Load(), other.lost.Load(), f.unexplained.Load(); a != 2 || b != 2 || c != 1 || d != 1 {
		t.Errorf("counted %d, %d, %d and %d unexplained; want 2, 2, 1 and 1", a, b, c, d)
	}
}
