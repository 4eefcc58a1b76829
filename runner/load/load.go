// Package load is the open-loop engine: operations start when a schedule says
// that they are due, whether or not earlier ones have come back. It knows time
// and a [Traffic]; it knows no Redis.
//
// Each operation carries three instants:
//
//	due    when the schedule wanted it to start
//	sent   when a worker really started it
//	done   when it ended
//
// and is counted in three histograms: response = done - due (what a user
// waits, the headline), service = done - sent, and lag = sent - due (how late
// the generator was). Measuring from due is what keeps a stall visible: the
// operations that a stalled server kept from starting count with their whole
// wait (G. Tene, "How NOT to Measure Latency"; wrk2).
package load

import (
	"context"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Op is one planned operation. It is a plain value: planning allocates nothing.
type Op struct {
	// Due is when the operation should start, after the start of its phase.
	// The engine sets it before it calls Next.
	Due time.Duration
	// Kind is an index into Traffic.Operations.
	Kind int
	// Subject and Param are the traffic's own: which session, which variant.
	Subject, Param uint64
	// Visit numbers the visit that the operation belongs to, from 1 on within its
	// phase; 0 where arrivals do not come in visits. The engine sets it, First
	// and Last before it calls Next.
	Visit uint64
	// First tells that the operation begins its visit. A visit that is under way
	// when its stage starts, or as the rate rises, is met in its middle and has none.
	First bool
	// Last tells that no other operation of the visit follows in the phase. Each
	// visit has one.
	Last bool
	// Trace is set in one operation of Config.TraceEvery; the traffic may fill it
	// in while Do runs, or set it to nil if it could not tell.
	Trace *Trace
}

// Trace divides an operation's service time. What neither field holds is the
// traffic's own work, such as decoding.
type Trace struct {
	// Queue is the time that commands waited for a connection, or within the
	// client library, before they were written to the network.
	Queue time.Duration
	// Wire is the time from then until their replies were there.
	Wire time.Duration
}

// Traffic is what the engine drives.
type Traffic interface {
	// Operations names the kinds of operation. The list never changes.
	Operations() []string
	// Next plans the operation that is due at op.Due: it sets Kind, Subject
	// and Param. It is called from one goroutine, in due order, once for each
	// arrival of the warm-up and then of the measured phase. It must depend on
	// nothing but its own seeded state, so that a seed gives the same stream
	// whatever the machine did.
	Next(op *Op)
	// Do performs op, many at a time, and returns the kind to record it under
	// (usually op.Kind; a cache read learns only here whether it was a hit).
	// ctx carries the operation's deadline. An error is data: it is counted,
	// and the run goes on; so is a panic. The engine uses ctx and op again:
	// they may not be used once Do has returned.
	Do(ctx context.Context, op *Op) (kind int, err error)
}

// Config says how to drive a Traffic. The zero value of each field but Measure
// works.
type Config struct {
	// Warmup runs first; nothing of it is recorded. The engine drains between
	// the two, so that a backlog of the warm-up cannot colour the measurement.
	Warmup Schedule
	// Measure is the schedule whose operations are recorded.
	Measure Schedule
	// Workers bounds the operations in flight. 0 means 64.
	Workers int
	// Backlog bounds the operations that are due but wait for a worker; one
	// that finds it full is counted as dropped. 0 means 1<<17.
	Backlog int
	// Closed, when true, performs a closed loop instead: each worker starts its
	// next operation when its last has ended, for the duration of each schedule,
	// whose rates do not matter. An operation is then due when it is sent, so
	// that there is no response time and no lag: use it for throughput and cost
	// at saturation, and never as a latency (Schroeder et al., "Open Versus
	// Closed", NSDI 2006).
	Closed bool
	// TraceEvery is how many operations there are to one that is traced; 0
	// traces none.
	TraceEvery int
	// Timeout bounds one operation, from when it was sent. 0 means one second.
	Timeout time.Duration
	// Drain bounds the wait for what is in flight after the last due time.
	// 0 means Timeout plus one second.
	Drain time.Duration
	// Seed seeds the arrivals.
	Seed uint64
	// Waiter paces the arrivals; nil means NewWaiter().
	Waiter Waiter
	// OnPhase, when set, is called as each phase begins, from one goroutine.
	OnPhase func(Phase)
	// OnInterval, when set, is called once a second of the measured phase and
	// once at its end, from one goroutine. The histograms are the engine's:
	// they are valid only during the call.
	OnInterval func(Interval)
}

// Phase is a step of a run.
type Phase string

// The phases that the engine itself goes through.
const (
	PhaseWarmup  Phase = "warm up"
	PhaseSettle  Phase = "drain after warm-up"
	PhaseMeasure Phase = "measure"
	PhaseDrain   Phase = "drain"
)

// Interval is what was done in one second.
type Interval struct {
	// Start and End are wall-clock instants of the interval's edges.
	Start, End time.Time
	// Elapsed is since the start of measuring.
	Elapsed    time.Duration
	Operations []OpResult
	Totals
	// InFlight operations are under way or wait for a worker at its end.
	InFlight int64
	// Pause lets operations go first that have become due. An OnInterval that
	// takes long calls it every fifty microseconds or so.
	Pause func()
}

// Totals count operations. Offered = Sent + Dropped once a run has ended.
type Totals struct {
	Offered, Sent, Dropped int64
	// Errors counts every operation that did not succeed, Timeouts those among
	// them that ran into their deadline.
	Errors, Timeouts int64
}

// OpResult holds one kind's histograms, in nanoseconds, [MinLatency] to
// [MaxLatency], 3 significant digits.
type OpResult struct {
	Name             string
	Count            int64
	Errors, Timeouts int64
	// Clamped operations took longer than MaxLatency. The histograms hold them
	// at MaxLatency, so that their counts all equal Count.
	Clamped                int64
	Response, Service, Lag *hdrhistogram.Histogram
	// The longest, exactly; a histogram's own is its bucket's upper edge.
	MaxResponse, MaxService, MaxLag time.Duration
	// Parts divide the service time of the traced operations.
	Parts Parts
}

// Parts are the histograms of the parts of service times: what [Trace] holds,
// and the rest. They have 2 significant digits.
type Parts struct {
	Queue, Wire, Rest *hdrhistogram.Histogram
}

// The histograms' range.
const (
	MinLatency = time.Microsecond
	MaxLatency = time.Minute
)

// Bin is a short stretch of the time axis. It holds the operations that were
// due in it.
type Bin struct {
	Count              int64
	P50, P95, P99, Max time.Duration
	// InFlight operations had been due and not dropped, and had not ended, at
	// the bin's end.
	InFlight int64
}

// Result is what a run measured.
type Result struct {
	Totals
	Operations []OpResult
	// Started is the wall-clock start of measuring; Elapsed runs to the last
	// operation's end.
	Started time.Time
	Elapsed time.Duration
	// Drained is how long the last operations took to come back after the
	// schedule's end; Abandoned were still out when the drain's bound was met.
	// Sent less Abandoned is what Operations count.
	Drained   time.Duration
	Abandoned int64
	// InTime operations ended before the schedule did or at most 100 ms after.
	InTime int64
	// Bunching is the Anderson-Darling statistic A² of up to 2000 gaps between
	// sends against the gaps that the schedule drew; Bunched is false where there
	// is none: arrivals that depend on each other, too few, a closed loop.
	Bunching float64
	Bunched  bool
	BinWidth time.Duration
	Bins     []Bin
	// ErrorSamples holds the first distinct error texts, at most 8.
	ErrorSamples []string
	// RecorderWaits counts how often a worker had to wait because samples came
	// faster than they could be recorded.
	RecorderWaits int64
	// Waiter names what paced the arrivals.
	Waiter string
	// Closed tells that the loop was closed; see [Config].
	Closed bool
	// Queued operations became due while all Workers were waiting for the traffic.
	Queued  int64
	Workers int
	// Unsettled tells that operations of the warm-up were still under way when
	// measuring began.
	Unsettled bool
}
