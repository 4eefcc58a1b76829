package valkeygo

import (
	"context"

	"github.com/valkey-io/valkey-go"

	"github.com/toriibench/toriibench/store"
)

// Bare is the library alone, with the driver's options and without the store: a
// baseline to measure both against. It is safe for concurrent use.
type Bare struct{ client valkey.Client }

// DialBare connects to the servers of cfg as Dial does.
func DialBare(ctx context.Context, cfg store.Config) (*Bare, error) {
	d, err := dial(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &Bare{d.client}, nil
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
