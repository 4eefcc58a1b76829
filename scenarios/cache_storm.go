package scenarios

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/store"
)

// CacheReadStorm is a cache of hot users in front of a slow origin: steady hits,
// then all entries expire together, then the cache is empty.
func CacheReadStorm() Scenario {
	return Scenario{
		Name:       "cache-read-storm",
		About:      "Hot cached users in front of a slow origin: hits, a synchronized expiry, a cold start, and how stale a read can be after an update.",
		Operations: stormNames[:],
		Headline:   "hit",
		Rate:       8000,
		Population: 4000,
		Need:       func(env Env) int64 { return int64(env.Population) * bytesPerUser },
		New:        newCacheStorm,
	}
}

// The kinds of operation of cache-read-storm. A read learns only when it is done
// which of the first three it was.
const (
	stormHit = iota
	stormLoad
	stormLoadAlone
	stormUpdate
)

var stormNames = [...]string{"hit", "load", "load-uncoalesced", "update"}

// never is later than any operation is due.
const never = time.Duration(1<<63 - 1)

const (
	// originLatency is what the simulated system of record takes to answer.
	originLatency = 20 * time.Millisecond
	updateShare   = 0.005
	// expiryAt and coldAt are the moments of the two storms, as shares of the
	// measured time.
	expiryAt = 0.4
	coldAt   = 0.75
)

type cacheStorm struct {
	env    Env
	origin *origin
	// Users with an even number are read through the coalescing cache, the
	// others through one whose every miss asks the origin by itself, so that
	// both meet the same storm in the same second.
	coalescing, alone *store.Cache
	plan              struct {
		rng     *rand.Rand
		popular *zipf
		ranks   []int
		// visits read one user each.
		visits visits
		// updatesFrom is when updates begin; before the measured phase there are
		// none.
		updatesFrom time.Duration
	}
	inv struct{ stale, payload *Invariant }

	timeline  timeline
	coldStart atomic.Int64 // Unix nanoseconds; 0 until it happened
	baseline  [2]store.CacheStats
	stale     struct {
		sync.Mutex
		*hdrhistogram.Histogram // microseconds
	}
}

func newCacheStorm(env Env) (*Workload, error) {
	c := &cacheStorm{env: env}
	c.plan.updatesFrom = never
	c.plan.visits = visits{}
	c.plan.rng = newRand(env.Seed, 1)
	c.plan.popular = newZipf(0.99, env.Population)
	c.plan.ranks = newRand(env.Seed, 2).Perm(env.Population)
	c.stale.Histogram = hdrhistogram.New(1, time.Minute.Microseconds(), 3)
	var inv Invariants
	c.inv.stale = inv.add("no-stale-user-after-invalidation")
	c.inv.payload = inv.add("payload-belongs-to-the-key")
	return &Workload{
		Traffic:      c,
		Warmup:       env.warmedUp(),
		Measure:      env.measured(),
		Workers:      512,
		Settings:     c.settings(),
		Load:         c.load,
		OnPhase:      c.onPhase,
		Watch:        c.watch,
		Invariants:   &inv,
		Measurements: c.measurements,
		Marks:        c.marks,
	}, nil
}

func (c *cacheStorm) settings() map[string]string {
	return map[string]string{
		"population":     strconv.Itoa(c.env.Population) + " cached users",
		"popularity":     c.plan.popular.String(),
		"origin latency": originLatency.String(),
		"updates":        fmt.Sprintf("%g %% of operations from the expiry on, of one user in five", 100*updateShare),
	}
}

// load fills both caches twice: first to see how long that takes, and then so
// that all entries expire at one moment, expiryAt into the measured time.
func (c *cacheStorm) load(ctx context.Context, st *store.RedisStorage) error {
	now := time.Now()
	c.origin = newOrigin(c.env.Population, now)
	// What is loaded from the origin later outlives the run.
	ttl := time.Hour + 2*(c.env.Warmup+c.env.For)
	c.coalescing = c.env.Storage.NewCache(c.origin, store.CacheOptions{TTL: ttl})
	c.alone = c.env.Storage.NewCache(c.origin, store.CacheOptions{TTL: ttl, NoCoalesce: true})
	loader := st.NewCache(c.origin, store.CacheOptions{})
	if err := c.fill(ctx, loader, now.Add(ttl)); err != nil {
		return err
	}
	if err := c.verify(ctx); err != nil {
		return err
	}
	c.timeline = newTimeline(c.env, setupTime(time.Since(now)))
	if err := c.fill(ctx, loader, c.timeline.at(expiryAt)); err != nil {
		return err
	}
	c.origin.slow.Store(int64(originLatency))
	return c.timeline.loaded(ctx)
}

