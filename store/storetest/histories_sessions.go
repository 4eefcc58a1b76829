package storetest

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/toriibench/toriibench/store"
)

// The calls about sessions. A part is a user, an item is a token of the user,
// which any client may use at any time, also again after its session has ended.
// The value is the end of a session, in hours after the history began: every
// call that sets one sets its own, so that it tells who did.
//
// Whose user record Authenticate gives is not in the specification. It reads the
// user first and then the session, of which both may be of different instants:
// see TestAuthenticateMayGiveTheUserOfAMomentBefore in package store.
const (
	opCreateUser = "create user"
	opDeleteUser = "delete user"
	opCreate     = "create"
	opFind       = "find"
	opRefresh    = "refresh"
	opDelete     = "delete"
	opDeleteAll  = "delete all"
)

// sessionsOf is a user and the ends of the sessions, "" where there is none.
type sessionsOf struct {
	there bool
	ends  [3]string
}

// sessionSpec says what calls about sessions do.
func sessionSpec(u sessionsOf, c call) (sessionsOf, result) {
	end := &u.ends[c.item]
	switch c.verb {
	case opCreateUser:
		if u.there {
			return u, result{kind: conflict}
		}
		u.there = true
	case opCreate:
		if !u.there {
			return u, result{kind: absent}
		}
		if *end != "" {
			return u, result{kind: conflict}
		}
		*end = c.value
	case opFind, opRefresh:
		if *end == "" {
			return u, result{kind: absent}
		}
		if c.verb == opRefresh {
			*end = c.value
		}
		return u, result{kind: done, value: *end}
	case opDelete:
		*end = ""
	case opDeleteAll:
		u.ends = sessionsOf{}.ends
	case opDeleteUser:
		u = sessionsOf{}
	}
	return u, result{kind: done}
}

// sessionUser is a user of a history of sessions.
type sessionUser struct {
	id, email string
	tokens    [len(sessionsOf{}.ends)]store.Token
	// written counts the ends that were set.
	written atomic.Int64
}

// recordSessions records a history of the calls about sessions of new users.
func recordSessions(ctx context.Context, s *store.RedisStorage, n int) ([]porcupine.Operation, error) {
	users := make([]*sessionUser, parts)
	for part := range users {
		u := &sessionUser{id: fmt.Sprintf("s%d-%d", n, part), email: fmt.Sprintf("s%d-%d@example.org", n, part)}
		for i := range u.tokens {
			u.tokens[i] = store.NewToken(u.id)
		}
		users[part] = u
	}
	r := newRecorder(s, uint64(n))
	for part, u := range users {
		r.client(part, 0).createUser(ctx, u.id, u.email)
	}
	return r.record(ctx, func(ctx context.Context, c *client) { users[c.part].step(ctx, c) })
}

// step does one call.
func (u *sessionUser) step(ctx context.Context, c *client) {
	if c.number == 0 && c.random.IntN(3) == 0 {
		c.lifecycle(ctx, u.id, u.email)
		return
	}
	ctx, cancel := c.impatient(ctx)
	defer cancel()
	asked := call{verb: u.pick(c), item: c.random.IntN(len(u.tokens))}
	if asked.verb == opCreate || asked.verb == opRefresh {
		asked.value = strconv.FormatInt(u.written.Add(1), 10)
	}
	c.do(asked, func() (string, bool, error) { return u.run(ctx, c, asked) })
}

// pick takes a verb, the common ones more often.
func (u *sessionUser) pick(c *client) string {
	verbs := []string{opCreate, opCreate, opCreate, opFind, opFind, opFind, opFind, opRefresh, opRefresh, opDelete, opDeleteAll}
	return verbs[c.random.IntN(len(verbs))]
}

// lifecycle deletes the user or creates it again.
func (c *client) lifecycle(ctx context.Context, id, email string) {
	if c.random.IntN(3) > 0 {
		c.createUser(ctx, id, email)
		return
	}
	ctx, cancel := c.impatient(ctx)
	defer cancel()
	c.do(call{verb: opDeleteUser}, func() (string, bool, error) { return "", true, c.storage.Users.Delete(ctx, id) })
}

// createUser is not cut off: what is left of a creation is in the way of the next
// for ten seconds.
func (c *client) createUser(ctx context.Context, id, email string) {
	c.do(call{verb: opCreateUser}, func() (string, bool, error) {
		_, err := c.storage.Users.Create(ctx, store.NewUser{ID: id, Email: email})
		return "", true, err
	})
}

// run does what was asked about a session.
func (u *sessionUser) run(ctx context.Context, c *client, asked call) (end string, found bool, err error) {
	token, sessions := u.tokens[asked.item], c.storage.Sessions
	switch asked.verb {
	case opCreate:
		_, err = sessions.Create(ctx, store.NewSession{UserID: u.id, Token: token, ExpiresAt: c.began.Add(hours(asked.value))})
	case opRefresh:
		var s store.Session
		s, err = sessions.Refresh(ctx, token, hours(asked.value))
		return c.hour(s.ExpiresAt), true, err
	case opFind:
		if c.random.IntN(2) == 0 {
			s, ok, err := sessions.Find(ctx, token)
			return c.hour(s.ExpiresAt), ok, err
		}
		identity, ok, err := sessions.Authenticate(ctx, token)
		if ok && identity.User.ID != u.id {
			err = fmt.Errorf("the token of user %s gives user %s", u.id, identity.User.ID)
		}
		return c.hour(identity.Session.ExpiresAt), ok, err
	case opDelete:
		err = sessions.Delete(ctx, token)
	case opDeleteAll:
		err = sessions.DeleteAllOfUser(ctx, u.id)
	}
	return "", true, err
}

// hours is the duration of an end.
func hours(end string) time.Duration {
	n, err := strconv.Atoi(end)
	if err != nil {
		panic("storetest: an end of a session that is none: " + end)
	}
	return time.Duration(n) * time.Hour
}

// hour is the end as the calls name it, whenever within the history it was set.
func (r *recorder) hour(end time.Time) string {
	return strconv.Itoa(int(math.Round(end.Sub(r.began).Hours())))
}

func linearizeSessions(h *harness) {
	h.linearize(modelOf(sessionSpec), func(n int) ([]porcupine.Operation, error) {
		return recordSessions(h.Context(), h.RedisStorage, n)
	})
}
