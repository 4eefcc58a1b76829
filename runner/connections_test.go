package runner

import (
	"strconv"
	"strings"
	"testing"

	"github.com/toriibench/toriibench/results"
)

func TestConnectionsNeedFiles(t *testing.T) {
	for _, c := range []struct {
		n     int
		limit uint64
		want  string // empty if it is fine
	}{
		{0, 1, ""},
		{1, 1024, ""},
		{4096, 0, ""},
		{4096, 4352, ""},
		{4096, 4351, "ulimit -n 4352"},
		{-1, 0, "between 1 and 8192"},
		{8193, 0, "between 1 and 8192"},
	} {
		err := checkConnections(c.n, c.limit)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d connections with %d files: %v, want %q", c.n, c.limit, err, c.want)
		}
	}
}

func TestFewAndManyConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	for _, wanted := range []int{1, 16, 4096} {
		t.Run(strconv.Itoa(wanted), func(t *testing.T) {
			if err := checkConnections(wanted, fileLimit()); err != nil {
				lacking(t, err)
			}
			out := t.TempDir()
			got := call(t.Context(), quick(out, "--connections", strconv.Itoa(wanted), "--target", "valkey", "--scenario", "session-churn", "--warmup", "1s",
				"--timeout", "10s")...) // Thousands of connections are opened meanwhile.
			if got.code != exitFine && got.code != exitNoProof {
				t.Fatalf("exit code %d:\n%s", got.code, got.stderr)
			}
			run := readRun(t, onlyRun(t, out))
			if len(run.Cells) != len(clientNames()) {
				t.Fatalf("%d cells", len(run.Cells))
			}
			for i := range run.Cells {
				wantConnections(t, &run.Cells[i], wanted)
			}
		})
	}
}

// wantConnections compares what the server counted with what was asked for.
func wantConnections(t *testing.T, cell *results.Cell, wanted int) {
	t.Helper()
	if cell.Errors > 0 || cell.Sent == 0 {
		t.Errorf("%s: %d of %d operations failed: %q", cell.ID(), cell.Errors, cell.Sent, cell.ErrorSamples)
	}
	want := wanted
	if cell.Client == "valkey-go" {
		want = min(wanted, 256)
	}
	told := cell.Settings["connected clients"]
	number, _, _ := strings.Cut(told, " ")
	n, err := strconv.Atoi(number)
	// One more asks, and what the scenario watches may be one more.
	if err != nil || n < want || n > want+2 {
		t.Errorf("%s: the server has %q clients, want %d", cell.ID(), told, want)
	}
	if client := cell.Settings["client connections"]; !strings.Contains(client, strconv.Itoa(want)) {
		t.Errorf("%s: the client says %q, want %d", cell.ID(), client, want)
	}
}
