package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func ptr(v float64) *float64 { return &v }

// sampleRun uses every field.
func sampleRun() *Run {
	p := Percentiles{P50: ptr(180.5), P90: ptr(300), P99: ptr(900), Max: ptr(26000), Mean: ptr(210)}
	return &Run{
		Schema: Schema, ID: "20261123T084500Z-bench", Started: time.Date(2026, 11, 23, 8, 45, 0, 123456789, time.UTC),
		Complete: true, Seconds: 63.5, Command: []string{"toriibench", "bench"}, Seed: math.MaxUint64,
		Environment: Environment{CPU: "A & <B>", Cores: 2, MemoryMB: 8000, Versions: map[string]string{"go-redis": "9"}, Doctor: sampleDoctor()},
		Cells: []Cell{{
			Scenario: "session-churn", Target: "redis:7.0", Server: Server{"redis", "7.0.15"}, Client: "go-redis", Provider: "native",
			Verdict: Degraded, Reasons: []string{"lag p99 was 0.4 ms"}, Schedule: "poisson:10000/10s", Headline: "validate",
			Settings: map[string]string{"sessions": "50000"},
			Offered:  100, Sent: 99, Dropped: 1, Errors: 2, Timeouts: 1, Seconds: 10,
			Operations: map[string]Operation{"validate": {
				Count: 99, Errors: 2, Timeouts: 1, Response: p, Service: p, Lag: p,
				Parts:      &Parts{Count: 31, Queue: Percentiles{Max: ptr(12.5)}, Wire: Percentiles{Max: ptr(170)}, Rest: Percentiles{Max: ptr(8)}},
				ResponseCI: map[string]Bounds{"p50": {Low: ptr(175.5), High: ptr(184.5), Correlation: 2.5}, "p99": {Low: ptr(850)}},
			}},
			Invariants:   map[string]Invariant{"no-expired-session-served": {Checked: 5, Violated: 1, Example: "session 4"}},
			Measurements: map[string]Measurement{"reclaim": {Value: -1.5, Unit: "ms", About: "how late"}},
			Series: Series{
				BinMS: 100, Count: []int64{10, 0},
				P50: []*float64{ptr(1), nil}, P99: []*float64{ptr(2), nil}, Max: []*float64{ptr(3), nil},
			},
			Machine: []Second{{CPU: ptr(23.5), Pressure: ptr(31.5), Steal: ptr(0.25), GCs: 2, GCPause: 87, Sched: 61, InFlight: 3}},
			Retries: new(int64(7)),
			ServerView: &ServerView{Commands: map[string]Command{
				"mget": {Calls: 95, CPU: 6.5, Rejected: 4, Failed: 6, Latency: map[string]float64{"p99.9": 11.5}},
			}},
			Marks: []Mark{{At: 4, Label: "50,000 sessions expire"}}, ErrorSamples: []string{"i/o timeout"},
			ServerCPUPerOp: ptr(11.5), BytesPerSession: ptr(612),
		}},
	}
}

func sampleDoctor() *Doctor {
	return &Doctor{
		Sentence: "This machine can time operations.",
		Timers:   []Timer{{Name: "timerfd", P50: 17, P99: 74, CPU: 6.5}}, Pacing: "timerfd", PacingWhy: "it is the most punctual.",
		HistogramNS: 4.5, NoopNS: 160, NoopPerSecond: 5e6, EchoUS: 6.25,
		Trials:  []Trial{{Rate: 10_000, InTime: 99.5, LagP50: 20, LagP99: 90, ResponseP50: 47, ResponseP99: 153}},
		ClockNS: 40, ClockSource: "tsc", CoresAllowed: 2, HugePages: "madvise", Pressure: ptr(1.5),
		Providers: map[string]string{"native": "ready with redis 7.0.15"},
	}
}

func TestRunReadsBackAsItWasWritten(t *testing.T) {
	dir := t.TempDir()
	want := sampleRun()
	if err := Write(dir, want); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, RunFile)} {
		got, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("from %s (-written +read):\n%s", path, diff)
		}
	}
	assertFiles(t, dir, RunFile)
}

