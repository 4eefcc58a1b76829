package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/memory"
)

// told is a call of a history with the times at which it began and ended.
type told struct {
	began, ended int64
	asked        call
	got          result
}

func historyOf(all []told) []porcupine.Operation {
	ops := make([]porcupine.Operation, len(all))
	for i, c := range all {
		ops[i] = porcupine.Operation{ClientId: i, Input: c.asked, Output: c.got, Call: c.began, Return: c.ended}
	}
	return ops
}

func TestWhichHistoriesAreLinearizable(t *testing.T) {
	ok := result{kind: done}
	user := told{0, 1, call{verb: opCreateUser}, ok}
	const purpose = string(store.PurposePasswordReset)
	for _, c := range []struct {
		name    string
		model   porcupine.Model
		history []told
		want    bool
	}{
		{"a session is found while it is being deleted", modelOf(sessionSpec), []told{
			user,
			{2, 3, call{verb: opCreate, value: "1"}, ok},
			{4, 9, call{verb: opDelete}, ok},
			{5, 6, call{verb: opFind}, result{done, "1"}},
			{10, 11, call{verb: opFind}, result{kind: absent}},
		}, true},
		{"a deleted session is found", modelOf(sessionSpec), []told{
			user,
			{2, 3, call{verb: opCreate, value: "1"}, ok},
			{4, 5, call{verb: opDelete}, ok},
			{6, 7, call{verb: opFind}, result{done, "1"}},
		}, false},
		{"a session of a deleted user is found", modelOf(sessionSpec), []told{
			user,
			{2, 3, call{verb: opCreate, value: "1"}, ok},
			{4, 5, call{verb: opDeleteUser}, ok},
			{6, 7, call{verb: opCreateUser}, ok},
			{8, 9, call{verb: opFind}, result{done, "1"}},
		}, false},
		{"a deletion with an unknown outcome is seen late", modelOf(sessionSpec), []told{
			user,
			{2, 3, call{verb: opCreate, value: "1"}, ok},
			{4, 99, call{verb: opDelete}, result{kind: unknown}},
			{5, 6, call{verb: opFind}, result{done, "1"}},
			{7, 8, call{verb: opFind}, result{kind: absent}},
		}, true},
		{"a deletion with an unknown outcome is seen and then not", modelOf(sessionSpec), []told{
			user,
			{2, 3, call{verb: opCreate, value: "1"}, ok},
			{4, 99, call{verb: opDelete}, result{kind: unknown}},
			{5, 6, call{verb: opFind}, result{kind: absent}},
			{7, 8, call{verb: opFind}, result{done, "1"}},
		}, false},
		{"a refresh is lost", modelOf(sessionSpec), []told{
			user,
			{2, 3, call{verb: opCreate, value: "1"}, ok},
			{4, 5, call{verb: opRefresh, value: "2"}, result{done, "2"}},
			{6, 7, call{verb: opFind}, result{done, "1"}},
		}, false},
		{"of two that verify one is told no", modelOf(tokenSpec), []told{
			user,
			{2, 3, call{verb: opIssue, value: purpose}, ok},
			{4, 6, call{verb: opVerify, value: purpose}, result{kind: absent}},
			{5, 7, call{verb: opReset, value: "hash"}, ok},
			{8, 9, call{verb: opPassword}, result{done, "hash"}},
		}, true},
		{"a token is verified twice", modelOf(tokenSpec), []told{
			user,
			{2, 3, call{verb: opIssue, value: purpose}, ok},
			{4, 6, call{verb: opVerify, value: purpose}, ok},
			{5, 7, call{verb: opVerify, value: purpose}, ok},
		}, false},
		{"a wrong purpose uses a token up", modelOf(tokenSpec), []told{
			user,
			{2, 3, call{verb: opIssue, value: purpose}, ok},
			{4, 5, call{verb: opVerify, value: string(store.PurposeMagicLink)}, result{kind: absent}},
			{6, 7, call{verb: opVerify, value: purpose}, result{kind: absent}},
		}, false},
		{"a verifier is consumed twice", modelOf(noteSpec), []told{
			{0, 1, call{verb: opStore, value: "a"}, ok}, {2, 4, call{verb: opConsume}, result{done, "a"}}, {3, 5, call{verb: opConsume}, result{done, "a"}},
		}, false},
		{"what one part was told says nothing about another", modelOf(noteSpec), []told{
			{0, 1, call{verb: opStore, value: "a"}, ok}, {2, 3, call{verb: opConsume, part: 2}, result{kind: absent}}, {4, 5, call{verb: opGet}, result{done, "a"}},
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := porcupine.CheckOperations(c.model, historyOf(c.history)); got != c.want {
				t.Errorf("linearizable: %t, want %t", got, c.want)
			}
		})
	}
}

