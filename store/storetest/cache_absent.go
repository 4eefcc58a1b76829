package storetest

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/toriibench/toriibench/store"
)

func cacheAbsenceScenarios() []scenario {
	return []scenario{
		{name: "C-26 that nobody is there is remembered where that is asked for", run: cacheRememberAbsence},
		{name: "C-26 and forgotten after a while", waits: true, run: cacheAbsenceEnds},
		{name: "C-27 a creation that is told of ends the remembering", run: cacheCreationTold},
		{name: "C-28 who looked before a creation cannot hide the new user", run: cacheAbsenceRace},
		{name: "C-29 unknown ids and emails leave no more entries than the limit", run: cacheFlood},
		{name: "C-29 what is remembered of an id is short, however long that is", run: cacheLongUnknown},
		{name: "C-30 unknown tokens leave nothing", run: cacheTokenFlood},
	}
}

// wantAbsent reads an unknown id and email through the cache.
func wantAbsent(h *harness, c *store.Cache, u store.User) {
	h.Helper()
	if got, ok, err := c.User(h.Context(), u.ID); ok || err != nil {
		h.Errorf("by id: found %+v, error %v, want nobody", got.User, err)
	}
	wantNobody(h, c, u.Email)
}

func cacheRememberAbsence(h *harness) {
	c := h.NewCache(newSource(), store.CacheOptions{NegativeTTL: time.Minute})
	for range 3 {
		wantAbsent(h, c, someone(1))
	}
	_, ok, err := c.LookupUser(h.Context(), "usr_1")
	h.must(err)
	if got := c.Stats(); ok || got.Loads != 2 || got.Hits != 5 || got.NegativeHits != 5 || got.Misses != 2 || got.Corrupt != 0 {
		h.Errorf("found: %t, stats %+v, want 2 loads and 2 misses, and 5 hits that said nobody", ok, got)
	}
	for key, k := range h.keys() {
		if k.TTL <= 0 || k.TTL > time.Minute {
			h.Errorf("key %s lives for %s", key, k.TTL)
		}
	}
	// A user with another id and another email is not meant.
	other := moved(1)
	other.ID = "usr_2"
	h.must(c.PutUser(h.Context(), other, 0))
	wantCached(h, c, other, false)
	wantCachedByEmail(h, c, other, false)
}

func cacheAbsenceEnds(h *harness) {
	var got store.CacheStats
	h.inTime(func(life time.Duration) (time.Time, error) {
		src, late, gone := newSource(), named("late "+life.String()), named("gone "+life.String())
		c := h.NewCache(src, store.CacheOptions{NegativeTTL: life, NegativeLimit: 2})
		wantAbsent(h, c, late)
		src.put(late)
		elapse(time.Now().Add(life + 2*h.opts.Tolerance))
		wantCached(h, c, late, true)
		wantCachedByEmail(h, c, late, true)
		// What has ended makes room.
		end := time.Now().Add(life)
		for range 2 {
			wantAbsent(h, c, gone)
		}
		got = c.Stats()
		return end, nil
	})
	if got.NegativeDropped != 0 || got.NegativeHits != 2 {
		h.Errorf("stats %+v, want 2 hits that said nobody, and nothing dropped", got)
	}
}

func cacheCreationTold(h *harness) {
	tell := map[string]func(c *store.Cache, u store.User) error{
		"invalidate": func(c *store.Cache, u store.User) error { return c.InvalidateUser(h.Context(), u) },
		"put":        func(c *store.Cache, u store.User) error { return c.PutUser(h.Context(), u, 0) },
	}
	for name, told := range tell {
		src, u := newSource(), named(name)
		c := h.NewCache(src, store.CacheOptions{NegativeTTL: time.Minute})
		wantAbsent(h, c, u)
		src.put(u)
		h.must(told(c, u))
		wantCached(h, c, u, name == "invalidate")
		wantCachedByEmail(h, c, u, name == "invalidate")
	}
}

// named is a user like no other of another name.
func named(name string) store.User {
	u := someone(1)
	u.ID, u.Email = "usr_"+name, name+"@example.org"
	return u
}

