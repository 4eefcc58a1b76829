package goredis

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/toriibench/toriibench/store"
)

// call is a command on its way through the library, which asks it for its
// arguments each time that it writes them to a connection, and whether it may
// be repeated each time that it failed. So a call knows when and how often it
// was written. The library's hooks would not: they run before the wait for a
// connection, and once for all attempts; and its Limiter counts attempts that
// never came to a connection.
type call struct {
	redis.Cmder
	// repeats is how often the command may be written again after a failure that
	// the library deems passing. Without this a cluster client would repeat
	// everything, whatever MaxRetries says.
	repeats int
	// routed is 1 where the library reads the arguments once to find the slot.
	routed int
	// read counts how often the arguments were read.
	read int
	// traced calls note in written when the arguments were read last.
	traced  bool
	written time.Time
}

// Args is what the library writes.
func (c *call) Args() []any {
	c.read++
	if c.traced && c.sent() > 0 {
		c.written = time.Now()
	}
	return c.Cmder.Args()
}

// NoRetry is what the library asks before it repeats a command, also one that
// it never came to write.
func (c *call) NoRetry() bool { return c.repeats == 0 || c.sent() > c.repeats }

// sent is how often the command was written.
func (c *call) sent() int { return c.read - c.routed }

// process does a command and counts and traces what happens to it. The library
// is done with the call when it returns, so that it can be used again.
func (d *driver) process(ctx context.Context, cmd redis.Cmder, repeats int) error {
	c, ok := d.calls.Get().(*call)
	if !ok {
		c = new(call)
	}
	*c = call{Cmder: cmd, repeats: repeats}
	if d.cluster != nil {
		c.routed = 1
	}
	err := c.trace(ctx, d.client)
	d.suspect(ctx, err)
	if again := c.sent() - 1; again > 0 {
		d.retries.Add(int64(again))
	}
	*c = call{}
	d.calls.Put(c)
	return err
}

// trace performs the call, and tells the context's Trace about it if there is one.
func (c *call) trace(ctx context.Context, client commander) error {
	trace := store.TraceOf(ctx)
	if trace == nil {
		return client.Process(ctx, c)
	}
	c.traced = true
	asked := time.Now()
	err := client.Process(ctx, c)
	trace.Add(asked, c.written, time.Now(), err)
	return err
}

// reader is the client for a read.
func (d *driver) reader(ctx context.Context) commander {
	if r, ok := d.client.(*router); ok {
		return r.reader(ctx)
	}
	return d.client
}

// pipeline does commands in one round trip, each of which holds its own result,
// and counts and traces what happens to them.
func (d *driver) pipeline(ctx context.Context, client commander, repeats int, cmds ...redis.Cmder) {
	trace := store.TraceOf(ctx)
	pipe := client.Pipeline()
	calls := make([]call, len(cmds))
	for i, cmd := range cmds {
		calls[i] = call{Cmder: cmd, repeats: repeats, traced: trace != nil}
		if _, routes := client.(*redis.ClusterClient); routes {
			calls[i].routed = 1
		}
		_ = pipe.Process(ctx, &calls[i]) // It only queues.
	}
	asked := time.Now()
	_, err := pipe.Exec(ctx)
	d.suspect(ctx, err)
	for i := range calls {
		if again := calls[i].sent() - 1; again > 0 {
			d.retries.Add(int64(again))
		}
	}
	if trace != nil {
		trace.AddPipeline(len(calls), asked, calls[len(calls)-1].written, time.Now(), err)
	}
}
