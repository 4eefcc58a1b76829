// Package results is the seam between measuring and rendering: the format of a
// run's files, and nothing else. A run is a folder with
//
//	run.json    what was measured, in numbers (this package's [Run])
//	run.hlog    every histogram, an interval a second, in the HdrHistogram log format V2
//
// The package imports nothing else of this program, so that a run can be read
// again years later. Latencies in run.json are microseconds; the histograms in
// run.hlog hold nanoseconds.
package results

import (
	"maps"
	"slices"
	"time"
)

// Schema is the version of run.json that this package writes. It grows when a
// field changes its meaning; a new field beside the old ones does not count.
const Schema = 1

// Run is one call of the program: an environment and the cells measured in it.
type Run struct {
	Schema  int       `json:"schema"`
	ID      string    `json:"id"`
	Started time.Time `json:"started"`
	// Complete is false when the run ended early; Reason then says why in one
	// sentence. What was measured until then is kept.
	Complete    bool        `json:"complete"`
	Reason      string      `json:"reason,omitempty"`
	Seconds     float64     `json:"seconds"`
	Command     []string    `json:"command"`
	Seed        uint64      `json:"seed"`
	Environment Environment `json:"environment"`
	Cells       []Cell      `json:"cells"`
	// NotRun are combinations that were asked for and cannot be measured.
	NotRun []NotRun `json:"not_run,omitempty"`
}

// NotRun is a scenario that cannot run on a target, through no client.
type NotRun struct {
	Scenario string `json:"scenario"`
	Target   string `json:"target"`
	// Reason says what is missing, and what to do.
	Reason string `json:"reason"`
}

// Environment is what a reader must know of the machine before believing a number.
type Environment struct {
	CPU      string            `json:"cpu"`
	Cores    int               `json:"cores"`
	MemoryMB int64             `json:"memory_mb"`
	Kernel   string            `json:"kernel"`
	OS       string            `json:"os"`
	Go       string            `json:"go"`
	Versions map[string]string `json:"versions"`
	// Pacing names the wait that the engine used, for example "timerfd".
	Pacing string `json:"pacing"`
	// GCPercent is how much the program's heap may grow between two collections
	// of garbage, in percent; 0 is not recorded.
	GCPercent int `json:"gc_percent,omitempty"`
	// Doctor is what the machine was found to be able to measure, when the run began.
	Doctor *Doctor `json:"doctor,omitempty"`
}

// Doctor is what a machine can measure.
type Doctor struct {
	// Sentence sums it up.
	Sentence string `json:"sentence"`
	// Timers are the waits that were tried, and PacingWhy says why one was chosen.
	Timers    []Timer `json:"timers"`
	Pacing    string  `json:"pacing"`
	PacingWhy string  `json:"pacing_why"`
	// HistogramNS is what it costs to record one value, NoopNS one operation
	// that does nothing, both in nanoseconds of processor time; NoopPerSecond is
	// how many of the latter a second go through the engine.
	HistogramNS   float64 `json:"histogram_ns"`
	NoopNS        float64 `json:"noop_cpu_ns_per_op"`
	NoopPerSecond float64 `json:"noop_ops_per_second"`
	// EchoUS is the median round trip of one byte over loopback, the floor of
	// what can be measured here.
	EchoUS float64 `json:"echo_us"`
	// Trials drove echoes over loopback at growing rates, until one was not
	// punctual.
	Trials []Trial `json:"trials"`
	// ClockNS is what it costs to read the time, in nanoseconds, and ClockSource
	// what the kernel reads it from.
	ClockNS     float64 `json:"clock_ns"`
	ClockSource string  `json:"clock_source"`
	// CoresAllowed may be used, which can be fewer than there are.
	CoresAllowed int `json:"cores_allowed"`
	// Governor and HugePages are the kernel's words, empty where it has none.
	Governor  string `json:"governor"`
	HugePages string `json:"transparent_hugepages"`
	// Pressure is the share of the ten seconds before in which some task waited
	// for a processor, and Steal what the hypervisor took while the machine was
	// tried, both in percent; nil where the kernel does not tell.
	Pressure *float64 `json:"cpu_pressure_percent"`
	Steal    *float64 `json:"steal_percent"`
	// Providers tells of each whether it can start servers here.
	Providers map[string]string `json:"providers"`
}

// Trial is how an open-loop echo went at a rate, in operations a second.
type Trial struct {
	Rate float64 `json:"rate"`
	// InTime is the share of the operations that ended in time, in percent.
	InTime float64 `json:"in_time_percent"`
	// The lag of the operations and their response time, in microseconds.
	LagP50      float64 `json:"lag_p50_us"`
	LagP99      float64 `json:"lag_p99_us"`
	ResponseP50 float64 `json:"response_p50_us"`
	ResponseP99 float64 `json:"response_p99_us"`
}

