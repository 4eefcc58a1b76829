package runner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/toriibench/toriibench/compose"
	"github.com/toriibench/toriibench/report"
	"github.com/toriibench/toriibench/results"
)

// perfOptions say how to compare.
type perfOptions struct {
	target, provider    string
	rounds, connections int
	length              time.Duration
	seed                uint64
	out, profile        string
	json                bool
}

// Bounds of what a person may ask for.
const (
	maxRounds          = 100
	maxRoundLength     = 10 * time.Minute
	maxPerfConnections = 1000
)

func (p *program) perfCommand() *cobra.Command {
	var o perfOptions
	cmd := &cobra.Command{
		Use:   "perf",
		Short: "Measure this generator beside redis-benchmark, valkey-benchmark and memtier_benchmark",
		Long: `perf starts one server on a processor of its own and lets each generator that is
here drive it from another one, in turn and for several rounds: the same keys,
values and connections. It prints what each reached per second and per second of
its processor time, the ratios of this program's engine to the best of the
others, and its goals, met or missed; and writes all of it to a file.

redis-benchmark and valkey-benchmark come with the fetched servers;
memtier_benchmark is taken from the PATH. It needs Linux and two processors.`,
		Example: `  toriibench perf
  toriibench perf --rounds 10 --for 5s --target redis:8.0`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.perf(cmd.Context(), &o) },
	}
	f := cmd.Flags()
	o.addFlags(f)
	f.IntVar(&o.rounds, "rounds", 5, "how often each generator has its turn")
	f.DurationVar(&o.length, "for", 3*time.Second, "how long a turn is")
	f.IntVar(&o.connections, "connections", 50, "connections of the other generators, and callers of this one")
	return cmd
}

// addFlags adds those that mean the same in every comparison.
func (o *perfOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.target, "target", "valkey:8.1", "`target` to drive")
	f.StringVar(&o.provider, "provider", compose.Auto, "where the server comes from: auto, native or docker")
	f.Uint64Var(&o.seed, "seed", 0, "seed of the traffic (default: random)")
	f.StringVar(&o.profile, "cpuprofile", "", "write a processor profile of this program to a `file`, for go tool pprof")
	f.StringVar(&o.out, "out", "results/perf", "`folder` to write the result into")
	f.BoolVar(&o.json, "json", false, "print the result as JSON instead of tables")
}

// check refuses what makes no sense.
func (o *perfOptions) check() (t compose.Target, err error) {
	switch {
	case o.rounds < 1 || o.rounds > maxRounds:
		return t, fmt.Errorf("--rounds %d: give between 1 and %d", o.rounds, maxRounds)
	case o.length < 100*time.Millisecond || o.length > maxRoundLength:
		return t, fmt.Errorf("--for %s: give between 100ms and %s", o.length, maxRoundLength)
	case o.connections < 1 || o.connections > maxPerfConnections:
		return t, fmt.Errorf("--connections %d: give between 1 and %d", o.connections, maxPerfConnections)
	case !slices.Contains(providers(), o.provider):
		return t, fmt.Errorf("--provider %q: there are %s", o.provider, strings.Join(providers(), ", "))
	}
	for o.seed == 0 {
		o.seed = rand.Uint64()
	}
	if t, err = compose.ParseTarget(o.target); err != nil {
		return t, err
	}
	if t.URL != "" {
		return t, fmt.Errorf("--target %s: a comparison starts its own server, to give it a processor; name an engine such as valkey:8.1", t)
	}
	if t.Topology != compose.Standalone || len(t.Options) > 0 {
		return t, fmt.Errorf("measure beside other programs on %s: they want a standalone server without options", t)
	}
	return t, t.Startable()
}

// perf compares, writes the result, and tells it.
func (p *program) perf(ctx context.Context, o *perfOptions) error {
	s, err := p.setStage(ctx, o)
	if err != nil {
		return err
	}
	defer s.leave()
	defer easeGC()()
	c := &contest{program: p, options: o, stage: s}
	c.result = results.Perf{
		Schema: results.PerfSchema, Started: time.Now().UTC(), Seed: o.seed, Environment: environment(), Target: s.target.String(),
		Setup: results.PerfSetup{
			ServerCPU: s.serverCPU, ClientCPU: s.clientCPU, Connections: o.connections,
			Rounds: o.rounds, RoundSeconds: o.length.Seconds(),
		},
	}
	return c.finish(s.path, causeOf(ctx, c.run(ctx)))
}

// finish computes ratios and goals, writes and tells what was measured.
func (c *contest) finish(path string, runErr error) error {
	r := &c.result
	r.Seconds = time.Since(r.Started).Seconds()
	r.Complete = runErr == nil
	if runErr != nil {
		r.Reason = oneLine(runErr)
	}
	if !c.measured() {
		return errors.Join(runErr, os.Remove(path)) // an empty file would only be in the way
	}
	conclude(r)
	if err := results.WritePerf(path, r); err != nil {
		return errors.Join(runErr, err)
	}
	if c.options.json {
		runErr = errors.Join(runErr, printJSON(c.program.stdout, r))
	} else {
		fmt.Fprintf(c.program.stdout, "%s\nAll numbers are in %s\n", report.Perf(r), path)
	}
	if runErr == nil && len(r.Failed) > 0 {
		return &fault{exitNoProof, fmt.Errorf("%d turns failed, the first in %s", len(r.Failed), r.Failed[0])}
	}
	return runErr
}

// measured says whether there is anything to tell.
func (c *contest) measured() bool {
	return slices.ContainsFunc(c.result.Generators, func(g results.PerfGenerator) bool { return len(g.Samples) > 0 })
}
