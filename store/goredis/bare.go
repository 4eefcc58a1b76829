package goredis

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/toriibench/toriibench/store"
)

// Bare is the library alone, with the driver's options and without the store: a
// baseline to measure both against. It is safe for concurrent use.
type Bare struct{ client commander }

// DialBare makes a Bare for the standalone server of cfg. It connects to nothing
// yet: the first command does.
func DialBare(cfg store.Config) (*Bare, error) {
	cfg = cfg.WithDefaults()
	e, err := cfg.Endpoint()
	if err != nil {
		return nil, err
	}
	redis.SetLogger(silence{})
	return &Bare{redis.NewClient(standalone(cfg, e))}, nil
}

// Get is a GET. A missing key gives "".
func (b *Bare) Get(ctx context.Context, key string) (string, error) {
	cmd := redis.NewStringCmd(ctx, "get", key)
	if err := b.client.Process(ctx, cmd); err != nil && !errors.Is(err, redis.Nil) {
		return "", failure(ctx, "GET", err)
	}
	return cmd.Val(), nil
}

// Close closes the connections.
func (b *Bare) Close() error { return b.client.Close() }