// Timer is how late a wait was, in microseconds, over many waits of its own kind.
type Timer struct {
	Name string  `json:"name"`
	P50  float64 `json:"late_p50_us"`
	P99  float64 `json:"late_p99_us"`
	// CPU is the processor time of one wake-up.
	CPU float64 `json:"cpu_us_per_wakeup"`
}

// Verdict says how far a cell may be believed.
type Verdict string

// The verdicts, from best to worst.
const (
	// Valid: the absolute numbers stand.
	Valid Verdict = "valid"
	// Degraded: the machine disturbed the measurement; compare ratios only.
	Degraded Verdict = "degraded"
	// Invalid: the cell proves nothing.
	Invalid Verdict = "invalid"
)

// Cell is one scenario against one target through one client.
type Cell struct {
	Scenario string   `json:"scenario"`
	Target   string   `json:"target"`
	Server   Server   `json:"server"`
	Client   string   `json:"client"`
	Provider string   `json:"provider"`
	Verdict  Verdict  `json:"verdict"`
	Reasons  []string `json:"reasons"`

	// Loop is "open", or "closed" where each worker sent its next operation when
	// the last had come back: then there is a throughput and no response time.
	Loop string `json:"loop,omitempty"`
	// Schedule is the parseable specification of the measured arrivals, for
	// example "poisson:10000/10s". Of recorded arrivals, which only their file
	// holds, it tells the file and its hash.
	Schedule string            `json:"schedule"`
	Settings map[string]string `json:"settings"`
	// Headline names the operation that speaks for the scenario; empty means
	// the one with the most operations. See [Cell.HeadlineOperation].
	Headline string `json:"headline,omitempty"`

	// Offered operations became due; each was sent or dropped, so
	// offered = sent + dropped. Errors and timeouts are part of sent.
	Offered  int64 `json:"offered"`
	Sent     int64 `json:"sent"`
	Dropped  int64 `json:"dropped"`
	Errors   int64 `json:"errors"`
	Timeouts int64 `json:"timeouts"`
	// Abandoned operations were sent and never came back.
	Abandoned int64 `json:"abandoned"`
	// InTime ended by the end of the schedule or at once after it, and Drained is
	// how many seconds the last ones took after it.
	InTime  int64   `json:"in_time"`
	Drained float64 `json:"drained_s"`
	Seconds float64 `json:"seconds"`

	Operations map[string]Operation `json:"operations"`
	Invariants map[string]Invariant `json:"invariants"`
	// Measurements are what only this scenario measures, by name.
	Measurements map[string]Measurement `json:"measurements,omitempty"`
	Series       Series                 `json:"series"`
	// Machine is what the generator's machine did, second by second.
	Machine []Second `json:"machine,omitempty"`
	// ServerView is what the server itself counted meanwhile.
	ServerView *ServerView `json:"server_view,omitempty"`
	// Retries are commands that the client library sent again by itself,
	// redirections among them; nil where the library does not tell.
	Retries *int64 `json:"client_retries"`
	Marks   []Mark `json:"marks,omitempty"`
	// Failover is the scorecard of the faults that were made; nil without any.
	Failover *Failover `json:"failover,omitempty"`
	// ErrorSamples are the first few distinct error texts.
	ErrorSamples []string `json:"error_samples,omitempty"`

	ServerCPUPerOp  *float64 `json:"server_cpu_us_per_op"`
	BytesPerSession *float64 `json:"bytes_per_session"`
	ClientCPUPerOp  *float64 `json:"client_cpu_us_per_op"`
}

// ID names the cell in a run: scenario/target/client. It holds no space and no
// comma, so that it can tag a histogram log.
func (c *Cell) ID() string { return c.Scenario + "/" + c.Target + "/" + c.Client }

// HeadlineOperation names the operation to show first: Headline, or else the
// one with the largest count (the first by name among equals). It is empty when
// the cell has no operation.
func (c *Cell) HeadlineOperation() string {
	if c.Headline != "" {
		return c.Headline
	}
	best := ""
	for _, name := range slices.Sorted(maps.Keys(c.Operations)) {
		if best == "" || c.Operations[name].Count > c.Operations[best].Count {
			best = name
		}
	}
	return best
}

