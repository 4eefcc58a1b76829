package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/cast"
	"github.com/toriibench/toriibench/store/memory"
)

// A link that takes too long is given up, and blocks nobody.
func TestASlowLinkIsGivenUp(t *testing.T) {
	for name, op := range map[string]cast.Operation{"account": cast.Link(user1, "a/3"), "passkey": cast.AddPasskey(user1, "c3")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := memory.NewServer(nil)
				s := openHealthy(t, server)
				cast.PopulateLinks(t, s)
				before := contents(t, s)
				if err := op.Run(t.Context(), openSlow(t, server)); !errors.Is(err, store.ErrConflict) {
					t.Errorf("error is %v, want %v", err, store.ErrConflict)
				}
				if after := contents(t, s); before != after {
					t.Errorf("keys before:\n%s\nkeys after:\n%s", before, after)
				}
			})
		})
	}
}

// contents is all there is, as text.
func contents(t *testing.T, s *store.RedisStorage) string {
	t.Helper()
	all := map[string]string{}
	check(t, s.Keys(t.Context(), func(keys []string) error {
		for _, key := range keys {
			k, err := s.Inspect(t.Context(), key)
			if err != nil {
				return err
			}
			all[key] = fmt.Sprintf("%q\n", k.Values)
		}
		return nil
	}))
	return fmt.Sprint(all)
}

// Once a claim was found dead it stays dead, though the server's clock goes back:
// a failover may make the clock that of another machine.
func TestALateLinkLosesThoughTheClockGoesBack(t *testing.T) {
	now := time.Now()
	offset := time.Duration(0)
	server := memory.NewServer(func() time.Time { return now.Add(offset) })
	healthy := openHealthy(t, server)
	cast.PopulateLinks(t, healthy)
	s := openHooked(t, server, func(script string, after bool) {
		if script == "link_commit" && !after {
			offset = 11 * time.Second
			check(t, cast.Link(user2, "a/3").Run(t.Context(), healthy))
			offset = 0
		}
	})
	if err := cast.Link(user1, "a/3").Run(t.Context(), s); !errors.Is(err, store.ErrConflict) {
		t.Errorf("error is %v, want %v", err, store.ErrConflict)
	}
	if has := cast.WantLinksAgree(t, healthy); has["a/3"] != user2 {
		t.Errorf("user %q has it, want user 2", has["a/3"])
	}
}

// A call that took too long finds that a later one of the same user has made the
// link.
func TestALateLinkFindsTheLinkOfALaterCall(t *testing.T) {
	now := time.Now()
	offset := time.Duration(0)
	server := memory.NewServer(func() time.Time { return now.Add(offset) })
	healthy := openHealthy(t, server)
	cast.PopulateLinks(t, healthy)
	s := openHooked(t, server, func(script string, after bool) {
		if script == "claim_take" && !after && offset == 0 {
			offset = 11 * time.Second
			check(t, cast.Link(user1, "a/3").Run(t.Context(), healthy))
		}
	})
	check(t, cast.Link(user1, "a/3").Run(t.Context(), s))
	if has := cast.WantLinksAgree(t, healthy); has["a/3"] != user1 {
		t.Errorf("user %q has it, want user 1", has["a/3"])
	}
}

// A deletion removes the passkey that it has found, not one that was added in its
// place.
func TestALateDeletionSparesAnotherPasskey(t *testing.T) {
	server := memory.NewServer(nil)
	healthy := openHealthy(t, server)
	cast.PopulateLinks(t, healthy)
	s := openHooked(t, server, func(script string, after bool) {
		if script == "link_remove" && !after {
			check(t, cast.DeletePasskey("c1").Run(t.Context(), healthy))
			check(t, cast.AddPasskey(user1, "c1").Run(t.Context(), healthy))
		}
	})
	check(t, cast.DeletePasskey("c1").Run(t.Context(), s))
	if has := cast.WantLinksAgree(t, healthy); has["c1"] != user1 {
		t.Errorf("user %q has it, want user 1", has["c1"])
	}
}

// What is pending is no way to log in, and may be removed when it is all there is.
func TestWhatIsPendingIsNoWayToLogIn(t *testing.T) {
	server := memory.NewServer(nil)
	s := openHealthy(t, server)
	cast.Populate(t, s)
	check(t, cast.Link(user1, "a/1").Run(t.Context(), s))
	for _, op := range []cast.Operation{cast.Link(user1, "b/1"), cast.AddPasskey(user1, "c1")} {
		if err := op.Run(t.Context(), openMortal(t, server, death{1, true})); !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("the caller was told %v", err)
		}
	}
	if err := cast.UnlinkUnlessLast(user1, "a").Run(t.Context(), s); !errors.Is(err, store.ErrLastMethod) {
		t.Errorf("error is %v, want %v", err, store.ErrLastMethod)
	}
	check(t, cast.Unlink(user1, "a").Run(t.Context(), s))
	check(t, cast.UnlinkUnlessLast(user1, "b").Run(t.Context(), s))
}

