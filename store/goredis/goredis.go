// Package goredis is the store's driver over go-redis.
//
// The library's defaults are changed where they would make two clients
// incomparable, hide work, or do a write twice:
//
//   - Handshake: HELLO 3 with the credentials, and SELECT for a database other
//     than 0. CLIENT SETINFO and CLIENT MAINT_NOTIFICATIONS, which a Redis 7.0
//     answers with errors, are off.
//   - Retries: none, neither of commands (MaxRetries -1) nor of dials, unless
//     Config.ReadRetries allows them for Get and Lookup. A script that timed
//     out may have run, and a hidden retry would be measured as one slow
//     command. A cluster's MOVED, ASK and READONLY are followed three times:
//     there the server has refused the command. Each is counted.
//   - Timeouts: a command ends at its context's deadline, or after
//     Config.Timeout when that is nearer, and its connection is closed. While a
//     command waits for its reply, a context that is canceled before its
//     deadline is noticed only then, because the library reads with a socket
//     deadline and watches nothing else; waiting for a free connection ends at
//     once.
//   - Pipelining: the two reads of a Lookup, nothing else. Each connection carries
//     the commands of one caller at a time; there are up to Config.PoolSize of
//     them per node.
//   - Reads: from the primary, unless Config.ReadFrom allows replicas. For them
//     there are clients of their own, with as many connections again. Without a
//     replica a cluster and sentinels give the primary.
//   - Sentinels: asked for the primary at each dial. When they announce another
//     one, or when the one there is replies READONLY, connections are given up.
//
// After as many failed dials as the pool is large, the library reports the
// last failure without dialing, and looks for the server once a second in the
// background.
package goredis

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/toriibench/toriibench/store"
)

// scanCount is how many keys a SCAN looks at in one step.
const scanCount = 500

// driver is a store.Driver.
type driver struct {
	client  commander
	cluster *redis.ClusterClient // nil for anything else
	// node makes a client for a node of the cluster, which is then to be closed.
	node func(addr string) *redis.Client
	// readers are what the router has for reads; none where all go to the primary.
	readers []commander
	digests store.ScriptDigests
	closed  atomic.Bool
	calls   sync.Pool // of *call
	// readRetries is how often a read may be written again, and retries how
	// often any command was.
	readRetries int
	retries     atomic.Int64
	// reloaded is when a failure last made it look at the cluster's topology, in
	// Unix nanoseconds.
	reloaded atomic.Int64
	// waitReplicas and waitTimeout are for what must be durable.
	waitReplicas int
	waitTimeout  time.Duration
}

// commander is what all of the library's clients can do.
type commander interface {
	Process(ctx context.Context, cmd redis.Cmder) error
	Pipeline() redis.Pipeliner
	Close() error
}

// Dial makes a driver. It connects to nothing yet: the first command does. It
// silences the library's log, which goes to standard error, for the whole
// program; what it would say comes back as errors.
func Dial(_ context.Context, cfg store.Config) (store.Driver, error) {
	cfg = cfg.WithDefaults()
	e, err := cfg.Endpoint()
	if err != nil {
		return nil, err
	}
	redis.SetLogger(silence{})
	d := &driver{readRetries: cfg.ReadRetries, waitReplicas: cfg.WaitReplicas, waitTimeout: cfg.WaitTimeout}
	d.client, d.cluster = primary(cfg, e)
	d.node = oneNode(cfg, e)
	if cfg.ReadFrom != store.ReadFromPrimary {
		d.readers = readers(cfg, e)
		d.client = &router{primary: d.client, readers: d.readers, always: cfg.ReadFrom == store.ReadFromReplica}
	}
	return d, nil
}

// Retries counts the commands of Get, Lookup and Eval that the library has
// written again: redirections, and repetitions of reads.
func (d *driver) Retries() int64 { return d.retries.Load() }

// silence drops the library's log.
type silence struct{}

// Printf does nothing.
func (silence) Printf(context.Context, string, ...any) {}

