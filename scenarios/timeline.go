package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrTooSlow says that this machine or server did not get through the
// preparation in time, so that what the scenario sets at fixed moments would have
// come at the wrong ones. Other cells may be measured all the same.
var ErrTooSlow = errors.New("use a smaller --population, or a quieter machine")

// timeline is for scenarios in which something happens at an absolute time, such
// as the end of a TTL, that is fixed while loading. It plans when measuring
// starts and holds it back until then.
type timeline struct {
	// ready is when loading must have ended, and start when measuring starts.
	ready, start time.Time
	length       time.Duration
}

// settleSlack is how long the drain after the warm-up may take.
const settleSlack = time.Second

// newTimeline leaves setup for the rest of the loading.
func newTimeline(env Env, setup time.Duration) timeline {
	ready := time.Now().Add(setup)
	return timeline{ready: ready, start: ready.Add(env.Warmup + settleSlack).Truncate(time.Millisecond), length: env.For}
}

// at is the moment that lies a share of the measured time after its start.
func (t *timeline) at(share float64) time.Time {
	return t.start.Add(time.Duration(share * float64(t.length)))
}

// loaded waits until loading was planned to end.
func (t *timeline) loaded(ctx context.Context) error {
	if late := time.Since(t.ready); late > 0 {
		return fmt.Errorf("storing the population took %s longer than planned: %w", late.Round(time.Millisecond), ErrTooSlow)
	}
	waitFor(ctx, t.ready)
	return context.Cause(ctx)
}

// setupTime allows half as long again for something that took d before.
func setupTime(d time.Duration) time.Duration { return d*3/2 + 500*time.Millisecond }

// waitFor waits until t or the end of ctx.
func waitFor(ctx context.Context, t time.Time) {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
