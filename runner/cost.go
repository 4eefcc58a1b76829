package runner

import (
	"context"
	"strconv"
	"time"

	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/runner/machine"
)

// cost is processor time, user and system: all of this process, which generates,
// records and simulates, and all of the server. What is not known is nil.
type cost struct {
	client, server *time.Duration
}

// spent reads how much processor time both sides have used so far.
func (c *cellRun) spent(ctx context.Context) cost {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var so cost
	if own, ok := machine.OwnCPU(); ok {
		so.client = &own
	}
	info, err := c.topology.Info(ctx, "cpu")
	if err != nil {
		return so
	}
	user, err1 := strconv.ParseFloat(info["used_cpu_user"], 64)
	system, err2 := strconv.ParseFloat(info["used_cpu_sys"], 64)
	if err1 == nil && err2 == nil {
		so.server = new(time.Duration((user + system) * float64(time.Second)))
	}
	return so
}

// since subtracts an earlier reading.
func (so cost) since(before cost) cost {
	return cost{difference(so.client, before.client), difference(so.server, before.server)}
}

func difference(now, before *time.Duration) *time.Duration {
	if now == nil || before == nil {
		return nil
	}
	return new(*now - *before)
}

// addCost adds the processor time for one operation, where it is known.
func (c *cellRun) addCost(r *load.Result, spent cost) {
	c.cell.ClientCPUPerOp = perOperation(spent.client, r.Sent)
	c.cell.ServerCPUPerOp = perOperation(spent.server, r.Sent)
}

// perOperation is in microseconds.
func perOperation(d *time.Duration, n int64) *float64 {
	if d == nil || *d <= 0 || n == 0 {
		return nil
	}
	return new(float64(*d) / float64(time.Microsecond) / float64(n))
}
