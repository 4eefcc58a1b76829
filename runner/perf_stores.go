package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/toriibench/toriibench/report"
	"github.com/toriibench/toriibench/results"
)

// storesOptions say how to compare stores.
type storesOptions struct {
	perfOptions
	users, sessions int
}

// Bounds of what a person may ask for: 10 million sessions take about 8 GB.
const (
	maxStoreUsers    = 1_000_000
	maxStoreSessions = 10_000_000
)

// PerfStoresMain compares the store with those of other people, and is otherwise
// as Main: it is the program in runner/peers/stores.
func PerfStoresMain(ctx context.Context, args []string, others []StorePeer, stdout, stderr io.Writer) int {
	stderr = shared(stderr)
	ctx, stop := withSignals(ctx, stderr)
	defer stop()
	p := &program{stdout: stdout, stderr: stderr}
	cmd := p.storesCommand(others) //nolint:contextcheck // Cobra hands the context over.
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	return p.exitCode(ctx, cmd.ExecuteContext(ctx))
}

func (p *program) storesCommand(others []StorePeer) *cobra.Command {
	var o storesOptions
	cmd := &cobra.Command{
		Use:   "perf-store",
		Short: "Measure this project's session store beside other Go session stores",
		Long: `perf-store starts one server on a processor of its own and lets each session
store drive it from another one, in turn and for several rounds: sessions are
created, found, refreshed and deleted by as many callers at once. It prints what
each reached per second and per second of its processor time, the ratios of this
store to each other one, and whether it is the faster one; and what sessions take
in the server's memory. It needs Linux and two processors.`,
		Example: `  make perf-store
  make perf-store ARGS="--rounds 10 --for 2s --target redis:8.0"`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return p.perfStores(cmd.Context(), &o, others) },
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(fmt.Errorf("%w; see %s --help", err, cmd.CommandPath()))
	})
	f := cmd.Flags()
	o.addFlags(f)
	f.IntVar(&o.rounds, "rounds", 5, "how often each store has its turn")
	f.DurationVar(&o.length, "for", time.Second, "how long each operation of a turn is measured")
	f.IntVar(&o.connections, "connections", 50, "callers, and connections at most")
	f.IntVar(&o.users, "users", 20_000, "users who have the sessions; one session of each is found, refreshed and deleted")
	f.IntVar(&o.sessions, "sessions", 20_000, "sessions, at least, to measure the bytes of; 0 leaves that out")
	finish(cmd)
	return cmd
}

func (o *storesOptions) check() error {
	switch {
	case o.users < 1 || o.users > maxStoreUsers:
		return fmt.Errorf("--users %d: give between 1 and %d", o.users, maxStoreUsers)
	case o.sessions < 0 || o.sessions > maxStoreSessions:
		return fmt.Errorf("--sessions %d: give between 0 and %d", o.sessions, maxStoreSessions)
	}
	return nil
}

// perfStores compares, writes the result, and tells it.
func (p *program) perfStores(ctx context.Context, o *storesOptions, others []StorePeer) error {
	if err := o.check(); err != nil {
		return usage(err)
	}
	s, err := p.setStage(ctx, &o.perfOptions)
	if err != nil {
		return err
	}
	defer s.leave()
	defer easeGC()()
	c := &storeContest{program: p, options: o, stage: s, entrants: slices.Concat(ownStores(), others)}
	c.people = newPeople(o.seed, o.users)
	c.result = results.PerfStores{
		Schema: results.PerfSchema, Kind: results.KindStores, Started: time.Now().UTC(), Seed: o.seed,
		Environment: environment(), Target: s.target.String(), Provider: s.provider.Name(),
		Setup: results.PerfStoresSetup{
			ServerCPU: s.serverCPU, ClientCPU: s.clientCPU, Callers: o.connections, Users: o.users,
			Rounds: o.rounds, RoundSeconds: o.length.Seconds(),
		},
	}
	return c.finish(causeOf(ctx, c.run(ctx)))
}

// finish computes the ratios, writes and tells what was measured.
func (c *storeContest) finish(runErr error) error {
	r := &c.result
	r.Seconds = time.Since(r.Started).Seconds()
	r.Complete = runErr == nil
	if runErr != nil {
		r.Reason = oneLine(runErr)
	}
	if !c.measured() {
		return errors.Join(runErr, c.failure(), os.Remove(c.stage.path)) // an empty file would only be in the way
	}
	concludeStores(r)
	if err := results.WritePerf(c.stage.path, r); err != nil {
		return errors.Join(runErr, err)
	}
	if c.options.json {
		runErr = errors.Join(runErr, printJSON(c.program.stdout, r))
	} else {
		fmt.Fprintf(c.program.stdout, "%s\nAll numbers are in %s\n", report.PerfStores(r), c.stage.path)
	}
	if runErr == nil {
		return c.failure()
	}
	return runErr
}

// measured says whether there is anything to tell.
func (c *storeContest) measured() bool {
	return len(c.result.Memory) > 0 || slices.ContainsFunc(c.result.Stores, func(s results.PerfStore) bool { return len(s.Operations) > 0 })
}

// failure is about turns that failed; nil without any.
func (c *storeContest) failure() error {
	failed := c.result.Failed
	if len(failed) == 0 {
		return nil
	}
	return &fault{exitNoProof, fmt.Errorf("%d turns failed, the first in %s", len(failed), failed[0])}
}
