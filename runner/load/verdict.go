package load

import (
	"fmt"
	"slices"
	"time"

	"github.com/toriibench/toriibench/runner/stats"
)

// Verdict says what a result proves.
type Verdict string

// The verdicts.
const (
	// Valid: the load was what the schedule asked for.
	Valid Verdict = "valid"
	// Degraded: the load was complete and not punctual. Compare such results
	// with each other, and trust no absolute latency.
	Degraded Verdict = "degraded"
	// Invalid: the load was not what the schedule asked for.
	Invalid Verdict = "invalid"
)

// Limits bound what [Judge] accepts. The zero value of each means its default.
type Limits struct {
	// ErrorBudget is the share of operations that may fail. 0 means 0.001; a
	// negative one allows none.
	ErrorBudget float64
	// Lag bounds the 99th percentile of lag. 0 means 100 µs.
	Lag time.Duration
	// Drained bounds Result.Drained. 0 means one second.
	Drained time.Duration
	// Eventful traffic has something happen on purpose while it is measured, so
	// that its latency is not asked to be steady.
	Eventful bool
	// Faulty traffic goes to servers that are broken on purpose: operations may
	// fail, and wait.
	Faulty bool
}

// tolerance is how far the achieved rate may be from the offered one, as a
// share.
const tolerance = 0.01

// Judge audits a result against the limits. The reasons, one sentence each,
// name the figure that broke a rule and the rule's bound; a valid result has
// none. Judge changes nothing.
func Judge(r *Result, limits Limits) (verdict Verdict, reasons []string) {
	limits.ErrorBudget = orDefault(limits.ErrorBudget, 0.001)
	limits.Lag = orDefault(limits.Lag, 100*time.Microsecond)
	limits.Drained = orDefault(limits.Drained, time.Second)
	faults, doubts := invalidity(r, limits), doubts(r, limits)
	if r.Closed {
		doubts = backlogged(r)
	}
	switch {
	case len(faults) > 0:
		return Invalid, slices.Concat(faults, doubts)
	case len(doubts) > 0:
		return Degraded, doubts
	}
	return Valid, nil
}

// invalidity says why the load was not what the schedule asked for.
func invalidity(r *Result, limits Limits) (reasons []string) {
	broken := func(is bool, format string, args ...any) {
		if is {
			reasons = append(reasons, fmt.Sprintf(format, args...))
		}
	}
	if r.Offered == 0 {
		return []string{"no operation was due, so nothing was measured."}
	}
	offered := float64(r.Offered)
	achieved := float64(r.InTime) / offered
	broken(!limits.Faulty && (achieved < 1-tolerance || achieved > 1+tolerance),
		"%.4f of the %d offered operations ended in time; it must be from %.2f to %.2f.", achieved, r.Offered, 1-tolerance, 1+tolerance)
	broken(r.Dropped > 0, "%d operations were dropped unsent; none may be.", r.Dropped)
	budget := max(0, limits.ErrorBudget)
	broken(!limits.Faulty && float64(r.Errors) > budget*offered,
		"%d operations failed, %.4f %% of those offered; at most %.4g %% may.", r.Errors, 100*float64(r.Errors)/offered, 100*budget)
	broken(r.Unsettled, "operations of the warm-up were still under way when measuring began; all must have come back.")
	broken(r.Abandoned > 0, "%d operations never came back; none may stay out.", r.Abandoned)
	broken(r.Drained > limits.Drained,
		"the last operations took %v to come back after the schedule's end; at most %v is allowed.", r.Drained, limits.Drained)
	growth := r.inFlightGrowth()
	broken(growth.Growing && !r.Closed && !limits.Faulty,
		"operations in flight grew by %.3g a second over the second half, to %.0f: the load was more than what was measured could do, or the generator.",
		growth.Slope, growth.Level+growth.Rise/2)
	return reasons
}

// doubts says why the latencies are not to be taken at face value.
func doubts(r *Result, limits Limits) (reasons []string) {
	if lag := r.LagQuantile(0.99); lag > limits.Lag {
		reasons = append(reasons, lateness(r, lag, limits))
	}
	if most := 2 * stats.ExponentialCritical; r.Bunched && r.Bunching > most {
		reasons = append(reasons, fmt.Sprintf("operations were not sent at the intervals of the schedule: the Anderson-Darling statistic of the gaps was %.1f; at most %.1f passes.", r.Bunching, most))
	}
	if !limits.Eventful {
		reasons = append(reasons, unsteadiness(r)...)
	}
	return append(reasons, backlogged(r)...)
}

// backlogged says that recording was a brake.
func backlogged(r *Result) []string {
	if r.RecorderWaits == 0 {
		return nil
	}
	return []string{fmt.Sprintf("workers waited %d times for their samples to be recorded; they must never.", r.RecorderWaits)}
}

// queuedShare is from when on lateness is laid to the traffic.
const queuedShare = 0.01

// lateness says who was late: the generator, or a traffic that kept all workers
// waiting.
func lateness(r *Result, lag time.Duration, limits Limits) string {
	if float64(r.Queued) > queuedShare*float64(r.Offered) {
		return fmt.Sprintf("operations waited for a worker: %d of %d became due while all %d workers were waiting for the server; lag p99 was %v, at most %v is punctual.",
			r.Queued, r.Offered, r.Workers, brief(lag), limits.Lag)
	}
	return fmt.Sprintf("the generator started operations late: lag p99 was %v; at most %v is punctual.", brief(lag), limits.Lag)
}

// brief rounds to what a person reads: three digits or so.
func brief(d time.Duration) time.Duration {
	switch {
	case d > 10*time.Second:
		return d.Round(100 * time.Millisecond)
	case d > 10*time.Millisecond:
		return d.Round(100 * time.Microsecond)
	default:
		return d.Round(time.Microsecond)
	}
}

// LagQuantile is a quantile, from 0 to 1, of the lag of all operations, to the
// histograms' resolution. It is 0 if there were none.
func (r *Result) LagQuantile(q float64) time.Duration {
	all := newHistogram(3)
	for _, op := range r.Operations {
		if op.Lag != nil {
			all.Merge(op.Lag)
		}
	}
	return time.Duration(all.ValueAtQuantile(100 * q))
}
