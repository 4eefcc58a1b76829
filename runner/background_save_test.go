package runner

import (
	"testing"

	"github.com/toriibench/toriibench/results"
)

func TestBackgroundSaveIsSeenOnEveryTopology(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	t.Parallel()
	out := t.TempDir()
	got := call(t.Context(), quick(out, "--scenario", "background-save", "--for", "4s", "--rate", "200",
		"--target", "redis:7.0@standalone+aof,valkey:8.1@cluster", "--client", "valkey-go", "--pin", "off")...)
	if got.code != exitFine && got.code != exitNoProof {
		t.Fatalf("exit code %d:\n%s", got.code, got.stderr)
	}
	run := readRun(t, onlyRun(t, out))
	if len(run.Cells) != 2 {
		t.Fatalf("%d cells", len(run.Cells))
	}
	for i, primaries := range []int64{1, 3} {
		cell := &run.Cells[i]
		if checked := cell.Invariants["every-save-succeeds"]; checked != (results.Invariant{Checked: 2 * primaries}) {
			t.Errorf("%s: saves %+v, want two on each of %d servers", cell.ID(), checked, primaries)
		}
		for _, name := range []string{"save-time", "save-fork", "rewrite-time", "rewrite-copied"} {
			if cell.Measurements[name].Value <= 0 {
				t.Errorf("%s: %s is %v", cell.ID(), name, cell.Measurements[name])
			}
		}
		if len(cell.Marks) != 4 || cell.Marks[0].Label != "save" || cell.Marks[3].Label != "rewrite done" {
			t.Errorf("%s: marks %v", cell.ID(), cell.Marks)
		}
	}
}
