package drivertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

// hold is how long a fake server keeps somebody waiting. Where they begin to wait
// after that has begun to count, it is queued, and felt is how much of it must show:
// the rest is for a machine that is late to begin.
const (
	hold   = 200 * time.Millisecond
	queued = 600 * time.Millisecond
	felt   = queued / 2
)

// after is closed when d has passed.
func after(d time.Duration) <-chan struct{} {
	c := make(chan struct{})
	time.AfterFunc(d, func() { close(c) })
	return c
}

// traced performs f with a Trace and checks what always holds.
func traced(t *testing.T, f func(ctx context.Context) error) (store.Trace, error) {
	t.Helper()
	var trace store.Trace
	began := time.Now()
	err := f(store.WithTrace(within(t, 10*time.Second), &trace))
	took := time.Since(began)
	if trace.Queue < 0 || trace.Wire < 0 || trace.Queue+trace.Wire > took {
		t.Errorf("%s in the queue and %s on the wire, %s in all", trace.Queue, trace.Wire, took)
	}
	return trace, err
}

// get is a Get of one key.
func get(d store.Driver, key string) func(ctx context.Context) error {
	return func(ctx context.Context) error { _, err := d.Get(ctx, key); return err }
}

func tracesWire(t *testing.T, s setup) {
	slow := func(command []string) testservers.Reply {
		r := values(command)
		if strings.EqualFold(command[0], "EVALSHA") {
			r.Bytes = "-NOSCRIPT none\r\n"
		}
		r.Wait = after(hold)
		return r
	}
	for _, clustered := range []bool{false, true} {
		fake := testservers.NewFake(t, slow)
		d := s.open(t, store.Config{URLs: []string{fake.URL()}, ClusterMode: clustered})
		for name, c := range map[string]struct {
			commands, trips int
			run             func(ctx context.Context) error
		}{
			"get":    {1, 1, get(d, "k")},
			"eval":   {2, 2, func(ctx context.Context) error { _, err := d.Eval(ctx, echo(), []string{"k"}); return err }},
			"lookup": {2, 1, func(ctx context.Context) error { return lookup(ctx, d)() }},
		} {
			trace, err := traced(t, c.run)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if trace.Commands != c.commands || trace.Unseen != 0 || trace.Wire < time.Duration(c.trips)*hold || trace.Queue == 0 {
				t.Errorf("%s of %d commands that take %s each: %+v", name, c.commands, hold, trace)
			}
		}
		if n := retries(t, d); n != 0 {
			t.Errorf("cluster %t: %d commands were sent again", clustered, n)
		}
	}
}

// tracesQueue keeps the only connection busy while another command waits, with
// and without success.
func tracesQueue(t *testing.T, s setup, traits Traits) {
	fake := testservers.NewFake(t, values)
	d := s.open(t, store.Config{URLs: []string{fake.URL()}, PoolSize: 1, Timeout: time.Minute})
	if err := d.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	clogged, release := fake.Clog(1 << 20)
	defer release()
	var busy sync.WaitGroup
	defer busy.Wait()
	busy.Go(func() {
		huge := strings.Repeat("x", 64<<20) // More than all buffers between the two.
		if _, err := d.Eval(t.Context(), echo(), []string{"k"}, huge); err != nil {
			t.Error(err)
		}
	})
	<-clogged
	if !traits.Multiplexed {
		// Other drivers give up at once, too, but have lost the connection then.
		trace, err := traced(t, func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, felt)
			defer cancel()
			return get(d, "k")(ctx)
		})
		mustBe(t, err, context.DeadlineExceeded)
		if trace.Commands != 1 || trace.Wire != 0 || trace.Queue < felt/2 {
			t.Errorf("a command that was never written: %+v", trace)
		}
	}
	time.AfterFunc(queued, release)
	trace, err := traced(t, get(d, "k"))
	if err != nil || trace.Commands != 1 || trace.Unseen != 0 || trace.Queue < felt {
		t.Errorf("a command that waited for %s: %+v and %v", queued, trace, err)
	}
}

