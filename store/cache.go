package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// Source is the system of record behind a Cache: where users really are.
type Source interface {
	// User returns the user as it is now, or false when there is none.
	User(ctx context.Context, id string) (User, bool, error)
}

// EmailSource is a Source that also knows users by their email. Cache.UserByEmail
// needs one; NewCache finds out by itself.
type EmailSource interface {
	Source
	// UserByEmail returns the user who has this email now, or false when nobody
	// has. A user whose Email differs in a byte is passed on, but not kept under
	// the email that was asked for.
	UserByEmail(ctx context.Context, email string) (User, bool, error)
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
	// NegativeTTL is how long the cache remembers that nobody has an id or an
	// email, at most TTL. 0, the default, is not at all: that makes sense only
	// where every creation is told with InvalidateUser or PutUser, because one
	// that is not stays hidden for that long.
	NegativeTTL time.Duration
	// NegativeLimit is how many such answers this Cache keeps at most within any
	// NegativeTTL, 1 to MaxNegativeLimit; what lies outside counts as the nearer
	// end. Further ones are given and not kept, so that a flood of ids that do
	// not exist fills no memory. 0 means DefaultNegativeLimit.
	NegativeLimit int
	// Beta is how eagerly a copy is loaded again before it ends, in the
	// background, by one of the reads that hit it. 0, the default, is never: the
	// source then hears only from readers who wait for it. 1 is the optimum
	// where each load costs the same; more is earlier. What is negative counts as 0.
	Beta float64
	// Random gives numbers in [0, 1) for Jitter and Beta and is called
	// concurrently; nil means the program's own source.
	Random func() float64
}

// What NewCache fills in for the zero values of CacheOptions, and what it bounds.
const (
	DefaultFillGrace     = 10 * time.Second
	DefaultLoadTimeout   = 10 * time.Second
	DefaultNegativeLimit = 10_000
	MaxNegativeLimit     = 1_000_000
)

