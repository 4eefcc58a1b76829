package valkeygo

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/toriibench/toriibench/store"
)

// evalDurably is Eval with a WAIT behind it, on a connection of its own: on a
// shared one everybody would wait. The library follows no redirection there, but
// learns from it.
func (d *driver) evalDurably(ctx context.Context, script *store.Script, keys, args []string) ([]string, error) {
	operation := "script " + script.Name
	c := command{name: "EVALSHA", script: *d.digests.Of(script), keys: keys, args: args}
	for redirects := 0; ; {
		eval, wait := d.withWait(ctx, c)
		reply, refused := serverError(eval.Error())
		switch {
		case refused && store.NoScript(reply) && c.name == "EVALSHA":
			c.name, c.script = "EVAL", script.Lua
			continue
		case refused && d.cluster && strings.HasPrefix(reply, "MOVED ") && redirects < maxRedirects:
			redirects++
			// Any command that is redirected makes the library look for the slot.
			d.client.Do(ctx, d.client.B().Get().Key(keys[0]).Build())
			continue
		}
		values, err := texts(ctx, operation, eval)
		if err != nil {
			return nil, err
		}
		have, err := wait.AsInt64()
		if err != nil {
			return nil, failure(ctx, operation+", WAIT", err)
		}
		return values, store.Replicated(operation, have, d.waitReplicas)
	}
}

// withWait performs a command and a WAIT on one connection.
func (d *driver) withWait(ctx context.Context, c command) (result, wait valkey.ValkeyResult) {
	trace := store.TraceOf(ctx)
	asked := time.Now()
	_ = d.client.Dedicated(func(own valkey.DedicatedClient) error {
		results := own.DoMulti(ctx, c.build(own.B()),
			own.B().Arbitrary("WAIT", strconv.Itoa(d.waitReplicas), strconv.FormatInt(d.waitTimeout.Milliseconds(), 10)).Build())
		result, wait = results[0], results[1]
		return nil
	})
	if trace != nil {
		// Nobody watches when a connection of one's own is written to.
		trace.AddPipeline(2, asked, time.Time{}, time.Now(), result.NonValkeyError())
	}
	return result, wait
}
