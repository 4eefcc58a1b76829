package valkeygo_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
	"github.com/toriibench/toriibench/store/valkeygo"
)

// What must end at once may take late on a machine that is busy. What must not be
// waited for takes far longer.
const (
	late    = 10 * time.Second
	patient = time.Minute
)

// A command without a deadline and one with a distant deadline both end when
// their context is canceled. Without AlwaysPipelining the second does not.
func TestCancelEndsACommandAtOnce(t *testing.T) {
	server := testservers.Start(t, testservers.Engines()[0])
	d, err := valkeygo.Dial(t.Context(), store.Config{URLs: []string{server.URL()}, PoolSize: 1, Timeout: patient})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	distant, stop := context.WithTimeout(t.Context(), patient)
	defer stop()
	server.Stall(t)
	for _, c := range []struct {
		name   string
		parent context.Context //nolint:containedctx // The context is the table's input.
	}{{"a distant deadline", distant}, {"no deadline", t.Context()}} {
		ctx, cancel := context.WithCancel(c.parent)
		time.AfterFunc(50*time.Millisecond, cancel)
		start := time.Now()
		_, err := d.Get(ctx, "k")
		if took := time.Since(start); took > late {
			t.Errorf("%s: took %s", c.name, took)
		}
		if !errors.Is(err, context.Canceled) || !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
	server.Resume(t)
	if _, err := d.Get(t.Context(), "k"); err != nil {
		t.Errorf("after the stall, on the same connection: %v", err)
	}
}

// Dial gives up with its context, though the library takes none.
func TestDialEndsWithItsContext(t *testing.T) {
	server := testservers.Start(t, testservers.Engines()[0])
	server.Stall(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := valkeygo.Dial(ctx, store.Config{URLs: []string{server.URL()}, DialTimeout: patient})
	if took := time.Since(start); took > late {
		t.Errorf("took %s", took)
	}
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}
