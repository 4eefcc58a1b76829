package scenarios

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/store"
)

// secureToken is a one-time token that is sent by mail, from its plan on. Like a
// session's, what is known of it only ever moves forward.
type secureToken struct {
	number  uint64
	account *account
	purpose store.TokenPurpose
	// asked is a moment before it existed. It and token are written before born,
	// which says that its creation was acknowledged, is set.
	asked time.Time
	token store.Token
	born  atomic.Bool
	// tries counts the verifications for its purpose that have started, and used
	// tells that one was acknowledged. A try that failed stays under way for good.
	tries atomic.Int64
	used  atomic.Bool
}

// mailbox has the latest tokens, by their number. Only the planner adds one, and
// the newest takes the place of the oldest, so that it never grows; workers look
// up those that an operation names.
type mailbox struct {
	kept [mailsKept]atomic.Pointer[secureToken]
	// planned is how many there have been, and next the first that is not yet
	// planned to be verified; both are the planner's.
	planned, next uint64
}

const (
	mailsKept = 4096
	// sessionsPerMail is how many sessions there are for each token that lies in
	// a user's mail when the run begins.
	sessionsPerMail = 200
	// Of unreadMails mails one is never read. The others are read in the order in
	// which they were sent, as many as are sent.
	unreadMails = 5
	// noMail is the number of no token.
	noMail = math.MaxUint64
)

// The ways to present a token that must be refused.
const (
	misuseAgain = iota
	misusePurpose
	misuseInvented
	misuses
)

// send plans a token of some user.
func (m *mailbox) send(rng *rand.Rand, accounts []*account) uint64 {
	t := &secureToken{number: m.planned, account: accounts[rng.IntN(len(accounts))], purpose: store.PurposeMagicLink}
	if rng.IntN(2) == 0 {
		t.purpose = store.PurposeEmailVerification
	}
	m.kept[t.number%mailsKept].Store(t)
	m.planned++
	m.next = max(m.next, m.oldest())
	return t.number
}

// oldest is the number of the oldest token that is kept.
func (m *mailbox) oldest() uint64 { return max(m.planned, mailsKept) - mailsKept }

// find returns a token that is still kept, or nil.
func (m *mailbox) find(n uint64) *secureToken {
	if t := m.kept[n%mailsKept].Load(); t != nil && t.number == n {
		return t
	}
	return nil
}

// unread returns the next token that will be verified, or noMail.
func (m *mailbox) unread() uint64 {
	if m.next%unreadMails == unreadMails-1 {
		m.next++
	}
	if m.next >= m.planned {
		return noMail
	}
	return m.next
}

// read plans the verification of the next token; there may be none.
func (m *mailbox) read() uint64 {
	n := m.unread()
	if n != noMail {
		m.next++
	}
	return n
}

// misuse picks a token for one of the misuses: one that was read, or one that
// will be.
func (m *mailbox) misuse(rng *rand.Rand, how uint64) uint64 {
	switch before, oldest := m.next, m.oldest(); {
	case how == misuseAgain && before > oldest:
		n := oldest + rng.Uint64N(before-oldest)
		return n - n%unreadMails // Which is never one of the unread.
	case how == misusePurpose:
		return m.unread()
	}
	return noMail
}

// checkTokens refuses to issue more tokens than the store keeps for a user. Ten
// sessions for each user are more than there are.
func checkTokens(env Env, m mix) error {
	issued := (env.warmedUp().Count() + env.measured().Count()) * m[churnTokenIssue] / 100
	if users := max(1, env.Population/10); issued > float64(users)*store.MaxTokens/2 {
		return fmt.Errorf("session-churn would issue %.0f one-time tokens to about %d users, and the store keeps %d for each: "+
			"use a larger --population, a lower --rate or a shorter --for", issued, users, store.MaxTokens)
	}
	return nil
}

// loadTokens stores those that are under way when the run begins.
func (c *churn) loadTokens(ctx context.Context, st *store.RedisStorage) error {
	return loading(ctx, int(c.plan.mails.planned), nil, func(ctx context.Context, i int) error {
		if err := issue(ctx, st, c.plan.mails.find(uint64(i))); err != nil {
			return fmt.Errorf("create secure token %d: %w", i+1, err)
		}
		return nil
	})
}