// Server is what the server said of itself.
type Server struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Operation holds the latencies of one kind of operation. Every outcome is in
// them: an operation that timed out counts with the time it took.
type Operation struct {
	Count  int64 `json:"count"`
	Errors int64 `json:"errors"`
	// Timeouts are among the errors.
	Timeouts int64 `json:"timeouts"`
	// Clamped values lay beyond the histogram's range and count as its maximum.
	Clamped int64 `json:"clamped"`
	// Response = done - due, what a user waits; service = done - sent;
	// lag = sent - due, how late the generator was.
	Response Percentiles `json:"response_us"`
	Service  Percentiles `json:"service_us"`
	Lag      Percentiles `json:"lag_us"`
	// ResponseCI holds the 95 % confidence intervals of the response time's
	// percentiles that are not nil, by their names in Percentiles ("p50", …).
	ResponseCI map[string]Bounds `json:"response_ci_us,omitempty"`
	// Parts divide the service time of a sample of the operations.
	Parts *Parts `json:"parts,omitempty"`
}

// Bounds are a confidence interval in microseconds. Low or High is nil where the
// sample has no bound to give.
type Bounds struct {
	Low  *float64 `json:"low"`
	High *float64 `json:"high"`
	// Correlation is by how much the interval is wider than it would be if the
	// operations were independent of each other, at least 1; above 2 they are
	// serially correlated. It is 0 where the run was too short to tell, and the
	// interval then takes them for independent.
	Correlation float64 `json:"correlation"`
}

// Parts divide the service time: Queue is the wait for a connection or in the
// client library, until the command was written; Wire runs from there to the
// reply in the library's hands, the server's work included; Rest is the
// storage's own, decoding for the most part.
type Parts struct {
	// Count operations were looked at.
	Count int64       `json:"count"`
	Queue Percentiles `json:"queue_us"`
	Wire  Percentiles `json:"wire_us"`
	Rest  Percentiles `json:"rest_us"`
}

// Second is what the generator's machine did in one second. A field is nil where
// the system does not tell.
type Second struct {
	// CPU is the share of its cores that the program used, in percent.
	CPU *float64 `json:"cpu_percent"`
	// Pressure is the time that some task of the machine waited for a processor,
	// and Steal what the hypervisor took, in percent.
	Pressure *float64 `json:"pressure_percent"`
	Steal    *float64 `json:"steal_percent"`
	// GCs ended; the longest of their pauses, and the 99th percentile of how
	// long goroutines that could run waited to, in microseconds.
	GCs     int64   `json:"gcs"`
	GCPause float64 `json:"gc_pause_max_us"`
	Sched   float64 `json:"sched_p99_us"`
	// InFlight operations were under way or due at the second's end.
	InFlight int64 `json:"in_flight"`
}

// ServerView is the growth of the server's own counters over the measured time.
type ServerView struct {
	Commands map[string]Command `json:"commands"`
}

// Command is one command's share of INFO commandstats and latencystats.
type Command struct {
	Calls int64 `json:"calls"`
	// CPU is the processor time of one call in microseconds.
	CPU      float64 `json:"us_per_call"`
	Rejected int64   `json:"rejected"`
	Failed   int64   `json:"failed"`
	// Percentiles of the call's duration, by name ("p50", …), in microseconds,
	// since the server's start or its last CONFIG RESETSTAT.
	Latency map[string]float64 `json:"latency_us,omitempty"`
}

// Percentiles in microseconds. One that the sample cannot carry is nil (null in
// the file), never a guess; see [Summarize].
type Percentiles struct {
	P50  *float64 `json:"p50"`
	P90  *float64 `json:"p90"`
	P99  *float64 `json:"p99"`
	P999 *float64 `json:"p99.9"`
	Max  *float64 `json:"max"`
	Mean *float64 `json:"mean"`
}

// Invariant is a property that the scenario checked while it ran. One violation
// fails the run.
type Invariant struct {
	Checked  int64 `json:"checked"`
	Violated int64 `json:"violated"`
	// Example tells the first violation.
	Example string `json:"example,omitempty"`
}

// Measurement is a scenario's own number.
type Measurement struct {
	Value float64 `json:"value"`
	// Unit is for example "ms", "keys", "loads/miss" or "%".
	Unit string `json:"unit"`
	// About says in one line what the number is.
	About string `json:"about"`
}

// Series is the latency over time: bin i holds the operations that were due in
// [i*BinMS, (i+1)*BinMS) after the start of measuring. All slices have one length.
type Series struct {
	BinMS float64    `json:"bin_ms"`
	Count []int64    `json:"count"`
	P50   []*float64 `json:"p50_us"`
	P99   []*float64 `json:"p99_us"`
	Max   []*float64 `json:"max_us"`
}

// Mark is a moment worth seeing on the time axis, in seconds after the start of
// measuring.
type Mark struct {
	At    float64 `json:"at_s"`
	Label string  `json:"label"`
}
