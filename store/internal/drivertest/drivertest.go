// Package drivertest holds what every driver over a client library must do on a
// real server: the store.Driver contract, the cost of each command as the
// server counts it, and what comes back when the server stalls, dies or
// refuses. Only tests import it.
package drivertest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

// OnEach runs a test of a driver for every engine.
func OnEach(t *testing.T, dial store.Dial, test func(t *testing.T, engine string, dial store.Dial)) {
	t.Helper()
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { test(t, engine, dial) })
	}
}

// Run runs all that needs a standalone server of the engine.
func Run(t *testing.T, engine string, dial store.Dial) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, s setup)
	}{
		{"reads values in order and missing ones as empty", readsValues},
		{"reads a value and a field in one round trip", looksUp},
		{"passes keys and arguments to a script and reads its reply", runsScripts},
		{"loads a script again after the server forgot it", survivesScriptFlush},
		{"tells script errors from outages", reportsScriptErrors},
		{"refuses replies that are no array without repeating them", refusesOtherReplies},
		{"scans a prefix literally", scansPrefix},
		{"ends a scan with the first error of its page", endsScan},
		{"uses one round trip for a command", usesOneRoundTrip},
		{"sends what README says that operations cost", sends},
		{"causes no error replies by connecting", connectsWithoutErrors},
		{"uses the database of the configuration", usesDatabase},
		{"serves many callers at once", servesManyCallers},
		{"logs in as a user", logsIn},
		{"reports a wrong password as an outage", reportsWrongPassword},
		{"speaks TLS and checks the certificate", speaksTLS},
		{"connects by the dialer of the configuration", dialsAsTold},
		{"reports a full server as out of memory", reportsOutOfMemory},
		{"keeps a deadline while the server stalls", keepsDeadline},
		{"ends a command without a deadline while the server stalls", endsWithoutDeadline},
		{"reports a canceled context as canceled", reportsCanceled},
		{"does not run a timed-out script again", runsScriptsOnce},
		{"reports a server killed in use as unavailable and finds the next one", survivesKill},
		{"reports a server that is not there as unavailable", reportsNobodyThere},
		{"tells where the time of a command went", tracesReal},
		{"keeps to its pool", keepsToPool},
		{"leaves nothing behind when closed", leavesNothing},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, setup{engine: engine, dial: dial}) })
	}
}

// setup is what a test works with.
type setup struct {
	engine string
	dial   store.Dial
}

// start starts a server and opens a driver for it.
func (s setup) start(t *testing.T, options ...string) (*testservers.Server, store.Driver) {
	t.Helper()
	server := testservers.Start(t, s.engine, options...)
	return server, s.open(t, store.Config{URLs: []string{server.URL()}, Password: server.Password})
}

// open opens a driver that ends with the test. Where its timeouts are short, a busy
// machine may need several tries.
func (s setup) open(t *testing.T, cfg store.Config) store.Driver {
	t.Helper()
	var d store.Driver
	testservers.WaitFor(t, "a driver to connect", func() bool {
		var err error
		if d, err = s.dial(t.Context(), cfg.WithDefaults()); err != nil {
			t.Logf("dial: %v", err)
		}
		return err == nil
	})
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d
}

// use dials and pings, whichever fails first.
func (s setup) use(t *testing.T, cfg store.Config) error {
	t.Helper()
	d, err := s.dial(t.Context(), cfg.WithDefaults())
	if err != nil {
		return err
	}
	return errors.Join(d.Ping(t.Context()), d.Close())
}

// mustBe fails the test when err is not of all the classes.
func mustBe(t *testing.T, err error, classes ...error) {
	t.Helper()
	for _, class := range classes {
		if !errors.Is(err, class) {
			t.Errorf("got %q, want an error that is %q", fmt.Sprint(err), class)
		}
	}
}

// mustReply fails the test when err does not carry the server's code word.
func mustReply(t *testing.T, err error, codes ...string) {
	t.Helper()
	var reply *store.ServerError
	if !errors.As(err, &reply) {
		t.Errorf("got %q, want a reply of the server", fmt.Sprint(err))
		return
	}
	for _, code := range codes {
		if reply.Code == code {
			return
		}
	}
	t.Errorf("got code %s, want one of %v", reply.Code, codes)
}

// Where a command must not wait for a timeout, that is patient, which is far beyond
// late, what a machine that is busy may take for something that is done at once.
const (
	late    = 10 * time.Second
	patient = time.Minute
)

// timed runs f and fails the test when it took longer than limit.
func timed(t *testing.T, limit time.Duration, f func() error) error {
	t.Helper()
	start := time.Now()
	err := f()
	if took := time.Since(start); took > limit {
		t.Errorf("took %s, want at most %s", took, limit)
	}
	return err
}

// within is the test's context with a deadline.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
