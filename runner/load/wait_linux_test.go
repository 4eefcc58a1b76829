package load

import (
	"context"
	"testing"
	"time"
)

func TestLateInterruptOfAnOlderContextIsIgnored(t *testing.T) {
	w, err := newTimerfdWaiter()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	timer := w.(*timerfdWaiter)
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		if err := w.Wait(ctx, time.Now()); err != nil {
			t.Fatal(err)
		}
		timer.interrupt(timer.mu.watch - 1)
		if err := w.Wait(ctx, time.Now().Add(time.Millisecond)); err != nil {
			t.Errorf("the wait ended with %v", err)
		}
		cancel()
	}
}
