package compose

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakeTool puts a tool on an otherwise empty PATH that prints a text.
func fakeTool(t *testing.T, name, text string) {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\necho '" + text + "'\n"
	if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
}

func TestFindToolOnThisMachine(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	offline := Options{Offline: true}
	t.Run("one on PATH is taken", func(t *testing.T) {
		fakeTool(t, "valkey-benchmark", "valkey-benchmark 8.1.1")
		tool, err := FindTool(t.Context(), Valkey, "8.1", offline)
		if err != nil || tool.Name != "valkey-benchmark" || tool.Version != "8.1.1" || !strings.HasSuffix(tool.Origin, "/valkey-benchmark") {
			t.Errorf("got %+v, %v", tool, err)
		}
	})
	t.Run("one of another version is not", func(t *testing.T) {
		fakeTool(t, "valkey-benchmark", "valkey-benchmark 8.1.1")
		if _, err := FindTool(t.Context(), Valkey, "9.1", offline); !errors.Is(err, errNoTool) || !strings.Contains(err.Error(), "servers fetch valkey:9.1") {
			t.Errorf("got %v, want errNoTool and what to do", err)
		}
	})
	t.Run("one that says nonsense is not", func(t *testing.T) {
		fakeTool(t, "redis-benchmark", "hello")
		if _, err := FindTool(t.Context(), Redis, "", offline); !errors.Is(err, errNoTool) {
			t.Errorf("got %v, want errNoTool", err)
		}
	})
	t.Run("an engine without one is refused", func(t *testing.T) {
		if _, err := FindTool(t.Context(), "keydb", "", offline); err == nil || !strings.Contains(err.Error(), "keydb") {
			t.Errorf("got %v", err)
		}
	})
}

func TestFetchedToolRuns(t *testing.T) {
	needServers(t)
	for engine, version := range map[string]string{Redis: "7.0", Valkey: "8.1"} {
		t.Run(engine, func(t *testing.T) {
			tool, err := FindTool(t.Context(), engine, version, Options{Log: t.Output()})
			if err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), tool.Command[0], append(tool.Command[1:], "--version")...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if found, err := parseToolVersion(string(out)); err != nil || found != tool.Version || !matches(found, version) {
				t.Errorf("it says %q, and was found as %q, %v", out, tool.Version, err)
			}
		})
	}
}
