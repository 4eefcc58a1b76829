package report

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/toriibench/toriibench/results"
)

// closedRun has two closed loops whose response times would be 9 s.
func closedRun() *results.Run {
	run := tailRun(results.Valid, results.Valid)
	for i := range run.Cells {
		c := &run.Cells[i]
		c.Loop, c.Settings = "closed", map[string]string{"workers": "64"}
		c.Sent *= int64(i + 1)
		c.ServerCPUPerOp, c.ClientCPUPerOp = ptr(7.25), ptr(8.5)
		for name, o := range c.Operations {
			o.Response = results.Percentiles{P50: ptr(9e6), P90: ptr(9e6), P99: ptr(9e6), P999: ptr(9e6), Max: ptr(9e6)}
			o.Service = results.Percentiles{P50: ptr(412)}
			c.Operations[name] = o
		}
	}
	return run
}

func TestClosedLoopHasNoResponseTime(t *testing.T) {
	run := closedRun()
	var b bytes.Buffer
	if err := Markdown(&b, run); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"terminal": terminalText(t, run, 200, false), "markdown": b.String()} {
		for _, want := range []string{
			"closed loop, 64 workers", "service, closed loop: not a latency", "throughput and cost", "40,000", "80,000", "7.25", "8.50", "412",
			"s (closed loop, operations a second): with go-redis, redis:2 did 2.00× as many as redis:1.",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q:\n%s", name, want, text)
			}
		}
		for _, never := range []string{"response time", "Response time", "9,000", "9.00", "load poisson", "where the time goes"} {
			if strings.Contains(text, never) {
				t.Errorf("%s has %q:\n%s", name, never, text)
			}
		}
	}
}

func TestClosedLoopHasNoPicture(t *testing.T) {
	run := closedRun()
	run.Cells[0].Series = results.Series{BinMS: 100, Count: []int64{1}, P50: []*float64{ptr(1)}, P99: []*float64{ptr(1)}, Max: []*float64{ptr(1)}}
	tag := results.Tag(run.Cells[0].ID(), "get", results.ClockResponse)
	log := &results.Log{Tags: map[string]*results.Tagged{tag: {Merged: uniform(t, 1000)}}}
	pictures, err := Render(run, log, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if len(pictures) != 1 || pictures[0].SVG != "" || pictures[0].Note != "a closed loop has no response time" {
		t.Errorf("pictures %+v", pictures)
	}
}

// A run may hold both loops of a scenario: they are never compared.
func TestLoopsStandApart(t *testing.T) {
	run := closedRun()
	run.Cells[1].Loop = "open"
	d := newDocument(run)
	if len(d.parts) != 2 {
		t.Fatalf("%d parts", len(d.parts))
	}
	if slices.ContainsFunc(d.meaning, func(s string) bool { return strings.Contains(s, "×") }) {
		t.Errorf("they are compared: %q", d.meaning)
	}
}

func TestClosedLoopsThatProveNothingAreNotCompared(t *testing.T) {
	run := closedRun()
	run.Cells[0].Verdict = results.Invalid
	if words, _ := compareClosed(scenarios(run)[0]); words != "" {
		t.Errorf("it says %q", words)
	}
}
