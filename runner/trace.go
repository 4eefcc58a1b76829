package runner

import (
	"context"

	"github.com/toriibench/toriibench/results"
	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/store"
)

// traceEvery is how many operations there are to one whose service time is
// divided: few enough traces to cost nothing, and thousands in ten seconds.
const traceEvery = 32

// traceEvery is for the engine: a closed loop, which is about cost, traces nothing.
func (c *cellRun) traceEvery() int {
	if c.bench.options.closed > 0 {
		return 0
	}
	return traceEvery
}

// tracing has the store tell the engine's traces where the time went.
type tracing struct{ load.Traffic }

// Do is part of load.Traffic.
func (t tracing) Do(ctx context.Context, op *load.Op) (int, error) {
	if op.Trace == nil {
		return t.Traffic.Do(ctx, op)
	}
	var trace store.Trace
	kind, err := t.Traffic.Do(store.WithTrace(ctx, &trace), op)
	if trace.Unseen > 0 {
		op.Trace = nil
		return kind, err
	}
	op.Trace.Queue, op.Trace.Wire = trace.Queue, trace.Wire
	return kind, err
}

// parts gives what was traced the form of the file; nil for nothing.
func parts(p load.Parts) *results.Parts {
	if p.Queue == nil || p.Queue.TotalCount() == 0 {
		return nil
	}
	return &results.Parts{
		Count: p.Queue.TotalCount(),
		Queue: results.Summarize(p.Queue), Wire: results.Summarize(p.Wire), Rest: results.Summarize(p.Rest),
	}
}
