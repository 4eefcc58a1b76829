package drivertest

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

// recovers waits until the driver works again.
func recovers(t *testing.T, d store.Driver) {
	t.Helper()
	testservers.WaitFor(t, "the driver to recover", func() bool { return d.Ping(within(t, time.Second)) == nil })
}

func keepsDeadline(t *testing.T, s setup) {
	server := testservers.Start(t, s.engine)
	d := s.open(t, store.Config{URLs: []string{server.URL()}, Timeout: patient})
	server.Do(t, "SET", "k", "v")
	recovers(t, d)
	server.Stall(t)
	for name, command := range map[string]func(ctx context.Context) error{
		"get":    func(ctx context.Context) error { _, err := d.Get(ctx, "k"); return err },
		"lookup": func(ctx context.Context) error { return lookup(ctx, d)() },
		"eval":   func(ctx context.Context) error { _, err := d.Eval(ctx, echo(), []string{"k"}); return err },
		"ping":   d.Ping,
		"scan":   func(ctx context.Context) error { return d.Scan(ctx, "k", func([]string) error { return nil }) },
	} {
		err := timed(t, late, func() error { return command(within(t, 100*time.Millisecond)) })
		t.Logf("%s: %v", name, err)
		mustBe(t, err, store.ErrUnavailable, context.DeadlineExceeded)
	}
	server.Resume(t)
	recovers(t, d)
	if got, err := d.Get(t.Context(), "k"); err != nil || got[0] != "v" {
		t.Errorf("after the stall: %q and %v", got, err)
	}
}

func endsWithoutDeadline(t *testing.T, s setup) {
	server := testservers.Start(t, s.engine)
	d := s.open(t, store.Config{URLs: []string{server.URL()}, Timeout: 300 * time.Millisecond})
	recovers(t, d)
	server.Stall(t)
	err := timed(t, late, func() error { _, err := d.Get(t.Context(), "k"); return err })
	t.Logf("it ended with %v", err)
	mustBe(t, err, store.ErrUnavailable, context.DeadlineExceeded)
	server.Resume(t)
	recovers(t, d)
}

func reportsCanceled(t *testing.T, s setup) {
	server := testservers.Start(t, s.engine)
	d := s.open(t, store.Config{URLs: []string{server.URL()}, Timeout: patient})
	recovers(t, d)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Get(ended, "k")
	mustBe(t, err, store.ErrUnavailable, context.Canceled)

	server.Stall(t)
	// Some end with the deadline only, but say that they were canceled.
	ctx, cancel := context.WithCancel(within(t, 3*time.Second))
	defer cancel()
	time.AfterFunc(50*time.Millisecond, cancel)
	err = timed(t, late, func() error { _, err := d.Get(ctx, "k"); return err })
	mustBe(t, err, store.ErrUnavailable, context.Canceled)
	server.Resume(t)
	recovers(t, d)
}

func runsScriptsOnce(t *testing.T, s setup) {
	server := testservers.Start(t, s.engine)
	d := s.open(t, store.Config{URLs: []string{server.URL()}, Timeout: 300 * time.Millisecond})
	mustRunOnce(t, server, d, "n")
}

// mustRunOnce fails the test when a script that times out, because its server
// stalls, runs more than once in the end.
func mustRunOnce(t *testing.T, server *testservers.Server, d store.Driver, key string) {
	t.Helper()
	count := &store.Script{Name: "count", Lua: "return {redis.call('INCR', KEYS[1])}"}
	server.Do(t, "SCRIPT", "LOAD", count.Lua)
	recovers(t, d)
	server.Stall(t)
	_, err := d.Eval(t.Context(), count, []string{key})
	mustBe(t, err, store.ErrUnavailable)
	server.Resume(t)
	recovers(t, d)
	if got := server.Do(t, "GET", key); got != nil && got != "1" {
		t.Errorf("a call that timed out ran the script %v times", got)
	}
}

func survivesKill(t *testing.T, s setup) {
	server := testservers.Start(t, s.engine)
	d := s.open(t, store.Config{URLs: []string{server.URL()}, Timeout: patient, DialTimeout: patient})
	server.Do(t, "SET", "k", "v")
	const callers = 8
	failures := make(chan error, callers)
	var wg, running sync.WaitGroup
	running.Add(callers)
	for range callers {
		wg.Go(func() {
			var err error
			for i := 0; err == nil; i++ {
				var got []string
				if got, err = d.Get(within(t, patient), "k"); err == nil && got[0] != "v" {
					err = errors.New("a dying server looks like a missing key")
				}
				if i == 0 {
					running.Done()
				}
			}
			failures <- err
		})
	}
	running.Wait()
	server.Kill(t)
	wg.Wait()
	for range callers {
		err := <-failures
		mustBe(t, err, store.ErrUnavailable)
		if errors.Is(err, context.Canceled) {
			t.Errorf("%v: nobody canceled", err)
		}
	}
	for range 20 {
		err := timed(t, late, func() error { _, err := d.Get(within(t, patient), "k"); return err })
		mustBe(t, err, store.ErrUnavailable)
	}
	server.Restart(t)
	recovers(t, d)
}

func reportsNobodyThere(t *testing.T, s setup) {
	cfg := store.Config{URLs: []string{"redis://u:hunter2@127.0.0.1:" + testservers.FreePort(t)}, DialTimeout: patient}
	err := timed(t, late, func() error { return s.use(t, cfg) })
	t.Log(err)
	mustBe(t, err, store.ErrUnavailable)
	if errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v looks like a timeout or shows the password", err)
	}
	_, err = s.dial(t.Context(), store.Config{URLs: []string{"redis://u:hunter2@h:x"}}.WithDefaults())
	mustBe(t, err, store.ErrInvalid)
}

func keepsToPool(t *testing.T, s setup) {
	server := testservers.Start(t, s.engine)
	for _, size := range []int{1, 8} {
		d := s.open(t, store.Config{URLs: []string{server.URL()}, PoolSize: size})
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				if _, err := d.Get(t.Context(), "k"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		// One more connection is the one that asks.
		clients := server.Info(t, "clients")["connected_clients"]
		t.Logf("pool of %d: %s connections, one of them asking", size, clients)
		if n, err := strconv.Atoi(clients); err != nil || n > size+1 {
			t.Errorf("pool of %d: %s connections", size, clients)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		testservers.WaitFor(t, "connections to close", func() bool {
			return server.Info(t, "clients")["connected_clients"] == "1"
		})
	}
}

func leavesNothing(t *testing.T, s setup) {
	server := testservers.Start(t, s.engine)
	cycle := func() {
		d := s.open(t, store.Config{URLs: []string{server.URL()}, PoolSize: 16})
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				if _, err := d.Get(t.Context(), "k"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for range 2 {
			if err := d.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
		_, err := d.Get(t.Context(), "k")
		mustBe(t, err, store.ErrUnavailable)
		mustBe(t, d.Ping(t.Context()), store.ErrUnavailable)
	}
	mustEndAll(t, server, cycle)
}

// mustEndAll fails the test when cycle, which opens and closes a driver, leaves
// a goroutine or a connection.
func mustEndAll(t *testing.T, server *testservers.Server, cycle func()) {
	t.Helper()
	cycle() // What a library starts once for the whole program is in the count.
	before := runtime.NumGoroutine()
	for range 5 {
		cycle()
	}
	testservers.WaitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
	testservers.WaitFor(t, "connections to close", func() bool {
		return server.Info(t, "clients")["connected_clients"] == "1"
	})
}
