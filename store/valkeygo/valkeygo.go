// Package valkeygo is the store's driver over valkey-go.
//
// The library's defaults are changed where they would make two clients
// incomparable, hide work, or do a command twice:
//
//   - Handshake: HELLO 3 with the credentials, and SELECT for a database other
//     than 0, in one pipeline. CLIENT SETINFO is off, CLIENT TRACKING is unless
//     Config.ClientCacheSize asks for it, and so is the search for a cluster on a
//     standalone server (CLUSTER SLOTS).
//   - Retries: none, unless Config.ReadRetries allows them for Get and Lookup.
//     By itself the library repeats reads until their deadline, and scripts
//     never. A cluster's MOVED and ASK are followed three times: there the
//     server has refused the command. Each is counted.
//   - Timeouts: a command ends with its context at once, and its connection
//     lives on. A connection that receives nothing for a second is tried with a
//     PING, and closed when that takes longer than Config.Timeout; everything
//     that waits on it then fails. That is what ends a command whose context
//     has no deadline.
//   - Reads: from the primary, unless Config.ReadFrom allows replicas. Without a
//     replica a cluster gives the primary; sentinels give an error. A primary of
//     a cluster that was demoted while the driver was open redirects its reads.
//   - Sentinels: a connection to one of them waits for +switch-master, and asks
//     for the primary every few seconds, because that may get lost. Until then
//     writes to a primary that was demoted fail with READONLY.
//   - Pipelining: always (AlwaysPipelining), over at most two connections per
//     node, or Config.PoolSize when that is less. The library would begin
//     without and change over at the first two simultaneous commands; a run
//     must not change its ways in the middle, and before that change a context
//     that is canceled goes unnoticed. Before each write the other goroutines
//     that can run go first, so that the commands that they send share it.
//
// Commands share connections, so one slow command delays its neighbours. A
// connection holds 1024 commands that wait for their reply, those included
// whose caller has given up; while it is full, further callers wait for room
// without watching their context.
package valkeygo

import (
	"context"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/toriibench/toriibench/store"
)

// scanCount is how many keys a SCAN looks at in one step.
const scanCount = 500

// driver is a store.Driver.
type driver struct {
	client  valkey.Client
	cluster bool
	digests store.ScriptDigests
	close   sync.Once
	tap     tap
	// readFrom says which reads are marked as what replicas may answer.
	readFrom store.ReadFrom
	// retryReads marks reads as what the library may repeat.
	retryReads bool
	repeats    repeats
	// waitReplicas and waitTimeout are for what must be durable.
	waitReplicas int
	waitTimeout  time.Duration
	// localLife is how long a copy in this process lives.
	localLife time.Duration
}

// Dial connects and makes a driver.
func Dial(ctx context.Context, cfg store.Config) (store.Driver, error) {
	d, err := dial(ctx, cfg)
	if err != nil {
		return nil, err // Not a driver that is nil.
	}
	return d, nil
}

func dial(ctx context.Context, cfg store.Config) (*driver, error) {
	cfg = cfg.WithDefaults()
	e, err := cfg.Endpoint()
	if err != nil {
		return nil, err
	}
	d := &driver{
		cluster: cfg.ClusterMode, readFrom: cfg.ReadFrom, retryReads: cfg.ReadRetries > 0, localLife: cfg.ClientCacheTTL,
		waitReplicas: cfg.WaitReplicas, waitTimeout: cfg.WaitTimeout,
	}
	d.tap.cluster, d.tap.connect = cfg.ClusterMode, cfg.DialContext
	d.repeats.most = cfg.ReadRetries
	opts := options(cfg, e)
	opts.DialCtxFn, opts.RetryDelay = d.tap.dial, d.repeats.delay
	if d.client, err = connect(ctx, opts); err != nil {
		return nil, connectFailure(ctx, cfg, err)
	}
	return d, nil
}

