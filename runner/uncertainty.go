package runner

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/toriibench/toriibench/results"
	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/runner/stats"
)

// confidence is that of all intervals.
const confidence = 0.95

// uncertainty gathers the response times of each operation second by second, from
// which it is seen how far a percentile may be off. It is bounded: at most 200
// stretches of time for each operation, however long the run.
type uncertainty struct{ blocks map[string]*stats.Blocks }

// add takes over what was counted in a second.
func (u *uncertainty) add(ops []load.OpResult) {
	if u.blocks == nil {
		u.blocks = map[string]*stats.Blocks{}
	}
	for _, op := range ops {
		if u.blocks[op.Name] == nil {
			u.blocks[op.Name] = new(stats.Blocks)
		}
		u.blocks[op.Name].Add(stats.CountsOf(op.Response))
	}
}

// intervals gives those of an operation's percentiles that are not nil. They
// depend on nothing but what was added and the seed.
func (u *uncertainty) intervals(operation string, p results.Percentiles, seed uint64) map[string]results.Bounds {
	blocks := u.blocks[operation]
	if blocks == nil {
		return nil
	}
	sample := stats.NewSample(blocks.Counts())
	found := map[string]results.Bounds{}
	for _, one := range []struct {
		name  string
		q     float64
		value *float64
	}{
		{"p50", 0.5, p.P50}, {"p90", 0.9, p.P90}, {"p99", 0.99, p.P99}, {"p99.9", 0.999, p.P999},
	} {
		if one.value == nil {
			continue
		}
		e := sample.Interval(one.q, confidence, rand.New(rand.NewPCG(seed, math.Float64bits(one.q))))
		found[one.name] = results.Bounds{Low: bound(e.Low), High: bound(e.High), Correlation: e.Correlation}
	}
	if len(found) == 0 {
		return nil
	}
	return found
}

// bound turns nanoseconds into microseconds, and is nil where there is none.
func bound(nanos float64) *float64 {
	if math.IsInf(nanos, 0) {
		return nil
	}
	return new(nanos / float64(time.Microsecond))
}

// addUncertainty adds how far the percentiles may be off.
func (c *cellRun) addUncertainty() {
	for name, op := range c.cell.Operations {
		op.ResponseCI = c.uncertainty.intervals(name, op.Response, c.bench.options.seed)
		c.cell.Operations[name] = op
	}
}
