package runner

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// lapLoop is a closed loop with nothing around an operation but a counter. That of
// runner/load ends by the clock alone, and a deletion ends with the sessions;
// and its schedule and histograms, a fraction of a microsecond for each
// operation, would bring all stores closer together than they are.
type lapLoop struct {
	callers int
	// limit is how many operations may begin; 0 means any number.
	limit int64
	// length is how long they may begin; 0 means for ever.
	length time.Duration
	// do performs operation n, counted from 0 over all callers. The first error
	// ends the loop.
	do func(ctx context.Context, caller int, n int64) error
}

// lap is what a loop measured. Elapsed runs to the end of the last operation.
type lap struct {
	operations      int64
	elapsed, client time.Duration
}

// run loops until the limit, the length, an error or the context ends it.
func (l *lapLoop) run(ctx context.Context) (lap, error) {
	var begun, ended atomic.Int64
	var over atomic.Bool
	if l.length > 0 {
		timer := time.AfterFunc(l.length, func() { over.Store(true) })
		defer timer.Stop()
	}
	g, working := errgroup.WithContext(ctx)
	start, spent := time.Now(), clientCPU()
	for caller := range l.callers {
		g.Go(func() error {
			var done int64
			defer func() { ended.Add(done) }()
			// One at least, however busy the machine.
			for (done == 0 || !over.Load()) && working.Err() == nil {
				n := begun.Add(1) - 1
				if l.limit > 0 && n >= l.limit {
					return nil
				}
				if err := l.do(working, caller, n); err != nil {
					return err
				}
				done++
			}
			return nil
		})
	}
	err := g.Wait()
	done := lap{ended.Load(), time.Since(start), clientCPU() - spent}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return done, err
}

// closing closes what has been used, and joins what goes wrong.
func closing(err error, c io.Closer) error { return errors.Join(err, c.Close()) }
