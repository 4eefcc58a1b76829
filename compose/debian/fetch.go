package debian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/toriibench/toriibench/compose/filelock"
)

// Fetch gets a server into the cache, or returns the one that is there. The
// version is one of [Versions] or a full one below it. Fetches of one version
// wait for each other; an interrupted one leaves no entry. Lines for people go
// to log, which may be nil.
//
// Errors to branch on: [ErrNoApt], [ErrNetwork], [ErrSignature],
// [ErrDiskFull], [ErrUnknownVersion].
func (c Cache) Fetch(ctx context.Context, engine, version string, log io.Writer) (Entry, error) {
	return c.fetch(ctx, engine, version, log, func(Entry) bool { return true })
}

// FetchBenchmark is Fetch for an entry with the engine's benchmark tool. One
// that an older program made has none and is replaced.
func (c Cache) FetchBenchmark(ctx context.Context, engine, version string, log io.Writer) (Entry, error) {
	e, err := c.fetch(ctx, engine, version, log, func(e Entry) bool { return e.BenchmarkCommand() != nil })
	if err == nil && e.BenchmarkCommand() == nil {
		return Entry{}, fmt.Errorf("fetch %s%s %s: %w: the packages of %s have none", engine, benchmarkSuffix, version, ErrUnknownVersion, e.Suite)
	}
	return e, err
}

