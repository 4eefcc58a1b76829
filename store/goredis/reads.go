package goredis

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/toriibench/toriibench/store"
)

// readerLifetime is how long a connection to a replica lives that sentinels have
// named. The library does not give it up when the replica becomes the primary, or
// when there are others.
const readerLifetime = time.Minute

// primary makes the client for everything that must reach the primary.
func primary(cfg store.Config, e store.Endpoint) (commander, *redis.ClusterClient) {
	switch {
	case cfg.ClusterMode:
		c := redis.NewClusterClient(cluster(cfg, e))
		return c, c
	case cfg.MasterName != "":
		return redis.NewFailoverClient(sentinel(cfg, e)), nil
	default:
		return redis.NewClient(standalone(cfg, e)), nil
	}
}

// readers makes the clients that reach replicas. A cluster has one of its own,
// which sends what the servers' COMMAND calls readonly to replicas: the client
// for the rest cannot be told which reads to leave at the primary.
func readers(cfg store.Config, e store.Endpoint) []commander {
	switch {
	case cfg.ClusterMode:
		o := cluster(cfg, e)
		o.ReadOnly = true
		return []commander{redis.NewClusterClient(o)}
	case cfg.MasterName != "":
		o := sentinel(cfg, e)
		o.ReplicaOnly = true
		o.ConnMaxLifetime = readerLifetime
		return []commander{redis.NewFailoverClient(o)}
	}
	all := make([]commander, len(e.Replicas))
	for i, addr := range e.Replicas {
		e.Addrs = []string{addr}
		all[i] = redis.NewClient(standalone(cfg, e))
	}
	return all
}

// router sends reads to replicas, and everything else to the primary.
type router struct {
	primary commander
	readers []commander
	// always sends all reads to replicas; otherwise half of them.
	always bool
	turn   atomic.Uint64
}

// Process is part of commander.
func (r *router) Process(ctx context.Context, cmd redis.Cmder) error {
	if cmd.Name() != "mget" {
		return r.primary.Process(ctx, cmd)
	}
	return r.reader(ctx).Process(ctx, cmd)
}

// Pipeline is part of commander.
func (r *router) Pipeline() redis.Pipeliner { return r.primary.Pipeline() }

// reader is the client for a read.
func (r *router) reader(ctx context.Context) commander {
	if store.PrimaryReads(ctx) || !r.always && rand.IntN(2) == 0 {
		return r.primary
	}
	return r.readers[r.turn.Add(1)%uint64(len(r.readers))]
}

// Close closes all clients.
func (r *router) Close() error {
	err := r.primary.Close()
	for _, reader := range r.readers {
		err = errors.Join(err, reader.Close())
	}
	return err
}