// tracesPipeline has several callers share the only connection.
func tracesPipeline(t *testing.T, s setup, traits Traits) {
	const callers = 4
	var come atomic.Int32
	all := make(chan struct{})
	fake := testservers.NewFake(t, func(command []string) testservers.Reply {
		r := values(command)
		if !traits.Multiplexed {
			r.Wait = after(queued)
		} else if r.Wait = all; come.Add(1) == callers {
			time.AfterFunc(queued, func() { close(all) })
		}
		return r
	})
	d := s.open(t, store.Config{URLs: []string{fake.URL()}, PoolSize: 1})
	traces := make([]store.Trace, callers)
	var wg sync.WaitGroup
	for i := range traces {
		wg.Go(func() {
			var err error
			if traces[i], err = traced(t, get(d, fmt.Sprint("k", i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	slices.SortFunc(traces, func(a, b store.Trace) int { return int(a.Queue - b.Queue) })
	for i, trace := range traces {
		if trace.Wire < queued {
			t.Errorf("caller %d: %s on the wire of a server that took %s", i, trace.Wire, queued)
		}
		if !traits.Multiplexed && trace.Queue < time.Duration(i)*queued-felt {
			t.Errorf("caller %d waited for %s in the queue, after %d callers of %s each", i, trace.Queue, i, queued)
		}
	}
}

// tracesOwn has an untraced command and a value look like the traced one.
func tracesOwn(t *testing.T, s setup) {
	fake := testservers.NewFake(t, values)
	d := s.open(t, store.Config{URLs: []string{fake.URL()}, PoolSize: 1})
	look := testservers.Bulk("MGET") + testservers.Bulk("k")
	var wg sync.WaitGroup
	const callers, rounds = 24, 50
	var unseen atomic.Int64
	for range callers {
		wg.Go(func() {
			for range rounds {
				trace, err := traced(t, get(d, "k"))
				if err != nil || trace.Commands != 1 {
					t.Errorf("%+v and %v", trace, err)
					return
				}
				unseen.Add(int64(trace.Unseen))
			}
		})
		wg.Go(func() {
			for range rounds {
				_, err := d.Get(t.Context(), "k")
				_, err2 := d.Eval(t.Context(), echo(), []string{"k"}, look)
				if err := errors.Join(err, err2); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	// More callers trace one key than there are spellings of its command.
	if n := unseen.Load(); n > callers*rounds/2 {
		t.Errorf("%d of %d traces were not seen", n, callers*rounds)
	}
	if received := fake.Received(); len(received) != callers*rounds*3 {
		t.Errorf("%d commands, want %d", len(received), callers*rounds*3)
	}
}

func tracesNothing(t *testing.T, s setup) {
	fake := testservers.NewFake(t, values)
	d := s.open(t, store.Config{URLs: []string{fake.URL()}})
	var trace store.Trace
	ctx := store.WithTrace(store.WithTrace(t.Context(), &trace), nil)
	if _, err := d.Get(ctx, "k"); err != nil || trace != (store.Trace{}) {
		t.Errorf("a hidden trace got %+v and %v", trace, err)
	}
}

// tracesReal traces operations on a real server through fewer connections than
// there are callers.
func tracesReal(t *testing.T, s setup) {
	server := testservers.Start(t, s.engine)
	d := s.open(t, store.Config{URLs: []string{server.URL()}, PoolSize: 1})
	server.Do(t, "CONFIG", "RESETSTAT")
	const callers, rounds = 16, 100
	var queue, wire atomic.Int64
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for range rounds {
				trace, err := traced(t, get(d, fmt.Sprint("k", i)))
				if err != nil || trace.Commands != 1 || trace.Unseen != 0 || trace.Queue <= 0 || trace.Wire <= 0 {
					t.Errorf("%+v and %v", trace, err)
				}
				queue.Add(int64(trace.Queue))
				wire.Add(int64(trace.Wire))
			}
		})
	}
	wg.Wait()
	t.Logf("%s in the queue and %s on the wire, in the mean", time.Duration(queue.Load()/callers/rounds), time.Duration(wire.Load()/callers/rounds))
	if got := server.Calls(t)["mget"]; got != callers*rounds {
		t.Errorf("the server counts %d MGETs, want %d", got, callers*rounds)
	}
}
