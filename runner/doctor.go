package runner

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/toriibench/toriibench/results"
)

func (p *program) doctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine can measure: timers, cores, noise, providers",
		Long: `doctor tries, in about eight seconds, how late each way to wait is, what the
engine and its histograms cost, how long a byte takes over loopback, and up to
which rate operations start punctually. It looks at what else uses the
processors and where servers could come from, and ends in one sentence.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.doctor(cmd.Context(), asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (p *program) doctor(ctx context.Context, asJSON bool) error {
	defer easeGC()()
	e := fullExamination(p.stderr)
	if err := e.run(ctx); err != nil {
		return causeOf(ctx, err)
	}
	tell := func() error { return printDoctor(p.stdout, &e.found, environment()) }
	if asJSON {
		tell = func() error { return printJSON(p.stdout, e.found) }
	}
	if err := tell(); err != nil {
		return err
	}
	if !keepsUp(&e.found) {
		return &fault{exitNoProof, fmt.Errorf("this machine could not keep up with %s operations a second", inUnits(e.found.Trials[0].Rate))}
	}
	return nil
}

// printDoctor tells a person what was found.
func printDoctor(w io.Writer, d *results.Doctor, env results.Environment) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		for i, words := range wrap(fmt.Sprintf(format, args...), 84) {
			fmt.Fprintf(table, "%s\t%s\n", first(i, name), words)
		}
	}
	line("machine", "%s, %s, kernel %s, %s", or(env.CPU, "processor"), or(env.OS, "system"), env.Kernel, env.Go)
	line("cores", "%d may be used (GOMAXPROCS %d); governor: %s; transparent huge pages: %s",
		d.CoresAllowed, env.Cores, or(d.Governor, unknown), or(d.HugePages, unknown))
	line("noise", "CPU pressure: %s in the ten seconds before; steal: %s", inPercent(d.Pressure), inPercent(d.Steal))
	line("clock", "%.0f ns to read; source: %s", d.ClockNS, or(d.ClockSource, unknown))
	for i, t := range d.Timers {
		line(first(i, "waits"), "%s: %s late, p99 %s; %s of CPU for each", t.Name, inTimeUnits(t.P50), inTimeUnits(t.P99), inTimeUnits(t.CPU))
	}
	line("", "chosen: %s; %s", d.Pacing, d.PacingWhy)
	line("engine", "%.0f ns of CPU for an operation that does nothing, at most %s a second; %.0f ns to record a value",
		d.NoopNS, inUnits(d.NoopPerSecond), d.HistogramNS)
	line("loopback", "%s for one byte there and back", inTimeUnits(d.EchoUS))
	for i, t := range d.Trials {
		line(first(i, "echoes"), "%s/s: %.4g %% in time; lag %s, p99 %s; response %s, p99 %s", inUnits(t.Rate), t.InTime,
			inTimeUnits(t.LagP50), inTimeUnits(t.LagP99), inTimeUnits(t.ResponseP50), inTimeUnits(t.ResponseP99))
	}
	for i, name := range slices.Sorted(maps.Keys(d.Providers)) {
		line(first(i, "servers"), "%s: %s", name, d.Providers[name])
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print what was found: %w", err)
	}
	fmt.Fprintf(w, "\n%s\n", strings.Join(wrap(d.Sentence, 94), "\n"))
	return nil
}

const unknown = "not known"

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// first names a group in its first line alone.
func first(i int, name string) string {
	if i > 0 {
		return ""
	}
	return name
}

// inTimeUnits gives microseconds the unit that a person would.
func inTimeUnits(us float64) string {
	switch {
	case us < 10:
		return fmt.Sprintf("%.1f µs", us)
	case us < 1000:
		return fmt.Sprintf("%.0f µs", us)
	case us < 10_000:
		return fmt.Sprintf("%.1f ms", us/1000)
	default:
		return fmt.Sprintf("%.0f ms", us/1000)
	}
}

func inPercent(v *float64) string {
	if v == nil {
		return unknown
	}
	return fmt.Sprintf("%.1f %%", *v)
}

// inUnits rounds a rate to what a person reads.
func inUnits(rate float64) string {
	switch {
	case rate < 1000:
		return fmt.Sprintf("%.0f", rate)
	case rate < 1e6:
		return fmt.Sprintf("%.0fk", rate/1000)
	default:
		return fmt.Sprintf("%.1fM", rate/1e6)
	}
}
