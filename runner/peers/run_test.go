package peers_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/toriibench/toriibench/compose"
	"github.com/toriibench/toriibench/compose/composetest"
	"github.com/toriibench/toriibench/runner/peers"
)

// startServer starts a server that ends with the test, and returns a job for it
// whose keys are there.
func startServer(t *testing.T) (*compose.Topology, peers.Job) {
	t.Helper()
	topology := composetest.Start(t, "valkey:8.1")
	address, err := url.Parse(topology.URLs[0])
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(address.Port())
	if err != nil {
		t.Fatal(err)
	}
	return topology, peers.Job{Host: address.Hostname(), Port: port, Connections: 8, Keys: 100, Length: 200 * time.Millisecond}
}

// fill stores the keys of a job.
func fill(t *testing.T, job peers.Job) {
	t.Helper()
	conn, err := net.Dial("tcp", net.JoinHostPort(job.Host, strconv.Itoa(job.Port)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	replies := bufio.NewReader(conn)
	for i := range job.Keys {
		if _, err := fmt.Fprintf(conn, "SET %s value\r\n", peers.Key(i)); err != nil {
			t.Fatal(err)
		}
		if line, err := replies.ReadString('\n'); err != nil || line != "+OK\r\n" {
			t.Fatalf("store a key: %q, %v", line, err)
		}
	}
}

// available are the generators that this machine has or can fetch.
func available(t *testing.T) []*peers.Peer {
	t.Helper()
	var all []*peers.Peer
	for engine, version := range map[string]string{compose.Redis: "7.0", compose.Valkey: "8.1"} {
		tool, err := compose.FindTool(t.Context(), engine, version, compose.Options{Log: t.Output()})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, peers.Benchmark(tool.Name, tool.Version, tool.Origin, tool.Command))
	}
	if memtier, err := peers.Memtier(t.Context()); err == nil {
		all = append(all, memtier)
	} else {
		t.Logf("without memtier_benchmark: %v", err)
	}
	return all
}

func TestPeersOnARealServer(t *testing.T) {
	topology, job := startServer(t)
	fill(t, job)
	for _, peer := range available(t) {
		t.Run(peer.Name, func(t *testing.T) {
			if err := peer.Prepare(t.Context(), job); err != nil {
				t.Fatal(err)
			}
			hits, misses := lookups(t, topology)
			done, err := peer.Run(t.Context(), job)
			if err != nil {
				t.Fatal(err)
			}
			hitsNow, missesNow := lookups(t, topology)
			if counted := hitsNow - hits; done.Operations < 100 || done.Operations > counted || float64(done.Operations) < 0.9*float64(counted) || done.PerSecond < 100 || done.CPU <= 0 {
				t.Errorf("it tells %+v, and the server counted %d", done, counted)
			}
			if misses != missesNow {
				t.Errorf("it asked for %d keys that are not there", missesNow-misses)
			}
		})
	}
}

func TestMemtierRefusesAnEmptyServer(t *testing.T) {
	_, job := startServer(t)
	memtier, err := peers.Memtier(t.Context())
	if err != nil {
		// No archive has it to fetch, so that being told is all there is.
		if !strings.Contains(err.Error(), peers.MemtierName) {
			t.Errorf("without memtier_benchmark the error is %v", err)
		}
		return
	}
	if done, err := memtier.Run(t.Context(), job); err == nil {
		t.Errorf("no key was there, and it tells %+v", done)
	}
}

// lookups is how many keys a server has found, and how many not.
func lookups(t *testing.T, topology *compose.Topology) (hits, misses int64) {
	t.Helper()
	info, err := topology.Info(t.Context(), "stats")
	if err != nil {
		t.Fatal(err)
	}
	hits, err1 := strconv.ParseInt(info["keyspace_hits"], 10, 64)
	misses, err2 := strconv.ParseInt(info["keyspace_misses"], 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return hits, misses
}

// sleeper is a program that does not end by itself.
func sleeper(t *testing.T) *peers.Peer {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sleeper")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nexec sleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return peers.Benchmark("sleeper", "1", path, []string{path})
}

func TestInterruptKillsThePeer(t *testing.T) {
	cause := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	timer := time.AfterFunc(100*time.Millisecond, func() { cancel(cause) })
	defer timer.Stop()
	began := time.Now()
	_, err := sleeper(t).Run(ctx, peers.Job{Host: "h", Port: 1, Connections: 1, Keys: 100, Length: time.Second})
	if !errors.Is(err, cause) || time.Since(began) > 30*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}

func TestAFailingPeerIsQuoted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "failing")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho 'no such option' >&2\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := peers.Benchmark("failing", "1", path, []string{path}).Run(t.Context(),
		peers.Job{Host: "h", Port: 1, Connections: 1, Keys: 100, Length: time.Second})
	if want := "try failing: exit status 3: no such option\n"; err == nil || err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