// fill stores a copy of every user that expires at end.
func (c *cacheStorm) fill(ctx context.Context, loader *store.Cache, end time.Time) error {
	return loading(ctx, c.env.Population, c.env.Progress, func(ctx context.Context, i int) error {
		if err := loader.PutUser(ctx, c.origin.current(i), time.Until(end)); err != nil {
			return fmt.Errorf("fill the cache with user %d: %w", i, err)
		}
		return nil
	})
}

// verify reads every tenth entry back and finds it cached.
func (c *cacheStorm) verify(ctx context.Context) error {
	before := c.loads()
	err := loading(ctx, c.env.Population/10, nil, func(ctx context.Context, i int) error {
		_, _, err := c.cacheOf(10*i).User(ctx, c.origin.users[10*i].id)
		return err
	})
	if err != nil {
		return fmt.Errorf("verify the cache: %w", err)
	}
	if n := c.loads() - before; n > 0 {
		return fmt.Errorf("verify the cache: %d of %d entries that had just been filled were missing", n, c.env.Population/10)
	}
	return nil
}

func (c *cacheStorm) loads() int64 {
	return c.coalescing.Stats().Loads + c.alone.Stats().Loads
}

func (c *cacheStorm) cacheOf(i int) *store.Cache {
	if i%2 == 0 {
		return c.coalescing
	}
	return c.alone
}

func (c *cacheStorm) onPhase(ctx context.Context, p load.Phase) {
	if p == load.PhaseMeasure {
		waitFor(ctx, c.timeline.start)
		c.plan.updatesFrom = time.Duration(expiryAt * float64(c.env.For))
		c.baseline = [2]store.CacheStats{c.coalescing.Stats(), c.alone.Stats()}
	}
}

// Operations implements load.Traffic.
func (c *cacheStorm) Operations() []string { return stormNames[:] }

// Next implements load.Traffic.
func (c *cacheStorm) Next(op *load.Op) {
	rng := c.plan.rng
	op.Kind = stormHit
	rank := int(c.plan.visits.choose(op, func() uint64 { return uint64(c.plan.popular.draw(rng)) }))
	c.plan.visits.leave(op)
	if rng.Float64() < updateShare && op.Due >= c.plan.updatesFrom {
		op.Kind = stormUpdate
		rank = c.changing(rank)
	}
	op.Subject = uint64(c.plan.ranks[rank])
}

// Of ten neighbours in popularity two are updated now and then, hot ones among
// them. The others are not, so that a load of them has no cause but a storm.
const (
	changeOf     = 10
	firstChanged = 4 // and the next
)

// changing is the rank near this one whose user is updated.
func (c *cacheStorm) changing(rank int) int {
	near := rank - rank%changeOf + firstChanged + rank%2
	if near >= len(c.plan.ranks) {
		return firstChanged
	}
	return near
}

// changed says of each user whether it is updated.
func (c *cacheStorm) changed() []bool {
	users := make([]bool, len(c.plan.ranks))
	for rank := range c.plan.ranks {
		users[c.plan.ranks[c.changing(rank)]] = true
	}
	return users
}

// Do implements load.Traffic.
func (c *cacheStorm) Do(ctx context.Context, op *load.Op) (int, error) {
	i := int(op.Subject)
	if op.Kind == stormUpdate {
		return op.Kind, c.update(ctx, i)
	}
	return c.read(ctx, i)
}

// update commits to the origin first and tells the cache then, as an application
// does. Only when the cache has acknowledged may nobody see the old user again.
func (c *cacheStorm) update(ctx context.Context, i int) error {
	user := c.origin.update(i)
	if err := c.cacheOf(i).InvalidateUser(ctx, user); err != nil {
		return err
	}
	c.origin.users[i].acknowledge(user.UpdatedAt.UnixMilli())
	return nil
}

