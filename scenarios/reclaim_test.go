package scenarios

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/toriibench/toriibench/compose"
	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/goredis"
)

// TestWhatEndsIsWhatTheServerDeletes compares the scenario's arithmetic with the
// server's own count. It once took a dying session for two keys, which the layout
// had had before: then half of the dead were never deleted, and the lag of 90 %
// never came.
func TestWhatEndsIsWhatTheServerDeletes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	server, err := compose.Native().Start(t.Context(), compose.Target{Engine: "valkey", Topology: "standalone"}, compose.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close(context.Background())
	env := short(open(t, store.Config{URLs: server.URLs}, goredis.Dial))
	env.Info = server.Info
	s, before := TTLExpiry(), 0
	s.New = func(env Env) (*Workload, error) {
		w, err := newExpiry(env)
		if err != nil {
			return nil, err
		}
		fill := w.Load
		w.Load = func(ctx context.Context, st *store.RedisStorage) error {
			err := fill(ctx, st)
			before = countKeys(ctx, t, st)
			return err
		}
		return w, nil
	}
	w, _ := drive(t, s, env)
	e := w.Traffic.(*expiry)
	awaitTheEnd(t, e)
	lost, deleted := before-countKeys(t.Context(), t, env.Storage), expiredKeys(t, server)

	m := w.Measurements(time.Now())
	if got := int(m["ended"].Value); got != lost || got != deleted {
		t.Errorf("%d keys ended for the scenario; the server deleted %d and has %d less", got, deleted, lost)
	}
	// What was deleted before the first sample is none of the scenario's.
	if got := int64(m["dead-at-end"].Value); got != e.reclaim.base {
		t.Errorf("%d dead keys are left for the scenario, want %d", got, e.reclaim.base)
	}
	for _, name := range []string{"reclaim-50%", "reclaim-90%", "reclaim-99%"} {
		if _, ok := m[name]; !ok {
			t.Errorf("%s never came", name)
		}
	}
}

// awaitTheEnd waits until no dying session is left, and has the scenario take a
// last sample. A look at a dead key deletes it: the server is helped, because it
// may take minutes by itself.
func awaitTheEnd(t *testing.T, e *expiry) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for i := range e.dying {
		for there := true; there; {
			var err error
			if _, there, err = e.env.Storage.Sessions.TTL(t.Context(), e.dying[i].token); err != nil {
				t.Fatal(err)
			}
			if there && time.Now().After(deadline) {
				t.Fatalf("dying session %d is still there", i)
			}
		}
	}
	if !e.sample(t.Context()) {
		t.Fatal(e.reclaim.failed)
	}
}

// countKeys counts the keys that the storage has on its server.
func countKeys(ctx context.Context, t *testing.T, st *store.RedisStorage) int {
	t.Helper()
	seen := map[string]bool{}
	err := st.Keys(ctx, func(keys []string) error {
		for _, key := range keys {
			seen[key] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return len(seen)
}

// expiredKeys is the server's own count of what it deleted at its end.
func expiredKeys(t *testing.T, server *compose.Topology) int {
	t.Helper()
	info, err := server.Info(t.Context(), "stats")
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(info["expired_keys"])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
