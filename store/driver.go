package store

import "context"

// Driver is what RedisStorage needs of a client library. A driver translates
// and holds no logic. It is safe for concurrent use.
type Driver interface {
	// Get reads string keys in one round trip (MGET). All keys lie in one
	// cluster slot. The i-th value belongs to the i-th key; a missing key gives
	// "" (the store never writes an empty value).
	Get(ctx context.Context, keys ...string) ([]string, error)
	// Eval runs script in one round trip (EVALSHA; EVAL after NOSCRIPT). All
	// keys are declared and lie in one cluster slot. The script's reply is an
	// array of bulk strings.
	Eval(ctx context.Context, script *Script, keys []string, args ...string) ([]string, error)
	// Unlink removes keys that all lie in one cluster slot and returns how many
	// there were.
	Unlink(ctx context.Context, keys ...string) (int64, error)
	// Scan calls page with the keys that begin with prefix, from every
	// primary, a few hundred at a time; a key may come twice. It ends with the
	// first error of page.
	Scan(ctx context.Context, prefix string, page func(keys []string) error) error
	// Ping asks every primary for a sign of life.
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

// Dial opens a driver for cfg, which has been checked and completed by Open.
// goredis.Dial, valkeygo.Dial and memory.Dial are Dials.
type Dial func(ctx context.Context, cfg Config) (Driver, error)

// Script is a piece of Lua that runs atomically on the server. Name is how the
// memory driver finds its own version in Go.
type Script struct {
	Name string
	Lua  string
}
