package layouts

import (
	"context"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/goredis"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

// callers is how many use the store at once.
const callers = 16

// start starts an empty server that tidies its tables quickly, and keeps no
// histogram for each command: they take 24 KB at the first call.
func start(tb testing.TB, engine string, options ...string) *testservers.Server {
	tb.Helper()
	return testservers.Start(tb, engine, append([]string{"--hz", "500", "--latency-tracking", "no"}, options...)...)
}

// used waits until the server has come to rest, and reads used_memory in bytes.
// Nobody is connected then but who asks, and no script is loaded: Redis 8 counts
// what Lua keeps. The tables of the keys grow step by step while nobody uses the
// server, in far less than the time of rest.
func used(tb testing.TB, s *testservers.Server) int64 {
	tb.Helper()
	const (
		rest  = 100 * time.Millisecond
		noise = 4 << 10 // that of the reading
	)
	s.Do(tb, "SCRIPT", "FLUSH", "SYNC")
	var last int64
	since := time.Now()
	testservers.WaitFor(tb, "the server's memory to come to rest", func() bool {
		info := s.Info(tb, "default")
		now, err := strconv.ParseInt(info["used_memory"], 10, 64)
		if err != nil {
			tb.Fatalf("read used_memory: %v", err)
		}
		rehashing := info["mem_overhead_db_hashtable_rehashing"] // Not of every server.
		quiet := info["connected_clients"] == "1" && (rehashing == "" || rehashing == "0")
		if !quiet || max(now, last)-min(now, last) > noise {
			last, since = now, time.Now()
		}
		return time.Since(since) >= rest
	})
	return last
}

// users loads nothing but users.
func users(tb testing.TB, s *testservers.Server, p people) int64 {
	tb.Helper()
	before := used(tb, s)
	with(tb, s, store.SessionCompact, func(st *store.RedisStorage) { createUsers(tb, st, p) })
	return before
}

// through loads sessions through the store, with its users before them.
func through(format store.SessionFormat) func(testing.TB, *testservers.Server, people) int64 {
	return func(tb testing.TB, s *testservers.Server, p people) int64 {
		tb.Helper()
		with(tb, s, format, func(st *store.RedisStorage) { createUsers(tb, st, p) })
		before := used(tb, s)
		with(tb, s, format, func(st *store.RedisStorage) { createSessions(tb, st, p) })
		return before
	}
}

// with opens the store, and disconnects it: connections take memory too.
func with(tb testing.TB, s *testservers.Server, format store.SessionFormat, do func(*store.RedisStorage)) {
	tb.Helper()
	cfg := store.Config{URLs: []string{s.URL()}, PoolSize: callers, SessionFormat: format}
	st, err := store.Open(tb.Context(), cfg, goredis.Dial)
	if err != nil {
		tb.Fatalf("open the store: %v", err)
	}
	do(st)
	if err := st.Close(); err != nil {
		tb.Fatalf("close the store: %v", err)
	}
}

func createUsers(tb testing.TB, st *store.RedisStorage, p people) {
	tb.Helper()
	together(tb, len(p.users), func(ctx context.Context, i int) error {
		_, err := st.Users.Create(ctx, store.NewUser{ID: p.users[i], Email: p.users[i] + "@example.com"})
		return err
	})
}

func createSessions(tb testing.TB, st *store.RedisStorage, p people) {
	tb.Helper()
	together(tb, len(p.logins), func(ctx context.Context, i int) error {
		s := p.logins[i]
		_, err := st.Sessions.Create(ctx, store.NewSession{
			UserID: s.UserID, Token: s.Token, UserAgent: s.UserAgent, IPAddress: s.IPAddress, ExpiresAt: s.ExpiresAt, CreatedAt: s.CreatedAt,
		})
		return err
	})
}

// together does n things by several callers.
func together(tb testing.TB, n int, do func(ctx context.Context, i int) error) {
	tb.Helper()
	g, ctx := errgroup.WithContext(tb.Context())
	for caller := range callers {
		g.Go(func() error {
			for i := caller; i < n; i += callers {
				if err := do(ctx, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		tb.Fatalf("load the store: %v", err)
	}
}