// fetch is Fetch for an entry that will do.
func (c Cache) fetch(ctx context.Context, engine, version string, log io.Writer, willDo func(Entry) bool) (e Entry, err error) {
	if log == nil {
		log = io.Discard
	}
	offered, ok := offering(engine, version)
	if !ok {
		return Entry{}, fmt.Errorf("fetch %s %s: %w; known are %s", engine, version, ErrUnknownVersion, known(engine))
	}
	if err := c.prepare(); err != nil {
		return Entry{}, err
	}
	lock, err := filelock.Acquire(ctx, filepath.Join(c.servers(), engine+"-"+offered.version+".lock"))
	if err != nil {
		return Entry{}, fmt.Errorf("fetch %s %s: %w", engine, version, err)
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	if e, ok := c.find(engine, version); ok && willDo(e) {
		return e, nil
	}
	m, err := readMachine(ctx)
	if err != nil {
		return Entry{}, fmt.Errorf("fetch %s %s: %w", engine, version, err)
	}
	return c.fetchAny(ctx, m, order{engine: engine, version: version, suites: offered.suites[m.distribution], log: log})
}

// order is what a fetch is to get.
type order struct {
	engine, version string
	suites          []string
	log             io.Writer
}

// fetchAny tries the suites of an order until one has the version.
func (c Cache) fetchAny(ctx context.Context, m machine, o order) (Entry, error) {
	if len(o.suites) == 0 {
		return Entry{}, fmt.Errorf("fetch %s %s: %w: %s has it in no suite; it has %s", o.engine, o.version, ErrUnknownVersion,
			m.distribution, offeredText(o.engine, m.distribution))
	}
	var errs []error
	for _, suite := range o.suites {
		e, err := c.fetchFrom(ctx, m, o, suite)
		if err == nil {
			return e, nil
		}
		errs = append(errs, fmt.Errorf("fetch %s %s from %s: %w", o.engine, o.version, suite, err))
		if ctx.Err() != nil || errors.Is(err, ErrNetwork) || errors.Is(err, ErrDiskFull) {
			break
		}
	}
	return Entry{}, errors.Join(errs...)
}

// fetchFrom gets the server out of one suite.
func (c Cache) fetchFrom(ctx context.Context, m machine, o order, suite string) (e Entry, err error) {
	w, err := c.newWorkshop(ctx)
	if err != nil {
		return Entry{}, err
	}
	defer func() { err = errors.Join(err, w.remove()) }()
	fmt.Fprintf(o.log, "fetching %s %s: reading the package index of %s %s\n", o.engine, o.version, m.distribution, suite)
	root, warnings, err := w.index(ctx, m, suite)
	if err != nil {
		return Entry{}, err
	}
	for _, warning := range warnings {
		fmt.Fprintf(o.log, "warning: %s\n", warning)
	}
	packages, err := selectPackages(ctx, root, o)
	if err != nil {
		return Entry{}, err
	}
	fmt.Fprintf(o.log, "fetching %s %s: %d packages, %.1f MB\n", o.engine, packages[0].version, len(packages), float64(total(packages))/1e6)
	e = Entry{
		Engine: o.engine, Distribution: m.distribution, Suite: suite, Architecture: m.arch,
		Fetched: time.Now().UTC().Truncate(time.Second), Warnings: warnings, dir: filepath.Join(w.dir, "entry"),
	}
	e.Package, e.Packages = packages[0].String(), names(packages)
	if e, err = w.build(ctx, root, packages, e); err != nil {
		return Entry{}, err
	}
	fmt.Fprintf(o.log, "fetched %s %s from %s\n", e.Engine, e.Version, suite)
	return c.publish(e)
}

// selectPackages finds the server and its libraries in the index, and refuses
// another version than the one ordered. The server comes first.
func selectPackages(ctx context.Context, root aptRoot, o order) ([]pkg, error) {
	packages, err := root.closure(ctx, o.engine)
	if err != nil {
		return nil, err
	}
	if len(packages) == 0 {
		return nil, fmt.Errorf("%w: the suite has no %s-server", ErrUnknownVersion, o.engine)
	}
	if got := upstream(packages[0].version); !matches(got, o.version) {
		return nil, fmt.Errorf("%w: the suite has %s %s", ErrUnknownVersion, o.engine, got)
	}
	return packages, nil
}

// workshop is a locked folder for one fetch.
type workshop struct {
	dir  string
	lock *filelock.Lock
}

// newWorkshop makes the folder and removes those of fetches that were killed.
func (c Cache) newWorkshop(ctx context.Context) (w workshop, err error) {
	// Held meanwhile, so that nobody sweeps the new folder before its own lock
	// is taken.
	guard, err := filelock.Acquire(ctx, filepath.Join(c.staging(), lockName))
	if err != nil {
		return workshop{}, fmt.Errorf("prepare fetch: %w", err)
	}
	defer func() { err = errors.Join(err, guard.Release()) }()
	if err := c.sweepStaging(); err != nil {
		return workshop{}, fmt.Errorf("remove unfinished fetches: %w", err)
	}
	dir, err := os.MkdirTemp(c.staging(), stagingPattern)
	if err != nil {
		return workshop{}, diskError("prepare fetch", err)
	}
	lock, err := filelock.Try(filepath.Join(dir, lockName))
	if err != nil {
		return workshop{}, errors.Join(fmt.Errorf("prepare fetch: %w", err), os.RemoveAll(dir))
	}
	return workshop{dir: dir, lock: lock}, nil
}

// remove takes the folder away.
func (w workshop) remove() error { return errors.Join(os.RemoveAll(w.dir), w.lock.Release()) }

// build downloads the packages and makes a complete, tried entry of them.
func (w workshop) build(ctx context.Context, root aptRoot, packages []pkg, e Entry) (Entry, error) {
	files, err := root.download(ctx, packages)
	if err != nil {
		return Entry{}, err
	}
	tree := filepath.Join(w.dir, "tree")
	if err := os.Mkdir(tree, 0o755); err != nil {
		return Entry{}, diskError("unpack packages", err)
	}
	if err := unpack(ctx, files, tree); err != nil {
		return Entry{}, err
	}
	if e.Loader, err = assemble(tree, e.Engine, e.dir); err != nil {
		return Entry{}, err
	}
	if e.Version, err = smoke(ctx, e); err != nil {
		return Entry{}, err
	}
	if e.Bytes, err = size(e.dir); err != nil {
		return Entry{}, fmt.Errorf("measure cache entry: %w", err)
	}
	return e, e.write()
}

// serverVersion reads the version out of a server's answer to --version.
func serverVersion(text string) (string, error) {
	found := regexp.MustCompile(` v=([0-9][0-9.]*)`).FindStringSubmatch(text)
	if found == nil {
		return "", fmt.Errorf("try the fetched server: it says %q", text)
	}
	return found[1], nil
}

// String writes a package as apt names it.
func (p pkg) String() string { return p.name + "=" + p.version }

// names are the packages with their versions.
func names(packages []pkg) []string {
	all := make([]string, len(packages))
	for i, p := range packages {
		all[i] = p.String()
	}
	return all
}

// total is the size of a download, in bytes.
func total(packages []pkg) int64 {
	var sum int64
	for _, p := range packages {
		sum += p.size
	}
	return sum
}
