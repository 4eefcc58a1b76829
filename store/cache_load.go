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

// join waits for the load of a user that is under way, or begins one. Each
// caller waits as long as its own context allows.
func (c *Cache) join(ctx context.Context, id string) (CachedUser, bool, error) {
	mine := false
	done := c.flight.DoChan(id, func() (any, error) {
		mine = true
		// The load may outlive its first caller, whose Trace it must not touch.
		return c.share(WithTrace(context.WithoutCancel(ctx), nil), id)
	})
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
func (c *Cache) share(ctx context.Context, id string) (loaded, error) {
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
		a.loaded, a.err = c.loadFresh(ctx, id)
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
func (c *Cache) loadFresh(ctx context.Context, id string) (got loaded, err error) {
	for range maxLoads {
		var refused bool
		if got, refused, err = c.load(ctx, id); err != nil || !refused {
			break
		}
	}
	return got, err
}

// load asks the source and keeps the answer. It reports whether the answer was
// refused as too old.
func (c *Cache) load(ctx context.Context, id string) (got loaded, refused bool, err error) {
	c.stats.loads.Add(1)
	user, ok, err := c.source.User(ctx, id)
	if err != nil {
		return loaded{}, false, fmt.Errorf("load user: %w", err)
	}
	if !ok {
		return loaded{}, false, nil
	}
	cached := CachedUser{User: user, CachedAt: truncate(time.Now()), FromSource: true}
	kept, err := c.keep(ctx, cached, c.ttl())
	if err != nil {
		c.stats.fillErrors.Add(1)
	}
	return loaded{cached, true}, err == nil && !kept, nil
}
