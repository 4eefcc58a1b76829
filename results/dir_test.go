package results

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRunDirIsNamedByTimeAndNeverShared(t *testing.T) {
	base := filepath.Join(t.TempDir(), "results", "runs")
	now := time.Date(2026, 11, 23, 9, 45, 0, 0, time.FixedZone("CET", 3600))
	for _, want := range []string{"20261123T084500Z-bench", "20261123T084500Z-bench-2", "20261123T084500Z-bench-3"} {
		dir, id, err := NewRunDir(base, now, "bench")
		if err != nil {
			t.Fatal(err)
		}
		if id != want || dir != filepath.Join(base, want) {
			t.Errorf("NewRunDir = %s, %s; want %s", dir, id, want)
		}
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			t.Errorf("no folder: %v", err)
		}
	}
	if _, id, err := NewRunDir(base, now, ""); err != nil || id != "20261123T084500Z" {
		t.Errorf("without a name: %s, %v", id, err)
	}
}

func TestRunDirRefusesBadPlacesAndNames(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 45, 0, 0, time.UTC)
	for _, name := range []string{"../up", "a b", "a/b", "é", strings.Repeat("n", maxNameLength+1)} {
		if dir, _, err := NewRunDir(t.TempDir(), now, name); err == nil {
			t.Errorf("name %q made %s", name, dir)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := NewRunDir(filepath.Join(file, "runs"), now, "bench")
	if err == nil || !strings.Contains(err.Error(), "choose another one") || !strings.Contains(err.Error(), file) {
		t.Errorf("below a file: %v", err)
	}
}

func TestLatestFindsTheNewestRun(t *testing.T) {
	base := t.TempDir()
	if _, err := Latest(base); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of an empty folder: %v", err)
	}
	if _, err := Latest(filepath.Join(base, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no folder: %v", err)
	}
	for _, step := range []struct {
		id     string
		run    bool
		newest string
	}{
		{"20261123T084500Z-bench", true, "20261123T084500Z-bench"},
		{"20261122T235959Z-zzz", true, "20261123T084500Z-bench"},
		{"20261123T084500Z-bench-9", true, "20261123T084500Z-bench-9"},
		{"20261123T084500Z-bench-10", true, "20261123T084500Z-bench-10"},
		{"20271123T084500Z-killed", false, "20261123T084500Z-bench-10"},
		{"zzz-not-a-run", true, "20261123T084500Z-bench-10"},
		{"20261123T084501Z-a", true, "20261123T084501Z-a"},
	} {
		dir := filepath.Join(base, step.id)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if step.run {
			if err := os.WriteFile(filepath.Join(dir, RunFile), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := Latest(base)
		if err != nil || filepath.Base(got) != step.newest {
			t.Errorf("after %s: %s, %v; want %s", step.id, got, err, step.newest)
		}
	}
}
