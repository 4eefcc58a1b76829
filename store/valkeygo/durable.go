package valkeygo

import (
	"context"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/toriibench/toriibench/store"
)

// evalDurably is Eval with a WAIT behind it, on a connection of its own: on a
// shared one everybody would wait. The library follows no redirection there.
func (d *driver) evalDurably(ctx context.Context, script *store.Script, keys, args []string) ([]string, error) {
	operation := "script " + script.Name
	c := command{name: "EVALSHA", script: *d.digests.Of(script), keys: keys, args: args}
	redirection := ""
	for redirects := 0; ; {
		eval, wait := d.withWait(ctx, redirection, c)
		reply, refused := serverError(eval.Error())
		switch {
		case refused && store.NoScript(reply) && c.name == "EVALSHA":
			c.name, c.script = "EVAL", script.Lua
			continue
		case refused && d.cluster && isRedirect(reply) && redirects < maxRedirects:
			redirects++
			redirection = reply
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

// withWait performs a command and a WAIT on one connection, to where a redirection
// leads if there is one.
func (d *driver) withWait(ctx context.Context, redirection string, c command) (result, wait valkey.ValkeyResult) {
	trace := store.TraceOf(ctx)
	asked := time.Now()
	node := d.client
	if redirection != "" {
		node = d.node(ctx, redirection, c.keys[0])
	}
	_ = node.Dedicated(func(own valkey.DedicatedClient) error {
		cmds := make([]valkey.Completed, 0, 3)
		if strings.HasPrefix(redirection, "ASK ") {
			cmds = append(cmds, own.B().Asking().Build())
		}
		cmds = append(cmds, c.build(own.B()),
			own.B().Arbitrary("WAIT", strconv.Itoa(d.waitReplicas), strconv.FormatInt(d.waitTimeout.Milliseconds(), 10)).Build())
		results := own.DoMulti(ctx, cmds...)
		result, wait = results[len(results)-2], results[len(results)-1]
		return nil
	})
	if trace != nil {
		// Nobody watches when a connection of one's own is written to.
		trace.AddPipeline(2, asked, time.Time{}, time.Now(), result.NonValkeyError())
	}
	return result, wait
}

// node is the client of the node that a redirection leads to, or that of the whole
// cluster when it cannot be told.
func (d *driver) node(ctx context.Context, redirection, key string) valkey.Client {
	addr := redirection[strings.LastIndex(redirection, " ")+1:]
	if colon := strings.LastIndex(addr, ":"); colon >= 0 {
		addr = net.JoinHostPort(strings.Trim(addr[:colon], "[]"), addr[colon+1:])
	}
	node, known := d.client.Nodes()[addr]
	if !known {
		// The library gets to know a node when it follows a redirection to it.
		d.client.Do(ctx, d.client.B().Get().Key(key).Build())
		node, known = d.client.Nodes()[addr]
	}
	if !known {
		return d.client
	}
	return node
}
