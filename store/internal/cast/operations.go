// Package cast has the users of the tests of crashes and of interleavings, what is
// done with them, and what must hold whatever came of it. Only tests import it.
package cast

import (
	"context"
	"errors"
	"testing"

	"github.com/toriibench/toriibench/store"
)

// The cast of the tests of crashes and of interleavings: user 1 is there with
// the first email, and user 2 with the third.
const (
	EmailA = "a@example.org"
	EmailB = "b@example.org"
	EmailC = "c@example.org"
	User1  = "1"
	User2  = "2"
)

// Populate creates users 1 and 2 and a session of user 1.
func Populate(t *testing.T, s *store.RedisStorage) store.Token {
	t.Helper()
	for id, email := range map[string]string{User1: EmailA, User2: EmailC} {
		_, err := s.Users.Create(t.Context(), store.NewUser{ID: id, Email: email})
		check(t, err)
	}
	session, err := s.Sessions.Create(t.Context(), store.NewSession{UserID: User1})
	check(t, err)
	return session.Token
}

// Operation is something that a process does in several commands.
type Operation struct {
	Name string
	Run  func(ctx context.Context, s *store.RedisStorage) error
}

// Create is the creation of a user.
func Create(id, email string) Operation {
	return Operation{"create user " + id + " with " + email, func(ctx context.Context, s *store.RedisStorage) error {
		_, err := s.Users.Create(ctx, store.NewUser{ID: id, Email: email})
		return err
	}}
}

// Register is Create with a password.
func Register(id, email string) Operation {
	return Operation{"register user " + id + " with " + email, func(ctx context.Context, s *store.RedisStorage) error {
		_, err := s.Users.Register(ctx, store.NewUser{ID: id, Email: email}, "$argon2id$hash")
		return err
	}}
}

// FindOrCreate is that of whoever has the email.
func FindOrCreate(email string) Operation {
	return Operation{"find or create " + email, func(ctx context.Context, s *store.RedisStorage) error {
		_, err := s.Users.FindOrCreateByEmail(ctx, email)
		return err
	}}
}

// Change gives a user another email.
func Change(id, email string) Operation {
	return Operation{"change user " + id + " to " + email, func(ctx context.Context, s *store.RedisStorage) error {
		u, ok, err := s.Users.FindByID(ctx, id)
		if err != nil || !ok {
			return errors.Join(err, notFoundUnless(ok))
		}
		u.Email = email
		_, err = s.Users.Update(ctx, u)
		return err
	}}
}

func notFoundUnless(ok bool) error {
	if ok {
		return nil
	}
	return store.ErrNotFound
}

// Remove deletes a user.
func Remove(id string) Operation {
	return Operation{"delete user " + id, func(ctx context.Context, s *store.RedisStorage) error {
		return s.Users.Delete(ctx, id)
	}}
}

// Replace deletes a user and creates another one with its id.
func Replace(id, email string) Operation {
	return Operation{"replace user " + id, func(ctx context.Context, s *store.RedisStorage) error {
		if err := s.Users.Delete(ctx, id); err != nil {
			return err
		}
		_, err := s.Users.Create(ctx, store.NewUser{ID: id, Email: email})
		return err
	}}
}

// Rename gives a user a name.
func Rename(id string) Operation {
	return Operation{"rename user " + id, func(ctx context.Context, s *store.RedisStorage) error {
		u, ok, err := s.Users.FindByID(ctx, id)
		if err != nil || !ok {
			return errors.Join(err, notFoundUnless(ok))
		}
		name := "Ada"
		u.Name = &name
		_, err = s.Users.Update(ctx, u)
		return err
	}}
}

// MarkVerified notes that the email of a user was verified.
func MarkVerified(id string) Operation {
	return Operation{"verify user " + id, func(ctx context.Context, s *store.RedisStorage) error {
		_, err := s.Users.MarkEmailVerified(ctx, id)
		return err
	}}
}