// What crashes have left pending counts while it may be completed, and is cleared
// away after that.
func TestWhatIsPendingCountsForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := memory.NewServer(nil)
		s := openHealthy(t, server)
		cast.Populate(t, s)
		for i := range store.MaxOAuthAccounts {
			_ = cast.Link(user1, fmt.Sprint("a/", i)).Run(t.Context(), openMortal(t, server, death{1, true}))
		}
		if err := cast.Link(user1, "a/more").Run(t.Context(), s); !errors.Is(err, store.ErrTooMany) {
			t.Errorf("error is %v, want %v", err, store.ErrTooMany)
		}
		<-time.After(11 * time.Second)
		check(t, cast.Link(user1, "a/more").Run(t.Context(), s))
		k, err := s.Inspect(t.Context(), keyEnding(t, s, "}:o"))
		check(t, err)
		if len(k.Values) != 2 {
			t.Errorf("%d fields and values, want 2", len(k.Values))
		}
	})
}

// Whoever meets a pending link completes it by the script that is durable; what is
// finished waits for no replica.
func TestOnlyAPendingLinkIsCompleted(t *testing.T) {
	for name, ops := range map[string]struct{ add, meet cast.Operation }{
		"find account": {cast.Link(user1, "a/1"), cast.FindAccount("a/1")},
		"authenticate": {cast.AddPasskey(user1, "c1"), cast.Authenticate("c1")},
	} {
		t.Run(name, func(t *testing.T) {
			server := memory.NewServer(nil)
			cast.Populate(t, openHealthy(t, server))
			// It dies when the claim is made.
			if err := ops.add.Run(t.Context(), openMortal(t, server, death{2, true})); !errors.Is(err, store.ErrUnavailable) {
				t.Fatalf("the caller was told %v", err)
			}
			for _, want := range []int{1, 0} {
				commits := 0
				s := openHooked(t, server, func(script string, after bool) {
					if script == "link_commit" && after {
						commits++
					}
				})
				check(t, ops.meet.Run(t.Context(), s))
				if commits != want {
					t.Errorf("%d times completed, want %d", commits, want)
				}
			}
			if has := cast.Owners(t, openHealthy(t, server)); len(has) != 1 {
				t.Errorf("%v are linked, want one", has)
			}
		})
	}
}

// At the very end a note is no longer there, though the server still keeps it.
func TestANoteEndsAtItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openHealthy(t, memory.NewServer(nil))
		check(t, s.OAuth.StorePKCE(t.Context(), "state", "verifier", time.Second))
		for _, there := range []bool{true, false} {
			if there {
				<-time.After(999 * time.Millisecond)
			} else {
				<-time.After(time.Millisecond)
				keyEnding(t, s, "}:c")
			}
			if _, ok, err := s.OAuth.PKCE(t.Context(), "state"); ok != there || err != nil {
				t.Errorf("found: %t, want %t: %v", ok, there, err)
			}
		}
		if _, ok, err := s.OAuth.ConsumePKCE(t.Context(), "state"); ok || err != nil {
			t.Errorf("consumed: %t, %v", ok, err)
		}
	})
}

// An entry must be what its field and its claim say.
func TestAnEntryOfAnotherNameIsAnError(t *testing.T) {
	server := memory.NewServer(nil)
	s := openHealthy(t, server)
	cast.Populate(t, s)
	check(t, cast.Link(user1, "a/1").Run(t.Context(), s))
	d, err := server.Dial(t.Context(), store.Config{})
	check(t, err)
	hash, claim := keyEnding(t, s, "}:o"), keyEnding(t, s, "}:a")
	user := strings.TrimSuffix(hash, "o") + "u"
	values, err := d.Get(t.Context(), user, claim)
	check(t, err)
	k, err := s.Inspect(t.Context(), hash)
	check(t, err)
	for _, json := range []string{
		`{"user_id":"1","provider":"a","subject":"2"}`, `{"user_id":"1","provider":"b","subject":"1"}`,
		`{"user_id":"2","provider":"a","subject":"1"}`, `{}`,
	} {
		_, err = d.Eval(t.Context(), &store.Script{Name: "unlink"}, []string{hash})
		check(t, err)
		who, nonce := strings.Fields(values[0])[2], strings.Fields(values[1])[1]
		_, err = d.Eval(t.Context(), &store.Script{Name: "link_begin"}, []string{user, hash}, who, k.Values[0], nonce, "10000", "9", "g", json)
		check(t, err)
		if err := cast.FindAccount("a/1").Run(t.Context(), s); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: error is %v, want %v", json, err, store.ErrCorrupt)
		}
	}
}

