package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/cast"
	"github.com/toriibench/toriibench/store/memory"
)

// On a clock that stands still all records bear the same time of update.
func TestAnUpdateOfADeletedUserDoesNotMeetTheNextOneOfItsID(t *testing.T) {
	for _, c := range []struct {
		script string
		op     cast.Operation
	}{{"user_update", cast.Rename(user1)}, {"user_change", cast.Change(user1, emailC)}} {
		t.Run(c.op.Name, func(t *testing.T) {
			now := time.Now()
			server := memory.NewServer(func() time.Time { return now })
			healthy := openHealthy(t, server)
			_, err := healthy.Users.Create(t.Context(), store.NewUser{ID: user1, Email: emailA})
			check(t, err)
			s := openHooked(t, server, func(script string, after bool) {
				if script == c.script && !after {
					check(t, cast.Replace(user1, emailB).Run(t.Context(), healthy))
				}
			})
			if err := c.op.Run(t.Context(), s); !errors.Is(err, store.ErrConflict) {
				t.Errorf("error is %v, want %v", err, store.ErrConflict)
			}
			u, ok, err := healthy.Users.FindByEmail(t.Context(), emailB)
			if err != nil || !ok || u.ID != user1 || u.Name != nil {
				t.Errorf("the next user is found: %t, as %+v: %v", ok, u, err)
			}
		})
	}
}

// A record that bears the nonce of a claim to another email, as an older
// version could leave it.
func TestAClaimWhoseUserHasAnotherEmailIsDead(t *testing.T) {
	server := memory.NewServer(nil)
	s := openHealthy(t, server)
	_, err := s.Users.Create(t.Context(), store.NewUser{ID: user1, Email: emailA})
	check(t, err)
	d, err := server.Dial(t.Context(), store.Config{})
	check(t, err)
	claimed, err := d.Get(t.Context(), keyEnding(t, s, "}:e"))
	check(t, err)
	_, err = s.Users.Create(t.Context(), store.NewUser{ID: user2, Email: emailB})
	check(t, err)
	check(t, s.Keys(t.Context(), func(keys []string) error {
		for _, key := range keys {
			if values, err := d.Get(t.Context(), key); err != nil || len(values[0]) < 50 && values[0] != claimed[0] {
				plant(t, d, key, claimed[0])
			}
		}
		return nil
	}))
	check(t, s.Users.Delete(t.Context(), user2))
	u, err := s.Users.FindOrCreateByEmail(t.Context(), emailB)
	if err != nil || u.Email != emailB {
		t.Errorf("%s finds or creates a user with %q: %v", emailB, u.Email, err)
	}
}
