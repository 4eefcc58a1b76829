package runner

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/toriibench/toriibench/results"
	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/runner/peers"
)

// The operations that are compared.
const (
	operationGet          = "get"
	operationAuthenticate = "authenticate"
)

// The rates of the open loops, in operations/s.
const (
	steadyRate = 10_000
	briskRate  = 40_000
)

// perfWarmup comes before each turn of ours; the others have none, and a start
// of a few milliseconds.
const perfWarmup = 300 * time.Millisecond

// patience is how long an operation of a closed loop may take. The others wait
// for ever.
const patience = 10 * time.Second

// noops is how many operations a round of those that do nothing has.
const noops = 1 << 20

// turns lists all that has its turn, and makes room for what it measures.
func (c *contest) turns() []turn {
	var turns []turn
	for _, p := range c.peers {
		i := c.add(results.PerfGenerator{
			Name: p.Name, Version: p.Version, Origin: p.Origin, Operation: operationGet,
			Connections: c.options.connections, Callers: c.options.connections,
		})
		turns = append(turns, turn{p.Name, func(ctx context.Context, round, position int) error {
			return c.peerTurn(ctx, p, i, round, position)
		}})
	}
	for _, e := range c.entrants() {
		i := c.add(results.PerfGenerator{
			Name: e.name, Ours: true, Version: version(), Origin: "this program", Operation: e.operation,
			Connections: e.connections, Callers: c.options.connections,
		})
		turns = append(turns, turn{e.name, func(ctx context.Context, round, position int) error {
			return c.ownTurn(ctx, e, i, round, position)
		}})
	}
	for _, rate := range []float64{steadyRate, briskRate} {
		i := len(c.result.Open)
		s := load.Poisson(rate, c.options.length)
		c.result.Open = append(c.result.Open, results.PerfOpen{Name: "get, valkey-go", Schedule: s.String(), Rate: rate})
		turns = append(turns, turn{"open loop " + s.String(), func(ctx context.Context, round, _ int) error {
			return c.openTurn(ctx, s, i, round)
		}})
	}
	return append(turns, turn{"no-op", c.noopTurn})
}

func (c *contest) add(g results.PerfGenerator) int {
	c.result.Generators = append(c.result.Generators, g)
	return len(c.result.Generators) - 1
}

// peerTurn is the turn of another generator.
func (c *contest) peerTurn(ctx context.Context, p *peers.Peer, generator, round, position int) error {
	before, err := countServed(ctx, c.topology)
	if err != nil {
		return err
	}
	done, err := p.Run(ctx, c.job)
	if err != nil {
		return err
	}
	after, err := countServed(ctx, c.topology)
	if err != nil {
		return err
	}
	spent := cost{client: &done.CPU, server: new(after.cpu - before.cpu)}
	if err := after.since(before).agree(done.Operations, 1); err != nil {
		return err
	}
	c.keep(generator, round, position, sampleOf(done.Operations, done.PerSecond, spent))
	return nil
}

// ownTurn is a turn of this program's engine in a closed loop.
func (c *contest) ownTurn(ctx context.Context, e entrant, generator, round, position int) error {
	m, err := c.drive(ctx, e.open, load.Config{
		Warmup: load.Constant(1, perfWarmup), Measure: load.Constant(1, c.options.length),
		Workers: c.options.connections, Closed: true, Timeout: patience,
	})
	if err != nil {
		return err
	}
	// Failures are quicker than answers, so that there may be none.
	if r := m.result; r.Errors > 0 || r.Abandoned > 0 {
		return fmt.Errorf("%d operations failed and %d never came back: %v", r.Errors, r.Abandoned, r.ErrorSamples)
	}
	lookups := int64(1)
	if e.operation == operationAuthenticate {
		lookups = 2
	}
	if err := m.served.agree(m.result.Sent, lookups); err != nil {
		return err
	}
	c.keep(generator, round, position, sampleOf(m.result.Sent, perSecond(m.result.Sent, m.result.Elapsed), m.spent))
	return nil
}

// openTurn is a turn of this program's engine in an open loop.
func (c *contest) openTurn(ctx context.Context, s load.Schedule, open, round int) error {
	waiter := c.pacing.NewWaiter()
	m, err := c.drive(ctx, c.bareValkey(c.storeConfig()), load.Config{
		Warmup: load.Poisson(steadyRate, perfWarmup), Measure: s, Seed: c.options.seed + uint64(round), Waiter: waiter,
	})
	if err := errors.Join(err, waiter.Close()); err != nil {
		return err
	}
	r := m.result
	op := r.Operations[0]
	us := func(d int64) float64 { return float64(d) / float64(time.Microsecond) }
	c.result.Open[open].Samples = append(c.result.Open[open].Samples, results.PerfOpenSample{
		Round: round, Offered: r.Offered, Sent: r.Sent, Dropped: r.Dropped, Errors: r.Errors,
		Achieved: float64(r.InTime) / float64(max(1, r.Offered)),
		LagP50:   us(op.Lag.ValueAtQuantile(50)), LagP99: us(op.Lag.ValueAtQuantile(99)),
		ResponseP50: us(op.Response.ValueAtQuantile(50)), ResponseP99: us(op.Response.ValueAtQuantile(99)),
		ClientShare: m.spent.client.Seconds() / r.Elapsed.Seconds(),
	})
	return nil
}

// noopTurn measures what an operation costs that does nothing: it is scheduled,
// handed over and recorded as any other, as fast as it goes.
func (c *contest) noopTurn(ctx context.Context, round, _ int) error {
	var began time.Duration
	var before, after runtime.MemStats
	r, err := load.Run(ctx, load.Config{
		Measure: load.Constant(load.MaxRate, time.Duration(noops*float64(time.Second)/load.MaxRate)), Backlog: noops,
		OnPhase: func(p load.Phase) {
			if p == load.PhaseMeasure {
				runtime.ReadMemStats(&before)
				began = clientCPU()
			}
		},
	}, nothing{})
	if err != nil {
		return err
	}
	spent := clientCPU() - began
	runtime.ReadMemStats(&after)
	if r.Dropped > 0 || r.Sent == 0 {
		return fmt.Errorf("of %d operations that do nothing %d were dropped", r.Offered, r.Dropped)
	}
	c.result.Noop = append(c.result.Noop, results.PerfNoop{
		Round: round, Operations: r.Sent, PerClientSecond: perSecond(r.Sent, spent),
		Allocations: float64(after.Mallocs-before.Mallocs) / float64(r.Sent),
	})
	return nil
}
