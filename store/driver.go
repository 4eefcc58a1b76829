package store

import (
	"context"
	"fmt"
)

// Driver is what RedisStorage needs of a client library. A driver translates
// and holds no logic. It is safe for concurrent use.
type Driver interface {
	// Get reads string keys in one round trip (MGET). All keys lie in one
	// cluster slot. The i-th value belongs to the i-th key; a missing key gives
	// "" (the store never writes an empty value). It and Lookup alone may ask a
	// replica, as far as Config.ReadFrom and PrimaryReads allow it, and may be
	// repeated by the client library, as far as Config.ReadRetries allows it.
	Get(ctx context.Context, keys ...string) ([]string, error)
	// Lookup reads the string under key and then a field of the hash under
	// another key, in one round trip (GET and HGET, not atomic together). Both
	// keys lie in one cluster slot. What is missing gives "", as with Get.
	Lookup(ctx context.Context, key, hash, field string) (text, value string, err error)
	// Eval runs script in one round trip (EVALSHA; EVAL after NOSCRIPT). All
	// keys are declared and lie in one cluster slot. The script's reply is an
	// array of bulk strings. After a Durable one the driver waits for
	// Config.WaitReplicas on the same connection (WAIT), in the same round trip; an
	// ErrNotReplicated comes with the reply.
	Eval(ctx context.Context, script *Script, keys []string, args ...string) ([]string, error)
	// Scan calls page with the keys that begin with prefix, from every
	// primary, a few hundred at a time; a key may come twice. It ends with the
	// first error of page.
	Scan(ctx context.Context, prefix string, page func(keys []string) error) error
	// Ping asks every primary for a sign of life, and beside the primary of
	// sentinels or of Config.Replicas what answers reads.
	Ping(ctx context.Context) error
	// Close frees the connections. It may be called twice.
	Close() error
}

// retrier is a Driver that counts what its client library does by itself.
type retrier interface {
	// Retries is how many commands were sent again since the driver was opened,
	// by redirection or by repetition.
	Retries() int64
}

// localReader is a Driver that keeps copies of what it has read in this process,
// when Config.ClientCacheSize is not 0: server-assisted client-side caching.
type localReader interface {
	// GetLocal is Get of one key, and tells whether the value is from a copy. The
	// server tells the driver of every change of a key that it has a copy of, and
	// the driver forgets the copy then, when its connection ends, and after
	// Config.ClientCacheTTL.
	GetLocal(ctx context.Context, key string) (value string, local bool, err error)
	// Settle waits until the driver has heeded the messages about all changes of key
	// that were acknowledged to anybody before the call, in one round trip.
	Settle(ctx context.Context, key string) error
}

// Dial opens a driver for cfg, which has been checked and completed by Open.
// goredis.Dial, valkeygo.Dial and memory.Dial are Dials.
type Dial func(ctx context.Context, cfg Config) (Driver, error)

// Script is a piece of Lua that runs atomically on the server. Name is how the
// memory driver finds its own version in Go.
type Script struct {
	Name string
	Lua  string
	// Durable says that a failover must not undo what the script writes.
	Durable bool
}

// Replicated is for drivers: it makes an ErrNotReplicated of too few replicas and
// of a wait that failed, and nil of enough.
func Replicated(operation string, have int64, want int, failed error) error {
	switch {
	case failed != nil:
		return fmt.Errorf("%w: %w", failed, ErrNotReplicated)
	case have < int64(want):
		return fmt.Errorf("%s: %d of %d replicas have it: %w", operation, have, want, ErrNotReplicated)
	default:
		return nil
	}
}
