package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/toriibench/toriibench/store"
)

// Options change how a Service works. The zero value works.
type Options struct {
	// Hashing is the cost of password hashes that are made. Those of another cost are
	// replaced one by one, when their users log in.
	Hashing Argon2id
	// HashesAtOnce is how many passwords are hashed at once; others wait until
	// their context ends. A login has its turn from the question whether the email
	// is locked to the record of a failure, its round trips included. 0 means as many
	// as there are processors: more take more memory, and less time only where
	// storage is far away.
	HashesAtOnce int
	// Strict has a login ask for leave before the password is checked, so that at
	// most LockoutOptions.MaxAttempts passwords are tried for an email within a
	// Period, however many come at once. Without it each process may try up to
	// HashesAtOnce more, but many logins at once with the right password are all let
	// in. The leave is a failure that a login takes back: where storage fails in
	// between, or the process dies, it stays and counts, even of the right password.
	// See store.BruteForce.Admit.
	Strict bool
	// SessionLifetime is how long a session lives: a millisecond, or a second with
	// JWT, to store.MaxSessionLifetime; 0 means store.DefaultSessionLifetime.
	SessionLifetime time.Duration
	// JWT, when not nil, makes sessions that are JSON Web Tokens. They are nowhere
	// in storage and nothing ends them early, so SessionLifetime should be short.
	JWT *JWT
}

// Service logs people in. It is safe for concurrent use. New makes one.
type Service struct {
	// Sessions are those of the storage, or those of Options.JWT.
	Sessions SessionProvider

	storage  *store.RedisStorage
	hasher   *hasher
	strict   bool
	lifetime time.Duration
}

// New returns a service over the storage, which stays the caller's to close, or
// an ErrInvalid that names the option that is wrong.
func New(storage *store.RedisStorage, opts Options) (*Service, error) {
	const op = "new auth service"
	hasher, err := newHasher(opts.Hashing, opts.HashesAtOnce)
	if err != nil {
		return nil, during(op, err)
	}
	s := &Service{
		Sessions: storage.Sessions,
		storage:  storage, hasher: hasher, strict: opts.Strict, lifetime: opts.SessionLifetime,
	}
	shortest := time.Millisecond
	if opts.JWT != nil {
		s.Sessions, shortest = NewJWTSessions(opts.JWT, storage.Users), time.Second
	}
	if s.lifetime == 0 {
		s.lifetime = store.DefaultSessionLifetime
	}
	if s.lifetime < shortest || s.lifetime > store.MaxSessionLifetime {
		return nil, fmt.Errorf("%s: option SessionLifetime: %w", op,
			invalid("%s is not between %s and %s", s.lifetime, shortest, store.MaxSessionLifetime))
	}
	return s, nil
}

// SessionProvider keeps sessions. *store.Sessions does, in storage, and
// *JWTSessions, nowhere. A token that is unknown, expired or revoked is absent,
// and its refresh is store.ErrNotFound.
type SessionProvider interface {
	Create(ctx context.Context, n store.NewSession) (store.Session, error)
	Authenticate(ctx context.Context, t store.Token) (store.Identity, bool, error)
	Refresh(ctx context.Context, t store.Token, d time.Duration) (store.Session, error)
	List(ctx context.Context, userID string) ([]store.Session, error)
	Delete(ctx context.Context, t store.Token) error
	DeleteAllOfUser(ctx context.Context, userID string) error
}

// Client is what a client says about itself. It is kept with its session. Nothing
// is believed: what is not UTF-8 is left out, and what goes beyond 1024 bytes of
// agent and 64 of address is cut off.
type Client struct {
	// UserAgent and IPAddress are nil when absent, which differs from empty.
	UserAgent, IPAddress *string
}

func (c Client) bounded() Client {
	return Client{UserAgent: cut(c.UserAgent, maxUserAgent), IPAddress: cut(c.IPAddress, maxAddress)}
}

// Authenticate returns who makes a request that comes with the token, or false
// when it is not that of a live session. An error means that nobody knows.
func (s *Service) Authenticate(ctx context.Context, t store.Token) (store.Identity, bool, error) {
	return s.Sessions.Authenticate(ctx, t)
}

// Logout ends a session. One that is not there is no error.
func (s *Service) Logout(ctx context.Context, t store.Token) error {
	return s.Sessions.Delete(ctx, t)
}

// LogoutEverywhere ends every session of the user.
func (s *Service) LogoutEverywhere(ctx context.Context, userID string) error {
	return s.Sessions.DeleteAllOfUser(ctx, userID)
}

// open begins a session of somebody who has proved to be the user.
func (s *Service) open(ctx context.Context, u store.User, c Client) (store.Identity, error) {
	session, err := s.Sessions.Create(ctx, s.newSession(u, c))
	return store.Identity{Session: session, User: u}, err
}

func (s *Service) newSession(u store.User, c Client) store.NewSession {
	c = c.bounded()
	return store.NewSession{UserID: u.ID, UserAgent: c.UserAgent, IPAddress: c.IPAddress, ExpiresAt: time.Now().Add(s.lifetime)}
}