// Two caches are two processes: the one that creates knows nothing of the other's
// load.
func cacheAbsenceRace(h *harness) {
	for name, told := range map[string]func(c *store.Cache, u store.User) error{
		"invalidate": func(c *store.Cache, u store.User) error { return c.InvalidateUser(h.Context(), u) },
		"put":        func(c *store.Cache, u store.User) error { return c.PutUser(h.Context(), u, 0) },
	} {
		src, u := newSource(), named(name)
		opts := store.CacheOptions{NegativeTTL: time.Minute}
		mine, theirs := h.NewCache(src, opts), h.NewCache(src, opts)
		answer := src.hold()
		var reader sync.WaitGroup
		reader.Go(func() {
			if got, ok, err := mine.User(h.Context(), u.ID); ok || err != nil {
				h.Errorf("found %+v, error %v, want what the source has said", got.User, err)
			}
		})
		h.awaitAsked(src)
		reader.Go(func() { wantNobody(h, mine, u.Email) })
		h.awaitAsked(src)
		src.release()
		src.put(u)
		h.must(told(theirs, u))
		close(answer)
		reader.Wait()
		if got := mine.Stats().FillsRefused; got != 2 {
			h.Errorf("%s: %d fills were refused, want 2", name, got)
		}
		wantCached(h, mine, u, name == "invalidate")
		wantCachedByEmail(h, mine, u, name == "invalidate")
	}
}

// flood is how many unknown ones come: 100 000 in memory.
func (h *harness) flood() int { return 500 * h.opts.Rounds }

// inParallel calls f with 0 to n-1, from as many goroutines as there are workers.
func (h *harness) inParallel(n int, f func(i int)) {
	var last atomic.Int64
	h.together(func(int) {
		for i := last.Add(1) - 1; i < int64(n); i = last.Add(1) - 1 {
			f(int(i))
		}
	})
}

func cacheFlood(h *harness) {
	const limit = 50
	// No entry may end, and make room, while they come.
	c := h.NewCache(newSource(), store.CacheOptions{TTL: time.Hour, NegativeTTL: time.Hour, NegativeLimit: limit})
	h.inParallel(h.flood(), func(i int) {
		var ok bool
		var err error
		if i%10 == 0 {
			_, ok, err = c.UserByEmail(h.Context(), fmt.Sprintf("%d@example.org", i))
		} else {
			_, ok, err = c.User(h.Context(), fmt.Sprintf("usr_%d", i))
		}
		if ok || err != nil {
			h.Errorf("found: %t, error %v", ok, err)
		}
	})
	if got := len(h.keys()); got != limit {
		h.Errorf("%d keys, want %d", got, limit)
	}
	if got := c.Stats(); got.NegativeDropped != int64(h.flood()-limit) || got.Loads != int64(h.flood()) {
		h.Errorf("stats %+v, want %d loads and all but %d dropped", got, h.flood(), limit)
	}
}

func cacheLongUnknown(h *harness) {
	c := h.NewCache(newSource(), store.CacheOptions{NegativeTTL: time.Minute})
	u := store.User{ID: strings.Repeat("\xff{}", 1<<20), Email: strings.Repeat("{@", 1<<20)}
	for range 2 {
		wantAbsent(h, c, u)
	}
	if got := c.Stats().NegativeHits; got != 2 {
		h.Errorf("%d hits, want 2", got)
	}
	for key, k := range h.keys() {
		if size := len(key) + len(k.Values[0]); size > 200 {
			h.Errorf("key %s: %d bytes", key, size)
		}
	}
}

func cacheTokenFlood(h *harness) {
	c := h.NewCache(newSource(), store.CacheOptions{NegativeTTL: time.Minute})
	h.inParallel(h.flood(), func(i int) {
		token := store.NewToken("usr_1")
		if i%2 == 0 {
			token = store.Token(fmt.Sprintf("bad %d", i))
		}
		if _, ok, err := c.Session(h.Context(), token); ok || err != nil {
			h.Errorf("found: %t, error %v", ok, err)
		}
	})
	if keys := h.keys(); len(keys) > 0 {
		h.Errorf("%d keys are left", len(keys))
	}
}
