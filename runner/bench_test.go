package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/toriibench/toriibench/results"
	"github.com/toriibench/toriibench/scenarios"
)

// quick makes a bench that takes seconds.
func quick(out string, more ...string) []string {
	return append([]string{
		"bench", "--provider", "native", "--for", "2s", "--warmup", "200ms",
		"--rate", "1000", "--population", "1000", "--out", out,
	}, more...)
}

func TestBenchMeasuresBothEnginesThroughBothClients(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	out := t.TempDir()
	got := call(t.Context(), quick(out, "--seed", "7")...)
	if got.code != exitFine && got.code != exitNoProof {
		t.Fatalf("exit code %d:\n%s", got.code, got.stderr)
	}
	dir := onlyRun(t, out)
	run := readRun(t, dir)
	if !run.Complete || run.Seed != 7 {
		t.Errorf("complete %v (%s), seed %d", run.Complete, run.Reason, run.Seed)
	}
	seen := map[string]bool{}
	for i := range run.Cells {
		cell := &run.Cells[i]
		seen[cell.Scenario+" "+cell.Server.Name+" "+cell.Client] = true
		checkCell(t, cell)
	}
	if d := run.Environment.Doctor; d == nil {
		t.Error("the run does not say what its machine can measure")
	} else {
		checkDoctor(t, d)
		if !strings.HasPrefix(run.Environment.Pacing, d.Pacing) || !strings.Contains(got.stderr, d.Sentence) {
			t.Errorf("paced by %s, chosen was %s; stderr:\n%s", run.Environment.Pacing, d.Pacing, got.stderr)
		}
	}
	if len(seen) != 12 {
		t.Errorf("%d kinds of cell, want 3 scenarios × 2 engines × 2 clients: %v", len(seen), seen)
	}
	for _, scenario := range []string{"session-churn", "cache-read-storm", "ttl-expiry"} {
		for _, picture := range []string{"-percentiles.svg", "-percentiles.png", "-time.svg", "-time.png"} {
			if info, err := os.Stat(filepath.Join(dir, scenario+picture)); err != nil || info.Size() < 1000 {
				t.Errorf("picture %s%s: %v", scenario, picture, err)
			}
		}
	}
	checkLog(t, dir, run)
	again := call(t.Context(), "report", dir)
	if again.code != exitFine || !strings.Contains(again.stdout, "session-churn") {
		t.Errorf("report ends with %d: %s", again.code, again.stderr)
	}
}

// checkCell looks at what must hold in every cell of a correct store.
func checkCell(t *testing.T, cell *results.Cell) {
	t.Helper()
	if cell.Sent == 0 && strings.Contains(fmt.Sprint(cell.Reasons), scenarios.ErrTooSlow.Error()) {
		t.Logf("%s: %q", cell.ID(), cell.Reasons) // A busy machine does that; the run goes on.
		return
	}
	if cell.Offered != cell.Sent+cell.Dropped || cell.Sent == 0 {
		t.Errorf("%s: offered %d, sent %d, dropped %d", cell.ID(), cell.Offered, cell.Sent, cell.Dropped)
	}
	if cell.Verdict != results.Valid && len(cell.Reasons) == 0 {
		t.Errorf("%s: %s without a reason", cell.ID(), cell.Verdict)
	}
	var counted int64
	for name, op := range cell.Operations {
		counted += op.Count
		// A run of few seconds carries no more than these.
		if p := op.Response; (p.P50 != nil) != (op.ResponseCI["p50"].Low != nil) || (p.P90 != nil) != (op.ResponseCI["p90"].High != nil) {
			t.Errorf("%s: %s has the percentiles %+v and the intervals %+v", cell.ID(), name, p, op.ResponseCI)
		}
	}
	if counted != cell.Sent {
		t.Errorf("%s: %d operations in the histograms, %d sent", cell.ID(), counted, cell.Sent)
	}
	if len(cell.Invariants) == 0 {
		t.Errorf("%s: no invariants", cell.ID())
	}
	if whole := int(cell.Seconds); len(cell.Machine) < whole-1 || len(cell.Machine) > whole+1 {
		t.Errorf("%s: %d readings of the machine in %v s", cell.ID(), len(cell.Machine), cell.Seconds)
	}
	for _, second := range cell.Machine {
		if second.CPU == nil || *second.CPU <= 0 {
			t.Errorf("%s: the generator used %v of its cores", cell.ID(), second.CPU)
		}
	}
	for name, inv := range cell.Invariants {
		if inv.Violated != 0 {
			t.Errorf("%s: %s was violated %d times: %s", cell.ID(), name, inv.Violated, inv.Example)
		}
	}
	checkInside(t, cell)
	if cell.Server.Version == "" || cell.ServerCPUPerOp == nil || cell.ClientCPUPerOp == nil {
		t.Errorf("%s: server %+v, cost %v and %v", cell.ID(), cell.Server, cell.ServerCPUPerOp, cell.ClientCPUPerOp)
	}
}

// checkInside looks at what a cell tells of the client library and of the server.
func checkInside(t *testing.T, cell *results.Cell) {
	t.Helper()
	var traced int64
	for name, op := range cell.Operations {
		if op.Parts == nil {
			continue
		}
		traced += op.Parts.Count
		if op.Parts.Count > op.Count || *op.Parts.Wire.Max <= 0 {
			t.Errorf("%s: %d of %d operations %s traced, at most %v on the wire", cell.ID(), op.Parts.Count, op.Count, name, *op.Parts.Wire.Max)
		}
	}
	if want := cell.Sent / traceEvery; traced < want*9/10 || traced > want+1 {
		t.Errorf("%s: %d of %d operations were traced, want one in %d", cell.ID(), traced, cell.Sent, traceEvery)
	}
	if cell.Retries == nil || *cell.Retries != 0 {
		t.Errorf("%s: retries %v, want none", cell.ID(), cell.Retries)
	}
	if cell.ServerView == nil {
		t.Errorf("%s: the server tells nothing", cell.ID())
		return
	}
	var calls int64
	for _, name := range []string{"mget", "hget", "evalsha"} {
		c := cell.ServerView.Commands[name]
		calls += c.Calls
		if c.Calls > 0 && (c.CPU <= 0 || c.Latency["p50"] <= 0) {
			t.Errorf("%s: the server's %s is %+v", cell.ID(), name, c)
		}
	}
	if calls < cell.Sent/2 {
		t.Errorf("%s: the server counts %d commands for %d operations", cell.ID(), calls, cell.Sent)
	}
}

// checkLog compares the histograms of the log with the counts of the run.
func checkLog(t *testing.T, dir string, run *results.Run) {
	t.Helper()
	log, err := results.ReadLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range run.Cells {
		cell := &run.Cells[i]
		for name, op := range cell.Operations {
			for _, kind := range []string{results.ClockResponse, results.ClockService, results.ClockLag} {
				tagged := log.Get(cell.ID(), name, kind)
				if tagged == nil || tagged.Merged.TotalCount() != op.Count {
					t.Errorf("the log has not the %d values of %s", op.Count, results.Tag(cell.ID(), name, kind))
				}
			}
		}
	}
}
