package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/redis/go-redis/v9"

	"github.com/toriibench/toriibench/runner"
)

// scsStore is goredisstore under the codec that scs.SessionManager has by itself.
// The manager's own work, a context and a map with a lock for each request, is
// left out.
type scsStore struct {
	client *redis.Client
	store  *goredisstore.RedisStore
	codec  scs.Codec
}

func openSCS(ctx context.Context, url string, connections int) (runner.SessionStore, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("open scs: %w", err)
	}
	options.PoolSize = connections
	client := redis.NewClient(options)
	if err := client.Ping(ctx).Err(); err != nil {
		return nil, errors.Join(fmt.Errorf("open scs: %w", err), client.Close())
	}
	return &scsStore{client, goredisstore.New(client), scs.GobCodec{}}, nil
}

// Create is the end of the request that logs in.
func (s *scsStore) Create(ctx context.Context, l runner.Login) (runner.Ticket, error) {
	t := runner.Ticket{Cookie: newToken()}
	return t, s.commit(ctx, t, l)
}

// Find is the beginning of every request.
func (s *scsStore) Find(ctx context.Context, t runner.Ticket) (runner.Login, bool, error) {
	data, found, err := s.store.FindCtx(ctx, t.Cookie)
	if err != nil || !found {
		return runner.Login{}, false, err
	}
	deadline, values, err := s.codec.Decode(data)
	if err != nil {
		return runner.Login{}, false, err
	}
	l := loginOf(func(key string) any { return values[key] })
	l.ExpiresAt = deadline.UTC()
	return l, true, nil
}

// Refresh is the end of a request under an idle timeout: it writes all that the
// session holds.
func (s *scsStore) Refresh(ctx context.Context, t runner.Ticket, l runner.Login) error {
	return s.commit(ctx, t, l)
}

func (s *scsStore) Delete(ctx context.Context, t runner.Ticket) error {
	return s.store.DeleteCtx(ctx, t.Cookie)
}

func (s *scsStore) Close() error { return s.client.Close() }

func (s *scsStore) commit(ctx context.Context, t runner.Ticket, l runner.Login) error {
	data, err := s.codec.Encode(l.ExpiresAt, map[string]any{
		keyUser: l.UserID, keyAgent: l.UserAgent, keyAddress: l.IPAddress,
		keyCreated: l.CreatedAt.UnixMilli(), keyUpdated: l.UpdatedAt.UnixMilli(),
	})
	if err != nil {
		return err
	}
	return s.store.CommitCtx(ctx, t.Cookie, data, l.ExpiresAt)
}
