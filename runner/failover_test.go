package runner

import (
	"strings"
	"testing"

	"github.com/toriibench/toriibench/results"
)

// failover runs the scenario on servers of its own for one fault or two.
func failover(t *testing.T, want int, args ...string) *results.Run {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers")
	}
	rate := "600"
	if racing {
		rate = "100" // What is to be seen is not how fast it is.
	} else {
		t.Parallel()
	}
	out := t.TempDir()
	got := call(t.Context(), append([]string{
		"bench", "--provider", "native", "--scenario", "failover", "--for", "16s", "--warmup", "200ms",
		"--rate", rate, "--population", "500", "--out", out,
		"--pin", "off", // It pins the process, and two at a time would undo each other's.
	}, args...)...)
	// A machine that was too busy to prove a latency is no fault of the program.
	if got.code != want && (want != exitFine || got.code != exitNoProof) {
		t.Fatalf("exit code %d, want %d:\n%s", got.code, want, got.stderr)
	}
	for _, words := range []string{"how long it took after the fault", "what was acknowledged and did not hold"} {
		if !strings.Contains(got.stdout, words) {
			t.Errorf("the report does not tell %s:\n%s", words, got.stdout)
		}
	}
	return readRun(t, onlyRun(t, out))
}

// firstFault looks at what holds for each failover that went as planned.
func firstFault(t *testing.T, cell *results.Cell) results.Fault {
	t.Helper()
	f := cell.Failover
	if f == nil || len(f.Faults) == 0 {
		t.Fatalf("%s: no fault was made: %+v", cell.ID(), f)
	}
	first := f.Faults[0]
	if first.Trouble != "" || first.Promoted == nil || first.WritesOut == nil || first.ReadsOut == nil {
		t.Errorf("%s: %+v", cell.ID(), first)
	}
	if first.Compared == 0 || first.Drift > 0 {
		t.Errorf("%s: the ends of %d keys moved by up to %v ms", cell.ID(), first.Compared, first.Drift)
	}
	if f.Created == 0 || f.LoggedOut == 0 || f.TokensUsed == 0 || f.Unexplained != 0 {
		t.Errorf("%s: %+v", cell.ID(), f)
	}
	if len(cell.Marks) < 2 || cell.Marks[0].Label != f.Fault || cell.Marks[1].Label != "new primary" {
		t.Errorf("%s: marks %v", cell.ID(), cell.Marks)
	}
	return first
}

func TestFailoverFindsWhatACutLinkLoses(t *testing.T) {
	targets := []string{"valkey:8.1@cluster", "redis:7.0@sentinel"}
	if racing {
		targets = targets[1:] // One shard, so that the few writes of a second include one of each kind.
	}
	for _, target := range targets {
		t.Run(target, func(t *testing.T) {
			run := failover(t, exitBadVerdict, "--target", target, "--client", "go-redis", "--replication-lag", "cut")
			cell := &run.Cells[0]
			first := firstFault(t, cell)
			if first.Lost == 0 || first.Resurrected == 0 || first.Twice == 0 {
				t.Errorf("after a second of writes that no replica has, %d sessions are lost, %d log-outs undone, %d tokens used twice",
					first.Lost, first.Resurrected, first.Twice)
			}
			for _, name := range []string{"logged-out-stays-out", "token-verifies-once"} {
				if cell.Invariants[name].Violated == 0 {
					t.Errorf("invariant %s held", name)
				}
			}
			// On a busy machine the new primary may be there before anybody looks for an agreement.
			if first.Detected != nil && (*first.Detected <= 0 || *first.Detected > *first.Promoted) {
				t.Errorf("the others agreed after %v ms, and had a new primary after %v", *first.Detected, *first.Promoted)
			}
			if len(first.Errors) == 0 {
				t.Error("a killed primary caused no error")
			}
		})
	}
}

// CLUSTER FAILOVER hands the shard over only when the replica has everything.
func TestAnOrderlyFailoverLosesNothing(t *testing.T) {
	clients := clientNames()
	if racing {
		clients = clients[:1]
	}
	run := failover(t, exitFine, "--target", "redis:7.0@cluster", "--client", strings.Join(clients, ","), "--fault", "manual", "--wait-replicas", "1")
	if len(run.Cells) != len(clients) {
		t.Fatalf("%d cells, want one for each of %v", len(run.Cells), clients)
	}
	for i := range run.Cells {
		cell := &run.Cells[i]
		first := firstFault(t, cell)
		if first.Lost+first.Resurrected+first.Twice > 0 {
			t.Errorf("%s: lost %d, undone %d, used twice %d", cell.ID(), first.Lost, first.Resurrected, first.Twice)
		}
		if *first.WritesOut > 5000 {
			t.Errorf("%s: no writes for %v ms", cell.ID(), *first.WritesOut)
		}
	}
}

func TestAPartitionedPrimaryTakesWritesThatAreLost(t *testing.T) {
	run := failover(t, exitBadVerdict, "--target", "valkey:9.1@cluster", "--client", "valkey-go", "--fault", "partition")
	first := firstFault(t, &run.Cells[0])
	if first.Lost == 0 {
		t.Error("nothing is lost that the old primary acknowledged after it was cut off")
	}
}

func TestWhatCannotRunIsToldAndNotSkipped(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	t.Parallel()
	out := t.TempDir()
	got := call(t.Context(), quick(out, "--scenario", "session-churn,failover", "--for", "15s", "--target", "valkey:8.1", "--client", "go-redis", "--pin", "off")...)
	if got.code != exitNoProof {
		t.Fatalf("exit code %d, want %d:\n%s", got.code, exitNoProof, got.stderr)
	}
	if !strings.Contains(got.stdout, "Not run: failover on valkey:8.1: ") || !strings.Contains(got.stderr, "failover") {
		t.Errorf("it does not tell:\n%s%s", got.stdout, got.stderr)
	}
	run := readRun(t, onlyRun(t, out))
	if !run.Complete || len(run.Cells) != 1 || len(run.NotRun) != 1 || run.NotRun[0].Scenario != "failover" || !strings.Contains(run.NotRun[0].Reason, "@cluster") {
		t.Errorf("complete %v, %d cells, not run %+v", run.Complete, len(run.Cells), run.NotRun)
	}
}
