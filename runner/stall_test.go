package runner

import (
	"syscall"
	"testing"
	"time"

	"github.com/toriibench/toriibench/results"
)

// A server that stands still for two seconds of ten lets every operation wait
// that becomes due meanwhile: 20 % of them, by the plan, evenly between no time
// and the two seconds. Response times must tell so, also where the service times
// do not: in a pool of connections only those operations are slow that had been
// sent, and the others have not been.
func TestAStalledServerIsSeenInTheResponseTimes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	const stall = 2 * time.Second
	for _, client := range clientNames() {
		t.Run(client, func(t *testing.T) {
			out := t.TempDir()
			got := inMidRun(t, func() {
				pids := children(t)
				if len(pids) != 1 {
					t.Fatalf("%d children, want the server alone", len(pids))
				}
				stop(t, pids[0], stall)
			}, "bench", "--provider", "native", "--target", "redis", "--client", client, "--scenario", "session-churn",
				"--rate", "2000", "--for", "10s", "--warmup", "200ms", "--timeout", "5s", "--population", "1000", "--seed", "7", "--out", out)
			run := readRun(t, onlyRun(t, out))
			if len(run.Cells) != 1 {
				t.Fatalf("%d cells:\n%s", len(run.Cells), got.stderr)
			}
			wantStall(t, &run.Cells[0], stall)
		})
	}
}

// stop stops a process for d.
func stop(t *testing.T, pid int, d time.Duration) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	<-time.After(d)
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// wantStall compares a cell with the plan.
func wantStall(t *testing.T, cell *results.Cell, stall time.Duration) {
	t.Helper()
	if cell.Offered != cell.Sent+cell.Dropped || cell.Offered < 19_000 || cell.Abandoned != 0 {
		t.Errorf("offered %d, sent %d, dropped %d, abandoned %d", cell.Offered, cell.Sent, cell.Dropped, cell.Abandoned)
	}
	var counted int64
	for _, op := range cell.Operations {
		counted += op.Count
	}
	if counted != cell.Sent {
		t.Errorf("%d operations are in the histograms, %d were sent", counted, cell.Sent)
	}
	// The bins are by when operations were due. A busy machine takes its time to
	// catch up, so that more may have waited than the plan has.
	waited := dueIn(cell, func(p50 float64) bool { return p50 > 20_000 })
	if want := cell.Offered * int64(stall) / int64(10*time.Second); waited < want*9/10 || waited > cell.Offered/2 {
		t.Errorf("%d of %d operations were due while half of their neighbours waited, the plan has %d", waited, cell.Offered, want)
	}
	op := cell.Operations[cell.HeadlineOperation()]
	longest := float64(stall.Microseconds())
	if op.Response.P99 == nil {
		op.Response.P99 = op.Response.Max // Too few for a percentile, in one kind of operation.
	}
	// 20 % wait evenly up to two seconds, so that 1 % wait for 1.9 s at least.
	if *op.Response.P99 < 0.85*longest || *op.Response.Max < 0.95*longest {
		t.Errorf("response p99 %.0f us, max %.0f us after a stall of %.0f us", *op.Response.P99, *op.Response.Max, longest)
	}
	if *op.Service.Max < 0.9*longest {
		t.Errorf("service max %.0f us: those that were under way waited too", *op.Service.Max)
	}
	wantBounded(t, cell)
	if cell.Verdict == results.Valid {
		t.Errorf("a run in which the server stood still is called %s", cell.Verdict)
	}
}

// dueIn counts the operations that were due in bins with such a median.
func dueIn(cell *results.Cell, slow func(p50 float64) bool) (n int64) {
	for i, p50 := range cell.Series.P50 {
		if p50 != nil && slow(*p50) {
			n += cell.Series.Count[i]
		}
	}
	return n
}

// wantBounded looks at what was in flight or due at the seconds' ends.
func wantBounded(t *testing.T, cell *results.Cell) {
	t.Helper()
	most := int64(0)
	for _, second := range cell.Machine {
		most = max(most, second.InFlight)
	}
	// At most what is due in two seconds, and a tenth for those before it.
	if planned := cell.Offered * 2 / 10; most == 0 || most > planned*11/10 {
		t.Errorf("%d operations were in flight at once, the plan has %d in the stall", most, planned)
	}
	if last := cell.Machine[len(cell.Machine)-1].InFlight; last > most/10 {
		t.Errorf("%d operations were in flight at the end, of %d at most", last, most)
	}
}