func (c *cacheStorm) read(ctx context.Context, i int) (int, error) {
	u := &c.origin.users[i]
	announced := u.announced.Load()
	cached, ok, err := c.cacheOf(i).User(ctx, u.id)
	kind := stormHit
	switch {
	case err == nil && !cached.FromSource:
	case i%2 == 0:
		kind = stormLoad
	default:
		kind = stormLoadAlone
	}
	if err != nil {
		return kind, err
	}
	version := cached.UpdatedAt.UnixMilli()
	c.inv.payload.check(ok && cached.ID == u.id, func() string {
		return fmt.Sprintf("user %d was read and %q came", i, cached.ID)
	})
	c.inv.stale.check(version >= announced, func() string {
		return fmt.Sprintf("user %d was served in version %d after the invalidation of version %d had been acknowledged", i, version, announced)
	})
	c.noteStale(i, version)
	return kind, nil
}

// noteStale records how long after the commit of a newer version an older one
// was still served. Until the cache has acknowledged the invalidation that is no
// fault; how long it goes on is what an operator wants to know.
func (c *cacheStorm) noteStale(i int, version int64) {
	replaced, stale := c.origin.replaced(i, version)
	if !stale {
		return
	}
	age := time.Since(replaced).Microseconds()
	c.stale.Lock()
	defer c.stale.Unlock()
	// An age beyond the histogram's minute cannot come about in an operation
	// that is bounded by its timeout.
	_ = c.stale.RecordValue(min(max(age, 1), time.Minute.Microseconds()))
}

// watch brings about the cold start: every entry is invalidated, in its present
// version, as a deployment that changes the cached form does. Deleting the keys
// would also delete the marks that keep late fills of old versions out.
func (c *cacheStorm) watch(ctx context.Context) {
	waitFor(ctx, c.timeline.at(expiryAt))
	c.origin.beginWindow()
	waitFor(ctx, c.timeline.at(coldAt))
	if ctx.Err() != nil {
		return
	}
	c.coldStart.Store(time.Now().UnixNano())
	c.origin.beginWindow()
	// What fails here fails for the readers too, and is counted there.
	_ = loading(ctx, c.env.Population, nil, func(ctx context.Context, i int) error {
		return c.cacheOf(i).InvalidateUser(ctx, c.origin.current(i))
	})
}

func (c *cacheStorm) marks(started time.Time) []Mark {
	marks := []Mark{{c.timeline.at(expiryAt).Sub(started), "all entries expire"}}
	if cold := c.coldStart.Load(); cold > 0 {
		marks = append(marks, Mark{time.Unix(0, cold).Sub(started), "cold start"})
	}
	return marks
}

func (c *cacheStorm) measurements(time.Time) map[string]Measurement {
	m := map[string]Measurement{}
	changed := c.changed()
	together, alone := c.origin.stampede(0, changed), c.origin.stampede(1, changed)
	m["loads-per-miss"] = Measurement{together.mean, "loads", "loads of the origin for one missing entry in the two storms, with coalescing"}
	m["loads-per-miss-uncoalesced"] = Measurement{alone.mean, "loads", "the same when every miss asks by itself"}
	m["loads-of-one-entry-worst"] = Measurement{float64(together.worst), "loads", "the most loads that one missing entry caused, with coalescing"}
	m["loads-of-one-entry-worst-uncoalesced"] = Measurement{float64(alone.worst), "loads", "the same when every miss asks by itself"}
	hits, misses := c.lookups()
	if hits+misses > 0 {
		m["hit-ratio"] = Measurement{100 * float64(hits) / float64(hits+misses), "%", "reads that the cache answered, storms included"}
	}
	c.stale.Lock()
	defer c.stale.Unlock()
	m["stale-reads"] = Measurement{float64(c.stale.TotalCount()), "reads", "reads that got the old user between an update's commit and its acknowledged invalidation"}
	m["staleness-max"] = Measurement{float64(c.stale.Max()) / 1000, "ms", "the longest time after a commit that the old user was still served"}
	return m
}

// lookups counts the hits and misses of both caches since measuring began.
func (c *cacheStorm) lookups() (hits, misses int64) {
	for i, cache := range []*store.Cache{c.coalescing, c.alone} {
		now := cache.Stats()
		hits += now.Hits - c.baseline[i].Hits
		misses += now.Misses - c.baseline[i].Misses
	}
	return hits, misses
}