// broken is a driver whose server breaks a promise.
type broken struct {
	store.Driver

	// remembers are scripts whose good answers are given again.
	remembers []string
	// forgets are scripts that are acknowledged and not run.
	forgets []string
	// stale says that a session that was found once is found for ever.
	stale bool

	mu      sync.Mutex
	answers map[string][]string
}

// again gives the first good answer to a question for ever.
func (b *broken) again(question string, answer []string, good bool) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	before, known := b.answers[question]
	if known && !good {
		return before
	}
	if good {
		b.answers[question] = answer
	}
	return answer
}

func (b *broken) Lookup(ctx context.Context, key, hash, field string) (text, value string, err error) {
	text, value, err = b.Driver.Lookup(ctx, key, hash, field)
	if err != nil || !b.stale {
		return text, value, err
	}
	pair := b.again(hash+field, []string{text, value}, text != "" && value != "")
	return pair[0], pair[1], nil
}

func (b *broken) Eval(ctx context.Context, script *store.Script, keys []string, args ...string) ([]string, error) {
	if slices.Contains(b.forgets, script.Name) {
		return []string{"ok"}, store.Unavailable("forget", ctx.Err())
	}
	out, err := b.Driver.Eval(ctx, script, keys, args...)
	if err != nil || !slices.Contains(b.remembers, script.Name) {
		return out, err
	}
	return b.again(script.Name+keys[0]+args0(args), out, out[0] == "ok"), nil
}

// args0 is the first argument, the token of scripts about tokens.
func args0(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func TestBrokenServersAreFoundOut(t *testing.T) {
	notes := func(ctx context.Context, s *store.RedisStorage, n int) ([]porcupine.Operation, error) {
		return recordNotes(ctx, s, noteCalls{s.OAuth.StorePKCE, s.OAuth.PKCE, s.OAuth.ConsumePKCE}, n)
	}
	for _, c := range []struct {
		name   string
		driver *broken
		model  porcupine.Model
		record func(ctx context.Context, s *store.RedisStorage, n int) ([]porcupine.Operation, error)
	}{
		{"finds deleted sessions", &broken{stale: true}, modelOf(sessionSpec), recordSessions},
		{"forgets a log-out", &broken{forgets: []string{"session_delete"}}, modelOf(sessionSpec), recordSessions},
		{"forgets a log-out everywhere", &broken{forgets: []string{"user_revoke"}}, modelOf(sessionSpec), recordSessions},
		{"refreshes deleted sessions", &broken{remembers: []string{"session_refresh"}}, modelOf(sessionSpec), recordSessions},
		{"verifies tokens twice", &broken{remembers: []string{"token_verify"}}, modelOf(tokenSpec), recordTokens},
		{"resets passwords twice with a token", &broken{remembers: []string{"password_reset"}}, modelOf(tokenSpec), recordTokens},
		{"gives a verifier twice", &broken{remembers: []string{"note_take"}}, modelOf(noteSpec), notes},
	} {
		t.Run(c.name, func(t *testing.T) {
			driver := c.driver
			driver.answers = map[string][]string{}
			s, err := store.Open(t.Context(), store.Config{URLs: []string{"memory"}},
				func(ctx context.Context, cfg store.Config) (store.Driver, error) {
					var err error
					driver.Driver, err = memory.Dial(ctx, cfg)
					return driver, err
				})
			if err != nil {
				t.Fatal(err)
			}
			for n := range 50 {
				ops, err := c.record(t.Context(), s, n)
				if err != nil {
					t.Fatal(err)
				}
				if porcupine.CheckOperations(c.model, ops) {
					continue
				}
				t.Setenv("TMPDIR", t.TempDir())
				if err := checkHistory(c.model, ops); !errors.Is(err, errDisorder) {
					t.Errorf("the check says %v, want %v", err, errDisorder)
				}
				return
			}
			t.Error("no history has shown it")
		})
	}
}
