package runner

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/toriibench/toriibench/compose"
	"github.com/toriibench/toriibench/results"
)

// What a machine is judged by.
const (
	// punctual is the lag p99 up to which a cell is not degraded; see
	// [load.Limits].
	punctual = 100 * time.Microsecond
	// inTime is the least share of operations that must end in time, in percent.
	inTime = 99
	// noisyBefore is the pressure from which others are at work: there is next
	// to none on a machine that waits for this program alone.
	noisyBefore = 10
	// stolen is the share of time from which the hypervisor disturbs, as in
	// [machine.Limits].
	stolen = 1
	// slowClock is what a reading of the time may cost, in nanoseconds: an
	// operation of 50 µs has two.
	slowClock = 200
)

func wasPunctual(t results.Trial) bool {
	return t.InTime >= inTime && t.LagP99 <= inMicroseconds(punctual)
}

// keepsUp says whether the engine could drive the lowest rate.
func keepsUp(d *results.Doctor) bool { return len(d.Trials) > 0 && d.Trials[0].InTime >= inTime }

// sumUp says in a sentence what a machine can measure.
func sumUp(d *results.Doctor) string {
	var s string
	last := slices.IndexFunc(d.Trials, func(t results.Trial) bool { return !wasPunctual(t) })
	good := d.Trials
	if last >= 0 {
		good = d.Trials[:last]
	}
	switch {
	case len(good) > 0:
		s = fmt.Sprintf("This machine can time operations to about %s at up to %s/s with the server %s; below that read ratios only, because %s",
			inTimeUnits(resolution(good)), inUnits(good[len(good)-1].Rate), place(d),
			join(append([]string{"one operation in a hundred starts that late"}, disturbances(d)...)))
	case keepsUp(d):
		t := d.Trials[0]
		s = fmt.Sprintf("This machine cannot time operations to %s: at %s/s with the server %s one operation in a hundred started %s late; read ratios only, because %s",
			inTimeUnits(inMicroseconds(punctual)), inUnits(t.Rate), place(d), inTimeUnits(t.LagP99), reasons(d))
	default:
		s = "This machine proves nothing: it could not even keep up with the lowest rate that was tried, because " + reasons(d)
	}
	if !canServe(d) {
		s += "; and it can start no servers, so give the URL of one"
	}
	return s + "."
}

// resolution is the worst lag of the trials, rounded up to tens.
func resolution(trials []results.Trial) float64 {
	worst := 0.0
	for _, t := range trials {
		worst = max(worst, t.LagP99)
	}
	return 10 * math.Ceil(worst/10)
}

func place(d *results.Doctor) string {
	if d.CoresAllowed == 1 {
		return "on the same core"
	}
	return "beside it"
}

// disturbances are what the machine was seen to suffer from.
func disturbances(d *results.Doctor) []string {
	var seen []string
	if d.CoresAllowed == 1 {
		seen = append(seen, "generator and server share the one core")
	}
	if d.Steal != nil && *d.Steal >= stolen {
		seen = append(seen, fmt.Sprintf("the hypervisor took %.1f %% of the processors' time", *d.Steal))
	}
	if d.Pressure != nil && *d.Pressure >= noisyBefore {
		seen = append(seen, fmt.Sprintf("others were using the processors (pressure %.0f %%)", *d.Pressure))
	}
	if d.ClockNS > slowClock {
		seen = append(seen, fmt.Sprintf("reading the clock takes %.0f ns (%s)", d.ClockNS, or(d.ClockSource, unknown)))
	}
	return seen
}

// reasons are why a machine is not punctual, as far as can be seen.
func reasons(d *results.Doctor) string {
	seen := disturbances(d)
	if i := slices.IndexFunc(d.Timers, func(t results.Timer) bool { return t.Name == d.Pacing }); i >= 0 {
		if late := d.Timers[i].P99; late > inMicroseconds(punctual) {
			seen = append(seen, fmt.Sprintf("its best wait, %s, was %s late", d.Pacing, inTimeUnits(late)))
		}
	}
	if len(seen) == 0 {
		return "its processors are not free when they are needed, and it does not show who has them"
	}
	return join(seen)
}

// join lists clauses.
func join(clauses []string) string {
	last := len(clauses) - 1
	if last <= 0 {
		return strings.Join(clauses, "")
	}
	return strings.Join(clauses[:last], ", ") + ", and " + clauses[last]
}

// The beginnings of what is said of a provider that can start servers.
const (
	ready    = "ready"
	canFetch = "can fetch"
)

// canServe says whether some provider can start servers here.
func canServe(d *results.Doctor) bool {
	for _, words := range d.Providers {
		if strings.HasPrefix(words, ready) || strings.HasPrefix(words, canFetch) {
			return true
		}
	}
	return false
}

// lookTime bounds the look for providers: an engine of containers may hang.
const lookTime = 3 * time.Second

// providersFound says of each provider what it can start here, or why it cannot.
func providersFound(ctx context.Context) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	return map[string]string{
		compose.Native().Name(): nativeWords(compose.Servers(ctx)),
		compose.Docker().Name(): dockerWords(ctx),
	}
}

// nativeWords tells what the native provider has and what it can get; the error
// says what could not be listed.
func nativeWords(entries []compose.ServerEntry, err error) string {
	var here, there []string
	for _, e := range entries {
		words := e.Engine + " " + e.Version
		if e.Where == compose.InArchive {
			there = append(there, words)
		} else if !slices.Contains(here, words) {
			here = append(here, words)
		}
	}
	var parts []string
	if len(here) > 0 {
		parts = append(parts, ready+" with "+strings.Join(here, ", "))
	}
	if len(there) > 0 {
		parts = append(parts, canFetch+" "+strings.Join(there, ", "))
	}
	if err != nil {
		parts = append(parts, "not all could be listed: "+oneLine(err))
	}
	if len(parts) == 0 {
		return "no servers here, and none to fetch"
	}
	return strings.Join(parts, "; ")
}

// dockerWords tells which engines have an image here.
func dockerWords(ctx context.Context) string {
	var here []string
	var why error
	for _, engine := range []string{compose.Redis, compose.Valkey} {
		err := compose.Docker().Check(ctx, compose.Target{Engine: engine, Topology: compose.Standalone})
		if err == nil {
			here = append(here, engine)
		} else if why == nil {
			why = err
		}
	}
	switch {
	case len(here) == 0:
		return "not at once: " + oneLine(why)
	case why != nil:
		return ready + " with images for " + strings.Join(here, " and ") + "; " + oneLine(why)
	default:
		return ready + " with images for " + strings.Join(here, " and ")
	}
}
