package store_test

import (
	"errors"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/cast"
	"github.com/toriibench/toriibench/store/memory"
)

// takings are what operations want for a user: "link a/3 to user 1".
var takings = regexp.MustCompile(`^(link|create|add) (\S+) (?:to|for) user (\S+)$`)

// trialWithLinks runs the operations on a fresh cast, whose clock stands still,
// and judges what came of it.
func trialWithLinks(t *testing.T, ops []cast.Operation, choose func(n, options int) int) {
	t.Helper()
	now := time.Now()
	server := memory.NewServer(func() time.Time { return now })
	s := openHealthy(t, server)
	token := cast.PopulateLinks(t, s)
	errs := interleave(t, server, ops, choose)
	judgeLinks(t, s, ops, errs)
	cast.WantLinksUsable(t, s)
	cast.WantLinksAgree(t, s)
	cast.WantUsable(t, s, token)
	if t.Failed() {
		t.Logf("errors %v", errs)
	}
}

// judgeLinks compares what the callers were told with what there is.
func judgeLinks(t *testing.T, s *store.RedisStorage, ops []cast.Operation, errs []error) {
	t.Helper()
	has := cast.WantLinksAgree(t, s)
	removes, guarded := false, true
	for _, op := range ops {
		verb, _, _ := strings.Cut(op.Name, " ")
		removes = removes || verb == "unlink" || verb == "delete" || verb == "replace"
		guarded = guarded && strings.HasSuffix(op.Name, "unless last")
	}
	for i, op := range ops {
		err := errs[i]
		if err != nil && !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrLastMethod) {
			t.Errorf("%s: the caller was told %v", op.Name, err)
		}
		if words := takings.FindStringSubmatch(op.Name); words != nil && !removes {
			judgeTaking(t, words, err, has)
		}
	}
	if guarded {
		wantMethods(t, s, ops)
	}
}

// judgeTaking judges an cast.Operation that wants something for a user, where nothing
// is removed.
func judgeTaking(t *testing.T, words []string, err error, has map[string]string) {
	t.Helper()
	verb, name, id := words[1], words[2], words[3]
	switch {
	case has[name] == "":
		t.Errorf("%s was wanted, and nobody has it", name)
	case err == nil && has[name] != id:
		t.Errorf("user %s has got %s, which user %s has", id, name, has[name])
	case verb == "link" && err != nil && has[name] == id:
		t.Errorf("user %s has %s, and was told %v", id, name, err)
	case verb == "link" && errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrAccountLinked):
		t.Errorf("user %s was told %v of %s, which user %s has", id, err, name, has[name])
	}
}

// wantMethods expects that removals under guard have left everybody a way to log
// in.
func wantMethods(t *testing.T, s *store.RedisStorage, ops []cast.Operation) {
	t.Helper()
	for _, id := range []string{user1, user2} {
		accounts, err := s.OAuth.List(t.Context(), id)
		check(t, err)
		passkeys, err := s.Passkeys.List(t.Context(), id)
		check(t, err)
		if len(accounts)+len(passkeys) == 0 {
			t.Errorf("user %s has no way to log in after %v", id, ops)
		}
	}
}

