package valkeygo_test

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
	"github.com/toriibench/toriibench/store/goredis"
	"github.com/toriibench/toriibench/store/internal/testservers"
	"github.com/toriibench/toriibench/store/memory"
	"github.com/toriibench/toriibench/store/storetest"
	"github.com/toriibench/toriibench/store/valkeygo"
)

// openLocal opens a storage; size 0 is one that keeps nothing in this process.
func openLocal(tb testing.TB, size int, ttl time.Duration, servers ...*testservers.Server) *store.RedisStorage {
	tb.Helper()
	return openWith(tb, localConfig(size, ttl, servers))
}

func localConfig(size int, ttl time.Duration, servers []*testservers.Server) store.Config {
	cfg := store.Config{ClientCacheSize: size, ClientCacheTTL: ttl, ClusterMode: len(servers) > 1}
	for _, server := range servers {
		cfg.URLs = append(cfg.URLs, server.URL())
	}
	return cfg
}

func openWith(tb testing.TB, cfg store.Config) *store.RedisStorage {
	tb.Helper()
	s, err := store.Open(tb.Context(), cfg, valkeygo.Dial)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return s
}

// numbered is user i in a version.
func numbered(i int, version int64) store.User {
	return store.User{
		ID: fmt.Sprintf("usr_%d", i), Email: fmt.Sprintf("%d@example.org", i),
		CreatedAt: time.UnixMilli(1).UTC(), UpdatedAt: time.UnixMilli(version).UTC(),
	}
}

// lookup expects a copy and returns its version.
func lookup(tb testing.TB, c *store.Cache, id string) int64 {
	tb.Helper()
	got, ok, err := c.LookupUser(tb.Context(), id)
	if err != nil || !ok {
		tb.Fatalf("%s: found %t, error %v", id, ok, err)
	}
	return got.UpdatedAt.UnixMilli()
}

func put(tb testing.TB, c *store.Cache, u store.User) {
	tb.Helper()
	if err := c.PutUser(tb.Context(), u, time.Hour); err != nil {
		tb.Fatal(err)
	}
}

// A user with few rights may do all that copies need.
func TestLocalCopiesAsAUserWithFewRights(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) {
			server := testservers.Start(t, engine)
			cfg := localConfig(1<<20, time.Minute, []*testservers.Server{server})
			command := []string{"ACL", "SETUSER", "few", "on", ">secret"}
			server.Do(t, append(command, strings.Fields(cfg.ACLRules())...)...)
			cfg.Username, cfg.Password = "few", "secret"
			c := openWith(t, cfg).NewCache(nil, store.CacheOptions{})
			put(t, c, numbered(1, 5))
			if got := lookup(t, c, "usr_1"); got != 5 {
				t.Errorf("version %d, want 5", got)
			}
			if err := c.InvalidateUser(t.Context(), numbered(1, 6)); err != nil {
				t.Errorf("invalidate: %v", err)
			}
			for _, refused := range server.ACLLog(t) {
				t.Errorf("the rules lack %s %s", refused["reason"], refused["object"])
			}
		})
	}
}

// The whole suite holds with copies in this process.
func TestConformanceWithLocalCopies(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { conformLocally(t, testservers.Start(t, engine)) })
		t.Run(engine+" cluster", func(t *testing.T) { conformLocally(t, testservers.Cluster(t, engine)...) })
	}
}

func conformLocally(t *testing.T, servers ...*testservers.Server) {
	t.Helper()
	var opened atomic.Int64
	storetest.Run(t, func(t *testing.T) *store.RedisStorage {
		t.Helper()
		cfg := localConfig(1<<20, time.Minute, servers)
		cfg.KeyPrefix = fmt.Sprintf("t%d", opened.Add(1))
		return openWith(t, cfg)
	}, storetest.Options{Rounds: 3})
}

