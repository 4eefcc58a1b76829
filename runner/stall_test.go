package runner

import (
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/toriibench/toriibench/results"
)

// stallRate is one at which a busy machine, too, catches up with what a stall left.
const stallRate = 400

// A server that stands still for two seconds of ten lets every operation wait
// that becomes due meanwhile: 20 % of them, by the plan, evenly between no time
// and the two seconds. Response times must tell so, also where the service times
// do not: in a pool of connections only those operations are slow that had been
// sent, and the others have not been.
func TestAStalledServerIsSeenInTheResponseTimes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	for _, client := range clientNames() {
		t.Run(client, func(t *testing.T) {
			out := t.TempDir()
			var stall time.Duration
			got := inMidRun(t, func() {
				pids := children(t)
				if len(pids) != 1 {
					t.Fatalf("%d children, want the server alone", len(pids))
				}
				stall = stop(t, pids[0], 2*time.Second)
			}, "bench", "--provider", "native", "--target", "redis", "--client", client, "--scenario", "session-churn", "--arrivals", "constant",
				"--rate", strconv.Itoa(stallRate), "--for", "10s", "--warmup", "200ms", "--timeout", "5s", "--population", "1000", "--seed", "7", "--out", out)
			run := readRun(t, onlyRun(t, out))
			if len(run.Cells) != 1 {
				t.Fatalf("%d cells:\n%s", len(run.Cells), got.stderr)
			}
			wantStall(t, &run.Cells[0], stall)
			wantBounded(t, &run.Cells[0], stall)
		})
	}
}

// stop stops a process for d, and says for how long it did.
func stop(t *testing.T, pid int, d time.Duration) time.Duration {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	<-time.After(d)
	stopped := time.Since(began)
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	return stopped
}

// plannedIn is how many operations are due in d.
func plannedIn(d time.Duration) int64 { return int64(stallRate * d.Seconds()) }

// wantStall wants a cell to show no less than the plan has.
func wantStall(t *testing.T, cell *results.Cell, stall time.Duration) {
	t.Helper()
	if cell.Offered != cell.Sent+cell.Dropped || cell.Offered < plannedIn(9500*time.Millisecond) || cell.Abandoned != 0 {
		t.Errorf("offered %d, sent %d, dropped %d, abandoned %d", cell.Offered, cell.Sent, cell.Dropped, cell.Abandoned)
	}
	var counted int64
	for _, op := range cell.Operations {
		counted += op.Count
	}
	if counted != cell.Sent {
		t.Errorf("%d operations are in the histograms, %d were sent", counted, cell.Sent)
	}
	// The bins are by when operations were due.
	if waited, want := dueIn(cell, slow), plannedIn(stall); waited < want*9/10 {
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
	if cell.Verdict == results.Valid {
		t.Errorf("a run in which the server stood still is called %s", cell.Verdict)
	}
}

// slow tells a bin in which half of the operations waited.
func slow(p50 float64) bool { return p50 > 20_000 }

// dueIn counts the operations that were due in bins with such a median.
func dueIn(cell *results.Cell, such func(p50 float64) bool) (n int64) {
	for i, p50 := range cell.Series.P50 {
		if p50 != nil && such(*p50) {
			n += cell.Series.Count[i]
		}
	}
	return n
}

// keptUp says whether a machine was quick enough in some bins.
func keptUp(bins []*float64) bool {
	return !slices.ContainsFunc(bins, func(p50 *float64) bool { return p50 != nil && slow(*p50) })
}

// wantBounded wants a cell to show not much more than the plan has, where the
// machine kept up with the rate while the server did.
func wantBounded(t *testing.T, cell *results.Cell, stall time.Duration) {
	t.Helper()
	most := int64(0)
	for _, second := range cell.Machine {
		most = max(most, second.InFlight)
	}
	if most == 0 {
		t.Error("no operations were in flight at any second's end")
	}
	second := int(1000 / cell.Series.BinMS) // The stall begins after one at least.
	p50 := cell.Series.P50
	if len(p50) < 3*second || !keptUp(p50[:second]) || !keptUp(p50[len(p50)-second:]) {
		t.Log("this machine is too busy to ask for no more than the plan has")
		return
	}
	planned := plannedIn(stall)
	if waited := dueIn(cell, slow); waited > cell.Offered/2 {
		t.Errorf("%d of %d operations were due while half of their neighbours waited, the plan has %d", waited, cell.Offered, planned)
	}
	if most > planned*3/2 {
		t.Errorf("%d operations were in flight at once, the plan has %d in the stall", most, planned)
	}
	if last := cell.Machine[len(cell.Machine)-1].InFlight; last > most/10 {
		t.Errorf("%d operations were in flight at the end, of %d at most", last, most)
	}
}
