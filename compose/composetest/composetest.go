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
	if testing.Short() {
		tb.Skip("starts a server")
	}
	wanted, err := compose.ParseTarget(target)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	topology, err := compose.Native().Start(ctx, wanted, compose.Options{Args: options, Log: tb.Output()})
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
