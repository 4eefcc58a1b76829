package results

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// check says what is wrong with a run, and is nil for a run that can be
// believed to be one. It looks at form, not at whether the numbers are likely.
func check(r *Run) error {
	if err := checkSchema(r.Schema); err != nil {
		return err
	}
	if r.ID == "" {
		return errors.New("it has no id")
	}
	if y := r.Started.Year(); y < 2000 || y > 9999 {
		return errors.New("it has no started time")
	}
	if err := amount("seconds", r.Seconds); err != nil {
		return err
	}
	if err := checkDoctor(r.Environment.Doctor); err != nil {
		return fmt.Errorf("doctor: %w", err)
	}
	for i := range r.Cells {
		if err := checkCell(&r.Cells[i]); err != nil {
			return fmt.Errorf("cell %d (%s): %w", i+1, r.Cells[i].ID(), err)
		}
	}
	for i, one := range r.NotRun {
		if one.Scenario == "" || one.Target == "" || one.Reason == "" {
			return fmt.Errorf("not_run %d lacks a scenario, a target or a reason", i+1)
		}
	}
	return nil
}

func checkSchema(schema int) error {
	switch {
	case schema > Schema:
		return fmt.Errorf("it has schema %d, and this program reads schema %d: use a newer program", schema, Schema)
	case schema != Schema:
		return fmt.Errorf("it has schema %d, and this program reads schema %d", schema, Schema)
	default:
		return nil
	}
}

func checkCell(c *Cell) error {
	for _, f := range []struct{ name, value string }{
		{"scenario", c.Scenario}, {"target", c.Target}, {"client", c.Client},
	} {
		if err := word(f.name, f.value); err != nil {
			return err
		}
	}
	switch c.Verdict {
	case Valid, Degraded, Invalid:
	case "":
		return errors.New("it has no verdict")
	default:
		return fmt.Errorf("its verdict is %q, not valid, degraded or invalid", c.Verdict)
	}
	return firstError(c, checkCounts, checkNumbers, checkOperations, checkInvariants, checkSeries, checkMachine, checkServerView, checkFailover)
}

func firstError(c *Cell, checks ...func(*Cell) error) error {
	for _, f := range checks {
		if err := f(c); err != nil {
			return err
		}
	}
	return nil
}

// word accepts what may stand in a cell's ID and so in a histogram log's tag.
func word(name, s string) error {
	if s == "" {
		return fmt.Errorf("it has no %s", name)
	}
	if strings.ContainsFunc(s, breaksTag) {
		return fmt.Errorf("its %s %q holds a comma, a space or a control character", name, s)
	}
	return nil
}

func breaksTag(r rune) bool {
	return r == ',' || r == unicode.ReplacementChar || unicode.IsSpace(r) || unicode.IsControl(r)
}

func checkCounts(c *Cell) error {
	return counts(map[string]int64{
		"offered": c.Offered, "sent": c.Sent, "dropped": c.Dropped, "errors": c.Errors, "timeouts": c.Timeouts,
	})
}

// counts reports the first, by name, that is below zero.
func counts(all map[string]int64) error {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if all[name] < 0 {
			return fmt.Errorf("its count %s is %d", name, all[name])
		}
	}
	return nil
}

func checkNumbers(c *Cell) error {
	if err := amount("seconds", c.Seconds); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(c.Measurements)) {
		if v := c.Measurements[name].Value; !finite(v) {
			return fmt.Errorf("its measurement %q is %v", name, v)
		}
	}
	for _, m := range c.Marks {
		if !finite(m.At) {
			return fmt.Errorf("its mark %q is at %v s", m.Label, m.At)
		}
	}
	// What is a difference of two readings may come out below zero.
	for name, v := range map[string]*float64{
		"server_cpu_us_per_op": c.ServerCPUPerOp, "bytes_per_session": c.BytesPerSession, "client_cpu_us_per_op": c.ClientCPUPerOp,
	} {
		if v != nil && !finite(*v) {
			return fmt.Errorf("its %s is %v", name, *v)
		}
	}
	return nil
}

func checkOperations(c *Cell) error {
	for _, name := range slices.Sorted(maps.Keys(c.Operations)) {
		if err := checkOperation(c.Operations[name]); err != nil {
			return fmt.Errorf("operation %q: %w", name, err)
		}
	}
	return nil
}

func checkOperation(o Operation) error {
	if err := counts(map[string]int64{
		"count": o.Count, "errors": o.Errors, "timeouts": o.Timeouts, "clamped": o.Clamped,
	}); err != nil {
		return err
	}
	if err := checkPercentiles(map[string]Percentiles{"response_us": o.Response, "service_us": o.Service, "lag_us": o.Lag}); err != nil {
		return err
	}
	if err := checkParts(o.Parts); err != nil {
		return fmt.Errorf("its parts: %w", err)
	}
	return checkIntervals(o.ResponseCI)
}

