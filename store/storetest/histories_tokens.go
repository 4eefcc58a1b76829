package storetest

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/toriibench/toriibench/store"
)

// The calls about secure tokens. A part is a user, an item is a token in the
// order of creation, and the value is a purpose, or a password.
const (
	opIssue    = "create token"
	opVerify   = "verify"
	opCheck    = "check"
	opReset    = "reset password"
	opPassword = "get password"
)

// maxIssued is how many tokens are created for a user at most.
const maxIssued = 12

// tokensOf is a user, the password, and of each token the purpose, "" where it
// cannot be used.
type tokensOf struct {
	there    bool
	password string
	purposes [maxIssued]store.TokenPurpose
}

// tokenSpec says what calls about secure tokens do.
func tokenSpec(u tokensOf, c call) (tokensOf, result) {
	purpose := &u.purposes[c.item]
	usable := *purpose != "" && string(*purpose) == c.value
	switch c.verb {
	case opCreateUser:
		if u.there {
			return u, result{kind: conflict}
		}
		u.there = true
	case opDeleteUser:
		u = tokensOf{}
	case opIssue:
		if !u.there {
			return u, result{kind: absent}
		}
		*purpose = store.TokenPurpose(c.value)
	case opCheck:
		if !usable {
			return u, result{kind: absent}
		}
	case opVerify:
		if !usable {
			return u, result{kind: absent}
		}
		*purpose = ""
	case opReset:
		if *purpose != store.PurposePasswordReset {
			return u, result{kind: absent}
		}
		// Other tokens of these purposes go with it.
		u.purposes, u.password = [maxIssued]store.TokenPurpose{}, c.value
	case opPassword:
		if u.password == "" {
			return u, result{kind: absent}
		}
		return u, result{kind: done, value: u.password}
	}
	return u, result{kind: done}
}

// tokenUser is a user of a history of secure tokens.
type tokenUser struct {
	id, email string

	mu struct {
		sync.Mutex
		tokens []issued
		asked  int // for how many tokens
	}
}

// issued is a token that is known.
type issued struct {
	item  int
	token store.Token
}

// recordTokens records a history of the calls about secure tokens of new users.
func recordTokens(ctx context.Context, s *store.RedisStorage, n int) ([]porcupine.Operation, error) {
	users := make([]*tokenUser, parts)
	for part := range users {
		users[part] = &tokenUser{id: fmt.Sprintf("t%d-%d", n, part), email: fmt.Sprintf("t%d-%d@example.org", n, part)}
	}
	r := newRecorder(s, uint64(n))
	for part, u := range users {
		r.client(part, 0).createUser(ctx, u.id, u.email)
	}
	return r.record(ctx, func(ctx context.Context, c *client) { users[c.part].step(ctx, c) })
}

// step does one call.
func (u *tokenUser) step(ctx context.Context, c *client) {
	if c.number == 0 && c.random.IntN(3) == 0 {
		c.lifecycle(ctx, u.id, u.email)
		return
	}
	purposes := []store.TokenPurpose{store.PurposeMagicLink, store.PurposePasswordReset}
	purpose := purposes[c.random.IntN(len(purposes))]
	known := u.known(c)
	if known.token == "" || c.random.IntN(4) == 0 {
		u.issue(ctx, c, purpose)
		return
	}
	verbs := []string{opVerify, opVerify, opCheck, opReset, opPassword}
	asked := call{verb: verbs[c.random.IntN(len(verbs))], item: known.item, value: string(purpose)}
	if asked.verb == opReset {
		asked.value = strconv.FormatUint(c.random.Uint64(), 36)
	}
	ctx, cancel := c.impatient(ctx)
	defer cancel()
	c.do(asked, func() (string, bool, error) { return u.run(ctx, c, asked, known.token) })
}

