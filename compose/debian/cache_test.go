package debian

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// fakeEntry puts a cache entry with empty files into a cache.
func fakeEntry(t *testing.T, c Cache, e Entry) {
	t.Helper()
	e.Loader, e.dir = "ld.so", c.entryDir(e.Engine, e.Version, e.Architecture)
	for _, path := range []string{e.Path(), filepath.Join(e.dir, "lib", e.Loader)} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.write(); err != nil {
		t.Fatal(err)
	}
}

func TestEntries(t *testing.T) {
	c := OpenAt(t.TempDir())
	if entries, err := c.Entries(); err != nil || len(entries) > 0 {
		t.Fatalf("of an empty cache: %v, %v", entries, err)
	}
	for _, version := range []string{"8.10.0", "8.9.1", "8.2.0"} {
		fakeEntry(t, c, Entry{Engine: "valkey", Version: version, Architecture: architecture()})
	}
	fakeEntry(t, c, Entry{Engine: "redis", Version: "9.0.0", Architecture: architecture()})
	fakeEntry(t, c, Entry{Engine: "redis", Version: "9.1.0", Architecture: "other"})
	fakeEntry(t, c, Entry{Engine: "redis", Version: "9.2.0", Architecture: architecture()})
	if err := os.Remove(filepath.Join(c.entryDir("redis", "9.2.0", architecture()), "lib", "ld.so")); err != nil {
		t.Fatal(err)
	}
	fakeEntry(t, c, Entry{Engine: "redis", Version: "9.4.0", Architecture: architecture(), Bytes: 5})
	cut := filepath.Join(c.entryDir("redis", "9.5.0", architecture()), "lib", "ld.so")
	fakeEntry(t, c, Entry{Engine: "redis", Version: "9.5.0", Architecture: architecture()})
	if err := os.WriteFile(cut, []byte("other"), 0o755); err != nil {
		t.Fatal(err)
	}
	broken := c.entryDir("redis", "9.3.0", architecture())
	if err := errors.Join(os.MkdirAll(broken, 0o755), os.WriteFile(filepath.Join(broken, entryName), []byte("{"), 0o644)); err != nil {
		t.Fatal(err)
	}
	entries, err := c.Entries()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Engine+" "+e.Version)
	}
	if want := []string{"redis 9.0.0", "valkey 8.2.0", "valkey 8.9.1", "valkey 8.10.0"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if e, ok := c.find("valkey", "8"); !ok || e.Version != "8.10.0" {
		t.Errorf("find valkey 8: %v, %v", e.Version, ok)
	}
	if _, ok := c.find("valkey", "8.1"); ok {
		t.Error("8.10.0 was found for 8.1")
	}
}

