package runner

import (
	"context"
	"fmt"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/goredis"
	"github.com/toriibench/toriibench/store/valkeygo"
)

// ownStores are this project's store through each client library: go-redis with as
// many connections as the others have, and valkey-go with the few that it has by
// itself.
func ownStores() []StorePeer {
	libraries := versions()
	return []StorePeer{
		{
			Name: "ours, go-redis", Version: version() + ", go-redis " + libraries["github.com/redis/go-redis/v9"],
			Open: openOwn(goredis.Dial), ours: true,
		},
		{
			Name: "ours, valkey-go", Version: version() + ", valkey-go " + libraries["github.com/valkey-io/valkey-go"],
			Open: openOwn(valkeygo.Dial), ours: true, connections: valkeygo.Connections(store.Config{}),
		},
	}
}

// ownStore is the store behind the same calls as the others.
type ownStore struct{ storage *store.RedisStorage }

func openOwn(dial store.Dial) func(context.Context, string, int) (SessionStore, error) {
	return func(ctx context.Context, url string, connections int) (SessionStore, error) {
		storage, err := store.Open(ctx, store.Config{URLs: []string{url}, PoolSize: connections}, dial)
		if err != nil {
			return nil, err
		}
		return ownStore{storage}, nil
	}
}

// Create implements SessionStore.
func (o ownStore) Create(ctx context.Context, l Login) (Ticket, error) {
	s, err := o.storage.Sessions.Create(ctx, store.NewSession{
		UserID: l.UserID, UserAgent: &l.UserAgent, IPAddress: &l.IPAddress, CreatedAt: l.CreatedAt, ExpiresAt: l.ExpiresAt,
	})
	return Ticket{Cookie: string(s.Token)}, err
}

// Find implements SessionStore.
func (o ownStore) Find(ctx context.Context, t Ticket) (Login, bool, error) {
	s, found, err := o.storage.Sessions.Find(ctx, store.Token(t.Cookie))
	if err != nil || !found {
		return Login{}, false, err
	}
	l := Login{UserID: s.UserID, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, ExpiresAt: s.ExpiresAt}
	if s.UserAgent != nil && s.IPAddress != nil {
		l.UserAgent, l.IPAddress = *s.UserAgent, *s.IPAddress
	}
	return l, true, nil
}

// Refresh implements SessionStore.
func (o ownStore) Refresh(ctx context.Context, t Ticket, l Login) error {
	_, err := o.storage.Sessions.Refresh(ctx, store.Token(t.Cookie), l.Lifetime())
	return err
}

// Delete implements SessionStore.
func (o ownStore) Delete(ctx context.Context, t Ticket) error {
	return o.storage.Sessions.Delete(ctx, store.Token(t.Cookie))
}

// Close implements SessionStore.
func (o ownStore) Close() error { return o.storage.Close() }

// createUsers creates the users of people, which the store wants before it takes
// their sessions.
func createUsers(ctx context.Context, url string, people []Login, callers int) (err error) {
	opened, err := openOwn(valkeygo.Dial)(ctx, url, callers)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, opened) }()
	users := opened.(ownStore).storage.Users
	_, err = (&lapLoop{callers: callers, limit: int64(len(people)), do: func(ctx context.Context, _ int, n int64) error {
		_, err := users.Create(ctx, store.NewUser{ID: people[n].UserID, Email: fmt.Sprintf("user-%d@example.com", n)})
		return err
	}}).run(ctx)
	return err
}