func TestLocalCopiesAreRefusedWhereTheDriverHasNone(t *testing.T) {
	for name, dial := range map[string]store.Dial{"go-redis": goredis.Dial, "memory": memory.Dial} {
		_, err := store.Open(t.Context(), store.Config{URLs: []string{"127.0.0.1:1"}, ClientCacheSize: 1}, dial)
		if !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), "ClientCacheSize") {
			t.Errorf("%s: got %v, want an ErrInvalid that names the field", name, err)
		}
	}
}

func TestLocalCopiesSaveRoundTripsForUsersAlone(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) {
			server := testservers.Start(t, engine)
			s := openLocal(t, 1<<20, time.Minute, server)
			c := s.NewCache(nil, store.CacheOptions{})
			put(t, c, numbered(1, 1))
			token := store.NewToken("usr_1")
			session := store.Session{Token: token, UserID: "usr_1", CreatedAt: time.Now(), UpdatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
			if err := c.PutSession(t.Context(), session, nil); err != nil {
				t.Fatal(err)
			}
			server.Do(t, "CONFIG", "RESETSTAT")
			const reads = 100
			for range reads {
				lookup(t, c, "usr_1")
				if _, ok, err := c.Session(t.Context(), token); !ok || err != nil {
					t.Fatalf("session: %t, %v", ok, err)
				}
				if _, _, err := s.Sessions.Authenticate(t.Context(), token); err != nil {
					t.Fatal(err)
				}
			}
			calls := server.Calls(t)
			if calls["get"] != 1+reads || calls["hget"] != reads || calls["mget"] != reads {
				t.Errorf("calls %v, want 1 GET for the user, an MGET for each session, and a GET and an HGET for each authentication", calls)
			}
			if got := c.Stats(); got.LocalHits != reads-1 || got.Hits != 2*reads {
				t.Errorf("stats %+v, want %d local hits and %d hits", got, reads-1, 2*reads)
			}
			if errs := server.Errors(t); len(errs) > 0 {
				t.Errorf("the server has replied with errors: %v", errs)
			}
		})
	}
}

// A Trace has the command that reads an entry, but nobody sees when the library
// writes it, and a copy is no command.
func TestATraceCountsWhatWasNotLocal(t *testing.T) {
	c := openLocal(t, 1<<20, time.Minute, testservers.Start(t, testservers.Engines()[0])).NewCache(nil, store.CacheOptions{})
	put(t, c, numbered(1, 1))
	for i, want := range []store.Trace{{Commands: 1, Unseen: 1}, {}} {
		var got store.Trace
		if _, ok, err := c.LookupUser(store.WithTrace(t.Context(), &got), "usr_1"); !ok || err != nil || got != want {
			t.Errorf("look-up %d: %t, %v, %+v, want %+v", i, ok, err, got, want)
		}
	}
}

// Who has written through a storage reads it back through that storage, at once.
func TestOwnWritesAreReadAtOnceDespiteLocalCopies(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) {
			c := openLocal(t, 1<<20, time.Minute, testservers.Cluster(t, engine)...).NewCache(nil, store.CacheOptions{})
			var writers sync.WaitGroup
			for i := range 8 {
				writers.Go(func() {
					for version := int64(1); version <= 300 && !t.Failed(); version++ {
						if err := c.PutUser(t.Context(), numbered(i, version), time.Hour); err != nil {
							t.Error(err)
						}
						got, ok, err := c.LookupUser(t.Context(), numbered(i, 0).ID)
						if err != nil || !ok || got.UpdatedAt.UnixMilli() != version {
							t.Errorf("version %d was put, and %t, %+v, %v read", version, ok, got, err)
						}
						if err := c.InvalidateUser(t.Context(), numbered(i, version)); err != nil {
							t.Error(err)
						}
						if got, ok, err := c.LookupUser(t.Context(), numbered(i, 0).ID); ok || err != nil {
							t.Errorf("version %d was invalidated, and %+v, %v read", version, got, err)
						}
					}
				})
			}
			writers.Wait()
		})
	}
}

