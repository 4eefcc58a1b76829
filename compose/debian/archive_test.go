package debian

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// testMachine is a machine that uses the archive in testdata, which
// testdata/make.sh made, and trusts one key.
func testMachine(t *testing.T, key string) machine {
	t.Helper()
	if _, err := exec.LookPath("apt-get"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no apt-get: these tests may not be skipped here")
		}
		t.Skip("needs apt")
	}
	archive, err := filepath.Abs(filepath.Join("testdata", "archive"))
	if err != nil {
		t.Fatal(err)
	}
	keyring, err := filepath.Abs(filepath.Join("testdata", "keys", key+".gpg"))
	if err != nil {
		t.Fatal(err)
	}
	return machine{
		distribution: "debian", codename: "good", arch: "amd64",
		archive: source{uris: []string{"file:" + archive}, suites: []string{"good"}, components: []string{"main"}, signedBy: keyring},
	}
}

// testWorkshop is a folder for a fetch into a new cache.
func testWorkshop(t *testing.T) workshop {
	t.Helper()
	c := OpenAt(t.TempDir())
	if err := c.prepare(); err != nil {
		t.Fatal(err)
	}
	w, err := c.newWorkshop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.remove(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func TestIndexOfASignedSuite(t *testing.T) {
	w := testWorkshop(t)
	root, warnings, err := w.index(t.Context(), testMachine(t, "old"), "good")
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v, %v", warnings, err)
	}
	o := order{engine: "redis", version: "1.2"}
	packages, err := selectPackages(t.Context(), root, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("the server, its tools and the libraries of both are taken, and no more", func(t *testing.T) {
		want := []string{"redis-server=5:1.2.3-1", "redis-tools=5:1.2.3-1", "liba1=1-1", "zlibb=1-1"}
		if got := names(packages); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("they can be downloaded", func(t *testing.T) {
		files, err := root.download(t.Context(), packages)
		if err != nil || len(files) != len(packages) {
			t.Errorf("got %v, %v", files, err)
		}
	})
	t.Run("another version is refused", func(t *testing.T) {
		o.version = "1.3"
		_, err := selectPackages(t.Context(), root, o)
		if !errors.Is(err, ErrUnknownVersion) || !strings.Contains(err.Error(), "redis 1.2.3") {
			t.Errorf("got %v, want ErrUnknownVersion and the version there", err)
		}
	})
	t.Run("an engine that is not there is refused", func(t *testing.T) {
		_, err := selectPackages(t.Context(), root, order{engine: "valkey", version: "8.1"})
		if !errors.Is(err, ErrUnknownVersion) {
			t.Errorf("got %v, want ErrUnknownVersion", err)
		}
	})
}

func TestIndexRefusals(t *testing.T) {
	tests := []struct {
		name, key, suite string
		want             error
	}{
		{"a Release file that was changed", "old", "tampered", ErrSignature},
		{"a Release file without signature", "old", "unsigned", ErrSignature},
		{"the wrong keyring", "new", "good", ErrSignature},
		{"a keyring that does not exist", "none", "good", ErrSignature},
		{"a suite that does not exist", "old", "missing", ErrUnknownVersion},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := testWorkshop(t)
			root, err := w.update(t.Context(), testMachine(t, tt.key), tt.suite)
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if packages, err := root.show(t.Context(), "redis-server"); len(packages) > 0 {
				t.Errorf("the index was used all the same: %v, %v", packages, err)
			}
		})
	}
}

func TestIndexThatWasExchanged(t *testing.T) {
	w := testWorkshop(t)
	_, err := w.update(t.Context(), testMachine(t, "old"), "exchanged")
	if err == nil || !strings.Contains(err.Error(), "Hash Sum mismatch") && !strings.Contains(err.Error(), "unexpected size") {
		t.Errorf("got %v, want that the index does not fit its signed sum", err)
	}
}

func TestDownloadThatWasExchanged(t *testing.T) {
	m := testMachine(t, "old")
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(filepath.Join("testdata", "archive"))); err != nil {
		t.Fatal(err)
	}
	m.archive.uris = []string{"file:" + copied}
	w := testWorkshop(t)
	root, err := w.update(t.Context(), m, "good")
	if err != nil {
		t.Fatal(err)
	}
	deb := filepath.Join(copied, "pool", "redis-tools.deb")
	data, err := os.ReadFile(deb)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.WriteFile(deb, data, 0o644); err != nil {
		t.Fatal(err)
	}
	packages, err := root.show(t.Context(), "redis-tools")
	if err != nil || len(packages) != 1 {
		t.Fatalf("%v, %v", packages, err)
	}
	if files, err := root.download(t.Context(), packages); err == nil {
		t.Errorf("took a package that does not fit its signed sum: %v", files)
	}
}

func TestStaleIndexIsUsedWithAWarning(t *testing.T) {
	w := testWorkshop(t)
	root, warnings, err := w.index(t.Context(), testMachine(t, "old"), "stale")
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "stale was valid until 2022-01-08") {
		t.Errorf("warnings %q", warnings)
	}
	if early, err := root.staleness(time.Date(2022, 1, 7, 0, 0, 0, 0, time.UTC)); err != nil || len(early) > 0 {
		t.Errorf("a day before the end: %v, %v", early, err)
	}
}

