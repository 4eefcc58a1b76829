package valkeygo

import (
	"context"
	"math/bits"

	"github.com/valkey-io/valkey-go"

	"github.com/toriibench/toriibench/store"
)

// Bare is the library alone, with the driver's options and without the store: a
// baseline to measure both against. It is safe for concurrent use.
type Bare struct{ client valkey.Client }

// DialBare connects to the servers of cfg over as many connections per node as
// [Connections] makes of its argument; 0 leaves them to cfg, as in a driver.
func DialBare(ctx context.Context, cfg store.Config, connections int) (*Bare, error) {
	client, err := dial(ctx, cfg.WithDefaults(), connections, func(opts *valkey.ClientOption) {
		opts.DialCtxFn = new(tap).dial
	})
	if err != nil {
		return nil, err
	}
	return &Bare{client}, nil
}

// Get is a GET. A missing key gives "".
func (b *Bare) Get(ctx context.Context, key string) (string, error) {
	value, err := b.client.Do(ctx, b.client.B().Get().Key(key).Build()).ToString()
	if err != nil && !valkey.IsValkeyNil(err) {
		return "", failure(ctx, "GET", err)
	}
	return value, nil
}

// Set is a SET.
func (b *Bare) Set(ctx context.Context, key, value string) error {
	if err := b.client.Do(ctx, b.client.B().Set().Key(key).Value(value).Build()).Error(); err != nil {
		return failure(ctx, "SET", err)
	}
	return nil
}

// Close closes the connections.
func (b *Bare) Close() { b.client.Close() }

// Connections is how many connections per node the library can have that are at
// least n, a power of two, and at most 256.
func Connections(n int) int {
	return 1 << min(valkey.MaxPipelineMultiplex, bits.Len(uint(max(1, n)-1)))
}

// DialConnections is a [Dial] with as many connections per node as [Connections]
// makes of n, instead of the few that are the driver's own choice, which 0 takes.
// Callers then share a connection less often, and its pipelines are shorter.
func DialConnections(n int) store.Dial {
	return func(ctx context.Context, cfg store.Config) (store.Driver, error) {
		cfg = cfg.WithDefaults()
		d := &driver{cluster: cfg.ClusterMode, retryReads: cfg.ReadRetries > 0}
		d.tap.cluster = cfg.ClusterMode
		d.repeats.most = cfg.ReadRetries
		client, err := dial(ctx, cfg, n, func(opts *valkey.ClientOption) {
			opts.DialCtxFn, opts.RetryDelay = d.tap.dial, d.repeats.delay
		})
		d.client = client
		return d, err
	}
}

// dial connects over n connections per node; 0 leaves them to cfg. adapt may
// change the options.
func dial(ctx context.Context, cfg store.Config, n int, adapt func(*valkey.ClientOption)) (valkey.Client, error) {
	e, err := cfg.Endpoint()
	if err != nil {
		return nil, err
	}
	opts := options(cfg, e)
	if n > 0 {
		opts.PipelineMultiplex = bits.Len(uint(Connections(n))) - 1
	}
	if opts.PipelineMultiplex == 0 {
		opts.PipelineMultiplex = -1 // the library's word for one connection
	}
	adapt(&opts)
	client, err := connect(ctx, opts)
	if err != nil {
		return nil, failure(ctx, "connect", err)
	}
	return client, nil
}