func TestEntryWithoutToolIsReplaced(t *testing.T) {
	c := OpenAt(t.TempDir())
	if err := c.prepare(); err != nil {
		t.Fatal(err)
	}
	fakeEntry(t, c, Entry{Engine: "valkey", Version: "8.1.1", Architecture: architecture()})
	old, ok := c.find("valkey", "8.1")
	if !ok || old.BenchmarkCommand() != nil {
		t.Fatalf("an entry without tool: found %t, it has %v", ok, old.BenchmarkCommand())
	}
	if err := os.WriteFile(filepath.Join(old.dir, "bin", "only-old"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	w, err := c.newWorkshop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fresh := Entry{Engine: "valkey", Version: "8.1.1", Architecture: architecture(), Loader: "ld.so", dir: filepath.Join(w.dir, "entry")}
	for _, name := range []string{"bin/valkey-server", "bin/valkey-benchmark", "lib/ld.so"} {
		path := filepath.Join(fresh.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	if err := fresh.write(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.publish(fresh); err != nil {
		t.Fatal(err)
	}
	if err := w.remove(); err != nil {
		t.Fatal(err)
	}
	found, ok := c.find("valkey", "8.1")
	if argv := found.BenchmarkCommand(); !ok || len(argv) == 0 || argv[len(argv)-1] != filepath.Join(old.dir, "bin", "valkey-benchmark") {
		t.Errorf("found %t, its tool is run by %v", ok, argv)
	}
	if files, err := filepath.Glob(filepath.Join(c.dir, "*", "*", "*", "only-old")); err != nil || len(files) > 0 {
		t.Errorf("of the replaced entry %v is left, %v", files, err)
	}
}

func TestInterruptedFetchesAreSwept(t *testing.T) {
	c := OpenAt(t.TempDir())
	if err := c.prepare(); err != nil {
		t.Fatal(err)
	}
	running, err := c.newWorkshop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	killed, err := c.newWorkshop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := killed.lock.Release(); err != nil {
		t.Fatal(err)
	}
	next, err := c.newWorkshop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(killed.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder of the killed fetch is still there: %v", err)
	}
	if _, err := os.Stat(running.dir); err != nil {
		t.Errorf("the folder of the running fetch was taken: %v", err)
	}
	if err := errors.Join(running.remove(), next.remove()); err != nil {
		t.Error(err)
	}
}

func TestFetchRefusals(t *testing.T) {
	t.Run("an unknown version lists the known ones", func(t *testing.T) {
		_, err := OpenAt(t.TempDir()).Fetch(t.Context(), "redis", "1.0", nil)
		if !errors.Is(err, ErrUnknownVersion) || !strings.Contains(err.Error(), "redis 7.0, 8.0") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an unknown engine lists the known ones", func(t *testing.T) {
		if _, err := OpenAt(t.TempDir()).Fetch(t.Context(), "keydb", "6", nil); err == nil || !strings.Contains(err.Error(), "redis and valkey") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a cache folder that cannot be made says what to do", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenAt(file).Fetch(t.Context(), "redis", "7.0", nil); err == nil || !strings.Contains(err.Error(), "XDG_CACHE_HOME") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no HOME says what to do", func(t *testing.T) {
		t.Setenv("HOME", "")
		t.Setenv("XDG_CACHE_HOME", "")
		if _, err := Open(); err == nil || !strings.Contains(err.Error(), "XDG_CACHE_HOME") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a system without apt says what to do", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		_, err := OpenAt(t.TempDir()).Fetch(t.Context(), "redis", "7.0", nil)
		if !errors.Is(err, ErrNoApt) || !strings.Contains(err.Error(), "PATH") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a version that this distribution lacks lists what it has", func(t *testing.T) {
		o := order{engine: "valkey", version: "7.2"}
		_, err := OpenAt(t.TempDir()).fetchAny(t.Context(), machine{distribution: "debian"}, o)
		if !errors.Is(err, ErrUnknownVersion) || !strings.Contains(err.Error(), "valkey 8.0, 8.1, 9.1") {
			t.Errorf("got %v", err)
		}
	})
}

// needArchive skips a test that downloads.
func needArchive(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("downloads servers")
	}
}

// lines is a log that several goroutines may write, and that calls a function
// when a text appears.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	on   string
	call func()
}

// Write is part of io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.call != nil && bytes.Contains(p, []byte(l.on)) {
		l.call()
	}
	return l.text.Write(p)
}

func TestTwoFetchesAtOnce(t *testing.T) {
	needArchive(t)
	dir := t.TempDir()
	var log lines
	var both sync.WaitGroup
	var found [2]Entry
	for i := range found {
		both.Go(func() {
			e, err := OpenAt(dir).Fetch(t.Context(), "redis", "7.0", &log)
			if err != nil {
				t.Error(err)
			}
			found[i] = e
		})
	}
	both.Wait()
	if t.Failed() {
		return
	}
	if n := strings.Count(log.text.String(), "fetched redis"); n != 1 {
		t.Errorf("fetched %d times:\n%s", n, &log.text)
	}
	if found[0].Path() != found[1].Path() || !matches(found[0].Version, "7.0") {
		t.Errorf("got %+v and %+v", found[0], found[1])
	}
	t.Run("what was fetched runs", func(t *testing.T) {
		version, err := smoke(t.Context(), found[0])
		if err != nil || version != found[0].Version {
			t.Errorf("got %q, %v", version, err)
		}
	})
	t.Run("it uses its own libraries alone", func(t *testing.T) {
		argv := found[0].Command()
		list := append(slices.Clone(argv[:len(argv)-1]), "--list", found[0].Path())
		out, err := exec.CommandContext(t.Context(), list[0], list[1:]...).Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			if _, place, ok := strings.Cut(line, "=> "); ok && !strings.HasPrefix(place, dir) {
				t.Errorf("a library of the system is used: %s", line)
			}
		}
	})
	t.Run("its entry tells where it is from", func(t *testing.T) {
		data, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(found[0].Path())), entryName))
		if err != nil {
			t.Fatal(err)
		}
		var e Entry
		if err := json.Unmarshal(data, &e); err != nil {
			t.Fatal(err)
		}
		if e.Suite == "" || e.Distribution == "" || len(e.Packages) < 2 || e.Fetched.IsZero() || e.Bytes < 1e6 {
			t.Errorf("got %+v", e)
		}
	})
}

func TestInterruptedFetch(t *testing.T) {
	needArchive(t)
	for _, when := range []string{"reading the package index", " MB"} {
		t.Run("at "+when, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := OpenAt(t.TempDir())
			_, err := c.Fetch(ctx, "redis", "7.0", &lines{on: when, call: cancel})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want the context's end", err)
			}
			entries, err := c.Entries()
			staged, globErr := filepath.Glob(filepath.Join(c.staging(), stagingPattern))
			if err := errors.Join(err, globErr); err != nil || len(entries)+len(staged) > 0 {
				t.Errorf("it left %v and %v, %v", entries, staged, err)
			}
		})
	}
}
