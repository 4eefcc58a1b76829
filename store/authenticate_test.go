package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/cast"
	"github.com/toriibench/toriibench/store/memory"
)

// torn is a driver on which something happens between the two reads of a Lookup,
// as may happen on a server when the second comes in a packet of its own.
type torn struct {
	store.Driver

	between func()
}

func (d *torn) Lookup(ctx context.Context, key, hash, field string) (text, value string, err error) {
	text, _, err = d.Driver.Lookup(ctx, key, hash, field)
	if err != nil {
		return "", "", err
	}
	if d.between != nil {
		d.between()
	}
	_, value, err = d.Driver.Lookup(ctx, key, hash, field)
	return text, value, err
}

// authenticateTorn authenticates the token of user 1 while between happens.
func authenticateTorn(t *testing.T, begin, between func(s *store.RedisStorage, token store.Token) error) (store.Identity, bool) {
	t.Helper()
	server := memory.NewServer(nil)
	s := openHealthy(t, server)
	cast.Populate(t, s)
	token := store.NewToken(user1)
	check(t, begin(s, token))
	reader, err := store.Open(t.Context(), store.Config{URLs: []string{"memory"}},
		func(ctx context.Context, cfg store.Config) (store.Driver, error) {
			d, err := server.Dial(ctx, cfg)
			return &torn{d, func() { check(t, between(s, token)) }}, err
		})
	check(t, err)
	identity, ok, err := reader.Sessions.Authenticate(t.Context(), token)
	check(t, err)
	return identity, ok
}

func newSession(t *testing.T) func(s *store.RedisStorage, token store.Token) error {
	t.Helper()
	return func(s *store.RedisStorage, token store.Token) error {
		_, err := s.Sessions.Create(t.Context(), store.NewSession{UserID: user1, Token: token})
		return err
	}
}

func nothing(*store.RedisStorage, store.Token) error { return nil }

// The two reads of Authenticate are no snapshot. Whether it finds a session is
// right at the instant of the second read: a session that is there then has its
// user, though that may be another one with the same id.
func TestAuthenticateFindsNoSessionOfADeletedUser(t *testing.T) {
	for name, between := range map[string]cast.Operation{
		"deleted":                         cast.Remove(user1),
		"deleted and created again":       cast.Replace(user1, emailA),
		"deleted and created as somebody": cast.Replace(user1, emailB),
	} {
		t.Run(name, func(t *testing.T) {
			_, ok := authenticateTorn(t, newSession(t), func(s *store.RedisStorage, _ store.Token) error { return between.Run(t.Context(), s) })
			if ok {
				t.Error("a session of the user before is found")
			}
		})
	}
}

// The user that comes with the session is that of the first read. So the two may
// never have been there together: if the session began, or was refreshed, only
// between the reads, and the user was replaced or changed before that. It takes
// a caller who asks for a token before its session is created, or again after its
// session has ended: tokens that NewToken made and that are used once are known
// to nobody until then. The session itself is always the present one.
func TestAuthenticateMayGiveTheUserOfAMomentBefore(t *testing.T) {
	create := newSession(t)
	for _, c := range []struct {
		name           string
		begin, between func(s *store.RedisStorage, token store.Token) error
	}{
		{"a session that begins after the user was replaced", nothing, func(s *store.RedisStorage, token store.Token) error {
			check(t, cast.Replace(user1, emailB).Run(t.Context(), s))
			return create(s, token)
		}},
		{"a session that begins after the user was changed", nothing, func(s *store.RedisStorage, token store.Token) error {
			check(t, cast.Change(user1, emailB).Run(t.Context(), s))
			return create(s, token)
		}},
		{"a session that is refreshed after the user was changed", create, func(s *store.RedisStorage, token store.Token) error {
			check(t, cast.Change(user1, emailB).Run(t.Context(), s))
			_, err := s.Sessions.Refresh(t.Context(), token, 2*time.Hour)
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			identity, ok := authenticateTorn(t, c.begin, c.between)
			if !ok || identity.User.ID != user1 || identity.User.Email != emailA {
				t.Errorf("found %t, user %+v, want user 1 as before", ok, identity.User)
			}
		})
	}
}

// A token that was made for one session only never gives another user's record:
// who knows it knows it from its session's creation.
func TestAuthenticateWithAFreshTokenGivesTheUserOfItsSession(t *testing.T) {
	begin := func(s *store.RedisStorage, token store.Token) error {
		check(t, cast.Replace(user1, emailB).Run(t.Context(), s))
		return newSession(t)(s, token)
	}
	identity, ok := authenticateTorn(t, begin, nothing)
	if !ok || identity.User.Email != emailB {
		t.Errorf("found %t, user %+v", ok, identity.User)
	}
	if _, ok := authenticateTorn(t, begin, func(s *store.RedisStorage, _ store.Token) error {
		return cast.Replace(user1, emailA).Run(t.Context(), s)
	}); ok {
		t.Error("the session of a user who was replaced is found")
	}
}
