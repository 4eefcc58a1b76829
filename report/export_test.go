package report

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchproc"
	"golang.org/x/perf/benchunit"

	"github.com/toriibench/toriibench/results"
)

// benchLines reads a bench.txt as benchstat does; anything that the reader does
// not understand fails the test.
func benchLines(t *testing.T, text []byte) ([]*benchfmt.Result, *benchfmt.Reader) {
	t.Helper()
	var all []*benchfmt.Result
	r := benchfmt.NewReader(bytes.NewReader(text), BenchFile)
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.Result:
			all = append(all, rec.Clone())
		case *benchfmt.SyntaxError:
			t.Errorf("%v", rec)
		}
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return all, r
}

func goBenchText(t *testing.T, run *results.Run) []byte {
	t.Helper()
	text, err := goBenchmarks(run)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestBenchstatReadsARun(t *testing.T) {
	run := tailRun(results.Degraded, results.Valid)
	run.Environment = results.Environment{CPU: "A CPU @ 2 GHz", Cores: 2}
	run.Cells[0].ServerCPUPerOp, run.Cells[0].BytesPerSession = ptr(7.5), ptr(611)
	run.Cells[0].Operations["set"] = results.Operation{Count: 1000, Response: results.Percentiles{P50: ptr(147.5)}}
	lines, reader := benchLines(t, goBenchText(t, run))
	if len(lines) != 4 {
		t.Fatalf("%d lines, want one for each cell and operation", len(lines))
	}
	get, set := lines[0], lines[1]
	if got, want := get.Name.String(), "S/op=get/target=redis:1/client=go-redis-2"; got != want {
		t.Errorf("name %q, want %q", got, want)
	}
	if get.Iters != 400_000 {
		t.Errorf("%d iterations", get.Iters)
	}
	values := func(r *benchfmt.Result) []string {
		var out []string
		for _, v := range r.Values {
			out = append(out, fmt.Sprintf("%.4g %s", v.Value, v.Unit))
		}
		return out
	}
	if diff := cmp.Diff([]string{
		"0.0001 p50-sec/op", "0.0002 p90-sec/op", "0.001 p99-sec/op", "0.001 p99.9-sec/op", "0.001 max-sec/op",
		"4e+04 ops/s", "7.5e-06 server-cpu-sec/op", "611 B/session",
	}, values(get)); diff != "" {
		t.Errorf("get (-want +got):\n%s", diff)
	}
	// What the sample cannot carry is no value.
	if diff := cmp.Diff([]string{"0.0001475 p50-sec/op", "100 ops/s"}, values(set)); diff != "" {
		t.Errorf("set (-want +got):\n%s", diff)
	}
	for key, want := range map[string]string{
		"cpu": "A CPU @ 2 GHz", "engine": "redis", "verdict": "degraded", "loop": "open", "load": "poisson:40000/10s", "provider": "",
	} {
		if got := get.GetConfig(key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if got := lines[2].GetConfig("verdict"); got != "valid" {
		t.Errorf("the other cell is %q", got)
	}
	for unit, better := range map[string]int{"p99-ns/op": -1, "ops/s": +1, "service-p50-ns/op": -1} {
		if got := reader.Units().GetBetter(unit); got != better {
			t.Errorf("%s is better by %d, want %d", unit, got, better)
		}
	}
	if got := benchunit.ClassOf("p99-sec/op"); got != benchunit.Decimal {
		t.Errorf("class %v", got)
	}
}

// The engines stand side by side, as with
// benchstat -col engine -row .name,/op,/client; different verdicts never do.
func TestBenchstatComparesEnginesOfOneVerdict(t *testing.T) {
	run := tailRun(results.Degraded, results.Degraded, results.Valid)
	run.Cells[1].Target, run.Cells[2].Target = "valkey:8", "keydb:6"
	var parser benchproc.ProjectionParser
	filter, err := benchproc.NewFilter("*")
	if err != nil {
		t.Fatal(err)
	}
	columns, err := parser.Parse("engine", filter)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := parser.Parse(".name,/op,/client", filter)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := parser.Parse(".config", filter)
	if err != nil {
		t.Fatal(err)
	}
	lines, _ := benchLines(t, goBenchText(t, run))
	seen := map[string][]string{}
	for _, line := range lines {
		if ok, err := filter.Apply(line); !ok || err != nil {
			t.Fatal(ok, err)
		}
		at := tables.Project(line).String() + " | " + rows.Project(line).String()
		seen[at] = append(seen[at], columns.Project(line).String())
	}
	var got []string
	for at, engines := range seen {
		if strings.Contains(at, "/op:get") {
			got = append(got, strings.Join(engines, " "))
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"engine:keydb", "engine:redis engine:valkey"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s\n%v", diff, seen)
	}
}

func TestInvalidCellsAreNoBenchmarks(t *testing.T) {
	run := tailRun(results.Invalid, results.Valid)
	run.Cells[0].Reasons = []string{"Benchmark 12 operations\nwere dropped."}
	text := goBenchText(t, run)
	lines, _ := benchLines(t, text)
	if len(lines) != 2 || strings.Contains(string(text), "target=redis:1") {
		t.Errorf("it has the invalid cell:\n%s", text)
	}
	if !strings.Contains(string(text), "# left out: INVALID: s, redis:1 × go-redis: Benchmark 12 operations were dropped\n") {
		t.Errorf("it does not say what it leaves out:\n%s", text)
	}
}

func TestClosedLoopHasUnitsOfItsOwn(t *testing.T) {
	lines, _ := benchLines(t, goBenchText(t, closedRun()))
	for _, line := range lines {
		if _, ok := line.Value("service-p50-sec/op"); !ok || line.GetConfig("loop") != "closed" {
			t.Errorf("%s: %+v", line.Name, line.Values)
		}
		if _, ok := line.Value("p50-sec/op"); ok {
			t.Errorf("%s has a response time", line.Name)
		}
	}
}

// A name from a file stays one name, whatever it holds.
func TestOddNamesStayOneName(t *testing.T) {
	run := tailRun(results.Valid)
	c := &run.Cells[0]
	c.Target, c.Client, c.Scenario = "redis://10.0.0.1:6379/0", "my client\n", "ttl expiry-2"
	lines, _ := benchLines(t, goBenchText(t, run))
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	if got, want := lines[0].Name.String(), "TtlExpiry2/op=get/target=redis:__10.0.0.1:6379_0/client=my_client_"; got != want {
		t.Errorf("name %q, want %q", got, want)
	}
}

func TestExportWritesWhatOtherToolsRead(t *testing.T) {
	run, log := newFixture(t, t.TempDir())
	run.Cells[1].Loop = "closed"
	dir := t.TempDir()
	names, err := Export(run, log, dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 12 || names[0] != BenchFile || names[1] != "session-churn-redis-7_0-go-redis.hgrm" {
		t.Errorf("files %q: want %s and one for each of 11 open cells", names, BenchFile)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(names) {
		t.Errorf("%d files in the folder: %v", len(entries), err)
	}
	c := &run.Cells[0]
	assertPercentileText(t, string(read(t, dir, names[1])), *c.Operations["validate"].Response.P50/1e3, c.Operations["validate"].Count)
	if text := string(read(t, dir, names[1])); !strings.Contains(text, "#[Verdict = degraded: the generator was late") || !strings.Contains(text, "#[Unit    = milliseconds") {
		t.Errorf("it does not say what it is:\n%s", text[len(text)-400:])
	}
	t.Run("without a log", func(t *testing.T) {
		names, err := Export(run, nil, t.TempDir())
		if err != nil || len(names) != 1 {
			t.Errorf("files %q, %v", names, err)
		}
	})
	t.Run("a folder that is not there is an error", func(t *testing.T) {
		if _, err := Export(run, log, filepath.Join(dir, "absent")); err == nil || !strings.Contains(err.Error(), "absent") {
			t.Errorf("err = %v", err)
		}
	})
}

// assertPercentileText reads the four columns and compares the median, in
// milliseconds, and the count.
func assertPercentileText(t *testing.T, text string, median float64, count int64) {
	t.Helper()
	var last int64
	found := false
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		var value, percentile float64
		var total int64
		var inverse string
		if n, _ := fmt.Sscan(lines.Text(), &value, &percentile, &total, &inverse); n != 4 {
			continue
		}
		if total < last {
			t.Errorf("the count falls: %s", lines.Text())
		}
		last = total
		if percentile == 0.5 {
			found = true
			if value < median*0.999-0.001 || value > median*1.001+0.001 {
				t.Errorf("the median is %v ms, want %v", value, median)
			}
		}
	}
	if !found || last != count {
		t.Errorf("median %t, and %d of %d operations:\n%s", found, last, count, text)
	}
}

func TestCellsThatShareAFileNameDoNotShareAFile(t *testing.T) {
	taken := map[string]bool{}
	a := cellFile(&results.Cell{Scenario: "s", Target: "redis://h/0", Client: "c"}, taken)
	b := cellFile(&results.Cell{Scenario: "s", Target: "redis:--h-0", Client: "c"}, taken)
	if a != "s-redis---h-0-c.hgrm" || b != "s-redis---h-0-c-2.hgrm" {
		t.Errorf("files %q and %q", a, b)
	}
}
