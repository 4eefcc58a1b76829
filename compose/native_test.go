package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// testWait bounds every wait in these tests.
const testWait = 10 * time.Second

// needServers skips a test that starts servers in short runs.
func needServers(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers")
	}
}

// ownTemp gives a test its own base folder for servers.
func ownTemp(t *testing.T) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
}

// runDirs are the run folders that exist.
func runDirs(t *testing.T) []string {
	t.Helper()
	base, err := baseDir()
	if err != nil {
		t.Fatal(err)
	}
	dirs, err := filepath.Glob(filepath.Join(base, runPattern))
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// startNative starts a server that the test's end closes.
func startNative(t *testing.T, n native, opts Options) *Topology {
	t.Helper()
	opts.Log = t.Output()
	topo, err := n.Start(t.Context(), Target{Engine: Redis, Topology: Standalone}, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := topo.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return topo
}

// pidOf is the process of a topology's server.
func pidOf(t *testing.T, topo *Topology) int {
	t.Helper()
	info, err := topo.Info(t.Context(), "server")
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(info["process_id"])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// awaitGone waits until a process has ended.
func awaitGone(t *testing.T, pid int, start string) {
	t.Helper()
	if err := awaitEnd(t.Context(), processRecord{PID: pid, Start: start}); err != nil {
		t.Fatal(err)
	}
}

func TestNativeServesAllKnownVersions(t *testing.T) {
	needServers(t)
	for _, text := range []string{"redis:7.0", "redis:8.0", "valkey:8.0", "valkey:8.1", "valkey:9.1"} {
		t.Run(text, func(t *testing.T) {
			target, err := ParseTarget(text)
			if err != nil {
				t.Fatal(err)
			}
			topo, err := Native().Start(t.Context(), target, Options{Log: t.Output()})
			if err != nil {
				t.Fatal(err)
			}
			info, err := topo.Info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			engine, version := identify(info)
			if engine != target.Engine || !matches(version, target.Version) {
				t.Errorf("%s is served by %s %s", target, engine, version)
			}
			if topo.Engine != engine || topo.Version != version || topo.Origin == "" {
				t.Errorf("topology says %q %q %q, server says %s %s", topo.Engine, topo.Version, topo.Origin, engine, version)
			}
			if got := info["maxmemory_policy"] + " " + info["aof_enabled"]; got != "noeviction 0" {
				t.Errorf("maxmemory_policy and aof_enabled are %s", got)
			}
			if err := topo.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNativeLife(t *testing.T) {
	needServers(t)
	ownTemp(t)
	topo := startNative(t, native{port: freePort}, Options{Args: []string{"--maxmemory", "64mb"}})
	pid := pidOf(t, topo)
	start, err := processStart(pid)
	if err != nil {
		t.Fatal(err)
	}
	if dirs := runDirs(t); len(dirs) != 1 {
		t.Fatalf("run folders %v, want one", dirs)
	}
	t.Run("extra options reach the server", func(t *testing.T) {
		info, err := topo.Info(t.Context(), "memory")
		if err != nil || info["maxmemory"] != "67108864" {
			t.Errorf("maxmemory is %q, %v", info["maxmemory"], err)
		}
	})
	t.Run("a sweep leaves what is in use", func(t *testing.T) {
		var log bytes.Buffer
		if err := sweepRuns(t.Context(), &log); err != nil || log.Len() > 0 {
			t.Errorf("sweep: %v, %s", err, &log)
		}
		if !runs(pid, start) || len(runDirs(t)) != 1 {
			t.Error("the sweep took a living server away")
		}
	})
	t.Run("a server that does not exist is named", func(t *testing.T) {
		if err := topo.KillNode(t.Context(), 1); err == nil {
			t.Error("killed server 1 of a topology of one")
		}
	})
	for range 2 {
		if err := topo.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if runs(pid, start) || len(runDirs(t)) != 0 {
		t.Error("closing left something behind")
	}
	select {
	case <-topo.Died():
		t.Error("an orderly close counts as a death")
	default:
	}
	if err := topo.Err(); err != nil {
		t.Errorf("Err after an orderly close: %v", err)
	}
}

func TestNativeServerKilled(t *testing.T) {
	needServers(t)
	ownTemp(t)
	topo := startNative(t, native{port: freePort}, Options{})
	if err := topo.Err(); err != nil {
		t.Fatalf("Err while alive: %v", err)
	}
	if err := topo.KillNode(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	select {
	case <-topo.Died():
	case <-time.After(testWait):
		t.Fatal("the death was not noticed")
	}
	err := topo.Err()
	if err == nil || !strings.Contains(err.Error(), "signal: killed") || !strings.Contains(err.Error(), "Ready to accept connections") {
		t.Errorf("Err() = %v, want the signal and the log's end", err)
	}
	if _, err := topo.Info(t.Context()); err == nil || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("Info of a dead server: %v", err)
	}
}

func TestNativeServerEndsByItself(t *testing.T) {
	needServers(t)
	ownTemp(t)
	topo := startNative(t, native{port: freePort}, Options{})
	opts, err := clientOptions(topo.URLs[0])
	if err != nil {
		t.Fatal(err)
	}
	shutDown(t, opts)
	select {
	case <-topo.Died():
	case <-time.After(testWait):
		t.Fatal("the end was not noticed")
	}
	if err := topo.Err(); err == nil || !strings.Contains(err.Error(), "exit status 0") {
		t.Errorf("Err() = %v, want the exit status", err)
	}
}

// taken gives a port that is in use first, and then free ones.
func taken(used int) native {
	first := true
	return native{port: func(ctx context.Context) (int, error) {
		if first {
			first = false
			return used, nil
		}
		return freePort(ctx)
	}}
}

func TestNativePortTakenMeanwhile(t *testing.T) {
	needServers(t)
	ownTemp(t)
	t.Run("by a program that does not answer", func(t *testing.T) {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		used := l.Addr().(*net.TCPAddr).Port
		topo := startNative(t, taken(used), Options{})
		if topo.URLs[0] == "redis://127.0.0.1:"+strconv.Itoa(used) {
			t.Error("the server claims the taken port")
		}
	})
	t.Run("by another server", func(t *testing.T) {
		other := startNative(t, native{port: freePort}, Options{})
		used := other.nodes[0].(*process).place.port
		topo := startNative(t, taken(used), Options{})
		if pidOf(t, topo) == pidOf(t, other) {
			t.Error("the other server was taken for ours")
		}
	})
	t.Run("again and again", func(t *testing.T) {
		other := startNative(t, native{port: freePort}, Options{})
		used := other.nodes[0].(*process).place.port
		always := native{port: func(context.Context) (int, error) { return used, nil }}
		_, err := always.Start(t.Context(), other.Target, Options{})
		if !errors.Is(err, errPortTaken) {
			t.Errorf("got %v, want that the port was taken", err)
		}
	})
}

func TestNativeStartFaults(t *testing.T) {
	needServers(t)
	ownTemp(t)
	redis := Target{Engine: Redis, Topology: Standalone}
	t.Run("an option that the server does not know", func(t *testing.T) {
		_, err := Native().Start(t.Context(), redis, Options{Args: []string{"--bogus-option", "1"}})
		if err == nil || !strings.Contains(err.Error(), "exit status 1") || !strings.Contains(err.Error(), "bogus-option") {
			t.Errorf("got %v, want the exit status and the server's own words", err)
		}
	})
	t.Run("a context that ends", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Native().Start(ctx, redis, Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's end", err)
		}
	})
	t.Run("a server of another version", func(t *testing.T) {
		prog, err := obtain(t.Context(), redis, Options{Log: t.Output()})
		if err != nil {
			t.Fatal(err)
		}
		script := filepath.Join(t.TempDir(), "server")
		text := fmt.Sprintf("#!/bin/sh\nexec '%s' \"$@\"\n", strings.Join(prog.command(), "' '"))
		if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		named := Options{Binary: script}
		_, err = Native().Start(t.Context(), Target{Engine: Redis, Version: "1.0", Topology: Standalone}, named)
		if err == nil || !strings.Contains(err.Error(), prog.version) {
			t.Errorf("got %v, want the version that it has", err)
		}
		topo, err := Native().Start(t.Context(), redis, named)
		if err != nil {
			t.Fatalf("the same server, with no version wanted: %v", err)
		}
		if err := topo.Close(t.Context()); err != nil || topo.Origin != script {
			t.Errorf("close: %v; origin %s", err, topo.Origin)
		}
	})
	if dirs := runDirs(t); len(dirs) != 0 {
		t.Errorf("failed starts left %v", dirs)
	}
}

func TestNativeRefusals(t *testing.T) {
	tests := []struct {
		name   string
		target Target
		opts   Options
		says   string
	}{
		{"a topology that nobody knows", Target{Engine: Redis, Topology: "ring"}, Options{}, "standalone, replicated"},
		{"a user without rules", Target{Engine: Redis, Topology: Standalone, Options: []string{"acl"}}, Options{}, "Options.Rules"},
		{"an option of its own", Target{Engine: Redis, Topology: Standalone}, Options{Args: []string{"--Port", "1"}}, "--port"},
		{"the same in one word", Target{Engine: Redis, Topology: Standalone}, Options{Args: []string{"--dir /"}}, "--dir"},
		{
			"a program that is no server",
			Target{Engine: Redis, Topology: Standalone},
			Options{Binary: "/bin/echo"},
			"is not the answer of a redis or valkey server",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ownTemp(t)
			if _, err := Native().Start(t.Context(), tt.target, tt.opts); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want it to say %q", err, tt.says)
			}
		})
	}
}

func TestNativeOfflineWithoutServers(t *testing.T) {
	ownTemp(t)
	t.Setenv("PATH", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv(EnvRedisServer, "")
	redis := Target{Engine: Redis, Version: "7.0", Topology: Standalone}
	err := Native().Check(t.Context(), redis)
	if !errors.Is(err, errNotHere) || !strings.Contains(err.Error(), "toriibench servers fetch redis:7.0") {
		t.Errorf("Check: %v, want it to say how to get one", err)
	}
	_, err = Native().Start(t.Context(), redis, Options{Offline: true})
	if !errors.Is(err, errNotHere) || !strings.Contains(err.Error(), EnvRedisServer) {
		t.Errorf("Start: %v, want it to say what to do", err)
	}
}

func TestParseVersion(t *testing.T) {
	tests := []struct{ text, engine, version string }{
		{"Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1\n", Redis, "7.0.15"},
		{"Valkey server v=9.1.0-rc1 sha=0:0 malloc=libc bits=64 build=1\n", Valkey, "9.1.0-rc1"},
		{"a warning first\nRedis server v=8.0.2 sha=0\n", Redis, "8.0.2"},
		{"GNU coreutils 9.1", "", ""},
	}
	for _, tt := range tests {
		engine, version, err := parseVersion(tt.text)
		if engine != tt.engine || version != tt.version || (err == nil) != (tt.engine != "") {
			t.Errorf("parseVersion(%q) = %q, %q, %v", tt.text, engine, version, err)
		}
	}
}

func TestTailFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	if err := os.WriteFile(path, []byte(text.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tail, err := tailFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(tail, "\n")
	if len(lines) != tailLines || lines[0] != "line 4988" || lines[tailLines-1] != "line 4999" {
		t.Errorf("got %q", lines)
	}
}
