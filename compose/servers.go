package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/toriibench/toriibench/compose/debian"
)

// Places of a ServerEntry.
const (
	OnPath    = "path"    // an installed program
	InCache   = "cache"   // fetched before
	InArchive = "archive" // can be fetched
)

// ServerEntry is a server that the native provider has or can get.
type ServerEntry struct {
	// Engine is [Redis] or [Valkey].
	Engine string `json:"engine"`
	// Version is the full one, or the first two numbers of one that can be
	// fetched.
	Version string `json:"version"`
	// Where is [OnPath], [InCache] or [InArchive].
	Where string `json:"where"`
	// Path is the executable; "" for one that can be fetched.
	Path string `json:"path,omitempty"`
	// Suite is where the package is from; "" for an installed program.
	Suite string `json:"suite,omitempty"`
	// Bytes is what it takes on disk; 0 for one that can be fetched.
	Bytes int64 `json:"bytes,omitempty"`
	// Warnings are what to know of it.
	Warnings []string `json:"warnings,omitempty"`
	// Default says that it is fetched when no version is wanted in particular.
	Default bool `json:"default,omitempty"`
}

// Servers lists the servers on this machine and those that can be fetched. It
// asks no network. An error tells what could not be listed; the rest is there.
func Servers(ctx context.Context) ([]ServerEntry, error) {
	entries := installed(ctx)
	cached, err := cachedServers()
	entries = append(entries, cached...)
	distribution, archiveErr := debian.Distribution(ctx)
	if archiveErr == nil {
		entries = append(entries, obtainable(distribution, cached)...)
	}
	return entries, errors.Join(err, archiveErr)
}

// installed are the servers that were named or are on PATH.
func installed(ctx context.Context) []ServerEntry {
	var entries []ServerEntry
	for _, engine := range []string{Redis, Valkey} {
		prog, err := findInstalled(ctx, Target{Engine: engine, Topology: Standalone})
		if err != nil {
			continue // none, or one that does not run
		}
		e := ServerEntry{Engine: engine, Version: prog.version, Where: OnPath, Path: prog.origin}
		if info, err := os.Stat(prog.origin); err == nil {
			e.Bytes = info.Size()
		}
		entries = append(entries, e)
	}
	return entries
}

// findInstalled is the program of an engine that needs no cache.
func findInstalled(ctx context.Context, t Target) (program, error) {
	if named := namedBinary(t.Engine, Options{}); named != "" {
		return demandProgram(ctx, t, named)
	}
	return pathProgram(ctx, t)
}

// cachedServers are the servers that were fetched.
func cachedServers() ([]ServerEntry, error) {
	cache, err := debian.Open()
	if err != nil {
		return nil, err
	}
	found, err := cache.Entries()
	if err != nil {
		return nil, err
	}
	entries := make([]ServerEntry, 0, len(found))
	for _, e := range found {
		entries = append(entries, serverEntry(e))
	}
	return entries, nil
}

// serverEntry describes a cached server.
func serverEntry(e debian.Entry) ServerEntry {
	return ServerEntry{
		Engine: e.Engine, Version: e.Version, Where: InCache, Path: e.Path(), Suite: e.Suite,
		Bytes: e.Bytes, Warnings: e.Warnings, Default: matches(e.Version, DefaultVersion(e.Engine)),
	}
}

// obtainable are the versions that can be fetched and are not cached.
func obtainable(distribution string, cached []ServerEntry) []ServerEntry {
	var entries []ServerEntry
	for _, engine := range []string{Redis, Valkey} {
		for _, o := range debian.Offered(engine, distribution) {
			here := func(e ServerEntry) bool { return e.Engine == engine && matches(e.Version, o.Version) }
			if slices.ContainsFunc(cached, here) {
				continue
			}
			entries = append(entries, ServerEntry{
				Engine: engine, Version: o.Version, Where: InArchive, Suite: o.Suite,
				Default: o.Version == DefaultVersion(engine),
			})
		}
	}
	return entries
}

// Fetch gets a server with its benchmark tool into the cache of the native
// provider, or returns the one that is there; when only the tool cannot be had,
// it says so and returns the server. An empty version is [DefaultVersion]. Lines
// for people go to log, which may be nil.
func Fetch(ctx context.Context, engine, version string, log io.Writer) (ServerEntry, error) {
	cache, err := debian.Open()
	if err != nil {
		return ServerEntry{}, err
	}
	if version == "" {
		version = DefaultVersion(engine)
	}
	e, toolErr := cache.FetchBenchmark(ctx, engine, version, log)
	if toolErr == nil {
		return serverEntry(e), nil
	}
	e, err = cache.Fetch(ctx, engine, version, log)
	if err != nil {
		return ServerEntry{}, err
	}
	fmt.Fprintf(Options{Log: log}.log(), "warning: %s %s is here without its benchmark tool: %v\n", engine, e.Version, toolErr)
	return serverEntry(e), nil
}