// Copies are pushed out when there is no more room for them.
func TestLocalCopiesAreBounded(t *testing.T) {
	server := testservers.Start(t, testservers.Engines()[0])
	const size, users = 200_000, 2000
	c := openLocal(t, size, time.Minute, server).NewCache(nil, store.CacheOptions{})
	for i := range users {
		put(t, c, numbered(i, 1))
		lookup(t, c, numbered(i, 1).ID)
	}
	before := c.Stats().LocalHits
	for i := range users { // The latest first.
		lookup(t, c, numbered(users-1-i, 1).ID)
	}
	// Key and value have 180 bytes, and the library needs more for its own.
	if kept := c.Stats().LocalHits - before; kept < size/2000 || kept > size/180 {
		t.Errorf("%d copies were kept in %d bytes", kept, size)
	}
}

// A server that has fallen silent tells of no change. Copies are served for their
// life, and no longer.
func TestLocalCopiesEndThoughTheServerIsSilent(t *testing.T) {
	server := testservers.Start(t, testservers.Engines()[0])
	const life = 2 * time.Second
	c := openLocal(t, 1<<20, life, server).NewCache(nil, store.CacheOptions{})
	put(t, c, numbered(1, 1))
	lookup(t, c, "usr_1")
	filled := time.Now()
	server.Stall(t)
	served := time.Duration(0)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), life/4)
		asked := time.Since(filled)
		_, ok, err := c.LookupUser(ctx, "usr_1")
		cancel()
		if err != nil {
			break
		}
		if !ok {
			t.Fatal("an outage is taken for absence")
		}
		served = asked
		if served > 20*life {
			t.Fatal("the copy does not end")
		}
	}
	if served == 0 || served > life {
		t.Errorf("the copy was served for %s, want %s at most", served, life)
	}
	server.Resume(t)
	lookup(t, c, "usr_1")
}

// The library hands the canceled context of the caller who reads an entry to all
// who wait for the same one.
func TestACallerWhoGivesUpTakesNobodyAlong(t *testing.T) {
	server := testservers.Start(t, testservers.Engines()[0])
	c := openLocal(t, 1<<20, time.Minute, server).NewCache(nil, store.CacheOptions{})
	put(t, c, numbered(1, 1))
	server.Stall(t)
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, _, err := c.LookupUser(ctx, "usr_1")
		first <- err
	}()
	// Nothing tells from outside that somebody waits; an early end of these two
	// moments makes a weaker test, not a failure.
	<-time.After(100 * time.Millisecond)
	others := make(chan error, 8)
	for range cap(others) {
		go func() {
			_, ok, err := c.LookupUser(t.Context(), "usr_1")
			if err == nil && !ok {
				err = errors.New("no copy")
			}
			others <- err
		}()
	}
	<-time.After(100 * time.Millisecond)
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up got %v", err)
	}
	server.Resume(t)
	for range cap(others) {
		if err := <-others; err != nil {
			t.Errorf("who did not give up got %v", err)
		}
	}
}

// staleness updates or invalidates users n times through one client, and measures
// how long after the acknowledgement another client's look-ups show it. The copies
// of that client would live for a minute: only the server's messages end them.
// Meanwhile others read there too, and nobody ever sees the time go back.
func staleness(tb testing.TB, n int, servers ...*testservers.Server) []time.Duration {
	tb.Helper()
	writer := openLocal(tb, 0, 0, servers...).NewCache(nil, store.CacheOptions{})
	reader := openLocal(tb, 1<<20, time.Minute, servers...).NewCache(nil, store.CacheOptions{})
	const users = 16
	for i := range users {
		put(tb, writer, numbered(i, 1))
	}
	stop := make(chan struct{})
	var others sync.WaitGroup
	for i := range 2 {
		others.Go(func() { watchForward(tb, reader, i, users, stop) })
	}
	took := make([]time.Duration, 0, n)
	for k := range n {
		u := numbered(k%users, int64(k/users+2))
		lookup(tb, reader, u.ID) // There is a copy to be stale.
		if k%2 == 0 {
			put(tb, writer, u)
			took = append(took, untilSeen(tb, reader, u, u.UpdatedAt.UnixMilli()))
			continue
		}
		if err := writer.InvalidateUser(tb.Context(), u); err != nil {
			tb.Fatal(err)
		}
		took = append(took, untilSeen(tb, reader, u, missing))
		put(tb, writer, u)
		untilSeen(tb, reader, u, u.UpdatedAt.UnixMilli())
	}
	close(stop)
	others.Wait()
	if hits := reader.Stats().LocalHits; hits < int64(n) {
		tb.Errorf("%d local hits in %d updates: the copies were not used", hits, n)
	}
	slices.Sort(took)
	return took
}

