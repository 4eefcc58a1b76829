package store

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// Source is the system of record behind a Cache: where users really are.
type Source interface {
	// User returns the user as it is now, or false when there is none.
	User(ctx context.Context, id string) (User, bool, error)
}

// CacheOptions tune a Cache. The zero value works.
type CacheOptions struct {
	// TTL is how long a copy lives at most; 0 means the storage's CacheTTL.
	TTL time.Duration
	// Jitter is the greatest fraction of TTL that is taken off at random, so
	// that copies made together do not expire together: 0 to 0.5. What lies
	// outside counts as the nearer end.
	Jitter float64
	// NoCoalesce makes every miss ask the source by itself.
	NoCoalesce bool
	// FillGrace is how long an invalidation keeps older copies out; it must
	// outlast the slowest load. 0 means DefaultFillGrace.
	FillGrace time.Duration
	// LoadTimeout bounds a shared load from the source, which goes on for the
	// others when the caller who began it gives up. A source that does not heed
	// its context keeps a goroutine beyond it. 0 means DefaultLoadTimeout.
	LoadTimeout time.Duration
	// Random gives numbers in [0, 1) for the jitter and is called
	// concurrently; nil means the program's own source.
	Random func() float64
}

// What NewCache fills in for the zero values of CacheOptions.
const (
	DefaultFillGrace   = 10 * time.Second
	DefaultLoadTimeout = 10 * time.Second
)

// CacheStats are counts since the cache was made.
type CacheStats struct {
	// Hits and Misses count look-ups of users and sessions.
	Hits, Misses int64
	// Loads counts questions to the source.
	Loads int64
	// Coalesced counts misses that were served by somebody else's load.
	Coalesced int64
	// FillsRefused counts copies that were too old to be stored.
	FillsRefused int64
	// FillErrors counts copies that could not be stored; the load itself
	// succeeded.
	FillErrors int64
	// Corrupt counts entries that could not be read. They are misses too.
	Corrupt int64
}

// Cache keeps copies of users and sessions whose system of record is
// elsewhere. It is safe for concurrent use. NewCache makes one.
//
// The version of a user is its UpdatedAt. A copy never replaces a newer one,
// and an invalidation keeps copies out that are older than it: a reader who
// loaded the row before an update cannot store it after. That nobody is there
// is not cached, so a copy never hides a new user and unknown ids fill no
// memory. Decisions about locks and passwords belong to the source, not here.
type Cache struct {
	*engine

	source  Source
	options CacheOptions
	flight  singleflight.Group
	stats   struct {
		hits, misses, loads, coalesced, refused, fillErrors, corrupt atomic.Int64
	}
}

// NewCache makes a cache of what src knows, in the keys of s.
func (s *RedisStorage) NewCache(src Source, opts CacheOptions) *Cache {
	opts.TTL = max(time.Millisecond, or(opts.TTL, s.engine.config.CacheTTL))
	opts.Jitter = min(max(opts.Jitter, 0), 0.5)
	opts.FillGrace = max(time.Millisecond, or(opts.FillGrace, DefaultFillGrace))
	opts.LoadTimeout = or(opts.LoadTimeout, DefaultLoadTimeout)
	if opts.Random == nil {
		opts.Random = rand.Float64
	}
	return &Cache{engine: s.engine, source: src, options: opts}
}

// User returns the copy of a user; when there is none it asks the source and
// keeps what that says. A failure to keep it is only counted.
//
// Callers who miss at once share one load. None of them gets a user older than
// an invalidation that was acknowledged before the call, in whatever process,
// as long as no more than two others come during the load; but that nobody is
// there, which is not cached, may be what the source said shortly before. A
// source that panics in a shared load, or that has not answered it within
// LoadTimeout, is an error for everybody who waits; the latter one wraps
// context.DeadlineExceeded, and the next caller begins a new load. Without
// coalescing a panic and the wait are the caller's own.
func (c *Cache) User(ctx context.Context, id string) (CachedUser, bool, error) {
	cached, ok, err := c.LookupUser(ctx, id)
	if err != nil || ok {
		return cached, ok, err
	}
	if c.options.NoCoalesce {
		got, _, err := c.load(ctx, id)
		return got.user, got.ok, err
	}
	return c.join(ctx, id)
}