// Get is an MGET.
func (d *driver) Get(ctx context.Context, keys ...string) ([]string, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	cmd := redis.NewStringSliceCmd(ctx, arguments("mget", keys)...)
	if err := d.process(ctx, cmd, d.readRetries); err != nil {
		return nil, failure(ctx, "MGET", err)
	}
	return cmd.Val(), nil
}

// Lookup is a GET and an HGET in one pipeline.
func (d *driver) Lookup(ctx context.Context, key, hash, field string) (string, string, error) {
	text := redis.NewStringCmd(ctx, "get", &key)
	value := redis.NewStringCmd(ctx, "hget", &hash, &field)
	d.pipeline(ctx, d.reader(ctx), d.readRetries, text, value)
	for _, cmd := range [...]*redis.StringCmd{text, value} {
		if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return "", "", failure(ctx, strings.ToUpper(cmd.Name()), err)
		}
	}
	return text.Val(), value.Val(), nil
}

// Eval is an EVALSHA, and an EVAL when the server does not know the script.
func (d *driver) Eval(ctx context.Context, script *store.Script, keys []string, args ...string) ([]string, error) {
	if script.Durable && d.waitReplicas > 0 {
		return d.evalDurably(ctx, script, keys, args)
	}
	line := make([]any, 0, 3+len(keys)+len(args))
	line = append(line, "evalsha", d.digests.Of(script), len(keys))
	line = appendPointers(appendPointers(line, keys), args)
	values, err := d.eval(ctx, line, len(keys))
	if reply, ok := serverError(err); ok && store.NoScript(reply) {
		line[0], line[1] = "eval", &script.Lua
		values, err = d.eval(ctx, line, len(keys))
	}
	if err != nil {
		return nil, failure(ctx, "script "+script.Name, err)
	}
	return values, nil
}

// eval sends a complete EVALSHA or EVAL.
func (d *driver) eval(ctx context.Context, line []any, keys int) ([]string, error) {
	cmd := redis.NewStringSliceCmd(ctx, line...)
	if keys > 0 {
		cmd.SetFirstKeyPos(3)
	}
	err := d.process(ctx, cmd, 0)
	return cmd.Val(), err
}

// Scan runs SCAN on one primary after the other.
func (d *driver) Scan(ctx context.Context, prefix string, page func(keys []string) error) error {
	nodes, err := d.primaries(ctx)
	if err != nil {
		return failure(ctx, "list primaries", err)
	}
	for _, node := range nodes {
		if err := scan(ctx, node, store.MatchPrefix(prefix), page); err != nil {
			return err
		}
	}
	return nil
}

// scan walks through the keys of one server.
func scan(ctx context.Context, node commander, match string, page func(keys []string) error) error {
	for cursor := uint64(0); ; {
		cmd := redis.NewScanCmd(ctx, node.Process, "scan", cursor, "match", match, "count", scanCount)
		if err := node.Process(ctx, &call{Cmder: cmd}); err != nil {
			return failure(ctx, "SCAN", err)
		}
		var keys []string
		keys, cursor = cmd.Val()
		if len(keys) > 0 {
			if err := page(keys); err != nil {
				return err
			}
		}
		if cursor == 0 {
			return nil
		}
	}
}

// Ping is a PING to each primary, and to what answers reads unless that is a
// cluster, one after the other.
func (d *driver) Ping(ctx context.Context) error {
	nodes, err := d.primaries(ctx)
	if err != nil {
		return failure(ctx, "list primaries", err)
	}
	if d.cluster == nil {
		nodes = append(nodes, d.readers...)
	}
	for _, node := range nodes {
		if err := node.Process(ctx, &call{Cmder: redis.NewStatusCmd(ctx, "ping")}); err != nil {
			return failure(ctx, "PING", err)
		}
	}
	return nil
}

// primaries asks a cluster for its map anew.
func (d *driver) primaries(ctx context.Context) ([]commander, error) {
	if d.cluster == nil {
		return []commander{d.client}, nil
	}
	var mu sync.Mutex
	var nodes []commander
	err := d.cluster.ForEachMaster(ctx, func(_ context.Context, node *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		nodes = append(nodes, node)
		return nil
	})
	return nodes, err
}

// Close closes the connections. Every further call is an ErrUnavailable.
func (d *driver) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	return d.client.Close()
}
