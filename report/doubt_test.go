package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/results"
)

// tailRun has a cell for each target through one client: medians of 100 µs and
// tails of 1, 2, 3 ms and so on.
func tailRun(verdicts ...results.Verdict) *results.Run {
	run := &results.Run{Schema: results.Schema, ID: "tails", Started: started, Complete: true}
	for i, v := range verdicts {
		tail := ptr(float64(i+1) * 1000)
		times := results.Percentiles{P50: ptr(100), P90: ptr(200), P99: tail, P999: tail, Max: tail}
		run.Cells = append(run.Cells, results.Cell{
			Scenario: "s", Target: "redis:" + string(rune('1'+i)), Client: "go-redis", Verdict: v, Seconds: 10, Sent: 400_000,
			Schedule: "poisson:40000/10s", Headline: "get",
			Operations: map[string]results.Operation{
				"get": {Count: 400_000, Response: times, Service: times, Lag: times},
				"set": {Count: 400_000, Response: times},
			},
		})
	}
	return run
}

// latencyRows gives p50 to max of each row of the first table, or of the second
// one for the other operations.
func latencyRows(t *testing.T, run *results.Run, at, from int) [][]string {
	t.Helper()
	var rows [][]string
	for _, r := range newDocument(run).parts[0].tables[at].rows {
		var texts []string
		for _, f := range r[from : from+5] {
			texts = append(texts, f.text)
		}
		rows = append(rows, texts)
	}
	return rows
}

