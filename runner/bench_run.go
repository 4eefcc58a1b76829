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

	"github.com/toriibench/toriibench/compose"
	"github.com/toriibench/toriibench/compose/debian"
	"github.com/toriibench/toriibench/results"
	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/scenarios"
)

// bench is one call of the bench command under way.
type bench struct {
	program  *program
	options  *benchOptions
	plan     benchPlan
	provider compose.Provider
	place    placement
	began    time.Time
	// prefix begins all keys of the run.
	prefix   string
	dir      string
	result   results.Run
	log      *results.LogWriter
	progress *progress
	// crowded tells that another run was measuring when this one began.
	crowded bool
	// calibration is how this machine waits best.
	calibration load.Calibration
	// metrics shows the run while it goes on; nil when nobody asked.
	metrics *metrics
}

// newBench makes the run's folder, so that a folder that cannot be written shows
// before anything is measured.
func (p *program) newBench(o *benchOptions, plan benchPlan, provider compose.Provider) (*bench, error) {
	now := time.Now()
	dir, id, err := results.NewRunDir(o.out, now, o.name)
	if err != nil {
		return nil, err
	}
	log, err := results.CreateLog(dir)
	if err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	b := &bench{program: p, options: o, plan: plan, provider: provider, began: now, dir: dir, log: log}
	b.place = choosePlacement(o.pin)
	b.prefix = fmt.Sprintf("toriibench-%x-%04x", now.UnixMilli(), rand.Uint32()&0xffff)
	b.result = results.Run{
		Schema: results.Schema, ID: id, Started: now.UTC(), Command: o.command(plan.targets), Seed: o.seed,
		Environment: environment(), Reason: "the run was still going on when this was written", NotRun: plan.notRun,
	}
	b.progress = newProgress(p.stderr, plan.cells(), o.warmup+o.lengthOf(plan.scenarios[0]))
	return b, nil
}

// cells counts what is to be measured.
func (plan *benchPlan) cells() int {
	return (len(plan.scenarios)*len(plan.targets) - len(plan.notRun)) * len(plan.clients)
}

// rehearse starts every target once, which fetches what is not here yet, so that
// one that cannot be had shows before minutes were spent on the others.
func (b *bench) rehearse(ctx context.Context) error {
	for _, t := range b.plan.targets {
		first := slices.IndexFunc(b.plan.scenarios, func(s scenarios.Scenario) bool { return b.plan.runs(s, t) })
		if first < 0 {
			continue
		}
		c := &cellRun{bench: b, scenario: b.plan.scenarios[first], target: t}
		topology, err := b.provider.Start(ctx, t, c.serverOptions())
		if errors.Is(err, compose.ErrNotSupported) || errors.Is(err, debian.ErrUnknownVersion) {
			return usage(err)
		}
		if err != nil {
			return causeOf(ctx, err)
		}
		if topology.Provider == compose.External().Name() {
			fmt.Fprintf(b.program.stderr, "%s is not ours: all keys of this run begin with %q and are deleted at the end; "+
				"after a second interrupt or a kill they stay, and you delete them\n", t, b.prefix+":{")
		}
		if err := topology.Close(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// run measures all cells, the targets of one scenario and client one after the
// other, so that what is compared lies close together in time. After each cell
// the run's file is written, so that little is lost whatever comes.
func (b *bench) run(ctx context.Context) error {
	for _, s := range b.plan.scenarios {
		for _, c := range b.plan.clients {
			for _, t := range b.plan.targets {
				if !b.plan.runs(s, t) {
					continue // The report says why.
				}
				if err := b.cell(ctx, s, t, c); err != nil {
					return err
				}
			}
		}
	}
	b.result.Complete, b.result.Reason = true, ""
	return nil
}

// cell adds one cell to the run. One that broke off half way is added too,
// marked as invalid; the run goes on when only this cell could not be measured.
func (b *bench) cell(ctx context.Context, s scenarios.Scenario, t compose.Target, cl client) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	what := s.Name + " on " + strings.TrimSuffix(t.Name(), "@"+compose.Standalone) + " through " + cl.name
	b.progress.cell(what)
	c := &cellRun{bench: b, scenario: s, target: t, client: cl}
	err := c.run(ctx)
	if c.cell.Scenario != "" {
		b.result.Cells = append(b.result.Cells, c.cell)
	}
	b.result.Seconds = time.Since(b.began).Seconds()
	if writeErr := results.Write(b.dir, &b.result); writeErr != nil {
		return errors.Join(err, writeErr)
	}
	if errors.Is(err, scenarios.ErrTooSlow) {
		fmt.Fprintf(b.progress, "%s: %v\n", what, err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// finish writes the run for the last time, draws and tells it, and turns what
// happened into an error with the right exit code. Numbers that cannot be
// written are told all the same.
func (b *bench) finish(runErr error) error {
	b.progress.close()
	if err := b.log.Close(); err != nil {
		runErr = errors.Join(runErr, err)
	}
	if runErr != nil {
		b.result.Complete, b.result.Reason = false, oneLine(runErr)
	}
	b.result.Seconds = time.Since(b.began).Seconds()
	if len(b.result.Cells) == 0 {
		// Nothing was measured: an empty folder would only be in the way.
		return errors.Join(runErr, os.RemoveAll(b.dir))
	}
	writeErr := results.Write(b.dir, &b.result)
	tellErr := b.program.tell(&b.result, b.dir, &reportOptions{json: b.options.json})
	if err := errors.Join(runErr, writeErr, tellErr); err != nil {
		return fmt.Errorf("%w\nwhat was measured until then is in %s", err, b.dir)
	}
	return b.verdict()
}

// oneLine keeps a reason readable in a file and a table: its first line.
func oneLine(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return strings.Join(strings.Fields(first), " ")
}

// verdict turns violated invariants and invalid cells into exit codes. Which
// they were is in the tables already.
func (b *bench) verdict() error {
	var violated, invalid, notRun []string
	for _, one := range b.result.NotRun {
		notRun = append(notRun, one.Scenario+" on "+strings.TrimSuffix(one.Target, "@"+compose.Standalone))
	}
	for i := range b.result.Cells {
		cell := &b.result.Cells[i]
		if cell.Verdict == results.Invalid {
			invalid = append(invalid, cell.ID())
		}
		for name, inv := range cell.Invariants {
			if inv.Violated > 0 {
				violated = append(violated, fmt.Sprintf("%s on %s", name, cell.ID()))
			}
		}
	}
	slices.Sort(violated)
	switch {
	case len(violated) > 0:
		return &fault{exitBadVerdict, fmt.Errorf("violated: %s; the tables tell the first violation of each", strings.Join(violated, ", "))}
	case len(invalid) > 0:
		return &fault{exitNoProof, fmt.Errorf("invalid, and so without proof: %s; the tables say why", strings.Join(invalid, ", "))}
	case len(notRun) > 0:
		return &fault{exitNoProof, fmt.Errorf("not run, and so without proof: %s; the report says why", strings.Join(notRun, ", "))}
	default:
		return nil
	}
}