// issue creates a planned token, which lives as long as its purpose says.
func issue(ctx context.Context, st *store.RedisStorage, t *secureToken) error {
	asked := time.Now()
	created, err := st.Tokens.Create(ctx, t.account.id, t.purpose, 0)
	if err != nil {
		return err
	}
	t.asked, t.token = asked, created.Token
	t.born.Store(true)
	return nil
}

// issueToken creates the token that op names.
func (c *churn) issueToken(ctx context.Context, op *load.Op) (int, error) {
	t := c.plan.mails.find(op.Subject)
	if t == nil {
		// A long stall: as many as are kept have been planned since.
		return churnTokenMiss, c.inventToken(ctx, op)
	}
	return op.Kind, issue(ctx, c.env.Storage, t)
}

// presentToken verifies the token that op names, in the way that op says.
func (c *churn) presentToken(ctx context.Context, op *load.Op) (int, error) {
	t := c.plan.mails.find(op.Subject)
	switch {
	case t == nil || !t.born.Load():
		// Its mail is still on the way, as in a stall, or its creation failed.
		return churnTokenMiss, c.inventToken(ctx, op)
	case op.Kind == churnTokenMiss && op.Param%misuses == misusePurpose:
		return churnTokenMiss, c.misuseToken(ctx, t)
	}
	ok, err := c.verifyToken(ctx, t)
	switch {
	case err != nil:
		return op.Kind, err
	case ok:
		return churnTokenVerify, nil
	}
	return churnTokenMiss, nil
}

// verifyToken uses a token for what it is for. One try must succeed, which is
// the first unless others overlap it, and no other.
func (c *churn) verifyToken(ctx context.Context, t *secureToken) (bool, error) {
	known := t.used.Load()
	t.tries.Add(1)
	got, ok, err := c.env.Storage.Tokens.Verify(ctx, t.token, t.purpose)
	switch {
	case err != nil:
		return false, err
	case ok:
		c.inv.once.check(!t.used.Swap(true), func() string {
			return fmt.Sprintf("a %s token of %s was accepted a second time", t.purpose, t.account.id)
		})
		c.inv.payload.check(got.UserID == t.account.id && got.Purpose == t.purpose, func() string {
			return fmt.Sprintf("a %s token of %s gave a %s token of %s", t.purpose, t.account.id, got.Purpose, got.UserID)
		})
	case known:
		c.inv.once.check(true, nil)
	case t.tries.Load() == 1 && time.Since(t.asked) < t.purpose.Lifetime():
		c.inv.once.check(false, func() string {
			return fmt.Sprintf("a %s token of %s was refused, and had not been used", t.purpose, t.account.id)
		})
	}
	return ok, nil
}

// misuseToken presents a token for what it is not for, which must neither
// succeed nor use it up.
func (c *churn) misuseToken(ctx context.Context, t *secureToken) error {
	_, ok, err := c.env.Storage.Tokens.Verify(ctx, t.token, store.PurposePasswordReset)
	if err != nil {
		return err
	}
	c.inv.once.check(!ok, func() string {
		return fmt.Sprintf("a %s token of %s was accepted to set a password", t.purpose, t.account.id)
	})
	return nil
}

// inventToken presents a token that nobody was ever given.
func (c *churn) inventToken(ctx context.Context, op *load.Op) error {
	a := c.pop.accounts[op.Param%uint64(len(c.pop.accounts))]
	_, ok, err := c.env.Storage.Tokens.Verify(ctx, store.NewToken(a.id), store.PurposeMagicLink)
	if err != nil {
		return err
	}
	c.inv.once.check(!ok, func() string { return "a secure token that was never issued was accepted" })
	return nil
}

// checkTokens presents all tokens that are kept: those that were used must be
// refused, and the others be accepted.
func (c *churn) checkTokens(ctx context.Context) error {
	return loading(ctx, mailsKept, nil, func(ctx context.Context, i int) error {
		t := c.plan.mails.kept[i].Load()
		if t == nil || !t.born.Load() {
			return nil
		}
		if _, err := c.verifyToken(ctx, t); err != nil {
			return fmt.Errorf("verify a secure token: %w", err)
		}
		return nil
	})
}
