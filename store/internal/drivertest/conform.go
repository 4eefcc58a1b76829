package drivertest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
	"github.com/toriibench/toriibench/store/storetest"
)

// stallTimeout is how long a command waits for a stalled server.
const stallTimeout = 50 * time.Millisecond

// rounds is how often the suite repeats its concurrent cases on a real server: a
// few times where each takes long.
func rounds() int {
	if racing {
		return 5
	}
	return 200
}

// Conform runs the store's conformance suite on a standalone server.
func Conform(t *testing.T, engine string, dial store.Dial) {
	t.Helper()
	server := testservers.Start(t, engine)
	open := opener(dial, store.Config{URLs: []string{server.URL()}})
	storetest.Run(t, open, storetest.Options{
		Rounds: rounds(),
		Broken: func(t *testing.T) *store.RedisStorage {
			t.Helper()
			doomed := testservers.Start(t, engine)
			s := opener(dial, store.Config{URLs: []string{doomed.URL()}})(t)
			doomed.Kill(t)
			return s
		},
		Stalled: func(t *testing.T) *store.RedisStorage {
			t.Helper()
			stalled := testservers.Start(t, engine)
			s := opener(dial, store.Config{URLs: []string{stalled.URL()}, Timeout: stallTimeout, DialTimeout: stallTimeout})(t)
			stalled.Stall(t)
			return s
		},
		Full: func(t *testing.T) (*store.RedisStorage, func()) {
			t.Helper()
			small := testservers.Start(t, engine)
			s := opener(dial, store.Config{URLs: []string{small.URL()}})(t)
			return s, func() { small.Do(t, "CONFIG", "SET", "maxmemory", "1mb") }
		},
	})
}

// ConformJSON runs the suite on a standalone server with sessions in JSON: in a
// few rounds, since all but their records is the same.
func ConformJSON(t *testing.T, engine string, dial store.Dial) {
	t.Helper()
	server := testservers.Start(t, engine)
	open := opener(dial, store.Config{URLs: []string{server.URL()}, SessionFormat: store.SessionJSON})
	storetest.Run(t, open, storetest.Options{Rounds: 5})
}

// ConformCluster runs the store's conformance suite on a cluster.
func ConformCluster(t *testing.T, engine string, dial store.Dial) {
	t.Helper()
	nodes := testservers.Cluster(t, engine)
	storetest.Run(t, opener(dial, store.Config{URLs: seeds(nodes), ClusterMode: true}), storetest.Options{
		Rounds: rounds(),
		Broken: func(t *testing.T) *store.RedisStorage {
			t.Helper()
			doomed := testservers.Cluster(t, engine)
			s := opener(dial, store.Config{URLs: seeds(doomed), ClusterMode: true})(t)
			for _, n := range doomed {
				n.Kill(t)
			}
			return s
		},
		Full: func(t *testing.T) (*store.RedisStorage, func()) {
			t.Helper()
			small := testservers.Cluster(t, engine)
			s := opener(dial, store.Config{URLs: seeds(small), ClusterMode: true})(t)
			return s, func() {
				for _, n := range small {
					n.Do(t, "CONFIG", "SET", "maxmemory", "1mb")
				}
			}
		},
	})
}

// opener opens storages that share servers and nothing else: each has a prefix
// of its own.
func opener(dial store.Dial, cfg store.Config) func(t *testing.T) *store.RedisStorage {
	var opened atomic.Int64
	return func(t *testing.T) *store.RedisStorage {
		t.Helper()
		own := cfg
		own.KeyPrefix = fmt.Sprintf("t%d", opened.Add(1))
		s, err := store.Open(t.Context(), own, dial)
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		return s
	}
}