// missing is the version of a user of whom there is no copy.
const missing = -1

// untilSeen looks a user up until the version is the wanted one, which has just
// been acknowledged elsewhere, and returns how long that took. Once the old copy
// has gone it must not come back.
func untilSeen(tb testing.TB, c *store.Cache, u store.User, want int64) time.Duration {
	tb.Helper()
	acknowledged := time.Now()
	for time.Since(acknowledged) < 10*time.Second {
		if version(tb, c, u.ID) != want {
			continue
		}
		took := time.Since(acknowledged)
		for range 10 {
			if got := version(tb, c, u.ID); got != want {
				tb.Errorf("%s: version %d is back after %d", u.ID, got, want)
			}
		}
		return took
	}
	tb.Fatalf("%s: version %d is not seen after 10 s", u.ID, want)
	return 0
}

// version looks a user up.
func version(tb testing.TB, c *store.Cache, id string) int64 {
	tb.Helper()
	got, ok, err := c.LookupUser(tb.Context(), id)
	if err != nil {
		tb.Fatal(err)
	}
	if !ok {
		return missing
	}
	return got.UpdatedAt.UnixMilli()
}

// watchForward reads users until stop and expects that no version is ever followed
// by an older one.
func watchForward(tb testing.TB, c *store.Cache, first, users int, stop <-chan struct{}) {
	tb.Helper()
	seen := make([]int64, users)
	for i := first; ; i = (i + 1) % users {
		select {
		case <-stop:
			return
		case <-time.After(50 * time.Microsecond):
		}
		got, ok, err := c.LookupUser(tb.Context(), numbered(i, 0).ID)
		if err == nil && !ok {
			continue // Invalidated, and not yet there again.
		}
		version := got.UpdatedAt.UnixMilli()
		if err != nil || version < seen[i] {
			tb.Errorf("user %d: %v, version %d after %d", i, err, version, seen[i])
			return
		}
		seen[i] = version
	}
}

// rank is the value below which the share of sorted values lies.
func rank(sorted []time.Duration, share float64) time.Duration {
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}

func TestAnUpdateElsewhereEndsLocalCopies(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) {
			took := staleness(t, 1000, testservers.Start(t, engine))
			logStaleness(t, took)
		})
		t.Run(engine+" cluster", func(t *testing.T) {
			took := staleness(t, 1000, testservers.Cluster(t, engine)...)
			logStaleness(t, took)
		})
	}
}

func logStaleness(t *testing.T, took []time.Duration) {
	t.Helper()
	t.Logf("stale after the acknowledgement, %d updates: p50 %s, p99 %s, max %s",
		len(took), rank(took, 0.5), rank(took, 0.99), took[len(took)-1])
}

// BenchmarkStaleness: run it with -benchtime 1000x and more.
func BenchmarkStaleness(b *testing.B) {
	for _, engine := range testservers.Engines() {
		b.Run(engine, func(b *testing.B) {
			took := staleness(b, b.N, testservers.Start(b, engine))
			b.ReportMetric(float64(rank(took, 0.5).Microseconds()), "p50-µs")
			b.ReportMetric(float64(rank(took, 0.99).Microseconds()), "p99-µs")
			b.ReportMetric(float64(took[len(took)-1].Microseconds()), "max-µs")
		})
	}
}