func TestRunOfNothingHasEmptyListsNotNulls(t *testing.T) {
	dir := t.TempDir()
	r := &Run{Schema: Schema, ID: "x", Started: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	if err := Write(dir, r); err != nil {
		t.Fatal(err)
	}
	r.Cells = []Cell{{Scenario: "s", Target: "t", Client: "c", Verdict: Invalid}}
	if err := Write(dir, r); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, RunFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"reasons": []`, `"operations": {}`, `"invariants": {}`} {
		if !bytes.Contains(data, []byte(want)) {
			t.Errorf("run.json lacks %s", want)
		}
	}
	if r.Cells[0].Reasons != nil {
		t.Error("Write changed the run that it was given")
	}
}

// The names that scripts read are part of the format.
func TestRunFileKeepsTheNamesThatScriptsRead(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, sampleRun()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, RunFile))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Schema int
		Cells  []struct {
			Scenario, Target, Verdict string
			Offered, Sent, Dropped    int
			Operations                map[string]map[string]any
			Invariants                map[string]map[string]int `json:"-"`
			CPU                       *float64                  `json:"server_cpu_us_per_op"`
			Bytes                     *float64                  `json:"bytes_per_session"`
		}
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	response, ok := doc.Cells[0].Operations["validate"]["response_us"].(map[string]any)
	if !ok {
		t.Fatal("no response_us")
	}
	if v, ok := response["p99.9"]; !ok || v != nil {
		t.Errorf("p99.9 = %v, present %v: want null", v, ok)
	}
	if response["p50"] != 180.5 || doc.Cells[0].Verdict != "degraded" || *doc.Cells[0].CPU != 11.5 || *doc.Cells[0].Bytes != 612 {
		t.Errorf("read %+v", doc.Cells[0])
	}
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	for _, test := range []struct {
		name, from, to, want string
	}{
		{"a newer version", `"schema": 1`, `"schema": 2`, "it has schema 2, and this program reads schema 1: use a newer program"},
		{"an older version", `"schema": 1`, `"schema": 0`, "it has schema 0"},
		{"no version", `"schema": 1`, `"scheme": 1`, "no schema field"},
		{"no cells", `"cells"`, `"sells"`, "no cells field"},
		{"no id", `"id": "20261123T084500Z-bench"`, `"id": ""`, "no id"},
		{"no start", `"started": "2026`, `"started": "0001`, "no started time"},
		{"no scenario", `"scenario": "session-churn"`, `"scenario": ""`, "it has no scenario"},
		{"a target with a space", `"target": "redis:7.0"`, `"target": "redis 7.0"`, "comma, a space or a control character"},
		{"an unknown verdict", `"verdict": "degraded"`, `"verdict": "fine"`, `its verdict is "fine", not valid, degraded or invalid`},
		{"no verdict", `"verdict": "degraded"`, `"x": 1`, "it has no verdict"},
		{"a text for a number", `"offered": 100`, `"offered": "100"`, `field "cells.offered" holds a JSON string where a int64 belongs`},
		{"a number beyond all range", `"bin_ms": 100`, `"bin_ms": 1e999`, `field "cells.series.bin_ms"`},
		{"a count below zero", `"sent": 99`, `"sent": -99`, "its count sent is -99"},
		{"a latency below zero", `"p50": 180.5`, `"p50": -1`, `operation "validate": its response_us is -1`},
		{"an interval of no percentile", `"p99": {`, `"p98": {`, `operation "validate": its response_ci_us holds "p98"`},
		{"an interval upside down", `"low": 175.5`, `"low": 185.5`, `its response_ci_us of p50 runs from 185.5 down to 184.5`},
		{"an interval below zero", `"low": 175.5`, `"low": -175.5`, `its response_ci_us of p50 is -175.5`},
		{"a correlation below zero", `"correlation": 2.5`, `"correlation": -2.5`, `its response_ci_us of p50 is -2.5`},
		{"more violations than checks", `"violated": 1`, `"violated": 6`, "violated 6 times in 5 checks"},
		{"bins of no width", `"bin_ms": 100`, `"bin_ms": 0`, "bins of no width"},
		{"a share below zero", `"cpu_percent": 23.5`, `"cpu_percent": -23.5`, "second 1 of its machine: its cpu_percent is -23.5"},
		{"steal below zero", `"steal_percent": 0.25`, `"steal_percent": -0.25`, "second 1 of its machine: its steal_percent is -0.25"},
		{"pressure of a second below zero", `"pressure_percent": 31.5`, `"pressure_percent": -31.5`, "second 1 of its machine: its pressure_percent is -31.5"},
		{"a wait below zero", `"sched_p99_us": 61`, `"sched_p99_us": -61`, "its sched_p99_us is -61"},
		{"a pause below zero", `"gc_pause_max_us": 87`, `"gc_pause_max_us": -87`, "its gc_pause_max_us is -87"},
		{"collections below zero", `"gcs": 2`, `"gcs": -2`, "its count gcs is -2"},
		{"operations in flight below zero", `"in_flight": 3`, `"in_flight": -3`, "its count in_flight is -3"},
		{"a timer that is early", `"late_p99_us": 74`, `"late_p99_us": -74`, "doctor: timer timerfd: its late_p99_us is -74"},
		{"a trial below zero", `"lag_p99_us": 90`, `"lag_p99_us": -90`, "doctor: trial 1: its lag_p99_us is -90"},
		{"pressure below zero", `"cpu_pressure_percent": 1.5`, `"cpu_pressure_percent": -1`, "doctor: its cpu_pressure_percent is -1"},
		{"less than no cores", `"cores_allowed": 2`, `"cores_allowed": -2`, "doctor: its count cores_allowed is -2"},
		{"retries below zero", `"client_retries": 7`, `"client_retries": -7`, "its count client_retries is -7"},
		{"traces below zero", `"count": 31`, `"count": -31`, `operation "validate": its parts: its count count is -31`},
		{"a queue below zero", `"max": 12.5`, `"max": -12.5`, `its parts: its queue_us is -12.5`},
		{"calls below zero", `"calls": 95`, `"calls": -95`, `its server_view of "mget": its count calls is -95`},
		{"failed calls below zero", `"failed": 6`, `"failed": -6`, "its count failed is -6"},
		{"a call that takes less than nothing", `"us_per_call": 6.5`, `"us_per_call": -6.5`, "its us_per_call is -6.5"},
		{"a latency of no percentile", `"p99.9": 11.5`, `"p999": 11.5`, `its latency_us holds "p999"`},
		{"a server's latency below zero", `"p99.9": 11.5`, `"p99.9": -11.5`, "its latency_us of p99.9 is -11.5"},
		{"series of different lengths", "     10,\n", "", "its series have 1, 2, 2 and 2 bins"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := writeSample(t, func(data []byte) []byte {
				out := bytes.Replace(data, []byte(test.from), []byte(test.to), 1)
				if bytes.Equal(out, data) {
					t.Fatalf("the sample does not hold %q:\n%s", test.from, data)
				}
				return out
			})
			assertReadError(t, path, test.want)
		})
	}
}

func TestReadOfABrokenFileSaysSo(t *testing.T) {
	t.Run("cut short anywhere", func(t *testing.T) {
		path := writeSample(t, func(data []byte) []byte { return data })
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n < len(whole)-1; n += 97 {
			if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			assertReadError(t, path, "it is cut short after byte")
		}
	})
	t.Run("empty", func(t *testing.T) {
		assertReadError(t, writeSample(t, func([]byte) []byte { return nil }), "the file is empty")
	})
	t.Run("not JSON", func(t *testing.T) {
		assertReadError(t, writeSample(t, func([]byte) []byte { return []byte("hello") }), "it is not JSON")
	})
	t.Run("two runs in one file", func(t *testing.T) {
		assertReadError(t, writeSample(t, func(b []byte) []byte { return append(b, b...) }), "it is not JSON")
	})
	t.Run("absent", func(t *testing.T) {
		_, err := Read(t.TempDir())
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("err = %v, want not exist", err)
		}
	})
}

func writeSample(t *testing.T, change func([]byte) []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := Write(dir, sampleRun()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, RunFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(data), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func assertReadError(t *testing.T, path, want string) {
	t.Helper()
	_, err := Read(path)
	if err == nil {
		t.Fatalf("Read accepted the file; want an error with %q", want)
	}
	s := err.Error()
	if !strings.Contains(s, want) || !strings.Contains(s, path) || strings.Contains(s, "\n") {
		t.Errorf("error %q is not one line with the path and %q", s, want)
	}
}

func TestWriteRefusesWhatReadWould(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Run)
		want   string
	}{
		{"a measurement that is not a number", func(r *Run) {
			r.Cells[0].Measurements["reclaim"] = Measurement{Value: math.NaN()}
		}, `its measurement "reclaim" is NaN`},
		{"an infinite percentile", func(r *Run) { r.Cells[0].Series.P99[0] = ptr(math.Inf(1)) }, "its series is +Inf"},
		{"an infinite bound", func(r *Run) {
			r.Cells[0].Operations["validate"].ResponseCI["p99"] = Bounds{High: ptr(math.Inf(1))}
		}, "its response_ci_us of p99 is +Inf"},
		{"an infinite cost", func(r *Run) { r.Cells[0].ServerCPUPerOp = ptr(math.Inf(-1)) }, "its server_cpu_us_per_op is -Inf"},
		{"a mark nowhere", func(r *Run) { r.Cells[0].Marks[0].At = math.NaN() }, "is at NaN s"},
		{"no verdict", func(r *Run) { r.Cells[0].Verdict = "" }, "no verdict"},
		{"another schema", func(r *Run) { r.Schema = 0 }, "schema 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			r := sampleRun()
			test.change(r)
			err := Write(dir, r)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("err = %v, want one with %q", err, test.want)
			}
			assertFiles(t, dir)
		})
	}
}

func TestFailedWriteLeavesWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, RunFile)
	if err := WriteFile(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	err := replaceFile(path, func(w io.Writer) error {
		if _, err := io.WriteString(w, "half of the n"); err != nil {
			return err
		}
		return &fs.PathError{Op: "write", Path: "/some/temporary", Err: syscall.ENOSPC}
	})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("err = %v, want no space left", err)
	}
	if want := "write " + path + ": no space left on device"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	assertFiles(t, dir, RunFile)
	if data, err := os.ReadFile(path); err != nil || string(data) != "old" {
		t.Errorf("the file holds %q, %v", data, err)
	}
}

func TestWriteToNoFolderIsOneSentence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a-file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"a file": file, "nothing": filepath.Join(t.TempDir(), "absent")} {
		t.Run(name, func(t *testing.T) {
			err := Write(dir, sampleRun())
			if err == nil || !strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "\n") {
				t.Errorf("err = %v", err)
			}
		})
	}
}

func assertFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		t.Errorf("files in the folder (-want +got):\n%s", diff)
	}
}

func FuzzReadRunRoundTrips(f *testing.F) {
	dir := f.TempDir()
	if err := Write(dir, sampleRun()); err != nil {
		f.Fatal(err)
	}
	sample, err := os.ReadFile(filepath.Join(dir, RunFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sample)
	f.Add([]byte(`{"schema":1,"id":"x","started":"2026-01-01T00:00:00+23:59","cells":[]}`))
	f.Add([]byte(`{"schema":1,"id":"x","started":"9999-12-31T23:59:59-12:00","cells":[{"scenario":"s","target":"t","client":"c","verdict":"valid"}]}`))
	f.Add([]byte(`{"schema":1,"id":"x","started":"2026-01-01T00:00:00Z","cells":[{"scenario":"s","target":"t","client":"c","verdict":"valid",
		"measurements":{},"operations":{"get":{"response_ci_us":{}},"set":{"response_ci_us":{"p50":{"low":1}}}}}]}`))
	f.Add([]byte(`{"schema":1e0}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := decode(data)
		if err != nil {
			return
		}
		again, err := json.Marshal(first)
		if err != nil {
			t.Fatalf("a run that was read cannot be written: %v", err)
		}
		second, err := decode(again)
		if err != nil {
			t.Fatalf("a run that was written cannot be read: %v\n%s", err, again)
		}
		// An empty list or map is left out where nil would be: both say nothing.
		if diff := cmp.Diff(first, second, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("a run changed by writing and reading (-first +second):\n%s", diff)
		}
	})
}
