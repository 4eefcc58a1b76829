package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/memory"
)

// mortal is a driver of a process that dies at a given command: it and all
// later ones fail. Whether the fatal one still reached the server is the
// question that a caller cannot answer.
type mortal struct {
	store.Driver

	left    int
	reaches bool
}

var errDead = errors.New("the process is dead")

// step reports whether the command reaches the server, and whether its reply
// comes back.
func (m *mortal) step() (sent, answered bool) {
	m.left--
	return m.left > 0 || m.left == 0 && m.reaches, m.left > 0
}

func (m *mortal) Get(ctx context.Context, keys ...string) ([]string, error) {
	if _, answered := m.step(); !answered {
		return nil, store.Unavailable("get", errDead)
	}
	return m.Driver.Get(ctx, keys...)
}

func (m *mortal) Eval(ctx context.Context, script *store.Script, keys []string, args ...string) ([]string, error) {
	sent, answered := m.step()
	var out []string
	var err error
	if sent {
		out, err = m.Driver.Eval(ctx, script, keys, args...)
	}
	if !answered {
		return nil, store.Unavailable("eval", errDead)
	}
	return out, err
}

func (m *mortal) Unlink(ctx context.Context, keys ...string) (int64, error) {
	sent, answered := m.step()
	var n int64
	var err error
	if sent {
		n, err = m.Driver.Unlink(ctx, keys...)
	}
	if !answered {
		return 0, store.Unavailable("unlink", errDead)
	}
	return n, err
}

// openMortal opens a storage that dies at the n-th command after its opening.
func openMortal(t *testing.T, server *memory.Server, n int, reaches bool) *store.RedisStorage {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URLs: []string{"memory"}},
		func(ctx context.Context, cfg store.Config) (store.Driver, error) {
			d, err := server.Dial(ctx, cfg)
			return &mortal{Driver: d, left: n, reaches: reaches}, err
		})
	check(t, err)
	return s
}

