package runner

import (
	"bytes"
	"context"
	"encoding/json"
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

// outcome is what a call of the program left behind.
type outcome struct {
	code           int
	stdout, stderr string
}

func call(ctx context.Context, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	code := Main(ctx, args, strings.NewReader(""), &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

// onlyRun is the one run in a folder.
func onlyRun(t *testing.T, out string) (dir string) {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(out, "*"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("there are %d runs in the folder: %v %v", len(dirs), dirs, err)
	}
	return dirs[0]
}

func readRun(t *testing.T, dir string) *results.Run {
	t.Helper()
	run, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func TestNonsenseIsRefusedInOneSentence(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string // in the sentence
	}{
		"an unknown command":          {[]string{"bnech"}, "bnech"},
		"an unknown kind of servers":  {[]string{"servers", "nonsense"}, "nonsense"},
		"an unknown help topic":       {[]string{"help", "nonsense"}, "nonsense"},
		"an unknown shell":            {[]string{"completion", "nonsense"}, "nonsense"},
		"a profile without sessions":  {[]string{"bench", "--profile", "P3", "--scenario", "ttl-expiry"}, "session-churn"},
		"an unknown flag":             {[]string{"bench", "--nonsense"}, "--nonsense"},
		"an examination of something": {[]string{"doctor", "me"}, "me"},
		"an argument too many":        {[]string{"bench", "now"}, "now"},
		"an unknown scenario":         {[]string{"bench", "--scenario", "nonsense"}, "session-churn"},
		"an unknown engine":           {[]string{"bench", "--target", "memcached"}, "valkey"},
		"an unknown version":          {[]string{"bench", "--target", "redis:five"}, "five"},
		"a topology to come":          {[]string{"bench", "--target", "redis:7.0@cluster"}, "standalone"},
		"an unknown client":           {[]string{"bench", "--client", "redigo"}, "valkey-go"},
		"an unknown provider":         {[]string{"bench", "--provider", "cloud"}, "native"},
		"an unknown profile":          {[]string{"bench", "--profile", "P9", "--scenario", "session-churn"}, "P4"},
		"a rate of zero":              {[]string{"bench", "--rate", "0"}, "10M"},
		"a negative rate":             {[]string{"bench", "--rate=-5"}, "2.5k"},
		"a rate that is no number":    {[]string{"bench", "--rate", "NaN"}, "2.5k"},
		"a rate beyond reason":        {[]string{"bench", "--rate", "1e12"}, "10M"},
		"no time to measure":          {[]string{"bench", "--for", "0s"}, "--for"},
		"a duration that is none":     {[]string{"bench", "--for", "soon"}, "soon"},
		"a population of nobody":      {[]string{"bench", "--population", "1"}, "--population"},
		"a cell named twice":          {[]string{"bench", "--target", "redis,redis"}, "twice"},
		"nothing to measure":          {[]string{"bench", "--scenario", ""}, "nothing"},
		"connections below zero":      {[]string{"bench", "--connections=-1"}, "--connections"},
		"more connections than fit":   {[]string{"bench", "--connections", "65536"}, "8192"},
		"a closed loop of nobody":     {[]string{"bench", "--closed=-1"}, "--closed"},
		"a closed loop with a rate":   {[]string{"bench", "--closed", "8", "--rate", "1k"}, "--rate"},
		"a comparison of no round":    {[]string{"perf", "--rounds", "0"}, "--rounds"},
		"a turn of no time":           {[]string{"perf", "--for", "0s"}, "--for"},
		"generators of nobody":        {[]string{"perf", "--connections", "0"}, "--connections"},
		"a comparison on a URL":       {[]string{"perf", "--target", "redis://127.0.0.1:1"}, "its own server"},
		"a comparison on a cluster":   {[]string{"perf", "--target", "valkey:8.1@cluster"}, "standalone"},
		"an unknown way to pin":       {[]string{"bench", "--pin", "hard"}, "auto"},
		"unknown arrivals":            {[]string{"bench", "--arrivals", "uniform"}, "poisson"},
		"a name that is a path":       {[]string{"bench", "--name", "../x"}, "--name"},
		"a binary of no engine":       {[]string{"bench", "--binary", "memcached=/x"}, "valkey"},
		"an image of no engine":       {[]string{"bench", "--image", "memcached=x"}, "valkey"},
		"a binary and an image":       {[]string{"bench", "--binary", "redis=/x", "--image", "valkey=x"}, "one of them"},
		"two forms of a report":       {[]string{"report", "--json", "--markdown"}, "both"},
		"nothing to fetch":            {[]string{"servers", "fetch"}, "redis:8.0"},
		"a URL to fetch":              {[]string{"servers", "fetch", "redis://127.0.0.1:1"}, "nothing to fetch"},
		"a storm in no time at all":   {[]string{"bench", "--scenario", "ttl-expiry", "--for", "1s"}, "2s"},
		"a report of no run":          {[]string{"report", "no/such/folder"}, "no/such/folder"},
		"a version nobody can get":    {[]string{"bench", "--target", "redis:1.0", "--provider", "native"}, "redis:1.0"},
		"a binary that is not there":  {[]string{"bench", "--target", "redis", "--binary", "redis=/no/such/server", "--provider", "native"}, "/no/such/server"},
		"a server that is not there":  {[]string{"bench", "--target", "redis://127.0.0.1:1"}, "127.0.0.1:1"},
		"a results folder under file": {[]string{"bench", "--target", "redis", "--provider", "native", "--out", "runner_test.go/runs"}, "runner_test.go"},
	}
	faults := map[string]int{
		"a report of no run": exitFault, "a server that is not there": exitFault, "a results folder under file": exitFault,
		"a binary that is not there": exitFault,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			out := t.TempDir()
			args := test.args
			if args[0] == "bench" && !strings.Contains(strings.Join(args, " "), "--out") {
				args = append(args, "--out", out)
			}
			got := call(t.Context(), args...)
			want := exitUsage
			if code, ok := faults[name]; ok {
				want = code
			}
			if got.code != want {
				t.Errorf("exit code %d, want %d", got.code, want)
			}
			told := sentence(got.stderr)
			if !strings.HasPrefix(told, "toriibench: ") || !strings.Contains(told, test.want) {
				t.Errorf("it says %q, want a sentence with %q", told, test.want)
			}
			for _, trace := range []string{"goroutine ", "panic", ".go:"} {
				if strings.Contains(got.stderr, trace) {
					t.Errorf("a stack trace for a person:\n%s", got.stderr)
				}
			}
			if got.stdout != "" {
				t.Errorf("stdout has %q", got.stdout)
			}
			if left, _ := os.ReadDir(out); len(left) > 0 {
				t.Errorf("%s was left in the results folder", left[0].Name())
			}
		})
	}
}

// sentence is the last line that the program itself said; lines of a server's
// log may follow it.
func sentence(stderr string) string {
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	for i := len(lines) - 1; i > 0; i-- {
		if strings.HasPrefix(lines[i], "toriibench: ") {
			return lines[i]
		}
	}
	return lines[0]
}

func TestHelpNamesTheExitCodes(t *testing.T) {
	for _, args := range [][]string{
		{"--help"},
		{"completion", "--help"},
		{"bench", "--help"},
		{"report", "--help"},
		{"doctor", "--help"},
		{"list", "--help"},
		{"servers", "--help"},
		{"servers", "fetch", "--help"},
		{"servers", "list", "--help"},
	} {
		got := call(t.Context(), args...)
		if got.code != exitFine || !strings.Contains(got.stdout, "130  interrupted") {
			t.Errorf("%v: exit code %d and\n%s", args, got.code, got.stdout)
		}
	}
}

func TestListsAreReadableByPrograms(t *testing.T) {
	for _, args := range [][]string{{"list", "--json"}, {"servers", "list", "--json"}} {
		got := call(t.Context(), args...)
		if got.code != exitFine || !json.Valid([]byte(got.stdout)) {
			t.Errorf("%v: exit code %d and %q %s", args, got.code, got.stdout, got.stderr)
		}
	}
}

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

func TestTheSampleOfARunCanBeReported(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../results/sample")); err != nil {
		t.Fatal(err)
	}
	got := call(t.Context(), "report", dir)
	if got.code != exitFine || !strings.Contains(got.stdout, "session-churn-percentiles.png") {
		t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
	for _, name := range []string{"bench.txt", "session-churn-redis-8_0-valkey-go.hgrm"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("it lacks a file for other tools: %v", err)
		}
	}
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

// inMidRun starts a bench, waits until it has measured for a second, and calls
// disturb.
func inMidRun(t *testing.T, disturb func(), args ...string) outcome {
	t.Helper()
	metrics := freeAddress(t)
	args = append(args, "--metrics-listen", metrics)
	done := make(chan outcome, 1)
	go func() { done <- call(t.Context(), args...) }()
	deadline := time.After(time.Minute)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !measured(t, metrics) {
		select {
		case <-look.C:
		case got := <-done:
			t.Fatalf("the run ended with %d before it measured:\n%s", got.code, got.stderr)
		case <-deadline:
			t.Fatal("the run did not begin to measure within a minute")
		}
	}
	disturb()
	select {
	case got := <-done:
		return got
	case <-deadline:
		t.Fatal("the run did not end within a minute")
		return outcome{}
	}
}

// lacking skips a test for which this machine lacks something, and fails it in CI,
// where nothing may be lacking.
func lacking(t *testing.T, what error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
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
