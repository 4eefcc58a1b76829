package store

import (
	"context"
	"time"
)

// Trace adds up where the commands of one operation spent their time. WithTrace
// sends it along with the operation, and the drivers of a client library fill it
// in; the memory driver does not.
//
// Commands are those of Get, Lookup and Eval, each counted once however often it
// was sent: a redirection or a repetition is part of its command, and
// the time until it was written for the last time counts as Queue. Commands that
// share a round trip share its time, which counts once.
//
// A Trace belongs to the goroutine of its operation: read it when the operation
// has returned. What others do for the operation, as in a load of the cache
// that several callers share, is not in it. The zero value is ready.
type Trace struct {
	// Queue is the time from when the driver was asked to when the commands were
	// written to the network: waiting for a connection, dialing one, and waiting
	// within the client library. A command that failed before it was written is
	// all Queue.
	Queue time.Duration
	// Wire is the time from then until the replies were in the driver's hands:
	// the network, the server, and the client library's reading.
	Wire time.Duration
	// Commands is how many commands there were.
	Commands int
	// Unseen commands are among them, but in neither Queue nor Wire, because the
	// driver could not tell when they were written. Those of Config.ClientCacheSize
	// always are.
	Unseen int
}

// traceKey is the key of a context's Trace.
type traceKey struct{}

// WithTrace returns a context with which an operation fills in t. A nil t hides
// the Trace that ctx may have.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// TraceOf is for drivers: it returns the Trace of ctx, usually nil.
func TraceOf(ctx context.Context) *Trace {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return t
}

// Add is for drivers: it adds one command, with the instants at which the driver
// was asked, at which the command was written (zero when it was not, or nobody
// saw it), and at which the reply or err was there.
func (t *Trace) Add(asked, written, done time.Time, err error) {
	t.Commands++
	switch {
	case !written.IsZero():
		t.Queue += written.Sub(asked)
		t.Wire += done.Sub(written)
	case err != nil:
		t.Queue += done.Sub(asked)
	default:
		t.Unseen++
	}
}

// AddPipeline is Add for n commands that were written and answered together.
func (t *Trace) AddPipeline(n int, asked, written, done time.Time, err error) {
	t.Add(asked, written, done, err)
	t.Commands += n - 1
}
