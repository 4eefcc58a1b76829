package store

import (
	"context"
	"math"
	"time"
)

// due decides whether a read that has met an entry begins to load it again. The
// nearer the end and the longer the load took, the more likely: with Beta 1, a
// load of 20 ms, and 20 ms to go, one read in e. So the first of many readers
// does it, in time, without them having to agree. Where r reads come a second, at
// random, and a load takes d seconds, somebody still has to wait at the end with
// the probability exp(-0.37 r d), if Beta is 1: never, in practice, where a
// stampede would be.
//
// The end is by the clock of who wrote the entry: where clocks differ, loads come
// earlier or later by that, and a reader whose clock is late may wait.
//
// This is XFetch: A. Vattani, F. Chierichetti, K. Lowenstein, Optimal Probabilistic
// Cache Stampede Prevention, PVLDB 8(8), 2015. https://doi.org/10.14778/2757807.2757813
func (c *Cache) due(e entry) bool {
	if c.options.Beta == 0 || e.cost == 0 {
		return false
	}
	// From (0, 1], so that the logarithm is finite.
	ahead := -float64(e.cost) * c.options.Beta * math.Log(1-c.options.Random())
	return float64(time.Until(e.ends)) <= ahead
}

// refresh loads in the background, unless somebody is loading the same already.
// Nobody waits for it: a failure leaves the copy as it is until its end.
func (c *Cache) refresh(ctx context.Context, q question) {
	// Nobody else's Trace and nobody else's end.
	ctx = WithTrace(context.WithoutCancel(ctx), nil)
	c.flight.DoChan(q.flight(), func() (any, error) {
		c.stats.refreshes.Add(1)
		got, err := c.share(ctx, q)
		if err != nil {
			c.stats.refreshErrors.Add(1)
		}
		return got, err
	})
}