// LookupUser returns the copy of a user if there is one. It asks no source.
func (c *Cache) LookupUser(ctx context.Context, id string) (CachedUser, bool, error) {
	values, err := c.get(ctx, "look up cached user", c.keys.cachedUser(userTag(id))[0])
	if err != nil {
		return CachedUser{}, false, err
	}
	cached, ok := decodeCachedUser(values[0])
	hit := ok && cached.ID == id
	c.count(values[0], ok, hit)
	if !hit {
		return CachedUser{}, false, nil
	}
	return cached, true, nil
}

// count books a look-up: an entry that cannot be read is a miss.
func (c *Cache) count(raw string, readable, hit bool) {
	if raw != "" && !readable {
		c.stats.corrupt.Add(1)
	}
	if hit {
		c.stats.hits.Add(1)
		return
	}
	c.stats.misses.Add(1)
}

// PutUser keeps a copy of a user that the caller has just read from the system
// of record, for ttl (0: the cache's TTL, jitter taken off), as when a cache is
// filled before it is used. A copy that is too old is refused, which is no
// error.
func (c *Cache) PutUser(ctx context.Context, u User, ttl time.Duration) error {
	if ttl == 0 {
		ttl = c.ttl()
	}
	_, err := c.keep(ctx, CachedUser{User: u, CachedAt: truncate(time.Now())}, max(time.Millisecond, ttl))
	return err
}

func (c *Cache) keep(ctx context.Context, cached CachedUser, ttl time.Duration) (kept bool, err error) {
	return c.fill(ctx, "fill cached user", c.keys.cachedUser(userTag(cached.ID)), cached.UpdatedAt, encodeCachedUser(cached), ttl)
}

// fill stores an entry and reports true, unless it is too old.
func (c *Cache) fill(ctx context.Context, op string, keys []string, version time.Time, entry string, ttl time.Duration) (bool, error) {
	out, err := c.eval(ctx, op, c.scripts.cacheFill, keys, millis(version), entry, durationMillis(ttl))
	if err != nil {
		return false, err
	}
	if out[0] == replyRefused {
		c.stats.refused.Add(1)
		return false, nil
	}
	return true, nil
}

// ttl is the life of a new copy, jitter taken off.
func (c *Cache) ttl() time.Duration {
	off := time.Duration(float64(c.options.TTL) * c.options.Jitter * c.options.Random())
	return max(time.Millisecond, c.options.TTL-off)
}

// InvalidateUser removes copies up to and including u and keeps those older
// than u out for FillGrace. Call it after the system of record has committed u.
// Writes of the source under one UpdatedAt cannot be told apart: a load that
// began between two of them may still keep the first.
func (c *Cache) InvalidateUser(ctx context.Context, u User) error {
	return c.dropUser(ctx, u.ID, millis(u.UpdatedAt))
}

// ForgetUser removes the copy of a user whom the system of record has deleted,
// and keeps every copy out for FillGrace.
func (c *Cache) ForgetUser(ctx context.Context, id string) error {
	return c.dropUser(ctx, id, strconv.FormatInt(maxMillis+1, 10))
}

func (c *Cache) dropUser(ctx context.Context, id, version string) error {
	err := c.drop(ctx, "invalidate cached user", c.keys.cachedUser(userTag(id)), version)
	// Who comes from now on must not wait for a load that began before.
	c.flight.Forget(id)
	return err
}

func (c *Cache) drop(ctx context.Context, op string, keys []string, version string) error {
	_, err := c.eval(ctx, op, c.scripts.cacheDrop, keys, version, durationMillis(c.options.FillGrace))
	return err
}

// Stats returns the counts so far.
func (c *Cache) Stats() CacheStats {
	return CacheStats{
		Hits:         c.stats.hits.Load(),
		Misses:       c.stats.misses.Load(),
		Loads:        c.stats.loads.Load(),
		Coalesced:    c.stats.coalesced.Load(),
		FillsRefused: c.stats.refused.Load(),
		FillErrors:   c.stats.fillErrors.Load(),
		Corrupt:      c.stats.corrupt.Load(),
	}
}

// durationMillis rounds up, so that no life becomes 0, which servers refuse.
func durationMillis(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Millisecond-1)/time.Millisecond), 10)
}
