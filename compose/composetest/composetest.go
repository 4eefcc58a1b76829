// Package composetest starts servers for tests, which alone import it.
package composetest

import (
	"context"
	"testing"
	"time"

	"github.com/toriibench/toriibench/compose"
)

// startTimeout bounds the start of a server, a download of it included.
const startTimeout = 3 * time.Minute

// Start starts a server for a target such as "valkey:8.1", as a plain process
// that ends with the test, with options in redis.conf's words. It skips the test
// under -short.
func Start(tb testing.TB, target string, options ...string) *compose.Topology {
	tb.Helper()
	return StartOn(tb, compose.Native(), target, compose.Options{Args: options})
}

// StartOn starts the servers of a target of any topology by a provider, for as
// long as the test. It skips the test under -short.
func StartOn(tb testing.TB, provider compose.Provider, target string, opts compose.Options) *compose.Topology {
	tb.Helper()
	if testing.Short() {
		tb.Skip("starts servers")
	}
	wanted, err := compose.ParseTarget(target)
	if err != nil {
		tb.Fatal(err)
	}
	opts.Log = tb.Output()
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	topology, err := provider.Start(ctx, wanted, opts)
	if err != nil {
		tb.Fatalf("start %s: %v", target, err)
	}
	tb.Cleanup(func() {
		if err := topology.Close(context.WithoutCancel(tb.Context())); err != nil {
			tb.Errorf("stop %s: %v", target, err)
		}
	})
	return topology
}
