package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/toriibench/toriibench/compose"
	"github.com/toriibench/toriibench/results"
	"github.com/toriibench/toriibench/scenarios"
)

// bench is one call of the bench command under way.
type bench struct {
	*program
	o        *benchOptions
	plan     benchPlan
	provider compose.Provider
	began    time.Time
	dir      string
	result   results.Run
	log      *results.LogWriter
	progress *progress
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
		return nil, err
	}
	b := &bench{program: p, o: o, plan: plan, provider: provider, began: now, dir: dir, log: log}
	b.result = results.Run{
		Schema: results.Schema, ID: id, Started: now.UTC(), Command: o.command, Seed: o.seed,
		Environment: environment(), Reason: "the run was still going on when this was written",
	}
	b.progress = newProgress(p.stderr, plan.cells(), o.warmup+o.measure)
	return b, nil
}

// cells counts what is to be measured.
func (plan *benchPlan) cells() int {
	return len(plan.scenarios) * len(plan.targets) * len(plan.clients)
}

// run measures all cells, the targets of one scenario and client one after the
// other, so that what is compared lies close together in time. After each cell
// the run's file is written, so that little is lost whatever comes.
func (b *bench) run(ctx context.Context) error {
	defer b.progress.close()
	for _, s := range b.plan.scenarios {
		for _, c := range b.plan.clients {
			for _, t := range b.plan.targets {
				if err := b.measure(ctx, s, t, c); err != nil {
					return err
				}
			}
		}
	}
	b.result.Complete, b.result.Reason = true, ""
	return nil
}

// measure adds one cell to the run. A cell that broke off half way is added too,
// marked as invalid.
func (b *bench) measure(ctx context.Context, s scenarios.Scenario, t compose.Target, c client) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	what := s.Name + " on " + strings.TrimSuffix(t.String(), "@"+compose.Standalone) + " through " + c.name
	b.progress.cell(what)
	m := &measurement{bench: b, scenario: s, target: t, client: c}
	err := m.run(ctx)
	if m.cell.Scenario != "" {
		b.result.Cells = append(b.result.Cells, m.cell)
	}
	b.result.Seconds = time.Since(b.began).Seconds()
	if writeErr := results.Write(b.dir, &b.result); writeErr != nil {
		return errors.Join(err, writeErr)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// finish writes the run for the last time, draws and tells it, and turns what
// happened into an error with the right exit code.
func (b *bench) finish(runErr error) error {
	if runErr != nil {
		b.result.Reason = oneLine(runErr)
	}
	b.result.Seconds = time.Since(b.began).Seconds()
	if err := errors.Join(b.log.Close(), results.Write(b.dir, &b.result)); err != nil {
		return errors.Join(runErr, err)
	}
	if len(b.result.Cells) == 0 {
		// Nothing was measured: an empty folder would only be in the way.
		return errors.Join(runErr, os.RemoveAll(b.dir))
	}
	if err := b.tell(&b.result, b.dir, &reportOptions{json: b.o.json}); err != nil {
		return errors.Join(runErr, err)
	}
	if runErr != nil {
		return runErr
	}
	return b.verdict()
}

// oneLine keeps a reason readable in a file and a table.
func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}

// verdict turns violated invariants and invalid cells into exit codes. Which
// they were is in the tables already.
func (b *bench) verdict() error {
	invalid := false
	for i := range b.result.Cells {
		cell := &b.result.Cells[i]
		for name, inv := range cell.Invariants {
			if inv.Violated > 0 {
				return &fault{exitBadVerdict, fmt.Errorf("invariant %s was violated %d times on %s through %s: %s",
					name, inv.Violated, cell.Target, cell.Client, inv.Example)}
			}
		}
		invalid = invalid || cell.Verdict == results.Invalid
	}
	if invalid {
		return &fault{exitNoProof, errors.New("at least one cell is invalid and proves nothing; the tables say which and why")}
	}
	return nil
}