// CacheStats are counts since the cache was made.
type CacheStats struct {
	// Hits and Misses count look-ups of users and sessions. A look-up by email is
	// one, though it reads two entries.
	Hits, Misses int64
	// LocalHits counts entries that were read from this process's memory instead of
	// the server: see Config.ClientCacheSize.
	LocalHits int64
	// NegativeHits are those Hits that said that nobody is there.
	NegativeHits int64
	// NegativeDropped counts answers that nobody is there which NegativeLimit did
	// not let be kept.
	NegativeDropped int64
	// Loads counts questions to the source.
	Loads int64
	// Refreshes counts loads that Beta let begin before a copy's end, and
	// RefreshErrors those of them that failed, which no caller hears of unless
	// somebody missed meanwhile.
	Refreshes, RefreshErrors int64
	// Coalesced counts misses that were served by somebody else's load.
	Coalesced int64
	// FillsRefused counts entries that were too old to be stored.
	FillsRefused int64
	// FillErrors counts entries that could not be stored; the load itself
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
// has the lowest version of all: it replaces no copy, and while an invalidation
// keeps copies out it is kept out too, so that who looked before a creation
// cannot hide the new user.
//
// A copy may be as old as TTL where an invalidation was lost. What decides
// whether somebody gets in - LockedAt, EmailVerifiedAt, that the user still
// exists - is therefore not to be taken from User, LookupUser or UserByEmail in
// flows that check a password, a token by mail or a lock: there, ask Fresh or
// FreshByEmail, which go to the source.
type Cache struct {
	*engine

	source Source
	// emails is source, or nil when that knows no emails.
	emails  EmailSource
	options CacheOptions
	flight  singleflight.Group
	nobody  allowance
	stats   struct {
		hits, misses, local, negative, dropped, loads, refreshes, refreshErrors, coalesced, refused, fillErrors, corrupt atomic.Int64
	}
}

// NewCache makes a cache of what src knows, in the keys of s.
func (s *RedisStorage) NewCache(src Source, opts CacheOptions) *Cache {
	opts.TTL = max(time.Millisecond, or(opts.TTL, s.engine.config.CacheTTL))
	opts.Jitter = min(max(opts.Jitter, 0), 0.5)
	opts.FillGrace = max(time.Millisecond, or(opts.FillGrace, DefaultFillGrace))
	opts.LoadTimeout = or(opts.LoadTimeout, DefaultLoadTimeout)
	opts.NegativeTTL = min(max(opts.NegativeTTL, 0), opts.TTL)
	opts.NegativeLimit = min(max(or(opts.NegativeLimit, DefaultNegativeLimit), 1), MaxNegativeLimit)
	opts.Beta = max(opts.Beta, 0)
	if opts.Random == nil {
		opts.Random = rand.Float64
	}
	c := &Cache{engine: s.engine, source: src, options: opts}
	c.emails, _ = src.(EmailSource)
	if opts.NegativeTTL > 0 {
		c.nobody.ends = make([]time.Time, opts.NegativeLimit)
	}
	return c
}

// User returns the copy of a user; when there is none it asks the source and
// keeps what that says. A failure to keep it is only counted.
//
// Callers who miss at once share one load. None of them gets a user older than
// an invalidation that was acknowledged before the call, in whatever process,
// as long as no more than two others come during the load; but that nobody is
// there may be what the source said shortly before, or NegativeTTL before when
// nobody has told of the creation. A source that panics in a shared load, or
// that has not answered it within LoadTimeout, is an error for everybody who
// waits; the latter one wraps context.DeadlineExceeded, and the next caller
// begins a new load. Without coalescing a panic and the wait are the caller's
// own.
//
// With Config.ClientCacheSize that holds for invalidations by this RedisStorage;
// those of others are seen when the server's message has come, and at the latest
// after Config.ClientCacheTTL.
func (c *Cache) User(ctx context.Context, id string) (CachedUser, bool, error) {
	return c.find(ctx, byID(id))
}

// LookupUser returns the copy of a user if there is one. It asks no source, and
// so must not decide about locks and passwords: Fresh does.
func (c *Cache) LookupUser(ctx context.Context, id string) (CachedUser, bool, error) {
	got, err := c.lookup(ctx, byID(id))
	if err == nil && !got.ok && !got.absent {
		c.stats.misses.Add(1)
	}
	return got.user, got.ok, err
}

// find looks up and loads.
func (c *Cache) find(ctx context.Context, q question) (CachedUser, bool, error) {
	got, err := c.lookup(ctx, q)
	switch {
	case err != nil || got.absent:
		return CachedUser{}, false, err
	case got.ok:
		if got.due {
			c.refresh(ctx, q)
		}
		return got.user, true, nil
	case c.options.NoCoalesce:
		c.stats.misses.Add(1)
		got, _, err := c.load(ctx, q)
		return got.user, got.ok, err
	}
	return c.join(ctx, q)
}

// found is what a look-up has met: a user, that nobody is there, or neither.
type found struct {
	user CachedUser
	ok   bool
	// due is true when the copy is to be loaded again before its end.
	due    bool
	absent bool
}

// lookup reads what is kept. The caller counts the miss, when it is one.
func (c *Cache) lookup(ctx context.Context, q question) (found, error) {
	if q.email {
		return c.lookupEmail(ctx, q.text)
	}
	raw, err := c.read(ctx, "look up cached user", c.keys.cachedUser(userTag(q.text))[0])
	if err != nil {
		return found{}, err
	}
	e, readable := decodeCachedUser(raw)
	got := found{absent: readable && e.absent == userCheck(q.text)}
	if readable && e.user.ID == q.text {
		got = found{user: e.user, ok: true, due: c.due(e)}
	}
	c.count(got, raw == "" || readable)
	return got, nil
}

// count books a look-up, except for a miss, which an entry is too that cannot be
// read.
func (c *Cache) count(got found, sound bool) {
	if !sound {
		c.stats.corrupt.Add(1)
	}
	switch {
	case got.absent:
		c.stats.negative.Add(1)
		c.stats.hits.Add(1)
	case got.ok:
		c.stats.hits.Add(1)
	}
}

// PutUser keeps a copy of a user that the caller has just read from the system
// of record, for ttl (0: the cache's TTL, jitter taken off), as when a cache is
// filled before it is used; with an EmailSource also by the user's email. A copy
// that is too old is refused, which is no error. What cannot be stored, as a
// user without an email, is an ErrInvalid.
func (c *Cache) PutUser(ctx context.Context, u User, ttl time.Duration) error {
	if ttl == 0 {
		ttl = c.ttl()
	}
	email := ""
	if c.emails != nil {
		email = u.Email
	}
	e := entry{user: CachedUser{User: u, CachedAt: truncate(time.Now())}}
	_, err := c.keep(ctx, e, email, max(time.Millisecond, ttl))
	return err
}

// keep stores a user's copy, then, unless email is empty, what leads from it to
// the user. It reports whether the copy was young enough.
//
// This order leaves an unused copy behind when the process dies in between; the
// other one would leave a way that leads nowhere. Neither is wrong: who comes by
// email believes only a copy that has the email itself.
func (c *Cache) keep(ctx context.Context, e entry, email string, ttl time.Duration) (bool, error) {
	const op = "fill cached user"
	if err := checkCachedUser(e.user.User); err != nil {
		return false, fmt.Errorf("%s: %w", op, err)
	}
	kept, err := c.fill(ctx, op, c.keys.cachedUser(userTag(e.user.ID)), encodeCachedUser(e), ttl)
	if err != nil || !kept || email == "" {
		return kept, err
	}
	// Refused, it is an older way to a user who is not older.
	_, err = c.fill(ctx, "fill cached email", c.keys.cachedEmail(email), encodeCachedEmail(e), ttl)
	return true, err
}

// checkCachedUser accepts what an entry gives back unchanged.
func checkCachedUser(u User) error {
	return first(
		checkUser(u),
		checkTime("time of creation", u.CreatedAt),
		checkTime("time of the last update", u.UpdatedAt),
	)
}

// fill is put for what look-ups may read from this process's memory.
func (c *Cache) fill(ctx context.Context, op string, keys []string, entry string, ttl time.Duration) (bool, error) {
	kept, err := c.put(ctx, op, keys, entry, ttl)
	if err != nil || !kept {
		return false, err
	}
	return true, c.settle(ctx, op, keys[0])
}

// put stores an entry, which begins with its version, and reports true, unless it
// is too old.
func (c *Cache) put(ctx context.Context, op string, keys []string, entry string, ttl time.Duration) (bool, error) {
	version, _, _ := strings.Cut(entry, "\n")
	out, err := c.eval(ctx, op, scriptCacheFill, keys, version, entry, durationMillis(ttl))
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

// InvalidateUser removes copies up to and including u, by id, by email and by
// previousEmails, and keeps those older than u out for FillGrace. Call it after
// the system of record has committed u: after an update, after a change of email
// with the email before, and after a creation, so that nobody is told any longer
// that nobody is there. Writes of the source under one UpdatedAt cannot be told
// apart: a load that began between two of them may still keep the first.
//
// The user's own copy goes first. It alone says what a user is, and an email's
// entry only leads to it; so whatever becomes of the rest, nobody who comes by
// the old email gets the user, and nobody gets the old copy. After an error call
// it again: the cache may be in any state in between. A u without UpdatedAt, which
// would remove nothing, is an ErrInvalid; ForgetUser needs none.
func (c *Cache) InvalidateUser(ctx context.Context, u User, previousEmails ...string) error {
	if u.UpdatedAt.IsZero() {
		return fmt.Errorf("invalidate cached user: %w", invalid("time of the last update is not set; set it, or call ForgetUser"))
	}
	return c.dropUser(ctx, u.ID, millis(u.UpdatedAt), append([]string{u.Email}, previousEmails...))
}

// ForgetUser removes the copies of a user whom the system of record has deleted,
// by id and by those emails that the user has had lately, and keeps every copy
// of the user out for FillGrace, and every entry of these emails too: somebody
// who takes one over is served by the source until then.
func (c *Cache) ForgetUser(ctx context.Context, id string, emails ...string) error {
	return c.dropUser(ctx, id, strconv.FormatInt(maxMillis+1, 10), emails)
}

// dropUser also ends the sharing of loads that began before: who comes from now
// on must not wait for them.
func (c *Cache) dropUser(ctx context.Context, id, version string, emails []string) error {
	err := c.dropSettled(ctx, "invalidate cached user", c.keys.cachedUser(userTag(id)), version)
	c.flight.Forget(byID(id).flight())
	for _, email := range slices.Compact(slices.Sorted(slices.Values(emails))) {
		if email == "" {
			continue
		}
		err = errors.Join(err, c.dropSettled(ctx, "invalidate cached email", c.keys.cachedEmail(email), version))
		c.flight.Forget(byEmail(email).flight())
	}
	return err
}

// dropSettled is drop for what look-ups may read from this process's memory.
func (c *Cache) dropSettled(ctx context.Context, op string, keys []string, version string) error {
	if err := c.drop(ctx, op, keys, version); err != nil {
		return err
	}
	return c.settle(ctx, op, keys[0])
}

func (c *Cache) drop(ctx context.Context, op string, keys []string, version string) error {
	_, err := c.eval(ctx, op, scriptCacheDrop, keys, version, durationMillis(c.options.FillGrace))
	return err
}

// Stats returns the counts so far.
func (c *Cache) Stats() CacheStats {
	return CacheStats{
		Hits:            c.stats.hits.Load(),
		Misses:          c.stats.misses.Load(),
		LocalHits:       c.stats.local.Load(),
		NegativeHits:    c.stats.negative.Load(),
		NegativeDropped: c.stats.dropped.Load(),
		Loads:           c.stats.loads.Load(),
		Refreshes:       c.stats.refreshes.Load(),
		RefreshErrors:   c.stats.refreshErrors.Load(),
		Coalesced:       c.stats.coalesced.Load(),
		FillsRefused:    c.stats.refused.Load(),
		FillErrors:      c.stats.fillErrors.Load(),
		Corrupt:         c.stats.corrupt.Load(),
	}
}

// durationMillis rounds up, so that no life becomes 0, which servers refuse.
func durationMillis(d time.Duration) string {
	ms := d.Milliseconds()
	if d > time.Duration(ms)*time.Millisecond {
		ms++
	}
	return strconv.FormatInt(ms, 10)
}
