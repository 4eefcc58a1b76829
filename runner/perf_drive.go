package runner

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/toriibench/toriibench/compose"
	"github.com/toriibench/toriibench/results"
	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/runner/machine"
)

// served is what a server counted.
type served struct {
	cpu                    time.Duration
	hits, misses, commands int64
}

// countServed reads a server's counters.
func countServed(ctx context.Context, t *compose.Topology) (served, error) {
	info, err := t.Info(ctx, "cpu", "stats")
	if err != nil {
		return served{}, fmt.Errorf("read INFO: %w", err)
	}
	user, err1 := strconv.ParseFloat(info["used_cpu_user"], 64)
	system, err2 := strconv.ParseFloat(info["used_cpu_sys"], 64)
	hits, err3 := strconv.ParseInt(info["keyspace_hits"], 10, 64)
	misses, err4 := strconv.ParseInt(info["keyspace_misses"], 10, 64)
	commands, err5 := strconv.ParseInt(info["total_commands_processed"], 10, 64)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return served{}, fmt.Errorf("read INFO: %w", err)
	}
	return served{time.Duration((user + system) * float64(time.Second)), hits, misses, commands}, nil
}

// since subtracts an earlier reading.
func (s served) since(before served) served {
	return served{s.cpu - before.cpu, s.hits - before.hits, s.misses - before.misses, s.commands - before.commands}
}

// disagreement is by which share a generator's count may differ from the
// server's: it may not count what was under way when its time was up.
const disagreement = 0.01

// agree checks a generator's count of operations, each of which looks up so many
// keys, against the server's: a missing key is quicker to answer, and a rate that
// was not served is none.
func (s served) agree(operations, lookups int64) error {
	if s.misses > 0 {
		return fmt.Errorf("%d of the keys that it asked for were not there", s.misses)
	}
	found := float64(s.hits) / float64(lookups)
	if float64(operations) > found*(1+disagreement) || float64(operations) < found*(1-disagreement) {
		return fmt.Errorf("it tells of %d operations, and the server served %.0f", operations, found)
	}
	return nil
}

// clientCPU is the processor time that this program has used, which Linux tells.
func clientCPU() time.Duration {
	spent, _ := machine.OwnCPU()
	return spent
}

// driven is what one drive of the engine measured.
type driven struct {
	result *load.Result
	served served
	spent  cost
}

// drive runs the engine and reads the costs of the measured phase.
func (c *contest) drive(ctx context.Context, open func(context.Context) (load.Traffic, func() error, error), cfg load.Config) (m driven, err error) {
	traffic, done, err := open(ctx)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, done()) }()
	var before served
	var client time.Duration
	var countErr error
	cfg.OnPhase = func(p load.Phase) {
		if p == load.PhaseMeasure {
			before, countErr = countServed(ctx, c.topology)
			client = clientCPU()
		}
	}
	m.result, err = load.Run(ctx, cfg, traffic)
	spent := clientCPU() - client
	if err := errors.Join(err, countErr); err != nil {
		return m, err
	}
	after, err := countServed(ctx, c.topology)
	if err != nil {
		return m, err
	}
	m.served = after.since(before)
	m.spent = cost{client: &spent, server: &m.served.cpu}
	return m, nil
}

// sampleOf puts together what a turn in a closed loop measured.
func sampleOf(operations int64, rate float64, spent cost) results.PerfSample {
	s := results.PerfSample{Operations: operations, PerSecond: rate, PerClientSecond: perSecond(operations, *spent.client)}
	for to, d := range map[*float64]*time.Duration{&s.ClientCPU: spent.client, &s.ServerCPU: spent.server} {
		if us := perOperation(d, operations); us != nil {
			*to = *us
		}
	}
	return s
}

// keep adds a sample to a generator's.
func (c *contest) keep(generator, round, position int, s results.PerfSample) {
	s.Round, s.Position = round, position
	g := &c.result.Generators[generator]
	g.Samples = append(g.Samples, s)
}