func TestEveryInterleavingOfTwoLinkers(t *testing.T) {
	for _, ops := range [][]cast.Operation{
		{cast.Link(user1, "a/3"), cast.Link(user2, "a/3")},
		{cast.Link(user1, "a/3"), cast.Link(user1, "a/3")},
		{cast.Link(user1, "a/3"), cast.CreateAccount(user1, "a/3")},
		{cast.CreateAccount(user1, "a/3"), cast.CreateAccount(user1, "a/3")},
		{cast.CreateAccount(user1, "a/3"), cast.CreateAccount(user2, "a/3")},
		{cast.Link(user1, "a/3"), cast.FindAccount("a/3")},
		{cast.Link(user2, "a/1"), cast.Unlink(user1, "a")},
		{cast.Link(user1, "a/3"), cast.Unlink(user1, "a")},
		{cast.Link(user2, "a/1"), cast.Remove(user1)},
		{cast.Link(user1, "a/3"), cast.Remove(user1)},
		{cast.Link(user1, "a/3"), cast.Replace(user1, emailB)},
		{cast.Unlink(user1, "a"), cast.Remove(user1)},
		{cast.Unlink(user1, "a"), cast.Unlink(user1, "a")},
		{cast.UnlinkUnlessLast(user2, "a"), cast.DeleteUnlessLast("c2")},
		{cast.DeleteUnlessLast("c2"), cast.DeleteUnlessLast("c2")},
		{cast.AddPasskey(user1, "c3"), cast.AddPasskey(user2, "c3")},
		{cast.AddPasskey(user1, "c3"), cast.AddPasskey(user1, "c3")},
		{cast.AddPasskey(user2, "c1"), cast.DeletePasskey("c1")},
		{cast.AddPasskey(user1, "c3"), cast.DeletePasskey("c3")},
		{cast.AddPasskey(user1, "c3"), cast.DeletePasskeys(user1)},
		{cast.AddPasskey(user2, "c1"), cast.DeletePasskeys(user1)},
		{cast.AddPasskey(user2, "c1"), cast.Remove(user1)},
		{cast.AddPasskey(user1, "c3"), cast.Authenticate("c3")},
		{cast.DeletePasskey("c1"), cast.Authenticate("c1")},
		{cast.Remove(user1), cast.Authenticate("c1")},
		{cast.DeletePasskey("c1"), cast.Remove(user1)},
	} {
		t.Run(ops[0].Name+" and "+ops[1].Name, func(t *testing.T) {
			n := everySchedule(t, func(choose func(n, options int) int) { trialWithLinks(t, ops, choose) })
			if n < 2 {
				t.Errorf("%d interleavings", n)
			}
		})
	}
}

// Of two creations of one account by one user exactly one is told that it has
// made it, however they meet.
func TestOneOfTwoCreatorsHasMadeIt(t *testing.T) {
	for name, op := range map[string]cast.Operation{"account": cast.CreateAccount(user1, "a/3"), "passkey": cast.AddPasskey(user1, "c3")} {
		t.Run(name, func(t *testing.T) {
			everySchedule(t, func(choose func(n, options int) int) {
				server := memory.NewServer(nil)
				s := openHealthy(t, server)
				cast.PopulateLinks(t, s)
				errs := interleave(t, server, []cast.Operation{op, op}, choose)
				if (errs[0] == nil) == (errs[1] == nil) {
					t.Errorf("the callers were told %v", errs)
				}
			})
		})
	}
}

// All interleavings of three are too many: a sample has to do.
func TestInterleavingsOfThreeLinkers(t *testing.T) {
	seed := [2]uint64{1, 2}
	random := rand.New(rand.NewPCG(seed[0], seed[1]))
	for _, ops := range [][]cast.Operation{
		{cast.Link(user1, "a/3"), cast.Link(user1, "a/3"), cast.Link(user2, "a/3")},
		{cast.Link(user1, "a/3"), cast.CreateAccount(user1, "a/3"), cast.Unlink(user1, "a")},
		{cast.Link(user1, "a/3"), cast.Link(user2, "a/3"), cast.Remove(user1)},
		{cast.Link(user2, "a/1"), cast.Unlink(user1, "a"), cast.Remove(user1)},
		{cast.AddPasskey(user1, "c3"), cast.AddPasskey(user2, "c3"), cast.DeletePasskey("c3")},
		{cast.UnlinkUnlessLast(user1, "a"), cast.UnlinkUnlessLast(user1, "b"), cast.DeleteUnlessLast("c1")},
	} {
		for n := 0; n < 200 && !t.Failed(); n++ {
			trialWithLinks(t, ops, func(_, options int) int { return random.IntN(options) })
		}
		if t.Failed() {
			t.Fatalf("seed %v, %s", seed, ops[0].Name)
		}
	}
}
