package load

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// aheadWaiter asks for its wake-ups earlier than they are needed, since the
// kernel brings every one of them late by about the same time. What is left when
// one comes early it yields away to other goroutines: at most lead.
type aheadWaiter struct {
	Waiter
	lead time.Duration
}

// ahead lets w wake lead before its time. A lead of zero changes nothing.
func ahead(w Waiter, lead time.Duration) Waiter {
	if lead <= 0 {
		return w
	}
	return aheadWaiter{w, lead}
}

func (w aheadWaiter) Wait(ctx context.Context, until time.Time) error {
	if err := w.Waiter.Wait(ctx, until.Add(-w.lead)); err != nil {
		return err
	}
	for time.Until(until) > 0 {
		runtime.Gosched()
	}
	return nil
}

func (w aheadWaiter) String() string { return fmt.Sprintf("%s, %v ahead", w.Waiter, w.lead) }