// run does what was asked about a token.
func (u *tokenUser) run(ctx context.Context, c *client, asked call, token store.Token) (value string, found bool, err error) {
	switch asked.verb {
	case opVerify:
		_, found, err = c.storage.Tokens.Verify(ctx, token, store.TokenPurpose(asked.value))
	case opCheck:
		found, err = c.storage.Tokens.Check(ctx, token, store.TokenPurpose(asked.value))
	case opReset:
		_, found, err = c.storage.Passwords.Reset(ctx, token, asked.value)
	case opPassword:
		value, found, err = c.storage.Passwords.Get(ctx, u.id)
	}
	return value, found, err
}

// known picks a token that was created, the youngest more often, or none.
func (u *tokenUser) known(c *client) issued {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := len(u.mu.tokens)
	if n == 0 {
		return issued{}
	}
	return u.mu.tokens[n-1-min(c.random.IntN(n), c.random.IntN(n))]
}

// issue creates a token, unless there were many. It is not cut off, because
// nobody would know the token.
func (u *tokenUser) issue(ctx context.Context, c *client, purpose store.TokenPurpose) {
	u.mu.Lock()
	item := u.mu.asked
	u.mu.asked = min(item+1, maxIssued)
	u.mu.Unlock()
	if item == maxIssued {
		return
	}
	c.do(call{verb: opIssue, item: item, value: string(purpose)}, func() (string, bool, error) {
		t, err := c.storage.Tokens.Create(ctx, u.id, purpose, time.Hour)
		if err == nil {
			u.mu.Lock()
			u.mu.tokens = append(u.mu.tokens, issued{item, t.Token})
			u.mu.Unlock()
		}
		return "", true, err
	})
}

func linearizeTokens(h *harness) {
	h.linearize(modelOf(tokenSpec), func(n int) ([]porcupine.Operation, error) {
		return recordTokens(h.Context(), h.RedisStorage, n)
	})
}

// The calls about verifiers and challenges. A part is one state or challenge id;
// the value is the text.
const (
	opStore   = "store"
	opGet     = "get"
	opConsume = "consume"
)

// noteSpec says what calls about a verifier or challenge do.
func noteSpec(text string, c call) (string, result) {
	switch {
	case c.verb == opStore:
		return c.value, result{kind: done}
	case text == "":
		return "", result{kind: absent}
	case c.verb == opGet:
		return text, result{kind: done, value: text}
	default:
		return "", result{kind: done, value: text}
	}
}

// noteCalls are what a repository offers for what it keeps for a short while.
type noteCalls struct {
	keep          func(ctx context.Context, name, text string, d time.Duration) error
	look, consume func(ctx context.Context, name string) (string, bool, error)
}

// recordNotes records a history of calls about verifiers or challenges.
func recordNotes(ctx context.Context, s *store.RedisStorage, notes noteCalls, n int) ([]porcupine.Operation, error) {
	return newRecorder(s, uint64(n)).record(ctx, func(ctx context.Context, c *client) {
		ctx, cancel := c.impatient(ctx)
		defer cancel()
		name := fmt.Sprintf("%d-%d", n, c.part)
		switch c.random.IntN(3) {
		case 0:
			text := strconv.FormatUint(c.random.Uint64(), 36)
			c.do(call{verb: opStore, value: text}, func() (string, bool, error) {
				return "", true, notes.keep(ctx, name, text, time.Hour)
			})
		case 1:
			c.do(call{verb: opGet}, func() (string, bool, error) { return notes.look(ctx, name) })
		case 2:
			c.do(call{verb: opConsume}, func() (string, bool, error) { return notes.consume(ctx, name) })
		}
	})
}

func linearizeNotes(h *harness) {
	for _, notes := range []noteCalls{
		{h.OAuth.StorePKCE, h.OAuth.PKCE, h.OAuth.ConsumePKCE},
		{h.Passkeys.SetChallenge, h.Passkeys.Challenge, h.Passkeys.ConsumeChallenge},
	} {
		h.linearize(modelOf(noteSpec), func(n int) ([]porcupine.Operation, error) {
			return recordNotes(h.Context(), h.RedisStorage, notes, n)
		})
	}
}
