package runner

import (
	"math"
	"time"

	"github.com/toriibench/toriibench/results"
	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/runner/machine"
)

// audit follows what the machine does while a cell is measured.
type audit struct {
	meter   *machine.Meter
	seconds []machine.Second
	// inFlight operations there were at each second's end.
	inFlight []int64
}

// shortest is how much of a second says something about the machine: the kernel
// counts some of it in steps of 10 ms.
const shortest = 500 * time.Millisecond

// begin makes the first reading.
func (a *audit) begin() { a.meter = machine.NewMeter() }

// second reads what the machine did in an interval of the engine. The last one,
// which may be the rest of a second, is left out if it is short.
func (a *audit) second(i load.Interval) {
	if a.meter == nil || i.End.Sub(i.Start) < shortest {
		return
	}
	a.seconds = append(a.seconds, a.meter.Read())
	a.inFlight = append(a.inFlight, i.InFlight)
}

func (a *audit) end() {
	if a.meter != nil {
		a.meter.Close()
	}
}

// report gives the seconds the form of the file.
func (a *audit) report() []results.Second {
	out := make([]results.Second, len(a.seconds))
	for i, s := range a.seconds {
		out[i] = results.Second{
			CPU: s.CPU, Pressure: s.Pressure, Steal: s.Steal,
			GCs: s.GCs, GCPause: inMicroseconds(s.GCPause), Sched: inMicroseconds(s.Sched),
			InFlight: a.inFlight[i],
		}
	}
	return out
}

func inMicroseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// doubt adds reasons not to take latencies at face value. What is invalid stays
// so.
func doubt(cell *results.Cell, reasons []string) {
	if len(reasons) == 0 {
		return
	}
	if cell.Verdict == results.Valid {
		cell.Verdict = results.Degraded
	}
	cell.Reasons = append(cell.Reasons, reasons...)
}

// addMachine adds what the machine did, and what follows from it.
func (c *cellRun) addMachine(a *audit) {
	c.cell.Machine = a.report()
	doubts := machine.Doubts(a.seconds, limitsOf(c.cell.Loop))
	if c.bench.crowded {
		doubts = append(doubts, crowdedReason)
	}
	doubt(&c.cell, doubts)
}

// limitsOf are the bounds of a loop. A closed one takes all the processors that
// it can get, and tells no latency that this could spoil: only what others take
// is against it.
func limitsOf(loop string) machine.Limits {
	if loop != loopClosed {
		return machine.Limits{}
	}
	return machine.Limits{CPU: math.Inf(1), Pressure: math.Inf(1), GCPause: math.MaxInt64, Sched: math.MaxInt64}
}
