package drivertest

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
	"github.com/toriibench/toriibench/store/storetest"
)

// stallTimeout is how long a command waits for a stalled server: not long, since
// each operation of the store is tried.
const stallTimeout = 50 * time.Millisecond

// envRounds names a variable that holds another number of rounds.
const envRounds = "TORIIBENCH_TEST_ROUNDS"

// rounds is how often the suite repeats its concurrent cases on a real server: a
// few times where each takes long.
func rounds(tb testing.TB) int {
	tb.Helper()
	if racing {
		return 5
	}
	word := os.Getenv(envRounds)
	if word == "" {
		return 200
	}
	n, err := strconv.Atoi(word)
	if err != nil || n < 1 {
		tb.Fatalf("%s=%s: want a number of rounds, at least 1", envRounds, word)
	}
	return n
}

// Conform runs the store's conformance suite on a standalone server.
func Conform(t *testing.T, engine string, dial store.Dial) {
	t.Helper()
	server := testservers.Start(t, engine)
	open := opener(dial, store.Config{URLs: []string{server.URL()}})
	storetest.Run(t, open, storetest.Options{
		Rounds: rounds(t),
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
			s := impatient(t, dial, stalled)
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
		Rounds: rounds(t),
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

// impatient opens a storage whose commands wait no longer than for a server that
// stalls. On a busy machine one that is well may take longer at first.
func impatient(t *testing.T, dial store.Dial, server *testservers.Server) *store.RedisStorage {
	t.Helper()
	cfg := store.Config{URLs: []string{server.URL()}, Timeout: stallTimeout, DialTimeout: stallTimeout}
	var s *store.RedisStorage
	testservers.WaitFor(t, fmt.Sprintf("a storage to open within %s", stallTimeout), func() bool {
		var err error
		if s, err = store.Open(t.Context(), cfg, dial); err != nil {
			t.Logf("open: %v", err)
		}
		return err == nil
	})
	closeAfter(t, s)
	return s
}

// opener opens storages that share servers and nothing else: each has a prefix
// of its own.
func opener(dial store.Dial, cfg store.Config) func(t *testing.T) *store.RedisStorage {
	var opened atomic.Int64
	return func(t *testing.T) *store.RedisStorage {
		t.Helper()
		own := cfg
		own.KeyPrefix = fmt.Sprintf("t%d", opened.Add(1))
		return openStore(t, dial, own)
	}
}
