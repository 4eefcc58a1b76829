package runner

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/results"
	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/runner/machine"
)

func TestDoubtsOfTheMachineDegradeACell(t *testing.T) {
	tests := map[string]struct {
		before  results.Verdict
		reasons []string
		want    results.Verdict
	}{
		"a valid cell without doubts": {results.Valid, nil, results.Valid},
		"a valid cell with a doubt":   {results.Valid, []string{"steal."}, results.Degraded},
		"a degraded cell":             {results.Degraded, []string{"steal."}, results.Degraded},
		"an invalid cell stays so":    {results.Invalid, []string{"steal."}, results.Invalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cell := results.Cell{Verdict: test.before, Reasons: []string{"first."}}
			doubt(&cell, test.reasons)
			if cell.Verdict != test.want {
				t.Errorf("it is %s, want %s", cell.Verdict, test.want)
			}
			if diff := cmp.Diff(append([]string{"first."}, test.reasons...), cell.Reasons); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAClosedLoopIsDoubtedForWhatOthersTakeAlone(t *testing.T) {
	full, tenth := 100.0, 10.0
	seconds := []machine.Second{{
		Elapsed: time.Second, CPU: &full, Pressure: &full, Steal: &tenth, GCPause: time.Second, Sched: time.Second,
	}}
	if open := machine.Doubts(seconds, limitsOf(loopOpen)); len(open) != 5 {
		t.Errorf("an open loop has %d doubts, want all five: %q", len(open), open)
	}
	if closed := machine.Doubts(seconds, limitsOf(loopClosed)); len(closed) != 1 || !strings.Contains(closed[0], "steal") {
		t.Errorf("a closed loop has the doubts %q, want steal alone", closed)
	}
}

func TestAuditReadsWholeSecondsFromWhenMeasuringBegan(t *testing.T) {
	start := time.Now()
	interval := func(d time.Duration) load.Interval { return load.Interval{Start: start, End: start.Add(d)} }
	var a audit
	a.second(interval(time.Second))
	a.begin()
	defer a.end()
	a.second(interval(time.Second))
	a.second(interval(time.Second))
	a.second(interval(40 * time.Millisecond))
	if len(a.seconds) != 2 {
		t.Errorf("%d readings, want two: nothing before the beginning, and not the rest of a second", len(a.seconds))
	}
}

func TestSecondsKeepTheirUnitsAndWhatIsNotKnown(t *testing.T) {
	cpu := 12.5
	a := audit{seconds: []machine.Second{
		{Elapsed: time.Second, CPU: &cpu, GCs: 3, GCPause: 1500 * time.Microsecond, Sched: 75 * time.Microsecond},
	}, inFlight: []int64{4}}
	want := []results.Second{{CPU: &cpu, GCs: 3, GCPause: 1500, Sched: 75, InFlight: 4}}
	if diff := cmp.Diff(want, a.report()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
