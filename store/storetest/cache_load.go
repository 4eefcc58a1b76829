package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/toriibench/toriibench/store"
)

func cacheLoadScenarios() []scenario {
	return []scenario{
		{name: "C-11 who comes after an invalidation does not share an older load", run: cacheForgetFlight},
		{name: "C-11 nor when another process has invalidated", run: cacheForeignInvalidation},
		{name: "C-11 a load that is always refused ends", run: cacheRefusedLoads},
		{name: "C-15 an invalidation removes a copy of its own version and lets that be kept again", run: cacheSameVersion},
		{name: "C-16 sessions are invalidated by the hashes that a list gives", run: cacheByHash},
		{name: "C-17 a source that panics is an error for everybody who waits", run: cachePanic},
		{name: "C-17 a source that ends its goroutine is an error", run: cacheGoexit},
		{name: "C-18 a source that hangs blocks its id no longer than the timeout", waits: true, run: cacheHangs},
	}
}

// sourceFunc is a source in one function.
type sourceFunc func(ctx context.Context, id string) (store.User, bool, error)

func (f sourceFunc) User(ctx context.Context, id string) (store.User, bool, error) { return f(ctx, id) }

func cacheForgetFlight(h *harness) {
	src := newSource(someone(1))
	c := h.NewCache(src, store.CacheOptions{})
	answer := src.hold()
	var old sync.WaitGroup
	old.Go(func() { wantCached(h, c, someone(2), true) })
	h.awaitAsked(src)
	src.release()
	src.put(someone(2))
	h.must(c.InvalidateUser(h.Context(), someone(2)))
	wantCached(h, c, someone(2), true)
	close(answer)
	old.Wait()
	wantCached(h, c, someone(2), false)
}

// Two caches over the same keys are two processes: neither knows the other's
// loads.
func cacheForeignInvalidation(h *harness) {
	src := newSource(someone(1))
	mine, theirs := h.NewCache(src, store.CacheOptions{}), h.NewCache(src, store.CacheOptions{})
	answer := src.hold()
	var readers sync.WaitGroup
	readers.Go(func() { wantCached(h, mine, someone(2), true) })
	h.awaitAsked(src)
	src.release()
	src.put(someone(2))
	h.must(theirs.InvalidateUser(h.Context(), someone(2)))
	readers.Go(func() { wantCached(h, mine, someone(2), true) })
	h.eventually("the later reader has missed", func() bool { return mine.Stats().Misses == 2 })
	close(answer)
	readers.Wait()
	if got := mine.Stats(); got.Loads != 2 || got.FillsRefused != 1 {
		h.Errorf("%d loads and %d refused, want 2 and 1", got.Loads, got.FillsRefused)
	}
	wantCached(h, mine, someone(2), false)
}

func cacheRefusedLoads(h *harness) {
	c := h.NewCache(newSource(someone(1)), store.CacheOptions{})
	h.must(c.ForgetUser(h.Context(), "usr_1"))
	wantCached(h, c, someone(1), true)
	if got := c.Stats().Loads; got != 3 {
		h.Errorf("%d loads, want 3", got)
	}
}

func cacheSameVersion(h *harness) {
	src := newSource(someone(1))
	c := h.NewCache(src, store.CacheOptions{})
	wantCached(h, c, someone(1), true)
	// A clock that stands still between two writes.
	renamed, name := someone(1), "second"
	renamed.Name = &name
	src.put(renamed)
	h.must(c.InvalidateUser(h.Context(), renamed))
	wantCached(h, c, renamed, true)
	wantCached(h, c, renamed, false)
}

func cacheByHash(h *harness) {
	u := h.user("a@example.org")
	c := h.NewCache(newSource(), store.CacheOptions{})
	first, second := h.session(u.ID, time.Hour), h.session(u.ID, time.Hour)
	for _, s := range []store.Session{first, second} {
		h.must(c.PutSession(h.Context(), s, nil))
	}
	list, err := h.Sessions.List(h.Context(), u.ID)
	h.must(err)
	h.must(c.InvalidateSessionByHash(h.Context(), u.ID, first.TokenHash))
	wantCopy(h, c, second, nil)
	for _, s := range list {
		h.must(c.InvalidateSessionByHash(h.Context(), u.ID, s.TokenHash))
	}
	for _, s := range []store.Session{first, second} {
		noCopy(h, c, s.Token)
		h.must(c.PutSession(h.Context(), s, nil))
		noCopy(h, c, s.Token)
	}
	for _, hash := range []string{"", "00", string(first.Token), strings.Repeat("x", 64)} {
		h.want(c.InvalidateSessionByHash(h.Context(), u.ID, hash), store.ErrInvalid)
	}
}

func cachePanic(h *harness) {
	begun, proceed := make(chan bool, 2), make(chan struct{})
	c := h.NewCache(sourceFunc(func(context.Context, string) (store.User, bool, error) {
		begun <- true
		<-proceed
		panic("no luck")
	}), store.CacheOptions{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			_, ok, err := c.User(h.Context(), "usr_1")
			if text := fmt.Sprint(err); ok || !strings.HasSuffix(text, "no luck") || strings.Contains(text, "goroutine") {
				h.Errorf("found: %t, error %v, want one that names the panic without a stack", ok, err)
			}
		})
	}
	await(h, "a question to the source", begun)
	h.eventually("both have missed", func() bool { return c.Stats().Misses == 2 })
	close(proceed)
	readers.Wait()
	if got := c.Stats(); got.Loads != 1 || got.Coalesced != 1 {
		h.Errorf("%d loads and %d coalesced, want 1 and 1", got.Loads, got.Coalesced)
	}
}

func cacheGoexit(h *harness) {
	c := h.NewCache(sourceFunc(func(context.Context, string) (store.User, bool, error) {
		runtime.Goexit()
		return store.User{}, false, nil
	}), store.CacheOptions{})
	if _, ok, err := c.User(h.Context(), "usr_1"); ok || err == nil || errors.Is(err, context.DeadlineExceeded) {
		h.Errorf("found: %t, error %v, want one at once", ok, err)
	}
}

func cacheHangs(h *harness) {
	const timeout = 2 * time.Second // The second load has to end within it too.
	src, hanging, stuck := newSource(someone(1)), make(chan bool, 1), make(chan struct{})
	defer close(stuck)
	hanging <- true
	c := h.NewCache(sourceFunc(func(ctx context.Context, id string) (store.User, bool, error) {
		select {
		case <-hanging:
			<-stuck // It does not heed its context.
		default:
		}
		return src.User(ctx, id)
	}), store.CacheOptions{LoadTimeout: timeout})
	begin := time.Now()
	_, ok, err := c.User(h.Context(), "usr_1")
	if took := time.Since(begin); ok || !errors.Is(err, context.DeadlineExceeded) || took < timeout || took > 10*timeout {
		h.Errorf("found: %t, error %v after %s, want %v after %s", ok, err, took, context.DeadlineExceeded, timeout)
	}
	wantCached(h, c, someone(1), true)
}
