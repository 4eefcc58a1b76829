package valkeygo

import (
	"context"
	"errors"
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
		eval, wait, err := d.withWait(ctx, redirection, c)
		if err != nil {
			return nil, failure(ctx, operation, err)
		}
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
		have, failed := wait.AsInt64()
		if failed != nil {
			failed = failure(ctx, operation+", WAIT", failed)
		}
		return values, store.Replicated(operation, have, d.waitReplicas, failed)
	}
}

// withWait performs a command and a WAIT on one connection, to where a redirection
// leads if there is one. It gives nothing when the caller gave up before.
func (d *driver) withWait(ctx context.Context, redirection string, c command) (result, wait valkey.ValkeyResult, err error) {
	trace := store.TraceOf(ctx)
	asked := time.Now()
	node := d.client
	if redirection != "" {
		node = d.node(ctx, redirection, c.keys[0])
	}
	var cmds []valkey.Completed
	if strings.HasPrefix(redirection, "ASK ") {
		cmds = append(cmds, node.B().Asking().Build())
	}
	// What blocks goes over a connection of the library's second pool.
	cmds = append(cmds, c.build(node.B()),
		node.B().Arbitrary("WAIT", strconv.Itoa(d.waitReplicas), strconv.FormatInt(d.waitTimeout.Milliseconds(), 10)).Blocking())
	var results []valkey.ValkeyResult
	if d.cluster && redirection == "" {
		results, err = dedicated(ctx, node, cmds)
	} else {
		results = node.DoMulti(ctx, cmds...)
	}
	if err == nil {
		result, wait = results[len(results)-2], results[len(results)-1]
	}
	if trace != nil {
		// Nobody watches when a connection of one's own is written to.
		trace.AddPipeline(2, asked, time.Time{}, time.Now(), errors.Join(err, result.NonValkeyError()))
	}
	return result, wait, err
}

// dedicated performs commands on one connection to the node of their slot: a
// client of the whole cluster would redirect each of them by itself. The library
// cleans the connection up afterwards, for which nobody waits.
func dedicated(ctx context.Context, cluster valkey.Client, cmds []valkey.Completed) ([]valkey.ValkeyResult, error) {
	done := make(chan []valkey.ValkeyResult, 1)
	go func() {
		_ = cluster.Dedicated(func(own valkey.DedicatedClient) error {
			done <- own.DoMulti(ctx, cmds...)
			return nil
		})
	}()
	select {
	case results := <-done:
		return results, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
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
