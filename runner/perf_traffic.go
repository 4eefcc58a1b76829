package runner

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/runner/peers"
	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/goredis"
	"github.com/toriibench/toriibench/store/valkeygo"
)

// entrant is this program's engine through a client library.
type entrant struct {
	name, operation string
	connections     int
	// open connects and returns the traffic; done disconnects.
	open func(ctx context.Context) (traffic load.Traffic, done func() error, err error)
}

// entrants are the bare library and the store, each through valkey-go with the
// few connections that it has by itself, valkey-go with as many as the others
// have, and go-redis, which has no fewer.
func (c *contest) entrants() []entrant {
	few, many, pool := valkeygo.Connections(c.sharing(0)), valkeygo.Connections(c.sharing(c.options.connections)), c.options.connections
	name := func(operation, library string, connections int) string {
		return operation + ", " + library + ", " + strconv.Itoa(connections) + " conn"
	}
	return []entrant{
		{name(operationGet, "valkey-go", few), operationGet, few, c.bareValkey(c.sharing(0))},
		{name(operationGet, "valkey-go", many), operationGet, many, c.bareValkey(c.sharing(pool))},
		{name(operationGet, "go-redis", pool), operationGet, pool, c.bareRedis},
		{name(operationAuthenticate, "valkey-go", few), operationAuthenticate, few, c.authenticate(c.sharing(0), valkeygo.Dial)},
		{name(operationAuthenticate, "valkey-go", many), operationAuthenticate, many, c.authenticate(c.sharing(pool), valkeygo.Dial)},
		{name(operationAuthenticate, "go-redis", pool), operationAuthenticate, pool, c.authenticate(c.storeConfig(), goredis.Dial)},
	}
}

// sharing has the callers share as many connections as valkey-go can have that are
// at least n, a power of two, or with 0 as many as its driver has by itself.
func (c *contest) sharing(n int) store.Config {
	cfg := c.storeConfig()
	cfg.Connections = max(0, 2*n-1) // The driver rounds down.
	return cfg
}

// getter reads one key.
type getter interface {
	Get(ctx context.Context, key string) (string, error)
}

// gets is a traffic of GETs of keys drawn uniformly.
type gets struct {
	from getter
	keys []string
	rng  *rand.Rand
}

func (c *contest) newGets(from getter) *gets {
	g := &gets{from: from, keys: make([]string, perfKeys), rng: rand.New(rand.NewPCG(c.options.seed, 3))}
	for i := range g.keys {
		g.keys[i] = peers.Key(i)
	}
	return g
}

// Operations implements load.Traffic.
func (*gets) Operations() []string { return []string{operationGet} }

// Next implements load.Traffic.
func (g *gets) Next(op *load.Op) { op.Subject = g.rng.Uint64N(perfKeys) }

// Do implements load.Traffic.
func (g *gets) Do(ctx context.Context, op *load.Op) (int, error) {
	got, err := g.from.Get(ctx, g.keys[op.Subject])
	if err == nil && len(got) != perfValue {
		err = fmt.Errorf("a key holds %d bytes, not %d", len(got), perfValue)
	}
	return 0, err
}

func (c *contest) bareValkey(cfg store.Config) func(context.Context) (load.Traffic, func() error, error) {
	return func(ctx context.Context) (load.Traffic, func() error, error) {
		bare, err := valkeygo.DialBare(ctx, cfg)
		if err != nil {
			return nil, nil, err
		}
		return c.newGets(bare), func() error { bare.Close(); return nil }, nil
	}
}

func (c *contest) bareRedis(context.Context) (load.Traffic, func() error, error) {
	bare, err := goredis.DialBare(c.storeConfig())
	if err != nil {
		return nil, nil, err
	}
	return c.newGets(bare), bare.Close, nil
}

func (c *contest) authenticate(cfg store.Config, dial store.Dial) func(context.Context) (load.Traffic, func() error, error) {
	return func(ctx context.Context) (load.Traffic, func() error, error) {
		st, err := store.Open(ctx, cfg, dial)
		if err != nil {
			return nil, nil, err
		}
		*c.storage = *st
		return c.workload.Traffic, st.Close, nil
	}
}

// loadKeys stores the keys that all GETs read.
func (c *contest) loadKeys(ctx context.Context) error {
	const loaders = 16
	bare, err := valkeygo.DialBare(ctx, c.storeConfig())
	if err != nil {
		return err
	}
	defer bare.Close()
	g, ctx := errgroup.WithContext(ctx)
	for first := range loaders {
		g.Go(func() error {
			rng := rand.New(rand.NewPCG(c.options.seed, uint64(first)+10))
			for i := first; i < perfKeys; i += loaders {
				if err := bare.Set(ctx, peers.Key(i), value(rng)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}
