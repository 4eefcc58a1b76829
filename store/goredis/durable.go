package goredis

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/toriibench/toriibench/store"
)

// evalDurably is Eval with a WAIT behind it in one pipeline, which is one
// connection. The library does not know that the two belong together, so on a
// cluster the node is looked up here, and MOVED is followed here.
func (d *driver) evalDurably(ctx context.Context, script *store.Script, keys []string, args []string) ([]string, error) {
	operation := "script " + script.Name
	line := make([]any, 0, 3+len(keys)+len(args))
	line = append(line, "evalsha", d.digests.Of(script), len(keys))
	line = appendPointers(appendPointers(line, keys), args)
	for redirects := 0; ; {
		node, err := d.owner(ctx, keys)
		if err != nil {
			return nil, failure(ctx, operation, err)
		}
		eval := redis.NewStringSliceCmd(ctx, line...)
		wait := redis.NewIntCmd(ctx, "wait", d.waitReplicas, d.waitTimeout.Milliseconds())
		d.pipeline(ctx, node, 0, eval, wait)
		reply, refused := serverError(eval.Err())
		switch {
		case refused && store.NoScript(reply) && line[0] == "evalsha":
			line[0], line[1] = "eval", &script.Lua
			continue
		case refused && d.cluster != nil && redis.HasErrorPrefix(eval.Err(), "MOVED") && redirects < maxRedirects:
			redirects++
			d.retries.Add(1)
			d.cluster.ReloadState(ctx)
			continue
		case eval.Err() != nil:
			return nil, failure(ctx, operation, eval.Err())
		case wait.Err() != nil:
			return nil, failure(ctx, operation+", WAIT", wait.Err())
		}
		return eval.Val(), store.Replicated(operation, wait.Val(), d.waitReplicas)
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
