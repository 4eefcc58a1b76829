package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/toriibench/toriibench/compose/composetest"
	"github.com/toriibench/toriibench/results"
	"github.com/toriibench/toriibench/runner"
)

// startServer starts a server that ends with the test.
func startServer(t *testing.T) (url string, client *redis.Client) {
	t.Helper()
	url = composetest.Start(t, "valkey:8.1").URLs[0]
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client = redis.NewClient(options)
	t.Cleanup(func() { client.Close() })
	return url, client
}

// alice has logged in, for an hour.
func alice() runner.Login {
	now := time.Now().UTC().Truncate(time.Millisecond)
	return runner.Login{
		UserID: "usr_alice", UserAgent: "Mozilla/5.0 (X11; Linux x86_64)", IPAddress: "192.0.2.1",
		CreatedAt: now, UpdatedAt: now, ExpiresAt: now.Add(time.Hour),
	}
}

// ttl is that of the only key in the server.
func ttl(t *testing.T, client *redis.Client) time.Duration {
	t.Helper()
	keys := client.Keys(t.Context(), "*").Val()
	if len(keys) != 1 {
		t.Fatalf("the server has the keys %q, want one", keys)
	}
	return client.PTTL(t.Context(), keys[0]).Val()
}

// near tells whether a time to live is the wanted one, less what the test took.
func near(got, want time.Duration) bool { return got <= want && got > want-time.Minute }

func TestPeersKeepSessions(t *testing.T) {
	url, client := startServer(t)
	for _, peer := range peers() {
		t.Run(peer.Name, func(t *testing.T) {
			ctx := t.Context()
			store, err := peer.Open(ctx, url, 4)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			want := alice()
			ticket, err := store.Create(ctx, want)
			if err != nil {
				t.Fatal(err)
			}
			expectFound(t, store, ticket, want)
			if got := ttl(t, client); !near(got, time.Hour) {
				t.Errorf("the new session lives for %s, want an hour", got)
			}
			want.UpdatedAt, want.ExpiresAt = want.UpdatedAt.Add(time.Second), want.UpdatedAt.Add(time.Second+24*time.Hour)
			if err := store.Refresh(ctx, ticket, want); err != nil {
				t.Fatal(err)
			}
			expectFound(t, store, ticket, want)
			if got := ttl(t, client); !near(got, 24*time.Hour+time.Second) {
				t.Errorf("the refreshed session lives for %s, want a day", got)
			}
			if err := store.Delete(ctx, ticket); err != nil {
				t.Fatal(err)
			}
			if _, found, err := store.Find(ctx, runner.Ticket{Cookie: ticket.Cookie}); found || err != nil {
				t.Errorf("after the deletion: found %t, %v", found, err)
			}
			if keys := client.Keys(ctx, "*").Val(); len(keys) > 0 {
				t.Errorf("the deletion left %q", keys)
			}
		})
	}
}

// expectFound wants the cookie alone to give the session.
func expectFound(t *testing.T, store runner.SessionStore, ticket runner.Ticket, want runner.Login) {
	t.Helper()
	got, found, err := store.Find(t.Context(), runner.Ticket{Cookie: ticket.Cookie})
	if err != nil || !found {
		t.Fatalf("found %t, %v", found, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPeersTellSessionsApart(t *testing.T) {
	url, _ := startServer(t)
	for _, peer := range peers() {
		t.Run(peer.Name, func(t *testing.T) {
			store, err := peer.Open(t.Context(), url, 4)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			first, second := alice(), alice()
			second.UserID = "usr_bob"
			ticket1, err1 := store.Create(t.Context(), first)
			ticket2, err2 := store.Create(t.Context(), second)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			if err := store.Delete(t.Context(), ticket1); err != nil {
				t.Fatal(err)
			}
			expectFound(t, store, ticket2, second)
		})
	}
}

func TestPeersNeedAServer(t *testing.T) {
	for _, peer := range peers() {
		t.Run(peer.Name, func(t *testing.T) {
			// Port 1 is reserved, and nobody listens there.
			store, err := peer.Open(t.Context(), "redis://127.0.0.1:1", 4)
			if err == nil {
				store.Close()
				t.Error("it opened where there is no server")
			}
		})
	}
}

// needTwoCPUs skips a test that needs what a comparison does, and fails it in CI,
// where nothing may be lacking.
func needTwoCPUs(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers")
	}
	if cpus := runtime.NumCPU(); runtime.GOOS != "linux" || cpus < 2 {
		lacks := fmt.Sprintf("a comparison needs Linux and two processors, and this is %s with %d", runtime.GOOS, cpus)
		if os.Getenv("CI") != "" {
			t.Fatal(lacks)
		}
		t.Skip(lacks)
	}
}

func TestComparison(t *testing.T) {
	needTwoCPUs(t)
	folder := t.TempDir()
	var stdout, stderr bytes.Buffer
	args := strings.Fields("--provider native --rounds 1 --for 100ms --connections 5 --users 200 --sessions 500 --out " + folder)
	code := runner.PerfStoresMain(t.Context(), args, peers(), &stdout, &stderr)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var r results.PerfStores
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	// Three others and ours through two libraries, in four operations and two measures.
	if !r.Complete || r.Kind != results.KindStores || len(r.Stores) != 5 || len(r.Goals) != 2*3*4*2 || len(r.Memory) != 4 {
		t.Errorf("complete %t, kind %q, %d stores, %d goals, %d weighed", r.Complete, r.Kind, len(r.Stores), len(r.Goals), len(r.Memory))
	}
	for _, peer := range peers() {
		if !strings.Contains(stdout.String(), peer.Name) {
			t.Errorf("the tables have no %s:\n%s", peer.Name, &stdout)
		}
	}
}