// connect makes a client or gives up with ctx, which the library does not take.
// The attempt then ends by itself, after the dial timeout at the latest.
func connect(ctx context.Context, opts valkey.ClientOption) (valkey.Client, error) {
	type result struct {
		client valkey.Client
		err    error
	}
	done := make(chan result, 1)
	go func() {
		client, err := valkey.NewClient(opts)
		if err != nil && client != nil {
			client.Close()
			client = nil
		}
		done <- result{client, err}
	}()
	select {
	case r := <-done:
		return r.client, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.client != nil {
				r.client.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// Get is an MGET.
func (d *driver) Get(ctx context.Context, keys ...string) ([]string, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	return texts(ctx, "MGET", d.do(ctx, command{name: "MGET", keys: keys, repeat: d.retryReads, replica: d.toReplica(ctx)}))
}

// Lookup is a GET and an HGET in one pipeline.
func (d *driver) Lookup(ctx context.Context, key, hash, field string) (string, string, error) {
	replica := d.toReplica(ctx)
	found, err := d.both(ctx,
		command{name: "GET", keys: []string{key}, repeat: d.retryReads, replica: replica},
		command{name: "HGET", keys: []string{hash}, args: []string{field}, repeat: d.retryReads, replica: replica})
	return found[0], found[1], err
}

// Eval is an EVALSHA, and an EVAL when the server does not know the script.
func (d *driver) Eval(ctx context.Context, script *store.Script, keys []string, args ...string) ([]string, error) {
	if script.Durable && d.waitReplicas > 0 {
		return d.evalDurably(ctx, script, keys, args)
	}
	res := d.do(ctx, command{name: "EVALSHA", script: *d.digests.Of(script), keys: keys, args: args})
	if reply, ok := serverError(res.Error()); ok && store.NoScript(reply) {
		res = d.do(ctx, command{name: "EVAL", script: script.Lua, keys: keys, args: args})
	}
	return texts(ctx, "script "+script.Name, res)
}

// Scan runs SCAN on one primary after the other.
func (d *driver) Scan(ctx context.Context, prefix string, page func(keys []string) error) error {
	nodes, err := d.primaries(ctx)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		if err := scan(ctx, node, store.MatchPrefix(prefix), page); err != nil {
			return err
		}
	}
	return nil
}

// scan walks through the keys of one server. The library's own builder would
// mark the command as one to repeat.
func scan(ctx context.Context, node valkey.Client, match string, page func(keys []string) error) error {
	for cursor := uint64(0); ; {
		cmd := node.B().Arbitrary("SCAN", strconv.FormatUint(cursor, 10), "MATCH", match, "COUNT", strconv.Itoa(scanCount)).Build()
		entry, err := node.Do(ctx, cmd).AsScanEntry()
		if err != nil {
			return failure(ctx, "SCAN", err)
		}
		if len(entry.Elements) > 0 {
			if err := page(entry.Elements); err != nil {
				return err
			}
		}
		if cursor = entry.Cursor; cursor == 0 {
			return nil
		}
	}
}

// Ping is a PING to each primary, and to what answers reads unless that is a
// cluster, one after the other.
func (d *driver) Ping(ctx context.Context) error {
	nodes, err := d.primaries(ctx)
	if err != nil {
		return err
	}
	if !d.cluster && d.readFrom != store.ReadFromPrimary {
		nodes = slices.Collect(maps.Values(d.client.Nodes()))
	}
	for _, node := range nodes {
		if err := node.Do(ctx, node.B().Ping().Build()).Error(); err != nil {
			return failure(ctx, "PING", err)
		}
	}
	return nil
}

// primaries asks a cluster for its map anew. The library knows the nodes, but
// does not tell primaries from replicas.
func (d *driver) primaries(ctx context.Context) ([]valkey.Client, error) {
	if !d.cluster {
		return []valkey.Client{d.client}, nil
	}
	known := d.client.Nodes()
	addrs, err := primaryAddrs(ctx, known)
	if err != nil {
		return nil, failure(ctx, "CLUSTER SLOTS", err)
	}
	nodes := make([]valkey.Client, 0, len(addrs))
	for _, addr := range addrs {
		node, ok := known[addr]
		if !ok {
			return nil, store.TransportError(ctx, "list primaries", errUnknownPrimary)
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}

// primaryAddrs asks one node after the other until one knows the cluster.
func primaryAddrs(ctx context.Context, nodes map[string]valkey.Client) ([]string, error) {
	err := valkey.ErrNoAddr
	for addr, node := range nodes {
		var slots []valkey.ValkeyMessage
		if slots, err = node.Do(ctx, node.B().ClusterSlots().Build()).ToArray(); err != nil {
			continue
		}
		host, _, splitErr := net.SplitHostPort(addr)
		if splitErr != nil {
			err = splitErr
			continue
		}
		return slotOwners(slots, host)
	}
	return nil, err
}

// Close closes the connections and waits for the commands that are on them, at
// most a second for each connection that is silent. Every further call is an
// ErrUnavailable.
func (d *driver) Close() error {
	d.close.Do(func() {
		if d.cluster {
			closeNodes(d.client.Nodes())
		}
		d.client.Close()
	})
	return nil
}

// closeNodes closes a cluster's connections before its client does, which would
// leave that to the background and go on serving meanwhile.
func closeNodes(nodes map[string]valkey.Client) {
	var wg sync.WaitGroup
	for _, node := range nodes {
		wg.Go(node.Close)
	}
	wg.Wait()
}
