package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	storage "github.com/gofiber/storage/redis/v3"
	"github.com/redis/go-redis/v9"

	"github.com/toriibench/toriibench/runner"
)

// fiberStore is fiber's storage with the session as JSON. Below fiber's session
// middleware it holds gob, which takes longer.
type fiberStore struct{ storage *storage.Storage }

// openFiber makes the client that storage.New makes, which panics where no server
// answers.
func openFiber(ctx context.Context, url string, connections int) (runner.SessionStore, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("open fiber storage: %w", err)
	}
	client := redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: []string{options.Addr}, DB: options.DB, Username: options.Username, Password: options.Password,
		TLSConfig: options.TLSConfig, PoolSize: connections,
	})
	if err := client.Ping(ctx).Err(); err != nil {
		return nil, errors.Join(fmt.Errorf("open fiber storage: %w", err), client.Close())
	}
	return &fiberStore{storage.NewFromConnection(client)}, nil
}

func (f *fiberStore) Create(ctx context.Context, l runner.Login) (runner.Ticket, error) {
	t := runner.Ticket{Cookie: newToken()}
	return t, f.Refresh(ctx, t, l)
}

func (f *fiberStore) Find(ctx context.Context, t runner.Ticket) (l runner.Login, found bool, err error) {
	data, err := f.storage.GetWithContext(ctx, t.Cookie)
	if err != nil || data == nil {
		return l, false, err
	}
	return l, true, json.Unmarshal(data, &l)
}

// Refresh writes all that the session holds.
func (f *fiberStore) Refresh(ctx context.Context, t runner.Ticket, l runner.Login) error {
	data, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return f.storage.SetWithContext(ctx, t.Cookie, data, l.Lifetime())
}

func (f *fiberStore) Delete(ctx context.Context, t runner.Ticket) error {
	return f.storage.DeleteWithContext(ctx, t.Cookie)
}

func (f *fiberStore) Close() error { return f.storage.Close() }
