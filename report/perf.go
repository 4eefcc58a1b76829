package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/toriibench/toriibench/results"
)

// Perf renders a comparison of generators as text: what each reached, the
// ratios, and the goals with what was reached of them.
func Perf(r *results.Perf) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n\n", perfHead(r))
	perfGenerators(&out, r)
	perfRatios(&out, r)
	perfOpen(&out, r)
	perfGoals(&out, r)
	for _, missing := range r.Missing {
		fmt.Fprintf(&out, "not compared with: %s\n", clean(missing))
	}
	for _, failed := range r.Failed {
		fmt.Fprintf(&out, "failed, and left out: %s\n", clean(failed))
	}
	if !r.Complete {
		fmt.Fprintf(&out, "The comparison was broken off: %s\n", clean(r.Reason))
	}
	return out.String()
}

// perfHead says what was compared, and on what.
func perfHead(r *results.Perf) string {
	s := r.Setup
	return fmt.Sprintf("%s %s (%s) on CPU %d, every generator on CPU %d · %s · %s\n"+
		"%d keys of %d bytes and %d sessions, drawn uniformly · %d connections or callers · %d rounds of %g s, each in another order",
		clean(r.Server.Name), clean(r.Server.Version), clean(r.Origin), s.ServerCPU, s.ClientCPU, clean(r.Environment.CPU), clean(r.Environment.Go),
		s.Keys, s.ValueBytes, s.Sessions, s.Connections, s.Rounds, s.RoundSeconds)
}

// perfTable writes rows whose first line is the head. Columns but the first are
// aligned by tabs alone.
func perfTable(out *strings.Builder, title string, rows [][]string) {
	if len(rows) < 2 {
		return
	}
	fmt.Fprintf(out, "%s\n\n", title)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintf(table, "  %s\n", strings.Join(row, "\t"))
	}
	_ = table.Flush() // It writes to memory.
	fmt.Fprintln(out)
}

// spreadText is a median with the least and the most.
func spreadText(s results.Spread) string {
	return fmt.Sprintf("%s [%s … %s]", digits3(s.Median), digits3(s.Low), digits3(s.High))
}

// sampleSpread is a spread over samples.
func sampleSpread[S any](samples []S, of func(S) float64) string {
	if len(samples) == 0 {
		return dash
	}
	var values []float64
	for _, s := range samples {
		values = append(values, of(s))
	}
	slices.Sort(values)
	n := len(values)
	return spreadText(results.Spread{Median: (values[(n-1)/2] + values[n/2]) / 2, Low: values[0], High: values[n-1]})
}

func perfGenerators(out *strings.Builder, r *results.Perf) {
	rows := [][]string{{"generator", "version", "conn", "ops/s", "ops per client CPU s", "client µs/op", "server µs/op"}}
	for _, g := range r.Generators {
		type sample = results.PerfSample
		rows = append(rows, []string{
			clean(g.Name), clean(g.Version), strconv.Itoa(g.Connections),
			sampleSpread(g.Samples, func(s sample) float64 { return s.PerSecond }),
			sampleSpread(g.Samples, func(s sample) float64 { return s.PerClientSecond }),
			sampleSpread(g.Samples, func(s sample) float64 { return s.ClientCPU }),
			sampleSpread(g.Samples, func(s sample) float64 { return s.ServerCPU }),
		})
	}
	perfTable(out, "Closed loop: throughput and cost, and no latency. Median of the rounds [least … most]", rows)
}

func perfRatios(out *strings.Builder, r *results.Perf) {
	rows := [][]string{{"this engine", "measure", "times as many as", "ratio"}}
	for _, ratio := range r.Ratios {
		rows = append(rows, []string{clean(ratio.Of), clean(ratio.Measure), clean(ratio.To), spreadText(ratio.Spread)})
	}
	perfTable(out, "Ratios to the best other generator, paired by round", rows)
}

func perfOpen(out *strings.Builder, r *results.Perf) {
	type sample = results.PerfOpenSample
	rows := [][]string{{"schedule", "lag p50 µs", "lag p99 µs", "response p50 µs", "response p99 µs", "achieved %", "dropped", "% of a core"}}
	for _, o := range r.Open {
		rows = append(rows, []string{
			clean(o.Schedule),
			sampleSpread(o.Samples, func(s sample) float64 { return s.LagP50 }),
			sampleSpread(o.Samples, func(s sample) float64 { return s.LagP99 }),
			sampleSpread(o.Samples, func(s sample) float64 { return s.ResponseP50 }),
			sampleSpread(o.Samples, func(s sample) float64 { return s.ResponseP99 }),
			sampleSpread(o.Samples, func(s sample) float64 { return 100 * s.Achieved }),
			sampleSpread(o.Samples, func(s sample) float64 { return float64(s.Dropped) }),
			sampleSpread(o.Samples, func(s sample) float64 { return 100 * s.ClientShare }),
		})
	}
	perfTable(out, "Open loop: bare GET through valkey-go, paced by "+clean(r.Environment.Pacing), rows)
}

func perfGoals(out *strings.Builder, r *results.Perf) {
	rows := [][]string{{"goal", "bound", "reached", ""}}
	for _, g := range r.Goals {
		bound := "at most "
		if g.AtLeast {
			bound = "at least "
		}
		got, word := "nothing to compare with", "open"
		switch {
		case g.Got == nil:
		case g.Met:
			got, word = spreadText(*g.Got), "met"
		default:
			got, word = spreadText(*g.Got), "MISSED"
		}
		rows = append(rows, []string{clean(g.Name), strings.TrimSpace(bound + digits3(g.Bound) + " " + g.Unit), got, word})
	}
	perfTable(out, "Goals: of the median", rows)
}
