package report

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/perf/benchfmt"

	"github.com/toriibench/toriibench/results"
)

// goBenchmarks gives a run in the Go benchmark format. Names hold what a line is
// of, and labels what must be the same for two lines to be compared unless
// benchstat is told otherwise (benchstat -col engine -row .name,/op,/client): the
// verdict is one of them, so that no degraded cell meets a valid one by accident.
// A degraded cell keeps its tails: benchstat makes ratios of them. Invalid cells
// prove nothing and are left out, with a comment.
func goBenchmarks(run *results.Run) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# toriibench run %s: %s\n", clean(run.ID), strings.Join(facts(run), separator))
	for _, line := range invalidCells(run) {
		fmt.Fprintf(&b, "# left out: %s\n", line)
	}
	w := benchfmt.NewWriter(&b)
	for _, unit := range benchUnits() {
		if err := w.Write(unit); err != nil {
			return nil, err
		}
	}
	for i := range run.Cells {
		c := &run.Cells[i]
		if c.Verdict == results.Invalid {
			continue
		}
		for _, operation := range sortedKeys(c.Operations) {
			result := benchResult(run, row{cell: c, operation: operation})
			if len(result.Values) == 0 || result.Iters == 0 {
				continue
			}
			if err := w.Write(result); err != nil {
				return nil, err
			}
		}
	}
	return b.Bytes(), nil
}

// The units of a benchmark's values. benchstat scales those in ns to seconds.
const (
	unitRate      = "ops/s"
	unitServerCPU = "server-cpu-ns/op"
	unitClientCPU = "client-cpu-ns/op"
	unitMemory    = "B/session"
)

// latencyBenchUnit names a percentile's unit; service time has one of its own, so
// that it is never compared with a response time.
func latencyBenchUnit(c *results.Cell, percentile string) string {
	if closed(c) {
		return "service-" + percentile + "-ns/op"
	}
	return percentile + "-ns/op"
}

// benchUnits say which way each unit is better.
func benchUnits() []*benchfmt.UnitMetadata {
	better := func(unit, way string) *benchfmt.UnitMetadata {
		return &benchfmt.UnitMetadata{UnitMetadataKey: benchfmt.UnitMetadataKey{Unit: unit, Key: "better"}, OrigUnit: unit, Value: way}
	}
	units := []*benchfmt.UnitMetadata{
		better(unitRate, "higher"), better(unitServerCPU, "lower"), better(unitClientCPU, "lower"), better(unitMemory, "lower"),
	}
	for _, loop := range []string{"open", "closed"} {
		for _, p := range percentiles() {
			units = append(units, better(latencyBenchUnit(&results.Cell{Loop: loop}, p.name), "lower"))
		}
	}
	return units
}

// benchResult is an operation's line. Percentiles that the sample cannot carry
// are not in it; the costs, which are of all operations, are in the headline's.
func benchResult(run *results.Run, r row) *benchfmt.Result {
	c := r.cell
	result := &benchfmt.Result{Name: benchName(run, r), Iters: int(r.numbers().Count), Config: benchLabels(run, c)}
	add := func(v *float64, scale float64, unit string) {
		if v != nil {
			result.Values = append(result.Values, benchfmt.Value{Value: *v * scale, Unit: unit})
		}
	}
	for _, p := range percentiles() {
		add(p.of(r.times()), 1e3, latencyBenchUnit(c, p.name))
	}
	if rate := r.rate(); rate > 0 {
		add(&rate, 1, unitRate)
	}
	if r.operation == c.HeadlineOperation() {
		add(c.ServerCPUPerOp, 1e3, unitServerCPU)
		add(c.ClientCPUPerOp, 1e3, unitClientCPU)
		add(c.BytesPerSession, 1, unitMemory)
	}
	return result
}

// benchName is Scenario/op=…/target=…/client=…-cores.
func benchName(run *results.Run, r row) benchfmt.Name {
	name := fmt.Sprintf("%s/op=%s/target=%s/client=%s",
		camel(r.cell.Scenario), benchWord(r.operation), benchWord(r.cell.Target), benchWord(r.cell.Client))
	if run.Environment.Cores > 0 {
		name += fmt.Sprintf("-%d", run.Environment.Cores)
	}
	return benchfmt.Name(name)
}

// camel turns session-churn into SessionChurn: benchmarks have names like that.
func camel(s string) string {
	var b strings.Builder
	start := true
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			start = true
			continue
		}
		if start {
			r = unicode.ToUpper(r)
		}
		b.WriteRune(r)
		start = false
	}
	return b.String()
}

// benchWord keeps a word one part of a benchmark's name.
func benchWord(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || unicode.IsSpace(r) || unicode.IsControl(r) {
			return '_'
		}
		return r
	}, s)
}

// benchLabels are what a cell's lines have in common. Those that the run does not
// know are left out.
func benchLabels(run *results.Run, c *results.Cell) []benchfmt.Config {
	loop := "open"
	if closed(c) {
		loop = "closed"
	}
	var labels []benchfmt.Config
	for _, l := range [][2]string{
		{"cpu", run.Environment.CPU},
		{"engine", engine(c)},
		{"provider", c.Provider},
		{"loop", loop},
		{"load", c.Schedule},
		{"verdict", string(c.Verdict)},
	} {
		if value := strings.TrimSpace(clean(l[1])); value != "" {
			labels = append(labels, benchfmt.Config{Key: l[0], Value: []byte(value), File: true})
		}
	}
	return labels
}
