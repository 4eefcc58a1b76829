package goredis

import (
	"context"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/toriibench/toriibench/store"
)

// evalDurably is Eval with a WAIT behind it in one pipeline, which is one
// connection. The library does not know that the two belong together, so on a
// cluster the node is looked up here, and MOVED and ASK are followed here.
func (d *driver) evalDurably(ctx context.Context, script *store.Script, keys []string, args []string) ([]string, error) {
	operation := "script " + script.Name
	line := make([]any, 0, 3+len(keys)+len(args))
	line = append(line, "evalsha", d.digests.Of(script), len(keys))
	line = appendPointers(appendPointers(line, keys), args)
	redirection := ""
	for redirects := 0; ; {
		eval := redis.NewStringSliceCmd(ctx, line...)
		wait := redis.NewIntCmd(ctx, "wait", d.waitReplicas, d.waitTimeout.Milliseconds())
		if err := d.together(ctx, keys, redirection, eval, wait); err != nil {
			return nil, failure(ctx, operation, err)
		}
		reply, refused := serverError(eval.Err())
		switch {
		case refused && store.NoScript(reply) && line[0] == "evalsha":
			line[0], line[1] = "eval", &script.Lua
			continue
		case refused && d.cluster != nil && isRedirect(reply) && redirects < maxRedirects:
			redirects++
			d.retries.Add(1)
			redirection = reply
			continue
		case eval.Err() != nil:
			return nil, failure(ctx, operation, eval.Err())
		}
		failed := wait.Err()
		if failed != nil {
			failed = failure(ctx, operation+", WAIT", failed)
		}
		return eval.Val(), store.Replicated(operation, wait.Val(), d.waitReplicas, failed)
	}
}

// together performs commands on one connection to the primary that has the keys,
// or to where a redirection leads. For that there is a client of its own: the
// library tells nobody the one that it has, and a node that is only being given
// its first slots is not on its map. Redirections are rare.
func (d *driver) together(ctx context.Context, keys []string, redirection string, cmds ...redis.Cmder) error {
	if redirection == "" {
		node, err := d.owner(ctx, keys)
		if err == nil {
			d.pipeline(ctx, node, 0, cmds...)
		}
		return err
	}
	if strings.HasPrefix(redirection, "ASK ") {
		cmds = append([]redis.Cmder{redis.NewStatusCmd(ctx, "asking")}, cmds...)
	} else {
		d.cluster.ReloadState(ctx)
	}
	node := d.node(redirection[strings.LastIndex(redirection, " ")+1:])
	defer node.Close() //nolint:errcheck // What it was for is done.
	d.pipeline(ctx, node, 0, cmds...)
	return nil
}

// isRedirect tells what a cluster's node replies when another one has the key.
func isRedirect(reply string) bool {
	return strings.HasPrefix(reply, "MOVED ") || strings.HasPrefix(reply, "ASK ")
}

// oneNode makes the clients for single nodes of a cluster, by their addresses in
// redirections, where the host of an IPv6 address has no brackets.
func oneNode(cfg store.Config, e store.Endpoint) func(addr string) *redis.Client {
	cfg.PoolSize, cfg.Connections = 1, 0
	return func(addr string) *redis.Client {
		if colon := strings.LastIndex(addr, ":"); colon >= 0 {
			addr = net.JoinHostPort(strings.Trim(addr[:colon], "[]"), addr[colon+1:])
		}
		e.Addrs = []string{addr}
		return redis.NewClient(standalone(cfg, e))
	}
}

// owner is the client of the primary that has the keys.
func (d *driver) owner(ctx context.Context, keys []string) (commander, error) {
	switch client := d.client.(type) {
	case *router:
		if d.cluster == nil {
			return client.primary, nil
		}
	default:
		if d.cluster == nil {
			return client, nil
		}
	}
	return d.cluster.MasterForKey(ctx, keys[0])
}
