package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// maxLoads bounds how often a shared load asks the source because somebody has
// invalidated what it gave.
const maxLoads = 3

var errNoAnswer = errors.New("the source has ended its goroutine without an answer")

// question is what the source is asked: who has this id, or this email.
type question struct {
	email bool
	text  string
}

func byID(id string) question       { return question{text: id} }
func byEmail(email string) question { return question{email: true, text: email} }

// flight names the load that all who ask this share.
func (q question) flight() string {
	if q.email {
		return "email " + q.text
	}
	return "id " + q.text
}

// loaded is what a load gives to those who wait for it.
type loaded struct {
	user CachedUser
	ok   bool
}

// answer is what the goroutine of a shared load sends.
type answer struct {
	loaded loaded
	err    error
}

// join waits for the load that is under way, or begins one. Each
// caller waits as long as its own context allows.
func (c *Cache) join(ctx context.Context, q question) (CachedUser, bool, error) {
	mine := false
	done := c.flight.DoChan(q.flight(), func() (any, error) {
		mine = true
		// The load may outlive its first caller, whose Trace it must not touch.
		return c.share(WithTrace(context.WithoutCancel(ctx), nil), q)
	})
	c.stats.misses.Add(1) // Not before: who sees the count knows that the caller has joined.
	select {
	case <-ctx.Done():
		return CachedUser{}, false, fmt.Errorf("wait for cached user: %w", context.Cause(ctx))
	case result := <-done:
		if !mine {
			c.stats.coalesced.Add(1)
		}
		if result.Err != nil {
			return CachedUser{}, false, result.Err
		}
		got := result.Val.(loaded)
		return got.user, got.ok, nil
	}
}

// share loads for everybody who waits. It returns when LoadTimeout has passed,
// whatever the source does, so that nobody joins a load that hangs; what such a
// load gives later cannot be kept, because its context has ended.
func (c *Cache) share(ctx context.Context, q question) (loaded, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.LoadTimeout)
	defer cancel()
	answered := make(chan answer, 1)
	go func() {
		a := answer{err: fmt.Errorf("load user: %w", errNoAnswer)}
		defer func() {
			if cause := recover(); cause != nil {
				a = answer{err: fmt.Errorf("load user: the source has panicked: %v", cause)}
			}
			answered <- a
		}()
		a.loaded, a.err = c.loadFresh(ctx, q)
	}()
	select {
	case a := <-answered:
		return a.loaded, a.err
	case <-ctx.Done():
		return loaded{}, fmt.Errorf("load user: no answer of the source within %s: %w", c.options.LoadTimeout, ctx.Err())
	}
}

// loadFresh loads again when the answer was refused as too old: the load began
// before an invalidation, maybe in another process, and those who have come
// since must not get what was invalidated before they came.
func (c *Cache) loadFresh(ctx context.Context, q question) (got loaded, err error) {
	for range maxLoads {
		var refused bool
		if got, refused, err = c.load(ctx, q); err != nil || !refused {
			break
		}
	}
	return got, err
}

// load asks the source and keeps the answer. It reports whether a user was
// refused as too old.
func (c *Cache) load(ctx context.Context, q question) (got loaded, refused bool, err error) {
	c.stats.loads.Add(1)
	began := time.Now()
	user, ok, err := c.ask(ctx, q)
	if err != nil {
		return loaded{}, false, fmt.Errorf("load user: %w", err)
	}
	if !ok {
		c.keepAbsent(ctx, q)
		return loaded{}, false, nil
	}
	now, ttl := time.Now(), c.ttl()
	cached := CachedUser{User: user, CachedAt: truncate(now), FromSource: true}
	email := ""
	if q.email && user.Email == q.text {
		email = q.text
	}
	kept, err := c.keep(ctx, entry{user: cached, ends: now.Add(ttl), cost: now.Sub(began)}, email, ttl)
	if err != nil {
		c.stats.fillErrors.Add(1)
	}
	return loaded{cached, true}, err == nil && !kept, nil
}

func (c *Cache) ask(ctx context.Context, q question) (User, bool, error) {
	if q.email {
		return c.emails.UserByEmail(ctx, q.text)
	}
	return c.source.User(ctx, q.text)
}
