package compose

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"

	"github.com/toriibench/toriibench/compose/debian"
)

// errNoTool says that a benchmark tool has to be fetched first.
var errNoTool = errors.New("no such benchmark tool on this machine")

// Tool is a load generator that an engine's own people ship with it.
type Tool struct {
	// Name is "redis-benchmark" or "valkey-benchmark".
	Name string
	// Version is the tool's own, in full.
	Version string
	// Origin says in a few words where it came from.
	Origin string
	// Command is how to run it, without options.
	Command []string
}

// FindTool finds the benchmark tool of an engine and version: on PATH, or else
// beside a fetched server, which it fetches unless opts forbid it. An empty
// version means any, and [DefaultVersion] where one is fetched. A cached server
// that an older program fetched has no tool beside it and is fetched again. Of
// opts, Log and Offline count.
func FindTool(ctx context.Context, engine, version string, opts Options) (Tool, error) {
	if engine != Redis && engine != Valkey {
		return Tool{}, fmt.Errorf("find benchmark tool: unknown engine %q; the engines are %s and %s", engine, Redis, Valkey)
	}
	if tool, err := pathTool(ctx, engine, version); err == nil {
		return tool, nil
	}
	if version == "" {
		version = DefaultVersion(engine)
	}
	cache, err := debian.Open()
	if err != nil {
		return Tool{}, err
	}
	if tool, err := cachedTool(cache, engine, version); err == nil || opts.Offline {
		return tool, err
	}
	e, err := cache.FetchBenchmark(ctx, engine, version, opts.log())
	if err != nil {
		return Tool{}, err
	}
	return entryTool(e), nil
}

// toolName is the name of an engine's benchmark tool.
func toolName(engine string) string { return engine + "-benchmark" }

// pathTool looks for an installed tool.
func pathTool(ctx context.Context, engine, version string) (Tool, error) {
	path, err := exec.LookPath(toolName(engine))
	if err != nil {
		return Tool{}, fmt.Errorf("look on PATH: %w", err)
	}
	words, err := askVersion(ctx, path)
	if err != nil {
		return Tool{}, err
	}
	found, err := parseToolVersion(words)
	if err != nil || !matches(found, version) {
		return Tool{}, errors.Join(fmt.Errorf("%w: %s is version %q", errNoTool, path, found), err)
	}
	return Tool{Name: toolName(engine), Version: found, Origin: path, Command: []string{path}}, nil
}

// parseToolVersion reads what a tool prints for --version, for example
// "valkey-benchmark 8.1.1".
func parseToolVersion(text string) (string, error) {
	found := regexp.MustCompile(`(?m)^(?:redis|valkey)-benchmark v?=?([0-9][^ \n]*)`).FindStringSubmatch(text)
	if found == nil {
		return "", fmt.Errorf("%q is not the answer of a benchmark tool", firstLine(text))
	}
	return found[1], nil
}

// cachedTool looks beside the fetched servers.
func cachedTool(cache debian.Cache, engine, version string) (Tool, error) {
	entries, err := cache.Entries()
	if err != nil {
		return Tool{}, err
	}
	for _, e := range entries {
		if e.Engine == engine && matches(e.Version, version) && e.BenchmarkCommand() != nil {
			return entryTool(e), nil
		}
	}
	return Tool{}, fmt.Errorf("%w: %s %s; get it with: toriibench servers fetch %s:%s", errNoTool, toolName(engine), version, engine, version)
}

// entryTool is the tool of a cache entry that has one.
func entryTool(e debian.Entry) Tool {
	return Tool{
		Name: toolName(e.Engine), Version: e.Version, Command: e.BenchmarkCommand(),
		Origin: "packages with " + strings.Replace(e.Package, "=", " ", 1) + " of " + e.Suite,
	}
}
