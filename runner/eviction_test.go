package runner

import (
	"testing"

	"github.com/toriibench/toriibench/results"
)

// evict runs the scenario on a server of its own until memory is full.
func evict(t *testing.T, target, policy string) *results.Cell {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers")
	}
	t.Parallel()
	out := t.TempDir()
	got := call(t.Context(), quick(out, "--scenario", "eviction", "--for", "6s", "--target", target, "--maxmemory-policy", policy,
		"--population", "4000", "--client", "go-redis", "--pin", "off")...)
	if got.code != exitFine && got.code != exitNoProof {
		t.Fatalf("exit code %d:\n%s", got.code, got.stderr)
	}
	cell := &readRun(t, onlyRun(t, out)).Cells[0]
	if len(cell.Marks) != 2 || cell.Marks[0].Label != "maxmemory" || cell.Marks[1].Label != "lifted" {
		t.Errorf("marks %v", cell.Marks)
	}
	return cell
}

func TestAFullServerRefusesLoginsAndKeepsEverySession(t *testing.T) {
	cell := evict(t, "redis:7.0", "noeviction")
	for _, name := range []string{"a-refused-login-says-out-of-memory", "acknowledged-sessions-are-kept", "logins-work-when-there-is-room-again"} {
		if inv := cell.Invariants[name]; inv.Checked == 0 || inv.Violated > 0 {
			t.Errorf("%s: %+v", name, inv)
		}
	}
	if m := cell.Measurements; m["refused"].Value == 0 || m["evicted-keys"].Value != 0 || m["lost-idle"].Value != 0 {
		t.Errorf("measured %v", m)
	}
}

func TestAPolicyThatEvictsThrowsSessionsOut(t *testing.T) {
	for target, policy := range map[string]string{"valkey:8.1": "volatile-ttl", "valkey:8.1@cluster": "allkeys-random"} {
		t.Run(policy, func(t *testing.T) {
			cell := evict(t, target, policy)
			m := cell.Measurements
			if m["evicted-keys"].Value == 0 || m["lost-in-use"].Value+m["lost-idle"].Value+m["lost-new"].Value+m["lost-users"].Value == 0 {
				t.Errorf("measured %v", m)
			}
			if policy == "volatile-ttl" && m["lost-users"].Value > 0 {
				t.Errorf("%v %% of the users are lost, whose accounts have no TTL", m["lost-users"].Value)
			}
		})
	}
}
