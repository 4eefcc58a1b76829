package runner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/results"
)

func TestClosedLoopTellsNoLatency(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	out := t.TempDir()
	got := call(t.Context(), "bench", "--provider", "native", "--target", "valkey:8.1", "--client", "valkey-go", "--scenario", "session-churn",
		"--population", "500", "--for", "1s", "--warmup", "100ms", "--closed", "8", "--out", out)
	if got.code != exitFine && got.code != exitNoProof {
		t.Fatalf("exit code %d: %s", got.code, got.stderr)
	}
	dir := onlyRun(t, out)
	cell := readRun(t, dir).Cells[0]
	if cell.Loop != "closed" || cell.Schedule != "closed:8/1s" || cell.Settings["workers"] != "8" {
		t.Errorf("loop %q, schedule %q, workers %q", cell.Loop, cell.Schedule, cell.Settings["workers"])
	}
	op := cell.Operations["validate"]
	if op.Count < 50 || op.Service.P50 == nil {
		t.Errorf("%d operations with service times %+v", op.Count, op.Service)
	}
	if diff := cmp.Diff(results.Percentiles{}, op.Response); diff != "" {
		t.Errorf("it tells a response time: %s", diff)
	}
	if diff := cmp.Diff(results.Percentiles{}, op.Lag); diff != "" {
		t.Errorf("it tells a lag: %s", diff)
	}
	if cell.ClientCPUPerOp == nil || cell.ServerCPUPerOp == nil {
		t.Error("it does not tell the cost of an operation")
	}
	if !strings.Contains(got.stdout, "has no response time") {
		t.Errorf("the tables do not say why there is no response time:\n%s", got.stdout)
	}
	log, err := os.ReadFile(filepath.Join(dir, results.LogFile))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(log); !strings.Contains(text, results.ClockService) || strings.Contains(text, results.ClockResponse) {
		t.Error("the log has response times, or no service times")
	}
}
