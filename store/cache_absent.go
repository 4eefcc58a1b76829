package store

import (
	"context"
	"sync"
	"time"
)

// allowance bounds how many entries may say that nobody is there. Its zero value
// allows none.
type allowance struct {
	mu sync.Mutex
	// ends are when the entries that were allowed end, in a ring; next is the
	// oldest.
	ends []time.Time
	next int
}

// take allows one more entry that lives for ttl, unless as many as there is room
// for live already.
func (a *allowance) take(now time.Time, ttl time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.ends) == 0 || now.Before(a.ends[a.next]) {
		return false
	}
	a.ends[a.next] = now.Add(ttl)
	a.next = (a.next + 1) % len(a.ends)
	return true
}

// keepAbsent remembers that the source knows nobody, if the options say so. It is
// refused where a copy or a floor is: somebody has been there meanwhile.
func (c *Cache) keepAbsent(ctx context.Context, q question) {
	ttl := c.options.NegativeTTL
	if ttl == 0 {
		return
	}
	now := time.Now()
	if !c.nobody.take(now, ttl) {
		c.stats.dropped.Add(1)
		return
	}
	keys, check := c.keys.cachedUser(userTag(q.text)), userCheck(q.text)
	if q.email {
		keys, check = c.keys.cachedEmail(q.text), emailCheck(q.text)
	}
	e := entry{user: CachedUser{CachedAt: truncate(now)}, absent: check}
	if _, err := c.fill(ctx, "remember that nobody is there", keys, encodeAbsent(e), ttl); err != nil {
		c.stats.fillErrors.Add(1)
	}
}
