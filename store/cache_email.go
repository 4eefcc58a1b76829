package store

import (
	"context"
	"fmt"
)

// UserByEmail is User for the email, byte for byte. The cache's source must be
// an EmailSource; otherwise the result is ErrInvalid.
//
// An email's entry only leads to the user's copy, which lies in another slot of a
// cluster, and nothing is atomic across slots. So the copy has the last word: one
// that has another email, or none, is a miss.
func (c *Cache) UserByEmail(ctx context.Context, email string) (CachedUser, bool, error) {
	if err := c.knowsEmails("look up cached user by email"); err != nil {
		return CachedUser{}, false, err
	}
	return c.find(ctx, byEmail(email))
}

func (c *Cache) knowsEmails(op string) error {
	if c.emails == nil {
		return fmt.Errorf("%s: %w", op, invalid("the cache's source is no EmailSource"))
	}
	return nil
}

func (c *Cache) lookupEmail(ctx context.Context, email string) (found, error) {
	const op = "look up cached user by email"
	raw, err := c.read(ctx, op, c.keys.cachedEmail(email)[0])
	if err != nil {
		return found{}, err
	}
	way, sound := decodeCachedEmail(raw)
	got := found{absent: sound && way.absent == emailCheck(email)}
	sound = sound || raw == ""
	if id := way.user.ID; id != "" {
		if raw, err = c.read(ctx, op, c.keys.cachedUser(userTag(id))[0]); err != nil {
			return found{}, err
		}
		e, readable := decodeCachedUser(raw)
		sound = sound && (readable || raw == "")
		if readable && e.user.ID == id && e.user.Email == email {
			got = found{user: e.user, ok: true, due: c.due(way) || c.due(e)}
		}
	}
	c.count(got, sound)
	return got, nil
}

// Fresh asks the source, whatever is cached, and keeps the answer. It is for
// decisions that must not rest on an old copy, as about locks and passwords.
// It joins no load that began before the call, and asks again, twice at most,
// when the answer is older than an invalidation. That the cache fails is only
// counted: no outage of it hides what the source says.
func (c *Cache) Fresh(ctx context.Context, id string) (User, bool, error) {
	got, err := c.loadFresh(ctx, byID(id))
	return got.user.User, got.ok, err
}

// FreshByEmail is Fresh for the email, byte for byte. The cache's source must be
// an EmailSource; otherwise the result is ErrInvalid.
func (c *Cache) FreshByEmail(ctx context.Context, email string) (User, bool, error) {
	if err := c.knowsEmails("load user by email"); err != nil {
		return User{}, false, err
	}
	got, err := c.loadFresh(ctx, byEmail(email))
	return got.user.User, got.ok, err
}