func checkPercentiles(all map[string]Percentiles) error {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		p := all[name]
		for _, v := range []*float64{p.P50, p.P90, p.P99, p.P999, p.Max, p.Mean} {
			if err := optional(name, v); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkParts(p *Parts) error {
	if p == nil {
		return nil
	}
	if err := counts(map[string]int64{"count": p.Count}); err != nil {
		return err
	}
	return checkPercentiles(map[string]Percentiles{"queue_us": p.Queue, "wire_us": p.Wire, "rest_us": p.Rest})
}

// checkServerView looks at what the server and the client library have counted.
func checkServerView(c *Cell) error {
	if c.Retries != nil {
		if err := counts(map[string]int64{"client_retries": *c.Retries}); err != nil {
			return err
		}
	}
	if c.ServerView == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(c.ServerView.Commands)) {
		if err := checkCommand(c.ServerView.Commands[name]); err != nil {
			return fmt.Errorf("its server_view of %q: %w", name, err)
		}
	}
	return nil
}

func checkCommand(c Command) error {
	if err := counts(map[string]int64{"calls": c.Calls, "rejected": c.Rejected, "failed": c.Failed}); err != nil {
		return err
	}
	if err := amount("us_per_call", c.CPU); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(c.Latency)) {
		if err := CheckLatency(name, c.Latency[name]); err != nil {
			return err
		}
	}
	return nil
}

// CheckLatency says what is wrong with an entry of [Command].Latency: a name that
// is no percentile such as "p99.9", or a value that is not finite or below 0.
func CheckLatency(name string, us float64) error {
	digits, ok := strings.CutPrefix(name, "p")
	q, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil || !finite(q) || q < 0 || q > 100 {
		return fmt.Errorf("its latency_us holds %q, which is no percentile", name)
	}
	return amount("latency_us of "+name, us)
}

func checkIntervals(all map[string]Bounds) error {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		b := all[name]
		switch name {
		case "p50", "p90", "p99", "p99.9":
		default:
			return fmt.Errorf("its response_ci_us holds %q, which is no percentile that is measured", name)
		}
		for _, v := range []*float64{b.Low, b.High, &b.Correlation} {
			if err := optional("response_ci_us of "+name, v); err != nil {
				return err
			}
		}
		if b.Low != nil && b.High != nil && *b.Low > *b.High {
			return fmt.Errorf("its response_ci_us of %s runs from %v down to %v", name, *b.Low, *b.High)
		}
	}
	return nil
}

func checkInvariants(c *Cell) error {
	for _, name := range slices.Sorted(maps.Keys(c.Invariants)) {
		i := c.Invariants[name]
		if i.Checked < 0 || i.Violated < 0 || i.Violated > i.Checked {
			return fmt.Errorf("invariant %q was violated %d times in %d checks", name, i.Violated, i.Checked)
		}
	}
	return nil
}

func checkSeries(c *Cell) error {
	s := &c.Series
	if err := amount("series.bin_ms", s.BinMS); err != nil {
		return err
	}
	n := len(s.Count)
	if len(s.P50) != n || len(s.P99) != n || len(s.Max) != n {
		return fmt.Errorf("its series have %d, %d, %d and %d bins", n, len(s.P50), len(s.P99), len(s.Max))
	}
	if n > 0 && s.BinMS == 0 {
		return errors.New("its series has bins of no width")
	}
	for i := range n {
		for _, v := range []*float64{s.P50[i], s.P99[i], s.Max[i]} {
			if err := optional("series", v); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkMachine(c *Cell) error {
	for i, s := range c.Machine {
		err := cmp.Or(
			optional("cpu_percent", s.CPU), optional("pressure_percent", s.Pressure), optional("steal_percent", s.Steal),
			amount("gc_pause_max_us", s.GCPause), amount("sched_p99_us", s.Sched),
			counts(map[string]int64{"gcs": s.GCs, "in_flight": s.InFlight}),
		)
		if err != nil {
			return fmt.Errorf("second %d of its machine: %w", i+1, err)
		}
	}
	return nil
}

func checkDoctor(d *Doctor) error {
	if d == nil {
		return nil
	}
	for _, t := range d.Timers {
		if err := cmp.Or(amount("late_p50_us", t.P50), amount("late_p99_us", t.P99), amount("cpu_us_per_wakeup", t.CPU)); err != nil {
			return fmt.Errorf("timer %s: %w", t.Name, err)
		}
	}
	for i, t := range d.Trials {
		err := cmp.Or(
			amount("rate", t.Rate), amount("in_time_percent", t.InTime), amount("lag_p50_us", t.LagP50), amount("lag_p99_us", t.LagP99),
			amount("response_p50_us", t.ResponseP50), amount("response_p99_us", t.ResponseP99),
		)
		if err != nil {
			return fmt.Errorf("trial %d: %w", i+1, err)
		}
	}
	return cmp.Or(
		amount("histogram_ns", d.HistogramNS), amount("noop_cpu_ns_per_op", d.NoopNS), amount("noop_ops_per_second", d.NoopPerSecond),
		amount("echo_us", d.EchoUS), amount("clock_ns", d.ClockNS), counts(map[string]int64{"cores_allowed": int64(d.CoresAllowed)}),
		optional("cpu_pressure_percent", d.Pressure), optional("steal_percent", d.Steal),
	)
}

// optional accepts nil and every finite value from 0.
func optional(name string, v *float64) error {
	if v == nil {
		return nil
	}
	return amount(name, *v)
}

// amount accepts every finite value from 0.
func amount(name string, v float64) error {
	if !finite(v) || v < 0 {
		return fmt.Errorf("its %s is %v", name, v)
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
