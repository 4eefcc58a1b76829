package debian

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/toriibench/toriibench/compose/filelock"
)

const (
	// entryName is the file that makes a folder a cache entry.
	entryName = "entry.json"
	// stagingPattern names folders of fetches that are under way.
	stagingPattern = "fetch-*"
	// lockName is the file in such a folder that the fetch holds locked.
	lockName = "lock"
	// benchmarkSuffix ends the name of an engine's benchmark tool.
	benchmarkSuffix = "-benchmark"
)

// Cache is a folder with fetched servers. Several programs may use one at the
// same time.
type Cache struct{ dir string }

// Entry is one fetched server.
type Entry struct {
	Engine string `json:"engine"`
	// Version is the server's own, in full, for example "8.0.2".
	Version string `json:"version"`
	// Package is the server's package with its version, Packages all that
	// were taken, each as name=version.
	Package  string   `json:"package"`
	Packages []string `json:"packages"`
	// Distribution, Suite and Architecture say where they come from.
	Distribution string `json:"distribution"`
	Suite        string `json:"suite"`
	Architecture string `json:"architecture"`
	// Loader is the file name of the program's own loader.
	Loader  string    `json:"loader"`
	Fetched time.Time `json:"fetched"`
	// Bytes is what the entry takes on disk.
	Bytes int64 `json:"bytes"`
	// Warnings are what a person should know of the fetch.
	Warnings []string `json:"warnings,omitempty"`

	dir string
}

// Open finds the user's cache folder; it makes nothing.
func Open() (Cache, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return Cache{}, fmt.Errorf("find the cache folder for servers: %w; set HOME or XDG_CACHE_HOME to a folder that you may write", err)
	}
	return Cache{dir: filepath.Join(base, "toriibench")}, nil
}

// OpenAt uses a folder of the caller's choice.
func OpenAt(dir string) Cache { return Cache{dir: dir} }

// prepare makes the folders of the cache.
func (c Cache) prepare() error {
	for _, dir := range []string{c.servers(), c.staging()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make the cache folder for servers: %w; set XDG_CACHE_HOME to a folder that you may write", err)
		}
	}
	return nil
}

func (c Cache) servers() string { return filepath.Join(c.dir, "servers") }
func (c Cache) staging() string { return filepath.Join(c.dir, "staging") }

// entryDir is the folder of a version of an engine.
func (c Cache) entryDir(engine, version, arch string) string {
	return filepath.Join(c.servers(), engine+"-"+version+"-"+arch)
}

// Entries are the servers in the cache, by engine and then in rising order of
// version. Entries for other processors and folders that are no complete entries
// are left out.
func (c Cache) Entries() ([]Entry, error) {
	files, err := filepath.Glob(filepath.Join(c.servers(), "*", entryName))
	if err != nil {
		return nil, fmt.Errorf("list cached servers: %w", err)
	}
	var entries []Entry
	for _, file := range files {
		e, err := readEntry(filepath.Dir(file))
		if err == nil && e.Architecture == architecture() {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		if by := strings.Compare(a.Engine, b.Engine); by != 0 {
			return by
		}
		return compareVersions(a.Version, b.Version)
	})
	return entries, nil
}

// readEntry reads a cache entry and looks whether its files are there.
func readEntry(dir string) (Entry, error) {
	data, err := os.ReadFile(filepath.Join(dir, entryName))
	if err != nil {
		return Entry{}, fmt.Errorf("read cache entry: %w", err)
	}
	e := Entry{dir: dir}
	if err := json.Unmarshal(data, &e); err != nil {
		return Entry{}, fmt.Errorf("read cache entry %s: %w", dir, err)
	}
	for _, path := range []string{e.Path(), filepath.Join(dir, "lib", e.Loader)} {
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			return Entry{}, fmt.Errorf("read cache entry %s: %s is missing", dir, filepath.Base(path))
		}
	}
	// A file that was cut short would end the server with a bus error.
	if there, err := size(dir); err != nil || there != e.Bytes+int64(len(data)) {
		return Entry{}, fmt.Errorf("read cache entry %s: its files are not those that were fetched", dir)
	}
	return e, nil
}

// write completes an entry in its folder.
func (e Entry) write() error {
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return fmt.Errorf("write cache entry: %w", err)
	}
	if err := os.WriteFile(filepath.Join(e.dir, entryName), append(data, '\n'), 0o644); err != nil {
		return diskError("write cache entry", err)
	}
	return nil
}

// Path is the server's executable, which needs its own loader: see Command.
func (e Entry) Path() string { return filepath.Join(e.dir, "bin", e.Engine+"-server") }

// Command runs the server with the loader and the libraries that it was built
// for, so that it runs on systems that are older than it.
func (e Entry) Command() []string { return e.command(e.Path()) }

// BenchmarkCommand runs the engine's own benchmark tool in the same way. It is
// nil in an entry that has none: see [Cache.FetchBenchmark].
func (e Entry) BenchmarkCommand() []string {
	path := filepath.Join(e.dir, "bin", e.Engine+benchmarkSuffix)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return e.command(path)
}

// command runs a program of the entry with the entry's loader and libraries.
func (e Entry) command(path string) []string {
	lib := filepath.Join(e.dir, "lib")
	return []string{filepath.Join(lib, e.Loader), "--inhibit-cache", "--library-path", lib, "--argv0", path, path}
}

// find is the entry whose version is, or begins with, the wanted one.
func (c Cache) find(engine, version string) (Entry, bool) {
	entries, err := c.Entries()
	if err != nil {
		return Entry{}, false
	}
	for _, e := range slices.Backward(entries) {
		if e.Engine == engine && matches(e.Version, version) {
			return e, true
		}
	}
	return Entry{}, false
}

// publish moves a complete entry to its place in one step. An entry that is in
// the way, incomplete or without the benchmark tool, goes to the workshop and
// with that: what runs from it lives on, and finds the same files in the place.
func (c Cache) publish(e Entry) (Entry, error) {
	place := c.entryDir(e.Engine, e.Version, e.Architecture)
	replaced := filepath.Join(filepath.Dir(e.dir), "replaced")
	if err := os.Rename(place, replaced); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Entry{}, fmt.Errorf("replace cache entry: %w", err)
	}
	if err := os.Rename(e.dir, place); err != nil {
		return Entry{}, fmt.Errorf("publish cache entry: %w", err)
	}
	e.dir = place
	return e, nil
}

// sweepStaging removes what interrupted fetches left behind. The caller holds
// the cache's lock.
func (c Cache) sweepStaging() error {
	dirs, err := filepath.Glob(filepath.Join(c.staging(), stagingPattern))
	if err != nil {
		return fmt.Errorf("sweep unfinished fetches: %w", err)
	}
	var errs []error
	for _, dir := range dirs {
		lock, err := filelock.Try(filepath.Join(dir, lockName))
		if err != nil {
			continue // a fetch that is under way
		}
		errs = append(errs, os.RemoveAll(dir), lock.Release())
	}
	return errors.Join(errs...)
}

// compareVersions orders versions by their numbers.
func compareVersions(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		x, errX := strconv.Atoi(as[i])
		y, errY := strconv.Atoi(bs[i])
		if errX != nil || errY != nil {
			return strings.Compare(a, b)
		}
		if x != y {
			return x - y
		}
	}
	return len(as) - len(bs)
}

// diskError names a full disk for what it is.
func diskError(what string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%s: %w; make room, or let XDG_CACHE_HOME name another place: %w", what, ErrDiskFull, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// size is what the files below a folder take, in bytes.
func size(dir string) (int64, error) {
	var total int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}
