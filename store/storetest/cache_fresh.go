package storetest

import (
	"errors"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/store"
)

func cacheFreshScenarios() []scenario {
	return []scenario{
		{name: "C-31 a lock is seen at once by who asks for a fresh user, though its invalidation was lost", run: cacheFreshLock},
		{name: "C-31 and a deletion", run: cacheFreshDeletion},
		{name: "C-32 who asks for a fresh user joins no load that began before", run: cacheFreshAlone},
		{name: "C-33 a fresh user is to be had though the cache is down", run: cacheFreshOutage},
		{name: "C-34 a hit near the end loads in the background, once, and waits for nothing", run: cacheEarly},
		{name: "C-34 a failure of that is counted and changes nothing", run: cacheEarlyFails},
	}
}

// wantFresh asks the source past the cache, by id and by email.
func wantFresh(h *harness, c *store.Cache, u store.User) {
	h.Helper()
	for i, fresh := range []func() (store.User, bool, error){
		func() (store.User, bool, error) { return c.Fresh(h.Context(), u.ID) },
		func() (store.User, bool, error) { return c.FreshByEmail(h.Context(), u.Email) },
	} {
		got, ok, err := fresh()
		h.must(err)
		if diff := cmp.Diff(u, got); !ok || diff != "" {
			h.Errorf("%d, found: %t, difference (-want +got):\n%s", i, ok, diff)
		}
	}
}

func cacheFreshLock(h *harness) {
	src := newSource(someone(1))
	c := h.NewCache(src, store.CacheOptions{})
	wantCachedByEmail(h, c, someone(1), true)
	locked := someone(2)
	locked.LockedAt = &locked.UpdatedAt
	src.put(locked)
	wantCached(h, c, someone(1), false) // That is why the cache must not decide.
	wantFresh(h, c, locked)
	wantCached(h, c, locked, false)
	wantCachedByEmail(h, c, locked, false)
}

func cacheFreshDeletion(h *harness) {
	src := newSource(someone(1))
	c := h.NewCache(src, store.CacheOptions{NegativeTTL: time.Minute})
	wantCachedByEmail(h, c, someone(1), true)
	src.remove("usr_1")
	wantCached(h, c, someone(1), false)
	for range 2 {
		if got, ok, err := c.Fresh(h.Context(), "usr_1"); ok || err != nil {
			h.Errorf("found %+v, error %v, want nobody", got, err)
		}
		if got, ok, err := c.FreshByEmail(h.Context(), someone(1).Email); ok || err != nil {
			h.Errorf("found %+v, error %v, want nobody", got, err)
		}
	}
	if got := c.Stats().Loads; got != 5 {
		h.Errorf("%d loads, want 5: a fresh answer is never a remembered one", got)
	}
}

func cacheFreshAlone(h *harness) {
	src := newSource(someone(1))
	c := h.NewCache(src, store.CacheOptions{})
	answer := src.hold()
	var old sync.WaitGroup
	old.Go(func() {
		if _, _, err := c.User(h.Context(), "usr_1"); err != nil {
			h.Error(err)
		}
	})
	h.awaitAsked(src)
	src.release()
	src.put(someone(2))
	wantFresh(h, c, someone(2))
	close(answer)
	old.Wait()
	wantCached(h, c, someone(2), false)
}

func cacheFreshOutage(h *harness) {
	c := h.NewCache(newSource(someone(1)), store.CacheOptions{NegativeTTL: time.Minute})
	h.must(h.Close())
	wantFresh(h, c, someone(1))
	if _, ok, err := c.Fresh(h.Context(), "usr_2"); ok || err != nil {
		h.Errorf("found: %t, error %v, want nobody", ok, err)
	}
	if got := c.Stats().FillErrors; got != 3 {
		h.Errorf("%d fill errors, want 3", got)
	}
	_, _, err := c.User(h.Context(), "usr_1")
	h.want(err, store.ErrUnavailable)
}

// eager is a cache whose every hit is near its end: one that a load of some
// milliseconds has filled.
func eager(h *harness, src *source) *store.Cache {
	h.Helper()
	c := h.NewCache(src, store.CacheOptions{Beta: 1e9, Random: func() float64 { return 0.5 }})
	answer := src.hold()
	var reader sync.WaitGroup
	reader.Go(func() { wantCachedByEmail(h, c, someone(1), true) })
	h.awaitAsked(src)
	elapse(time.Now().Add(5 * time.Millisecond))
	close(answer)
	reader.Wait()
	return c
}

func cacheEarly(h *harness) {
	src := newSource(someone(1))
	c := eager(h, src)
	answer := src.hold()
	src.put(someone(2))
	wantCached(h, c, someone(1), false)
	h.awaitAsked(src)
	for range 10 {
		wantCached(h, c, someone(1), false)
	}
	wantCachedByEmail(h, c, someone(1), false)
	h.awaitAsked(src) // By email is another question.
	wantCachedByEmail(h, c, someone(1), false)
	if got := c.Stats(); got.Loads != 3 || got.Refreshes != 2 {
		h.Errorf("%d loads, of which %d early, want 3 and 2", got.Loads, got.Refreshes)
	}
	src.release()
	close(answer)
	h.eventually("the new copy is there", func() bool {
		got, ok, err := c.LookupUser(h.Context(), "usr_1")
		return err == nil && ok && got.UpdatedAt.Equal(someone(2).UpdatedAt)
	})
}

func cacheEarlyFails(h *harness) {
	src := newSource(someone(1))
	c := eager(h, src)
	src.mu.Lock()
	src.err, src.answer = errors.New("no connection"), nil
	src.mu.Unlock()
	wantCached(h, c, someone(1), false)
	h.eventually("the failure is counted", func() bool { return c.Stats().RefreshErrors > 0 })
	wantCached(h, c, someone(1), false)
}
