package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/cast"
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

// death says when a process dies.
type death struct {
	command int // the fatal one, from 1 on
	reaches bool
}

func (d death) String() string {
	return fmt.Sprintf("dies at command %d, which reaches the server: %t", d.command, d.reaches)
}

// deaths are those at each command, from the first to the last.
func deaths(last int) (all []death) {
	for n := 1; n <= last; n++ {
		all = append(all, death{n, false}, death{n, true})
	}
	return all
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

func (m *mortal) Lookup(ctx context.Context, key, hash, field string) (string, string, error) {
	if _, answered := m.step(); !answered {
		return "", "", store.Unavailable("look up", errDead)
	}
	return m.Driver.Lookup(ctx, key, hash, field)
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

// openMortal opens a storage that dies at a command after its opening.
func openMortal(t *testing.T, server *memory.Server, d death) *store.RedisStorage {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URLs: []string{"memory"}},
		func(ctx context.Context, cfg store.Config) (store.Driver, error) {
			driver, err := server.Dial(ctx, cfg)
			return &mortal{Driver: driver, left: d.command, reaches: d.reaches}, err
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

// The cast, by its names here.
const (
	emailA, emailB, emailC = cast.EmailA, cast.EmailB, cast.EmailC
	user1, user2           = cast.User1, cast.User2
)

// maxCommands is more than any cast.Operation takes.
const maxCommands = 20

func TestACrashAnywhereIsHarmless(t *testing.T) {
	for _, op := range []cast.Operation{
		cast.Create("3", emailB), cast.Create("3", emailC), cast.FindOrCreate(emailB), cast.FindOrCreate(emailA),
		cast.Change(user1, emailB), cast.Change(user1, emailC), cast.Remove(user1), cast.Remove(user2),
	} {
		for _, d := range deaths(maxCommands) {
			t.Run(op.Name+"/"+d.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { crash(t, op, d) })
			})
		}
	}
}

func crash(t *testing.T, op cast.Operation, d death) {
	t.Helper()
	server := memory.NewServer(nil)
	s := openHealthy(t, server)
	token := cast.Populate(t, s)
	err := op.Run(t.Context(), openMortal(t, server, d))
	if err != nil && !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrConflict) {
		t.Errorf("the caller was told %v", err)
	}
	cast.WantConsistent(t, s, user1, user2, "3")
	cast.WantUsable(t, s, token)
	cast.WantSameFate(t, s, token)
	// When the window has passed, even the id may be used again.
	<-time.After(11 * time.Second)
	cast.WantConsistent(t, s, user1, user2, "3")
	if _, err := s.Users.Create(t.Context(), store.NewUser{ID: "3", Email: "d@example.org"}); err != nil {
		_, ok, findErr := s.Users.FindByID(t.Context(), "3")
		check(t, findErr)
		if !ok {
			t.Errorf("id 3 is blocked for ever: %v", err)
		}
	}
}

// A deletion undoes a creation whose outcome its caller does not know, whatever it
// was, and frees the email at once.
func TestADeletionUndoesACreationThatCrashed(t *testing.T) {
	for _, d := range deaths(3) {
		t.Run(d.String(), func(t *testing.T) {
			server := memory.NewServer(nil)
			s := openHealthy(t, server)
			err := cast.Create("3", emailB).Run(t.Context(), openMortal(t, server, d))
			if !errors.Is(err, store.ErrUnavailable) {
				t.Fatalf("the caller was told %v", err)
			}
			check(t, s.Users.Delete(t.Context(), "3"))
			if _, found, err := s.Users.FindByEmail(t.Context(), emailB); err != nil || found {
				t.Errorf("the deleted user is found: %t, %v", found, err)
			}
			left := ""
			check(t, s.Keys(t.Context(), func(keys []string) error {
				left += fmt.Sprint(keys)
				return nil
			}))
			if left != "" {
				t.Errorf("keys are left: %s", left)
			}
			check(t, cast.Create("3", emailB).Run(t.Context(), s))
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
		cast.Populate(t, s)
		if err := cast.Change(user1, emailB).Run(t.Context(), openSlow(t, server)); !errors.Is(err, store.ErrConflict) {
			t.Errorf("error is %v, want %v", err, store.ErrConflict)
		}
		u, ok, err := s.Users.FindByEmail(t.Context(), emailA)
		check(t, err)
		if !ok || u.ID != user1 {
			t.Errorf("the old email finds %q (%t)", u.ID, ok)
		}
		cast.WantConsistent(t, s, user1)
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
		cast.WantConsistent(t, s, "3")
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

// Once a claim was found dead it stays dead, though the server's clock goes back:
// a failover may make the clock that of another machine.
func TestALateChangeOfEmailLosesThoughTheClockGoesBack(t *testing.T) {
	now := time.Now()
	offset := time.Duration(0)
	server := memory.NewServer(func() time.Time { return now.Add(offset) })
	healthy := openHealthy(t, server)
	cast.Populate(t, healthy)
	s := openHooked(t, server, func(script string, after bool) {
		if script == "user_commit" && !after {
			offset = 11 * time.Second
			check(t, cast.Create("3", cast.EmailB).Run(t.Context(), healthy))
			offset = 0
		}
	})
	if err := cast.Change(cast.User1, cast.EmailB).Run(t.Context(), s); !errors.Is(err, store.ErrConflict) {
		t.Errorf("error is %v, want %v", err, store.ErrConflict)
	}
	u, ok, err := healthy.Users.FindByEmail(t.Context(), cast.EmailB)
	check(t, err)
	if !ok || u.ID != "3" {
		t.Errorf("user %q has it (%t), want user 3", u.ID, ok)
	}
}