func openHealthy(t *testing.T, server *memory.Server) *store.RedisStorage {
	t.Helper()
	s, err := server.Open(t.Context(), "")
	check(t, err)
	return s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The cast of the tests of crashes and of interleavings: user 1 is there with
// the first email, and user 2 with the third.
const (
	emailA, emailB, emailC = "a@example.org", "b@example.org", "c@example.org"
	user1, user2           = "1", "2"
)

// populate creates users 1 and 2 and a session of user 1.
func populate(t *testing.T, s *store.RedisStorage) store.Token {
	t.Helper()
	for id, email := range map[string]string{user1: emailA, user2: emailC} {
		_, err := s.Users.Create(t.Context(), store.NewUser{ID: id, Email: email})
		check(t, err)
	}
	session, err := s.Sessions.Create(t.Context(), store.NewSession{UserID: user1})
	check(t, err)
	return session.Token
}

// operation is something that a process does in several commands.
type operation struct {
	name string
	run  func(ctx context.Context, s *store.RedisStorage) error
}

func create(id, email string) operation {
	return operation{"create user " + id + " with " + email, func(ctx context.Context, s *store.RedisStorage) error {
		_, err := s.Users.Create(ctx, store.NewUser{ID: id, Email: email})
		return err
	}}
}

func findOrCreate(email string) operation {
	return operation{"find or create " + email, func(ctx context.Context, s *store.RedisStorage) error {
		_, err := s.Users.FindOrCreateByEmail(ctx, email)
		return err
	}}
}

func change(id, email string) operation {
	return operation{"change user " + id + " to " + email, func(ctx context.Context, s *store.RedisStorage) error {
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

func remove(id string) operation {
	return operation{"delete user " + id, func(ctx context.Context, s *store.RedisStorage) error {
		return s.Users.Delete(ctx, id)
	}}
}

// replace deletes a user and creates another one with its id.
func replace(id, email string) operation {
	return operation{"replace user " + id, func(ctx context.Context, s *store.RedisStorage) error {
		if err := s.Users.Delete(ctx, id); err != nil {
			return err
		}
		_, err := s.Users.Create(ctx, store.NewUser{ID: id, Email: email})
		return err
	}}
}

func rename(id string) operation {
	return operation{"rename user " + id, func(ctx context.Context, s *store.RedisStorage) error {
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

func mark(id string) operation {
	return operation{"verify user " + id, func(ctx context.Context, s *store.RedisStorage) error {
		_, err := s.Users.MarkEmailVerified(ctx, id)
		return err
	}}
}

// wantConsistent expects ids and emails to agree: who is found in one way is
// found in the other.
func wantConsistent(t *testing.T, s *store.RedisStorage, ids ...string) {
	t.Helper()
	for _, email := range []string{emailA, emailB, emailC} {
		u, ok, err := s.Users.FindByEmail(t.Context(), email)
		check(t, err)
		if !ok {
			continue
		}
		ids = append(ids, u.ID)
		if u.Email != email {
			t.Errorf("%s finds a user with %s", email, u.Email)
		}
	}
	for _, id := range ids {
		u, ok, err := s.Users.FindByID(t.Context(), id)
		check(t, err)
		if !ok {
			continue
		}
		byEmail, ok, err := s.Users.FindByEmail(t.Context(), u.Email)
		check(t, err)
		if !ok || byEmail.ID != id {
			t.Errorf("user %s has %s, which finds %q (%t)", id, u.Email, byEmail.ID, ok)
		}
	}
}

// maxCommands is more than any operation takes.
const maxCommands = 20

func TestACrashAnywhereIsHarmless(t *testing.T) {
	for _, op := range []operation{
		create("3", emailB), create("3", emailC), findOrCreate(emailB), findOrCreate(emailA),
		change(user1, emailB), change(user1, emailC), remove(user1), remove(user2),
	} {
		for n := 1; n < maxCommands; n++ {
			for _, reaches := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/dies at command %d, which reaches the server: %t", op.name, n, reaches), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { crash(t, op, n, reaches) })
				})
			}
		}
	}
}

func crash(t *testing.T, op operation, n int, reaches bool) {
	t.Helper()
	server := memory.NewServer(nil)
	s := openHealthy(t, server)
	token := populate(t, s)
	err := op.run(t.Context(), openMortal(t, server, n, reaches))
	if err != nil && !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrConflict) {
		t.Errorf("the caller was told %v", err)
	}
	wantConsistent(t, s, user1, user2, "3")
	wantUsable(t, s, token)
	wantSameFate(t, s, token)
	// When the window has passed, even the id may be used again.
	<-time.After(11 * time.Second)
	wantConsistent(t, s, user1, user2, "3")
	if _, err := s.Users.Create(t.Context(), store.NewUser{ID: "3", Email: "d@example.org"}); err != nil {
		_, ok, findErr := s.Users.FindByID(t.Context(), "3")
		check(t, findErr)
		if !ok {
			t.Errorf("id 3 is blocked for ever: %v", err)
		}
	}
}

// wantUsable expects that no email is blocked, not even for a moment, and that
// no session outlives its user.
func wantUsable(t *testing.T, s *store.RedisStorage, token store.Token) {
	t.Helper()
	for _, email := range []string{emailA, emailB, emailC} {
		u, err := s.Users.FindOrCreateByEmail(t.Context(), email)
		if err != nil || u.Email != email {
			t.Errorf("%s is blocked: %v", email, err)
		}
	}
	wantConsistent(t, s, user1, user2, "3")
	_, alive, err := s.Sessions.Find(t.Context(), token)
	check(t, err)
	_, exists, err := s.Users.FindByID(t.Context(), user1)
	check(t, err)
	// The user may have been deleted and created again, without the session.
	if alive && !exists {
		t.Error("the session has outlived its user")
	}
}

// wantSameFate expects user 1 and its session to be both there or both gone.
func wantSameFate(t *testing.T, s *store.RedisStorage, token store.Token) {
	t.Helper()
	_, alive, err := s.Sessions.Find(t.Context(), token)
	check(t, err)
	_, exists, err := s.Users.FindByID(t.Context(), user1)
	check(t, err)
	if alive != exists {
		t.Errorf("user there: %t, session alive: %t", exists, alive)
	}
}

// The sweep of dead sessions is not what kills them.
func TestSessionsAreDeadBeforeTheyAreSwept(t *testing.T) {
	for name, end := range map[string]func(s *store.RedisStorage) error{
		"log out everywhere": func(s *store.RedisStorage) error { return s.Sessions.DeleteAllOfUser(t.Context(), user1) },
		"delete the user":    func(s *store.RedisStorage) error { return s.Users.Delete(t.Context(), user1) },
	} {
		t.Run(name, func(t *testing.T) {
			server := memory.NewServer(nil)
			s := openHealthy(t, server)
			token := populate(t, s)
			if err := end(openMortal(t, server, 1, true)); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("the caller was told %v", err)
			}
			keyEnding(t, s, "}:s:")
			_, alive, err := s.Sessions.Find(t.Context(), token)
			check(t, err)
			list, err := s.Sessions.List(t.Context(), user1)
			check(t, err)
			if alive || len(list) > 0 {
				t.Errorf("the session is alive: %t, listed: %d", alive, len(list))
			}
			if _, err := s.Sessions.Refresh(t.Context(), token, time.Hour); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("refreshing it gives %v, want %v", err, store.ErrNotFound)
			}
			// A user of the same id must not adopt it either.
			_, err = s.Users.Create(t.Context(), store.NewUser{ID: user1, Email: emailB})
			if err != nil && !errors.Is(err, store.ErrConflict) {
				t.Fatal(err)
			}
			_, alive, err = s.Sessions.Find(t.Context(), token)
			check(t, err)
			if alive {
				t.Error("the session is alive again")
			}
		})
	}
}

func openSlow(t *testing.T, server *memory.Server) *store.RedisStorage {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URLs: []string{"memory"}},
		func(ctx context.Context, cfg store.Config) (store.Driver, error) {
			d, err := server.Dial(ctx, cfg)
			return slowDriver{d}, err
		})
	check(t, err)
	return s
}

func TestASlowChangeOfEmailIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := memory.NewServer(nil)
		s := openHealthy(t, server)
		populate(t, s)
		if err := change(user1, emailB).run(t.Context(), openSlow(t, server)); !errors.Is(err, store.ErrConflict) {
			t.Errorf("error is %v, want %v", err, store.ErrConflict)
		}
		u, ok, err := s.Users.FindByEmail(t.Context(), emailA)
		check(t, err)
		if !ok || u.ID != user1 {
			t.Errorf("the old email finds %q (%t)", u.ID, ok)
		}
		wantConsistent(t, s, user1)
	})
}

func TestASlowCreationIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := memory.NewServer(nil)
		s := openHealthy(t, server)
		slow := openSlow(t, server)
		if _, err := slow.Users.Create(t.Context(), store.NewUser{ID: "3", Email: emailA}); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("error is %v, want %v", err, store.ErrUnavailable)
		}
		wantConsistent(t, s, "3")
		if err := s.Keys(t.Context(), func(keys []string) error { return fmt.Errorf("keys are left: %v", keys) }); err != nil {
			t.Error(err)
		}
	})
}

// slowDriver takes six seconds for each script.
type slowDriver struct{ store.Driver }

func (d slowDriver) Eval(ctx context.Context, script *store.Script, keys []string, args ...string) ([]string, error) {
	<-time.After(6 * time.Second)
	return d.Driver.Eval(ctx, script, keys, args...)
}