// Claims go after the user, for a while even when the caller gives up.
func TestClaimsAreReleasedWhenTheCallerGivesUp(t *testing.T) {
	for name, op := range map[string]cast.Operation{"delete the user": cast.Remove(user1), "unlink": cast.Unlink(user1, "a"), "delete passkeys": cast.DeletePasskeys(user1)} {
		t.Run(name, func(t *testing.T) {
			server := memory.NewServer(nil)
			healthy := openHealthy(t, server)
			cast.PopulateLinks(t, healthy)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s := openHooked(t, server, func(script string, after bool) {
				if after && (script == "user_delete" || script == "link_remove") {
					cancel()
				}
			})
			check(t, op.Run(ctx, s))
			claims := 0
			check(t, healthy.Keys(t.Context(), func(keys []string) error {
				for _, key := range keys {
					if strings.HasSuffix(key, "}:a") || strings.HasSuffix(key, "}:d") {
						claims++
					}
				}
				return nil
			}))
			if has := cast.WantLinksAgree(t, healthy); claims != len(has) {
				t.Errorf("%d claims for %d links", claims, len(has))
			}
		})
	}
}

// The guard counts a password too: the key is there or not.
func TestAPasswordIsAWayToLogIn(t *testing.T) {
	server := memory.NewServer(nil)
	s := openHealthy(t, server)
	_, err := s.Users.Create(t.Context(), store.NewUser{ID: user1, Email: emailA})
	check(t, err)
	check(t, cast.Link(user1, "a/1").Run(t.Context(), s))
	if err := cast.UnlinkUnlessLast(user1, "a").Run(t.Context(), s); !errors.Is(err, store.ErrLastMethod) {
		t.Errorf("error is %v, want %v", err, store.ErrLastMethod)
	}
	d, err := server.Dial(t.Context(), store.Config{})
	check(t, err)
	plant(t, d, strings.TrimSuffix(keyEnding(t, s, "}:u"), "u")+"p", "hash")
	check(t, cast.UnlinkUnlessLast(user1, "a").Run(t.Context(), s))
	check(t, cast.AddPasskey(user1, "c1").Run(t.Context(), s))
	check(t, cast.DeleteUnlessLast("c1").Run(t.Context(), s))
	if has := cast.Owners(t, s); len(has) > 0 {
		t.Errorf("%v are left", has)
	}
}

func TestCorruptClaimsAndNotesAreErrors(t *testing.T) {
	server := memory.NewServer(nil)
	s := openHealthy(t, server)
	cast.Populate(t, s)
	check(t, cast.Link(user1, "a/1").Run(t.Context(), s))
	check(t, cast.AddPasskey(user1, "c1").Run(t.Context(), s))
	check(t, s.OAuth.StorePKCE(t.Context(), "state", "verifier", time.Hour))
	check(t, s.Passkeys.SetChallenge(t.Context(), "id", "challenge", time.Hour))
	d, err := server.Dial(t.Context(), store.Config{})
	check(t, err)
	for part, hits := range map[string][]func() error{
		"}:a": {
			func() error { return cast.FindAccount("a/1").Run(t.Context(), s) },
			func() error { return cast.Link(user2, "a/1").Run(t.Context(), s) },
		},
		"}:d": {
			func() error { return cast.Authenticate("c1").Run(t.Context(), s) },
			func() error { return cast.DeletePasskey("c1").Run(t.Context(), s) },
		},
		"}:c": {
			func() error { _, _, err := s.OAuth.PKCE(t.Context(), "state"); return err },
			func() error { _, _, err := s.OAuth.ConsumePKCE(t.Context(), "state"); return err },
		},
		"}:w": {
			func() error { _, _, err := s.Passkeys.Challenge(t.Context(), "id"); return err },
			func() error { _, _, err := s.Passkeys.ConsumeChallenge(t.Context(), "id"); return err },
		},
	} {
		plant(t, d, keyEnding(t, s, part), "hush, not a record")
		for i, hit := range hits {
			if err := hit(); !errors.Is(err, store.ErrCorrupt) || strings.Contains(err.Error(), "hush") {
				t.Errorf("%s, case %d: error is %v, want %v without the content", part, i, err, store.ErrCorrupt)
			}
		}
	}
}