func TestTailsOfADegradedCellAreRatiosAndNoTimes(t *testing.T) {
	const valid, degraded, invalid = results.Valid, results.Degraded, results.Invalid
	for _, test := range []struct {
		name string
		run  *results.Run
		want [][]string
	}{
		{"all degraded", tailRun(degraded, degraded), [][]string{
			{"~100", "~200", "1.00×", "1.00×", "1.00×"}, {"~100", "~200", "2.00×", "2.00×", "2.00×"},
		}},
		{"the first target valid", tailRun(valid, degraded), [][]string{
			{"100", "200", "1.00", "1.00", "1.00"}, {"~100", "~200", "2.00×", "2.00×", "2.00×"},
		}},
		{"the second target valid", tailRun(degraded, valid), [][]string{
			{"~100", "~200", "1.00×", "1.00×", "1.00×"}, {"100", "200", "2.00", "2.00", "2.00"},
		}},
		{"an invalid cell is no reference, and its times stand in brackets", tailRun(invalid, degraded, degraded), [][]string{
			{"(100)", "(200)", "(1.00)", "(1.00)", "(1.00)"},
			{"~100", "~200", "1.00×", "1.00×", "1.00×"},
			{"~100", "~200", "1.50×", "1.50×", "1.50×"},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, latencyRows(t, test.run, 0, 4)); diff != "" {
				t.Errorf("headline (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.want, latencyRows(t, test.run, 1, 4)); diff != "" {
				t.Errorf("other operations (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEachClientHasItsOwnReference(t *testing.T) {
	run := tailRun(results.Degraded, results.Degraded)
	run.Cells[1].Target, run.Cells[1].Client = run.Cells[0].Target, "valkey-go"
	for _, row := range latencyRows(t, run, 0, 4) {
		if row[2] != "1.00×" {
			t.Errorf("a client is compared with the other one: %v", row)
		}
	}
}

func TestThereIsNoRatioToWhatDoesNotCompare(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*results.Cell)
		want   string
	}{
		"another load": {func(c *results.Cell) { c.Schedule = "poisson:1/1s" }, "no ratio: redis:1 ran under another load"},
		"no value": {func(c *results.Cell) {
			o := c.Operations["get"]
			o.Response.P99 = nil
			c.Operations["get"] = o
		}, "no ratio: redis:1 has no p99 of get"},
		"zero": {func(c *results.Cell) {
			o := c.Operations["get"]
			o.Response.P99 = ptr(0)
			c.Operations["get"] = o
		}, "no ratio: redis:1 has no p99 of get"},
	} {
		t.Run(name, func(t *testing.T) {
			run := tailRun(results.Valid, results.Degraded)
			test.change(&run.Cells[0])
			if p99 := latencyRows(t, run, 0, 4)[1][2]; !strings.HasPrefix(p99, dash) {
				t.Errorf("p99 is shown as %q", p99)
			}
			if text := terminalText(t, run, 200, false); !strings.Contains(text, test.want) {
				t.Errorf("it does not say %q:\n%s", test.want, text)
			}
		})
	}
}

func TestColumnOfRatiosHasNoUnitOfTime(t *testing.T) {
	for unit, run := range map[string]*results.Run{
		"ratio": tailRun(results.Degraded, results.Degraded), "ms": tailRun(results.Degraded, results.Valid),
	} {
		if got := newDocument(run).parts[0].tables[0].columns[6]; got.head != "p99" || got.unit != unit {
			t.Errorf("column %+v, want the unit %q", got, unit)
		}
	}
}

func TestKeyExplainsTheMarksThatThereAre(t *testing.T) {
	marks := map[results.Verdict]string{results.Degraded: "×: no time but a ratio", results.Invalid: "In brackets: of an invalid cell"}
	for _, v := range []results.Verdict{results.Valid, results.Degraded, results.Invalid} {
		text := key(tailRun(v))
		for of, mark := range marks {
			if got := strings.Contains(text, mark); got != (of == v) {
				t.Errorf("the key of a %s cell has %q: %t", v, mark, got)
			}
		}
	}
}

// What proves nothing is told before anything else, with the number that broke
// the rule.
func TestInvalidCellsAreToldAtTheTop(t *testing.T) {
	run := tailRun(results.Valid, results.Invalid, results.Invalid)
	run.Cells[1].Reasons = []string{"12 operations were dropped.", "the last ones took 1.52 s to come back"}
	const want = "INVALID: s, redis:2 × go-redis: 12 operations were dropped; the last ones took 1.52 s to come back"
	lines := strings.Split(terminalText(t, run, 200, false), "\n")
	if diff := cmp.Diff([]string{want, "INVALID: s, redis:3 × go-redis: no reason is recorded"}, lines[1:3]); diff != "" {
		t.Errorf("terminal (-want +got):\n%s", diff)
	}
	var b bytes.Buffer
	if err := Markdown(&b, run); err != nil {
		t.Fatal(err)
	}
	if before, _, ok := strings.Cut(b.String(), "**"+want+"**"); !ok || strings.Count(before, "\n") > 2 {
		t.Errorf("Markdown does not begin with it:\n%s", b.String())
	}
}

func TestTimesThatAScenarioMeasuresAreMarkedLikeAllTimes(t *testing.T) {
	run := tailRun(results.Degraded, results.Invalid, results.Valid)
	for i := range run.Cells {
		run.Cells[i].Measurements = map[string]results.Measurement{"stall": {Value: 25, Unit: "ms"}, "loads": {Value: 2, Unit: "loads/miss"}}
	}
	tables := newDocument(run).parts[0].tables
	rows := tables[len(tables)-1].rows
	for i, want := range [][]string{{"2.00", "2.00", "2.00"}, {"~25.0", "(25.0)", "25.0"}} {
		for j, f := range rows[i][2:] {
			if f.text != want[j] {
				t.Errorf("row %d has %q, want %q", i, f.text, want[j])
			}
		}
	}
}

func TestPicturesNameTheCellsInDoubt(t *testing.T) {
	run := tailRun(results.Degraded, results.Valid, results.Invalid)
	pictures, err := Render(run, nil, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const want = "Degraded, so that shapes and ratios count and the times do not: redis:1 × go-redis. Invalid, and so without proof: redis:3 × go-redis."
	for _, p := range pictures {
		if !strings.HasSuffix(p.Caption, ". Degraded: redis:1 × go-redis. Invalid: redis:3 × go-redis.") {
			t.Errorf("caption %q", p.Caption)
		}
	}
	s := scenarios(run)[0]
	if lines := subtitle(run, s); lines[len(lines)-1] != want {
		t.Errorf("subtitle %q", lines)
	}
	for want, run := range map[string]*results.Run{
		"It. Degraded: all cells.": tailRun(results.Degraded, results.Degraded), "It.": tailRun(results.Valid),
	} {
		if got := caption("It.", scenarios(run)[0]); got != want {
			t.Errorf("caption %q, want %q", got, want)
		}
	}
}
