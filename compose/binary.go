package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/toriibench/toriibench/compose/debian"
)

const (
	// EnvRedisServer names a redis-server to use before any other.
	EnvRedisServer = "TORIIBENCH_REDIS_SERVER"
	// EnvValkeyServer names a valkey-server to use before any other.
	EnvValkeyServer = "TORIIBENCH_VALKEY_SERVER"

	// versionTimeout bounds a program's answer to --version.
	versionTimeout = 10 * time.Second
)

// errNotHere says that a server program has to be fetched first.
var errNotHere = errors.New("no such server on this machine")

// program is a server program that has told its version.
type program struct {
	engine, version string // version in full
	argv            []string
	origin          string
	cpus            []int // that it is to run on; empty means any
}

// command is how to run the program, without options.
func (p program) command() []string { return slices.Clone(p.argv) }

// findProgram looks for a server program on this machine: the one that opts or
// the environment name, then PATH, then the cache. errNotHere means that there
// is none.
func findProgram(ctx context.Context, t Target, opts Options) (program, error) {
	if named := namedBinary(t.Engine, opts); named != "" {
		return demandProgram(ctx, t, named)
	}
	// One on PATH that does not run is as good as none.
	if p, err := pathProgram(ctx, t); err == nil {
		return p, nil
	}
	return cachedProgram(t)
}

// namedBinary is the executable that somebody asked for, or "".
func namedBinary(engine string, opts Options) string {
	if opts.Binary != "" {
		return opts.Binary
	}
	if engine == Valkey {
		return os.Getenv(EnvValkeyServer)
	}
	return os.Getenv(EnvRedisServer)
}

// demandProgram looks at an executable that was named; if it does not fit, no
// other is taken in its place.
func demandProgram(ctx context.Context, t Target, path string) (program, error) {
	p, err := readProgram(ctx, path)
	if err != nil {
		return program{}, fmt.Errorf("use the server that was named: %w", err)
	}
	if p.engine != t.Engine || !matches(p.version, t.Version) {
		return program{}, fmt.Errorf("use the server that was named: %s is %s %s, but the target is %s; "+
			"name another with --binary, %s or %s, or change the target", path, p.engine, p.version, t, EnvRedisServer, EnvValkeyServer)
	}
	return p, nil
}

// pathProgram looks for the engine's server on PATH.
func pathProgram(ctx context.Context, t Target) (program, error) {
	path, err := exec.LookPath(t.Engine + "-server")
	if err != nil {
		return program{}, fmt.Errorf("look on PATH: %w", err)
	}
	p, err := readProgram(ctx, path)
	if err != nil {
		return program{}, err
	}
	// A distribution may install one engine under the other's name.
	if p.engine != t.Engine || !matches(p.version, t.Version) {
		return program{}, fmt.Errorf("%w: %s is %s %s", errNotHere, path, p.engine, p.version)
	}
	return p, nil
}

// cachedProgram looks for a fetched server: of no version in particular, the
// default one, or else the newest.
func cachedProgram(t Target) (program, error) {
	cache, err := debian.Open()
	if err != nil {
		return program{}, err
	}
	entries, err := cache.Entries()
	if err != nil {
		return program{}, err
	}
	want := t.Version
	if want == "" {
		want = DefaultVersion(t.Engine)
	}
	var spare program
	for _, e := range entries { // in rising order
		switch {
		case e.Engine != t.Engine:
		case matches(e.Version, want):
			return entryProgram(e), nil
		case t.Version == "":
			spare = entryProgram(e)
		}
	}
	if spare.engine == "" {
		return program{}, errNotHere
	}
	return spare, nil
}

// entryProgram is the program of a cache entry.
func entryProgram(e debian.Entry) program {
	return program{
		engine: e.Engine, version: e.Version, argv: e.Command(),
		origin: "package " + e.Package + " of " + e.Suite,
	}
}

// fetchProgram downloads the server into the cache.
func fetchProgram(ctx context.Context, t Target, log io.Writer) (program, error) {
	cache, err := debian.Open()
	if err != nil {
		return program{}, err
	}
	version := t.Version
	if version == "" {
		version = DefaultVersion(t.Engine)
	}
	e, err := cache.Fetch(ctx, t.Engine, version, log)
	if err != nil {
		return program{}, err
	}
	return entryProgram(e), nil
}

// askVersion returns what an executable prints for --version.
func askVersion(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w: %s", path, err, firstLine(string(out)))
	}
	return string(out), nil
}

// readProgram asks an executable what it is.
func readProgram(ctx context.Context, path string) (program, error) {
	words, err := askVersion(ctx, path)
	if err != nil {
		return program{}, err
	}
	engine, version, err := parseVersion(words)
	if err != nil {
		return program{}, fmt.Errorf("ask %s for its version: %w", path, err)
	}
	return program{engine: engine, version: version, argv: []string{path}, origin: path}, nil
}

// parseVersion reads what a server prints for --version, for example
// "Valkey server v=8.1.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 …".
func parseVersion(text string) (engine, version string, err error) {
	found := regexp.MustCompile(`(?m)^(Redis|Valkey) server v=([0-9][^ \n]*)`).FindStringSubmatch(text)
	if found == nil {
		return "", "", fmt.Errorf("%q is not the answer of a redis or valkey server", firstLine(text))
	}
	return strings.ToLower(found[1]), found[2], nil
}

// firstLine is the beginning of a text, for an error.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
