package store_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/cast"
	"github.com/toriibench/toriibench/store/memory"
)

func TestACrashWithLinksIsHarmless(t *testing.T) {
	for _, op := range []cast.Operation{
		cast.Link(user1, "a/3"), cast.Link(user1, "a/2"), cast.CreateAccount(user1, "a/3"), cast.CreateAccount(user1, "a/1"),
		cast.Unlink(user1, "a"), cast.UnlinkUnlessLast(user1, "a"), cast.AddPasskey(user1, "c3"), cast.AddPasskey(user1, "c2"),
		cast.DeletePasskey("c1"), cast.DeleteUnlessLast("c1"), cast.DeletePasskeys(user1), cast.Authenticate("c1"), cast.Remove(user1), cast.Remove(user2),
	} {
		for _, d := range deaths(maxCommands) {
			t.Run(op.Name+"/"+d.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { crashWithLinks(t, op, d) })
			})
		}
	}
}

func crashWithLinks(t *testing.T, op cast.Operation, d death) {
	t.Helper()
	server := memory.NewServer(nil)
	s := openHealthy(t, server)
	cast.PopulateLinks(t, s)
	err := op.Run(t.Context(), openMortal(t, server, d))
	if err != nil && !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrConflict) {
		t.Errorf("the caller was told %v", err)
	}
	cast.WantKin(t, cast.WantLinksAgree(t, s))
	cast.WantLinksUsable(t, s)
	cast.WantLinksAgree(t, s)
	<-time.After(11 * time.Second)
	cast.WantLinksUsable(t, s)
	cast.WantLinksAgree(t, s)
}

// What a crash leaves pending is nobody's, or the user's who asks first.
func TestAPendingLinkIsCompletedByWhoeverMeetsIt(t *testing.T) {
	for name, meet := range map[string]func(s *store.RedisStorage) error{
		"find the account": func(s *store.RedisStorage) error { return cast.FindAccount("a/3").Run(t.Context(), s) },
		"link it again":    func(s *store.RedisStorage) error { return cast.Link(user1, "a/3").Run(t.Context(), s) },
		"create it again":  func(s *store.RedisStorage) error { return cast.CreateAccount(user1, "a/3").Run(t.Context(), s) },
		"link it to another user": func(s *store.RedisStorage) error {
			return cast.Link(user2, "a/3").Run(t.Context(), s)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := memory.NewServer(nil)
			s := openHealthy(t, server)
			cast.PopulateLinks(t, s)
			if err := cast.Link(user1, "a/3").Run(t.Context(), openMortal(t, server, death{2, true})); !errors.Is(err, store.ErrUnavailable) {
				t.Fatalf("the caller was told %v", err)
			}
			if err := meet(s); err != nil && !errors.Is(err, store.ErrConflict) {
				t.Error(err)
			}
			accounts, err := s.OAuth.List(t.Context(), user1)
			check(t, err)
			if len(accounts) != 3 || cast.Owners(t, s)["a/3"] != user1 {
				t.Errorf("user 1 has %v", accounts)
			}
		})
	}
}
