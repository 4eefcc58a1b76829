package store

import (
	"context"
	"errors"
)

// Login is what follows when a password was right: BruteForce.Clear and
// Sessions.Create, at the same time, so that it takes one round trip where the
// user bears no LockedAt. The errors are those of both. When the session was
// created and only the failures could not be cleared, it comes with the error;
// when only it could not be created, the failures are cleared all the same.
func (s *RedisStorage) Login(ctx context.Context, email string, n NewSession) (Session, error) {
	cleared := make(chan error, 1)
	go func() {
		// A Trace is for one goroutine.
		_, err := s.BruteForce.Clear(WithTrace(ctx, nil), email)
		cleared <- err
	}()
	session, err := s.Sessions.Create(ctx, n)
	return session, errors.Join(err, <-cleared)
}
