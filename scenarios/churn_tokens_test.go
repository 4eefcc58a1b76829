package scenarios

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/memory"
)

// tokensAlone loads session-churn and leaves P4's operations on one-time tokens
// as its only ones.
func tokensAlone(t *testing.T, faulty *sabotage) (*churn, *Workload) {
	t.Helper()
	st := open(t, inMemory, faulty.dial(memory.Dial))
	w, err := SessionChurn().New(short(st))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Load(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	c := w.Traffic.(*churn)
	all, err := churnMix("P4")
	if err != nil {
		t.Fatal(err)
	}
	var m mix
	for _, kind := range []int{churnTokenIssue, churnTokenVerify, churnTokenMiss} {
		m[kind] = all[kind]
	}
	c.plan.bounds = m.bounds()
	return c, w
}

// follow plans and does n operations, one after the other, and counts what was
// planned and what came of it.
func follow(t *testing.T, c *churn, n int) (planned, done [churnKinds]int) {
	t.Helper()
	for range n {
		var op load.Op
		c.Next(&op)
		planned[op.Kind]++
		kind, err := c.Do(t.Context(), &op)
		if err != nil {
			t.Fatalf("%s: %v", churnNames[op.Kind], err)
		}
		done[kind]++
	}
	return planned, done
}

func TestTokensAreVerifiedAndRefusedAsPlanned(t *testing.T) {
	t.Parallel()
	const n = 30_000
	c, w := tokensAlone(t, &sabotage{})
	planned, done := follow(t, c, n)
	for kind := churnTokenIssue; kind <= churnTokenMiss; kind++ {
		// For some verifications there is no mail yet.
		if diff := planned[kind] - done[kind]; max(diff, -diff) > n/100 || done[kind] < n/20 {
			t.Errorf("%s: %d planned, %d done", churnNames[kind], planned[kind], done[kind])
		}
	}
	if issued := uint64(planned[churnTokenIssue]); issued < 2*mailsKept || c.plan.mails.find(issued/4) != nil || c.plan.mails.find(issued) == nil {
		t.Errorf("after %d tokens old ones are kept, or new ones are not", issued)
	}
	if err := c.checkTokens(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range c.plan.mails.kept {
		if k := c.plan.mails.kept[i].Load(); !k.used.Load() {
			t.Errorf("token %d cannot be used", k.number)
		}
	}
	if checked, violated := count(t, w, "token-verifies-once"); violated != 0 || checked < n/3 {
		t.Errorf("checked %d times, violated %d times", checked, violated)
	}
}

// evaluate is what a driver does with a script.
type evaluate = func(next store.Driver, ctx context.Context, s *store.Script, keys, args []string) ([]string, error)

// onVerify is a driver whose verifications of tokens are faulty.
func onVerify(fault evaluate) *sabotage {
	return &sabotage{eval: func(next store.Driver, ctx context.Context, s *store.Script, keys, args []string) ([]string, error) {
		if s.Name == "token_verify" {
			return fault(next, ctx, s, keys, args)
		}
		return next.Eval(ctx, s, keys, args...)
	}}
}

// withPurpose verifies for a purpose when the one asked for is to set a password.
func withPurpose(purpose store.TokenPurpose, tell bool) evaluate {
	return func(next store.Driver, ctx context.Context, s *store.Script, keys, args []string) ([]string, error) {
		out, err := next.Eval(ctx, s, keys, args...)
		if args[1] != string(store.PurposePasswordReset) {
			return out, err
		}
		used, err := next.Eval(ctx, s, keys, args[0], string(purpose))
		if tell {
			return used, err
		}
		return out, err
	}
}

func TestAFaultyTokenIsFound(t *testing.T) {
	var first sync.Map
	faults := map[string]evaluate{ // By what is said of it.
		"was accepted a second time": func(next store.Driver, ctx context.Context, s *store.Script, keys, args []string) ([]string, error) {
			out, err := next.Eval(ctx, s, keys, args...)
			if len(out) > 1 {
				first.Store(args[0], out)
			} else if again, met := first.Load(args[0]); met {
				out = again.([]string)
			}
			return out, err
		},
		"was accepted to set a password":     withPurpose(store.PurposeMagicLink, true),
		"was refused, and had not been used": withPurpose(store.PurposeEmailVerification, false),
		"that was never issued was accepted": func(next store.Driver, ctx context.Context, s *store.Script, keys, args []string) ([]string, error) {
			user, token, err := next.Lookup(ctx, keys[0], keys[1], args[0])
			if token != "" {
				return next.Eval(ctx, s, keys, args...)
			}
			return []string{"ok", "1 4102444800000 1767225600000 1767225600001 magic_link nonce", user}, err
		},
	}
	for what, fault := range faults {
		t.Run(what, func(t *testing.T) {
			c, _ := tokensAlone(t, onVerify(fault))
			follow(t, c, 500)
			if checked, violated, example := c.inv.once.Count(); violated == 0 || !strings.Contains(example, what) {
				t.Errorf("%d of %d checks found it: %s", violated, checked, example)
			}
		})
	}
}

func TestARefusalThatMayBeRightIsNoFault(t *testing.T) {
	c, w := tokensAlone(t, &sabotage{})
	late := c.plan.mails.find(0)
	late.asked = late.asked.Add(-late.purpose.Lifetime())
	overlapped := c.plan.mails.find(1)
	overlapped.tries.Add(1) // Somebody else's, which has not come back.
	for _, k := range []*secureToken{late, overlapped} {
		// Used up behind the scenario's back.
		if _, ok, err := c.env.Storage.Tokens.Verify(t.Context(), k.token, k.purpose); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if ok, err := c.verifyToken(t.Context(), k); ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if n := w.Invariants.Violated(); n != 0 {
		t.Errorf("%d false alarms", n)
	}
}

func TestTheLostReplyOfAVerificationIsNoFault(t *testing.T) {
	lost := errors.New("the reply was lost")
	var once sync.Once
	c, w := tokensAlone(t, onVerify(func(next store.Driver, ctx context.Context, s *store.Script, keys, args []string) ([]string, error) {
		out, err := next.Eval(ctx, s, keys, args...)
		once.Do(func() { out, err = nil, lost })
		return out, err
	}))
	k := c.plan.mails.find(0)
	if _, err := c.verifyToken(t.Context(), k); err == nil {
		t.Fatal("the reply came")
	}
	if ok, err := c.verifyToken(t.Context(), k); ok || err != nil {
		t.Fatal(ok, err)
	}
	if n := w.Invariants.Violated(); n != 0 {
		t.Errorf("%d false alarms", n)
	}
}

func TestMoreTokensThanTheStoreKeepsAreRefused(t *testing.T) {
	env := Env{Profile: "P4", Rate: 8000, Population: 20_000, For: time.Hour}
	if err := SessionChurn().Check(env); err != nil {
		t.Error(err)
	}
	env.Population = 20
	if err := SessionChurn().Check(env); err == nil || !strings.Contains(err.Error(), "--population") {
		t.Errorf("%v", err)
	}
}