func TestNewerKeysFromASuiteThatIsVerified(t *testing.T) {
	w := testWorkshop(t)
	root, warnings, err := w.index(t.Context(), testMachine(t, "old"), "next")
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "debian-archive-keyring=2 of good") {
		t.Errorf("warnings %q, want where the key is from", warnings)
	}
	if packages, err := root.show(t.Context(), "redis-server"); err != nil || len(packages) != 1 {
		t.Errorf("the index cannot be used: %v, %v", packages, err)
	}
	t.Run("a suite that no keys verify is refused in the end", func(t *testing.T) {
		_, _, err := w.index(t.Context(), testMachine(t, "old"), "tampered")
		if !errors.Is(err, ErrSignature) || !strings.Contains(err.Error(), "install a newer debian-archive-keyring") {
			t.Errorf("got %v, want ErrSignature and what to do", err)
		}
	})
}

func TestFetchTriesSuitesInOrder(t *testing.T) {
	c := OpenAt(t.TempDir())
	if err := c.prepare(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	o := order{engine: "redis", version: "1.2", suites: []string{"missing", "tampered", "good"}, log: &log}
	_, err := c.fetchAny(t.Context(), testMachine(t, "old"), o)
	// The packages of the test archive are empty, so the last suite fails too,
	// but only after its packages have been unpacked.
	for _, says := range []string{"from missing", "from tampered", "from good", "usr/bin/redis-server"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want it to say %q", err, says)
		}
	}
	if !strings.Contains(log.String(), "fetching redis 5:1.2.3-1: 4 packages") {
		t.Errorf("log %q", &log)
	}
	entries, err := c.Entries()
	staged, globErr := filepath.Glob(filepath.Join(c.staging(), stagingPattern))
	if err := errors.Join(err, globErr); err != nil || len(entries)+len(staged) > 0 {
		t.Errorf("a failed fetch left %v and %v, %v", entries, staged, err)
	}
}

func TestPrivateRootLeavesTheSystemAlone(t *testing.T) {
	m := testMachine(t, "old")
	w := testWorkshop(t)
	root, err := w.update(t.Context(), m, "good")
	if err != nil {
		t.Fatal(err)
	}
	dump, err := exec.CommandContext(t.Context(), "apt-config", "-c="+filepath.Join(root.dir, "apt.conf"), "dump").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(dump)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.Contains(key, "-Invoke") && value != `"";` {
			t.Errorf("a hook of the system is left: %s", line)
		}
		if slices.Contains([]string{"Dir::State", "Dir::State::lists", "Dir::State::status", "Dir::Cache", "Dir::Cache::archives", "Dir::Log"}, key) &&
			!strings.HasPrefix(value, `"`+root.dir) {
			t.Errorf("a folder of the system is used: %s", line)
		}
	}
}
