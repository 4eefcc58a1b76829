package runner

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/toriibench/toriibench/results"
)

// midRunPatience is for runs that take 30 s on a busy machine.
const midRunPatience = 3 * time.Minute

// inMidRun starts a bench, waits until it has measured for a second, and calls
// disturb. The bench ends before the next test begins, come what may.
func inMidRun(t *testing.T, disturb func(), args ...string) outcome {
	t.Helper()
	metrics := freeAddress(t)
	args = append(args, "--metrics-listen", metrics)
	done, ended := make(chan outcome, 1), make(chan struct{})
	go func() {
		defer close(ended)
		done <- call(t.Context(), args...)
	}()
	t.Cleanup(func() { <-ended }) // The context has been canceled by then.
	deadline := time.After(midRunPatience)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !measured(t, metrics) {
		select {
		case <-look.C:
		case got := <-done:
			t.Fatalf("the run ended with %d before it measured:\n%s", got.code, got.stderr)
		case <-deadline:
			t.Fatalf("the run did not begin to measure within %v", midRunPatience)
		}
	}
	disturb()
	select {
	case got := <-done:
		return got
	case <-deadline:
		t.Fatalf("the run did not end within %v", midRunPatience)
		return outcome{}
	}
}

// measured says whether a run tells of operations, which it does once a second.
func measured(t *testing.T, metrics string) bool {
	t.Helper()
	ask, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+metrics+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := http.DefaultClient.Do(ask)
	if err != nil {
		return false // It does not listen yet.
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	return err == nil && bytes.Contains(text, []byte("toriibench_operations_sent_total{"))
}

// freeAddress is one where nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// children are the server processes that this process has started.
func children(t *testing.T) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // It has ended meanwhile.
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) && fields[0] != "Z" {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			pids = append(pids, pid)
		}
	}
	return pids
}

func TestAServerKilledInMidRunEndsTheRunAndKeepsWhatWasMeasured(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	out := t.TempDir()
	got := inMidRun(t, func() {
		pids := children(t)
		if len(pids) != 1 {
			t.Fatalf("%d children, want the server alone", len(pids))
		}
		if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}, quick(out, "--for", "20s", "--target", "redis", "--scenario", "session-churn")...)
	if got.code != exitFault {
		t.Errorf("exit code %d, want %d:\n%s", got.code, exitFault, got.stderr)
	}
	if told := sentence(got.stderr); !strings.Contains(told, "killed") {
		t.Errorf("it does not say what happened to the server: %q", told)
	}
	wantPartial(t, out, "server")
	if left := children(t); len(left) > 0 {
		t.Errorf("processes %v were left behind", left)
	}
}

func TestAnInterruptEndsTheRunGentlyAndKeepsWhatWasMeasured(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	out := t.TempDir()
	got := inMidRun(t, func() {
		if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
	}, quick(out, "--for", "20s", "--target", "valkey", "--scenario", "session-churn")...)
	if got.code != exitInterrupted {
		t.Errorf("exit code %d, want %d:\n%s", got.code, exitInterrupted, got.stderr)
	}
	wantPartial(t, out, "interrupted")
	if left := children(t); len(left) > 0 {
		t.Errorf("processes %v were left behind", left)
	}
}

// wantPartial looks for one readable run with one cell that is marked as broken
// off, for this reason.
func wantPartial(t *testing.T, out, reason string) {
	t.Helper()
	dir := onlyRun(t, out)
	run := readRun(t, dir)
	if run.Complete || !strings.Contains(run.Reason, reason) {
		t.Errorf("complete %v, because %q; want a reason with %q", run.Complete, run.Reason, reason)
	}
	if len(run.Cells) != 1 {
		t.Fatalf("%d cells, want the one that was under way", len(run.Cells))
	}
	cell := &run.Cells[0]
	if cell.Verdict != results.Invalid || !strings.Contains(fmt.Sprint(cell.Reasons), reason) {
		t.Errorf("the cell is %s because of %q", cell.Verdict, cell.Reasons)
	}
	if cell.Offered != cell.Sent+cell.Dropped || cell.Sent == 0 {
		t.Errorf("offered %d, sent %d, dropped %d", cell.Offered, cell.Sent, cell.Dropped)
	}
	if again := call(t.Context(), "report", dir); again.code != exitFine {
		t.Errorf("report cannot read it: %s", again.stderr)
	}
}
