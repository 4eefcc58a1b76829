package compose

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/toriibench/toriibench/compose/debian"
)

// fakeProgram is one that answers --version as a server does.
func fakeProgram(t *testing.T, dir, name, answer string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+answer+"'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestServersListsWhatIsInstalled(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv(EnvRedisServer, "")
	t.Setenv(EnvValkeyServer, "")
	bin := t.TempDir()
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	redis := fakeProgram(t, bin, "redis-server", "Redis server v=6.2.1 sha=0")
	// Some distributions install one engine under the name of the other.
	fakeProgram(t, bin, "valkey-server", "Redis server v=6.2.1 sha=0")
	entries, err := Servers(t.Context())
	if err != nil && len(entries) == 0 {
		t.Fatal(err)
	}
	var onPath []ServerEntry
	for _, e := range entries {
		if e.Where == OnPath {
			onPath = append(onPath, e)
		}
	}
	if len(onPath) != 1 || onPath[0].Path != redis || onPath[0].Version != "6.2.1" || onPath[0].Bytes == 0 {
		t.Errorf("got %+v, want the redis-server alone", onPath)
	}
	t.Run("a target takes the installed one if its version fits", func(t *testing.T) {
		for version, fits := range map[string]bool{"": true, "6": true, "6.2": true, "6.2.1": true, "6.3": false} {
			prog, err := findProgram(t.Context(), Target{Engine: Redis, Version: version, Topology: Standalone}, Options{})
			if (err == nil) != fits || fits && prog.origin != redis {
				t.Errorf("version %q: %+v, %v", version, prog, err)
			}
		}
	})
	t.Run("the environment goes before it", func(t *testing.T) {
		named := fakeProgram(t, t.TempDir(), "mine", "Redis server v=6.2.9 sha=0")
		t.Setenv(EnvRedisServer, named)
		prog, err := findProgram(t.Context(), Target{Engine: Redis, Topology: Standalone}, Options{})
		if err != nil || prog.origin != named {
			t.Errorf("got %+v, %v", prog, err)
		}
	})
}

func TestObtainable(t *testing.T) {
	cached := []ServerEntry{{Engine: Valkey, Version: "8.1.1", Where: InCache}}
	entries := obtainable("debian", cached)
	var got []string
	for _, e := range entries {
		text := e.Engine + " " + e.Version
		if e.Default {
			text += " default"
		}
		got = append(got, text)
	}
	want := []string{"redis 7.0", "redis 8.0 default", "valkey 8.0", "valkey 9.1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v: all but the one in the cache", got, want)
	}
}

func TestDefaultVersionsCanBeFetched(t *testing.T) {
	for _, engine := range []string{Redis, Valkey} {
		if !slices.Contains(debian.Versions(engine), DefaultVersion(engine)) {
			t.Errorf("nobody offers %s %s", engine, DefaultVersion(engine))
		}
	}
	if v := DefaultVersion("keydb"); v != "" {
		t.Errorf("an unknown engine has the default %q", v)
	}
}

func TestFetchOfWhatIsCached(t *testing.T) {
	needServers(t)
	first, err := Fetch(t.Context(), Redis, "", t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir()) // no apt from here on
	again, err := Fetch(t.Context(), Redis, DefaultVersion(Redis), t.Output())
	if err != nil || again.Path != first.Path || !again.Default || again.Where != InCache {
		t.Errorf("got %+v, %v; want %+v", again, err, first)
	}
}
