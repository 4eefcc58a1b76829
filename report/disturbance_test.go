package report

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/results"
)

func TestSecondsThatDoNotTellOfTheServerAloneAreMarked(t *testing.T) {
	both := cmp.AllowUnexported(disturbance{})
	for _, test := range []struct {
		name    string
		machine []results.Second
		want    []disturbance
	}{
		{"a quiet machine", []results.Second{{GCPause: 999, Sched: 1000, Steal: ptr(0.9), Pressure: ptr(49)}, {}}, nil},
		{"a garbage pause", []results.Second{{}, {GCPause: 1001}}, []disturbance{{1, 2, true}}},
		{"waiting for a processor", []results.Second{{Sched: 1001}}, []disturbance{{0, 1, true}}},
		{"steal", []results.Second{{Steal: ptr(1)}}, []disturbance{{0, 1, false}}},
		{"pressure", []results.Second{{Pressure: ptr(50)}}, []disturbance{{0, 1, false}}},
		{"seconds in a row are one stretch", []results.Second{{GCPause: 2000}, {Sched: 2000, Steal: ptr(5)}, {}, {Sched: 2000}}, []disturbance{
			{0, 2, true}, {3, 4, true}, {1, 2, false},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, disturbances(nil, &results.Cell{Machine: test.machine}), both); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The lag stands in the log alone: a second in which the generator was late is
// found there.
func TestLateSecondsAreFoundInTheLog(t *testing.T) {
	dir := t.TempDir()
	w, err := results.CreateLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := &results.Cell{Scenario: "s", Target: "redis:7.0", Client: "go-redis", Operations: map[string]results.Operation{"get": {}, "set": {}}}
	for second, lag := range []int64{50_000, 40_000_000, 60_000} {
		from := started.Add(time.Duration(second) * time.Second)
		for operation, ns := range map[string]int64{"get": lag, "set": 20_000} {
			h := histogram(t, ns, ns, ns)
			if err := w.Append(results.Tag(c.ID(), operation, results.ClockLag), from, from.Add(time.Second), h); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	log, err := results.ReadLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]disturbance{{1, 2, true}}, disturbances(log, c), cmp.AllowUnexported(disturbance{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPictureSaysWhatItsBarsMean(t *testing.T) {
	run := tailRun(results.Valid)
	c := &run.Cells[0]
	c.Series = results.Series{BinMS: 1000, Count: []int64{1, 1}, P50: []*float64{ptr(1), ptr(1)}, P99: []*float64{ptr(1), ptr(1)}, Max: []*float64{ptr(1), ptr(1)}}
	svg := func(machine ...results.Second) string {
		c.Machine = machine
		dir := t.TempDir()
		if _, err := Render(run, nil, dir); err != nil {
			t.Fatal(err)
		}
		return string(read(t, dir, "s-time.svg"))
	}
	const own, others = ">generator disturbed<", ">machine disturbed<"
	if quiet := svg(results.Second{}, results.Second{}); strings.Contains(quiet, "disturbed") || strings.Contains(quiet, "spike") {
		t.Error("a quiet run speaks of disturbances")
	}
	if s := svg(results.Second{}, results.Second{GCPause: 3000}); !strings.Contains(s, own) || strings.Contains(s, others) || !strings.Contains(s, "a spike may not be the server&#39;s") {
		t.Errorf("a garbage pause is not explained:\n%s", s)
	}
	if s := svg(results.Second{Steal: ptr(3)}); strings.Contains(s, own) || !strings.Contains(s, others) {
		t.Error("steal is not explained")
	}
}
