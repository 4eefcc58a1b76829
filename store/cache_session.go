package store

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// PutSession keeps a copy of a session for the cache's TTL, or until it
// expires if that is sooner; one that has expired is not kept. A copy that is
// older than the one there, by UpdatedAt, is not kept either. The token is
// never stored.
func (c *Cache) PutSession(ctx context.Context, s Session, metadata map[string]string) error {
	const op = "cache session"
	if s.TokenHash == "" && s.Token != "" {
		s.TokenHash = s.Token.Hash()
	}
	member, ok := hashToName(s.TokenHash)
	if !ok {
		return fmt.Errorf("%s: %w", op, invalid("session has neither a token nor the hash of one"))
	}
	if err := checkCachedSession(s, metadata); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	now := time.Now()
	ttl := min(c.ttl(), s.ExpiresAt.Sub(now))
	if ttl <= 0 {
		return nil
	}
	entry := encodeCachedSession(CachedSession{Session: s, Metadata: metadata, CachedAt: truncate(now)})
	_, err := c.put(ctx, op, c.keys.cachedSession(userTag(s.UserID), member), entry, ttl)
	return err
}

// checkCachedSession accepts what an entry gives back unchanged.
func checkCachedSession(s Session, metadata map[string]string) error {
	err := first(
		checkRequired("user id", s.UserID),
		checkOptionalText("user agent", s.UserAgent),
		checkOptionalText("ip address", s.IPAddress),
		checkTime("time of creation", s.CreatedAt),
		checkTime("time of the last update", s.UpdatedAt),
		checkTime("time of expiry", s.ExpiresAt),
	)
	total := 0
	for name, value := range metadata {
		total += len(name) + len(value)
		err = first(err, checkText("name of metadata", name), checkText("value of metadata", value))
	}
	if err == nil && total > maxText {
		return invalid("metadata has %d bytes, at most %d are kept", total, maxText)
	}
	return err
}

// Session returns the copy of a session if there is one that has not expired.
func (c *Cache) Session(ctx context.Context, t Token) (CachedSession, bool, error) {
	tag, ok := t.tag()
	if !ok {
		c.stats.misses.Add(1)
		return CachedSession{}, false, nil
	}
	values, err := c.get(ctx, "look up cached session", c.keys.cachedSession(tag, sessionName(t))[0])
	if err != nil {
		return CachedSession{}, false, err
	}
	cached, readable := decodeCachedSession(values[0])
	hash := Token(t.Hash())
	hit := readable && Token(cached.TokenHash).Equal(hash) && time.Now().UnixMilli() <= cached.ExpiresAt.UnixMilli()
	c.count(found{ok: hit}, values[0] == "" || readable)
	if !hit {
		c.stats.misses.Add(1)
		return CachedSession{}, false, nil
	}
	cached.Token = t
	return cached, true, nil
}

// InvalidateSession removes the copy of a session that has ended, and keeps
// every copy of it out for FillGrace. After a refresh no invalidation is
// needed: PutSession replaces the older copy.
func (c *Cache) InvalidateSession(ctx context.Context, t Token) error {
	tag, ok := t.tag()
	if !ok {
		return nil
	}
	return c.dropSession(ctx, tag, sessionName(t))
}

// InvalidateSessionByHash is InvalidateSession for those who know no token but
// the user and the Session.TokenHash, which is what Sessions.List gives: to
// empty the cache of all of a user's sessions when they are ended. A hash that
// is none is an ErrInvalid.
func (c *Cache) InvalidateSessionByHash(ctx context.Context, userID, tokenHash string) error {
	member, ok := hashToName(tokenHash)
	if !ok {
		return fmt.Errorf("invalidate cached session: %w", invalid("the hash of the token is not 64 hexadecimal digits"))
	}
	return c.dropSession(ctx, userTag(userID), member)
}

func (c *Cache) dropSession(ctx context.Context, tag, member string) error {
	return c.drop(ctx, "invalidate cached session", c.keys.cachedSession(tag, member), strconv.FormatInt(maxMillis+1, 10))
}
