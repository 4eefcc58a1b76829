package report

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/results"
)

func ptr(v float64) *float64 { return &v }

// smallRun has a cell for each target, through one client, with the medians in
// microseconds.
func smallRun(medians map[string]float64) *results.Run {
	run := &results.Run{Schema: results.Schema, ID: "small", Started: started, Complete: true}
	for _, target := range sortedKeys(medians) {
		run.Cells = append(run.Cells, results.Cell{
			Scenario: "s", Target: target, Client: "go-redis", Verdict: results.Valid, Seconds: 10, Sent: 1000,
			Operations: map[string]results.Operation{"get": {Count: 1000, Response: results.Percentiles{P50: ptr(medians[target])}}},
		})
	}
	return run
}

func TestMeaningClaimsNoMoreThanTheData(t *testing.T) {
	const caveat = "Each cell ran once, one after another: a ratio tells what happened in this run, and proves no engine faster."
	two := map[string]float64{"redis:7.0": 300, "valkey:8.0": 200}
	for _, test := range []struct {
		name    string
		medians map[string]float64
		change  func(*results.Run)
		want    []string
	}{
		{"a clear ratio", two, nil, []string{
			"2 cells, and all are valid: the numbers stand, for this machine.",
			"s (get, p50): with go-redis, redis:7.0 took 1.50× as long as valkey:8.0.", caveat,
		}},
		{"a ratio that noise could be", map[string]float64{"redis:7.0": 200, "valkey:8.0": 229}, nil, []string{
			"2 cells, and all are valid: the numbers stand, for this machine.",
			"s (get, p50): with go-redis, redis:7.0 and valkey:8.0 were within 15 % of each other, which one run cannot tell apart.", caveat,
		}},
		{"three targets", map[string]float64{"redis:7.0": 300, "redis:7.2": 260, "valkey:8.0": 200}, nil, []string{
			"3 cells, and all are valid: the numbers stand, for this machine.",
			"s (get, p50): with go-redis, redis:7.0 took 1.50×, redis:7.2 took 1.30× as long as valkey:8.0.", caveat,
		}},
		{"a degraded cell", two, func(r *results.Run) { r.Cells[0].Verdict = results.Degraded }, []string{
			"1 of 2 cells is degraded: the machine disturbed the measurement, so that only ratios count, not the times themselves.",
			"s (get, p50): with go-redis, redis:7.0 took 1.50× as long as valkey:8.0.", caveat,
		}},
		{"an invalid cell is compared with nothing", two, func(r *results.Run) { r.Cells[0].Verdict = results.Invalid }, []string{
			"1 of 2 cells is invalid, which proves nothing and is compared with nothing.",
			"s (get, p50): with go-redis, valkey:8.0 alone has numbers that count, and took 200 µs.",
		}},
		{"a degraded cell alone tells no time", two, func(r *results.Run) {
			r.Cells[0].Verdict, r.Cells[1].Verdict = results.Invalid, results.Degraded
		}, []string{
			"1 of 2 cells is degraded: the machine disturbed the measurement, so that only ratios count, not the times themselves. " +
				"1 of 2 cells is invalid, which proves nothing and is compared with nothing.",
			"s (get, p50): with go-redis, valkey:8.0 has nothing to be compared with.",
		}},
		{"different loads", two, func(r *results.Run) { r.Cells[0].Schedule = "poisson:1/1s" }, []string{
			"2 cells, and all are valid: the numbers stand, for this machine.",
			"s (get, p50): with go-redis, the targets ran under different loads and do not compare.",
		}},
		{"no medians", two, func(r *results.Run) {
			r.Cells[0].Operations, r.Cells[1].Operations = nil, nil
		}, []string{"2 cells, and all are valid: the numbers stand, for this machine."}},
		{"no cells", nil, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := smallRun(test.medians)
			if test.change != nil {
				test.change(run)
			}
			if diff := cmp.Diff(test.want, meaning(run)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTerminalSaysFirstWhatMakesARunDoubtful(t *testing.T) {
	t.Run("incomplete", func(t *testing.T) {
		run := smallRun(map[string]float64{"redis:7.0": 300})
		run.Complete, run.Reason = false, "interrupted after 1 of 12 cells."
		assertSecondLine(t, run, "This run is incomplete: interrupted after 1 of 12 cells. What it measured until then follows.")
	})
	t.Run("no cells", func(t *testing.T) {
		assertSecondLine(t, smallRun(nil), "This run measured nothing: it has no cells.")
	})
	t.Run("a violated invariant", func(t *testing.T) {
		run := smallRun(map[string]float64{"redis:7.0": 300})
		run.Cells[0].Invariants = map[string]results.Invariant{"x": {Checked: 10, Violated: 10}, "y": {Checked: 1}}
		assertSecondLine(t, run, "This run FAILS, whatever its latencies: 1 invariant was violated.")
		text := terminalText(t, run, 100, true)
		if !strings.Contains(text, "\x1b[1;31mVIOLATED: x, 10 of 10 checks, by redis:7.0 × go-redis\x1b[0m") {
			t.Errorf("the violation is not told in red:\n%s", text)
		}
		if strings.Contains(text, "x held") || !strings.Contains(text, "y held in all 1 checks") {
			t.Errorf("what held is not told apart:\n%s", text)
		}
	})
}

func assertSecondLine(t *testing.T, run *results.Run, want string) {
	t.Helper()
	if lines := strings.Split(terminalText(t, run, 120, false), "\n"); lines[1] != want {
		t.Errorf("second line %q, want %q", lines[1], want)
	}
}

// A run that failed early has cells without operations, seconds or costs.
func TestCellThatDidNothingIsStillARow(t *testing.T) {
	run := smallRun(map[string]float64{"redis:7.0": 300})
	run.Cells = append(run.Cells, results.Cell{Scenario: "s", Target: "valkey:8.0", Client: "go-redis", Verdict: results.Invalid},
		results.Cell{Scenario: "other", Target: "valkey:8.0", Client: "go-redis", Verdict: results.Invalid, Reasons: []string{"the server did not start"}})
	text := terminalText(t, run, 100, false)
	for _, want := range []string{"invalid: no reason is recorded", "no operation of this kind", "invalid: the server did not start"} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	pictures, err := Render(run, &results.Log{}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pictures {
		if p.SVG != "" || p.Note == "" {
			t.Errorf("picture of nothing: %+v", p)
		}
	}
}

// A run file may come from anywhere: its texts steer neither terminal nor page.
func TestTextsFromAFileStayTexts(t *testing.T) {
	run := smallRun(map[string]float64{"redis:7.0": 300})
	run.Complete, run.Reason = false, "\x1b[2Jgone\r\n# Fine | <script>alert(1)</script> *so*"
	run.Cells[0].Reasons = []string{strings.Repeat("long ", 1000), "a\x07b"}
	run.Cells[0].Verdict = results.Degraded
	text := terminalText(t, run, 100, false)
	if strings.ContainsAny(text, "\x1b\r\x07") || len(text) > 5000 {
		t.Errorf("the terminal got %q", text)
	}
	var b bytes.Buffer
	if err := Markdown(&b, run); err != nil {
		t.Fatal(err)
	}
	if s := b.String(); strings.Contains(s, "<script") || strings.Contains(s, "\n# Fine") || strings.Contains(s, "*so*") {
		t.Errorf("the page got %q", s)
	}
	if got := fileName("../../etc/x y"); got != "------etc-x-y" {
		t.Errorf("fileName = %q", got)
	}
}

func TestNumbersAreShownWithThreeDigits(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.0123: "0.012", 1: "1.00", 9.994: "9.99", 9.996: "10.0", 99.94: "99.9", 99.96: "100", 1234: "1,234", 1234567: "1,234,567",
		-1234: "-1,234", -0.5: "-0.5", math.NaN(): dash, math.Inf(1): dash,
	} {
		if got := digits3(v); got != want {
			t.Errorf("digits3(%v) = %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{0.5: "1 s", 47.2: "48 s", 100: "2 min", 660: "11 min", 7200: "2.0 h", math.Inf(1): "an endless time"} {
		if got := duration(v); got != want {
			t.Errorf("duration(%v) = %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{93.2: "93.2 µs", 2500: "2.50 ms", 3e6: "3.00 s"} {
		if got := formatLatency(v); got != want {
			t.Errorf("formatLatency(%v) = %q, want %q", v, got, want)
		}
	}
	if got := superscript(10) + superscript(129); got != "¹⁰¹²⁹" {
		t.Errorf("superscripts %q", got)
	}
}

// One unit in a column: what is larger also looks larger.
func TestColumnHasOneUnit(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   string
	}{
		{nil, "µs"},
		{[]float64{900, 80_000}, "µs"},
		{[]float64{1000, 80_000}, "ms"},
		{[]float64{0, 2e6, 3e6}, "s"},
	} {
		if got := unitFor(test.values).name; got != test.want {
			t.Errorf("unitFor(%v) = %s, want %s", test.values, got, test.want)
		}
	}
}
