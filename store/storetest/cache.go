package storetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/store"
)

func cacheScenarios() []scenario {
	return []scenario{
		{name: "C-1 a miss asks the source and the next read is a hit", run: cacheMissThenHit},
		{name: "C-2 absence is not cached", run: cacheAbsence},
		{name: "C-3 who loaded before an update cannot store it after", run: cacheFillRace},
		{name: "C-4 copies live for the TTL minus jitter", run: cacheTTL},
		{name: "C-5 concurrent misses share one load", run: cacheCoalesce},
		{name: "C-5 without coalescing every miss loads", run: cacheNoCoalesce},
		{name: "C-6 a caller waits no longer than its context", run: cacheImpatient},
		{name: "C-7 an older copy does not replace a newer one", run: cacheOlderSession},
		{name: "C-8 a session's copy has its metadata and ends with the session", waits: true, run: cacheSession},
		{name: "C-9 an ended session's copy is kept out", run: cacheEndedSession},
		{name: "C-10 a deleted user's copy is kept out", run: cacheForget},
		{name: "C-12 an expired copy is a miss", waits: true, run: cacheExpires},
		{name: "C-14 an older invalidation does not lower the bar of a newer one", run: cacheFloor},
		{name: "C-13 a failure of the source is no absence", run: cacheSourceFails},
	}
}

// source is a system of record whose answers can be held up.
type source struct {
	mu    sync.Mutex
	users map[string]store.User
	err   error
	// asked tells of each question; answer, when not nil, holds it up after the
	// row was read.
	asked  chan string
	answer chan struct{}
}

func newSource(users ...store.User) *source {
	s := &source{users: map[string]store.User{}, asked: make(chan string, 1000)}
	for _, u := range users {
		s.put(u)
	}
	return s
}

func (s *source) put(u store.User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[u.ID] = u
}

// User reads the row, then waits to be let go.
func (s *source) User(ctx context.Context, id string) (store.User, bool, error) {
	return s.reply(ctx, id, func(u store.User) bool { return u.ID == id })
}

// UserByEmail does the same.
func (s *source) UserByEmail(ctx context.Context, email string) (store.User, bool, error) {
	return s.reply(ctx, email, func(u store.User) bool { return u.Email == email })
}

func (s *source) reply(ctx context.Context, question string, isIt func(store.User) bool) (u store.User, ok bool, err error) {
	s.mu.Lock()
	for _, row := range s.users {
		if isIt(row) {
			u, ok = row, true
		}
	}
	err, answer := s.err, s.answer
	s.mu.Unlock()
	s.tell(question)
	if answer != nil {
		select {
		case <-answer:
		case <-ctx.Done():
			return store.User{}, false, ctx.Err()
		}
	}
	return u, ok, err
}

// tell says that somebody asks; nobody listens to more than there is room for.
func (s *source) tell(question string) {
	select {
	case s.asked <- question:
	default:
	}
}

func (s *source) remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.users, id)
}

// hold makes questions wait until the result is closed.
func (s *source) hold() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = make(chan struct{})
	return s.answer
}

func (s *source) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = nil
}

// awaitAsked waits until the source is asked. When nobody asks, the case fails and
// goes on, so that it lets go of those who wait.
func (h *harness) awaitAsked(src *source) {
	h.Helper()
	await(h, "a question to the source", src.asked)
}

// await is the next value of a channel, or a failure and the zero value.
func await[T any](h *harness, what string, values <-chan T) (value T) {
	h.Helper()
	select {
	case value = <-values:
	case <-time.After(30 * time.Second):
		h.Errorf("waited 30 s for %s", what)
	}
	return value
}

// someone is a user at version n.
func someone(n int) store.User {
	name := strings.Repeat("n", n)
	at := time.UnixMilli(1_700_000_000_000).UTC()
	return store.User{ID: "usr_1", Email: "a@example.org", Name: &name, CreatedAt: at, UpdatedAt: at.Add(time.Duration(n) * time.Millisecond)}
}

// wantCached reads through the cache and compares.
func wantCached(h *harness, c *store.Cache, u store.User, fromSource bool) {
	h.Helper()
	got, ok, err := c.User(h.Context(), u.ID)
	h.must(err)
	wantFound(h, got, ok, u, fromSource)
}

// wantFound compares what was read through the cache.
func wantFound(h *harness, got store.CachedUser, ok bool, u store.User, fromSource bool) {
	h.Helper()
	if diff := cmp.Diff(u, got.User); !ok || diff != "" {
		h.Errorf("found: %t, difference (-want +got):\n%s", ok, diff)
	}
	if got.FromSource != fromSource {
		h.Errorf("from source: %t, want %t", got.FromSource, fromSource)
	}
	if age := time.Since(got.CachedAt); age.Abs() > time.Minute {
		h.Errorf("the copy is %s old", age)
	}
}

func cacheMissThenHit(h *harness) {
	c := h.NewCache(newSource(someone(1)), store.CacheOptions{})
	wantCached(h, c, someone(1), true)
	wantCached(h, c, someone(1), false)
	if diff := cmp.Diff(store.CacheStats{Hits: 1, Misses: 1, Loads: 1}, remote(c.Stats())); diff != "" {
		h.Errorf("stats (-want +got):\n%s", diff)
	}
}

// remote is what is the same wherever copies are kept.
func remote(stats store.CacheStats) store.CacheStats {
	stats.LocalHits = 0
	return stats
}

func cacheAbsence(h *harness) {
	src := newSource()
	c := h.NewCache(src, store.CacheOptions{})
	_, ok, err := c.User(h.Context(), "usr_1")
	h.must(err)
	if ok || len(h.keys()) > 0 {
		h.Errorf("found: %t, keys: %v", ok, h.keys())
	}
	src.put(someone(1))
	wantCached(h, c, someone(1), true)
}

func cacheFillRace(h *harness) {
	src := newSource(someone(1))
	c := h.NewCache(src, store.CacheOptions{NoCoalesce: true})
	answer := src.hold()
	var reader sync.WaitGroup
	reader.Go(func() { wantCached(h, c, someone(1), true) })
	h.awaitAsked(src)
	src.release()
	src.put(someone(2))
	h.must(c.InvalidateUser(h.Context(), someone(2)))
	close(answer)
	reader.Wait()
	wantCached(h, c, someone(2), true)
	wantCached(h, c, someone(2), false)
	if got := c.Stats().FillsRefused; got != 1 {
		h.Errorf("%d fills refused, want 1", got)
	}
}

func cacheTTL(h *harness) {
	const ttl = 1000 * time.Second
	for _, random := range []float64{0, 0.5, 0.999} {
		u := someone(1)
		u.ID = strings.Repeat("x", int(random*1000)+1)
		c := h.NewCache(newSource(u), store.CacheOptions{TTL: ttl, Jitter: 0.2, Random: func() float64 { return random }})
		wantCached(h, c, u, true)
		wanted := ttl - time.Duration(random*0.2*float64(ttl))
		for key, k := range h.keys() {
			if k.TTL > wanted || k.TTL < wanted-time.Minute {
				h.Errorf("random %g, key %s: the TTL is %s, want %s", random, key, k.TTL, wanted)
			}
		}
		_, err := h.DeleteAll(h.Context())
		h.must(err)
	}
}

func cacheCoalesce(h *harness) { wantOneLoad(h, wantCached) }

// wantOneLoad lets many miss at once, and expects one to ask the source for all.
func wantOneLoad(h *harness, want func(h *harness, c *store.Cache, u store.User, fromSource bool)) {
	h.Helper()
	src := newSource(someone(1))
	c := h.NewCache(src, store.CacheOptions{})
	answer := src.hold()
	var readers sync.WaitGroup
	for range h.opts.Workers {
		readers.Go(func() { want(h, c, someone(1), true) })
	}
	h.eventually("all have missed", func() bool { return c.Stats().Misses == int64(h.opts.Workers) })
	close(answer)
	readers.Wait()
	if got := c.Stats(); got.Loads != 1 || got.Coalesced != int64(h.opts.Workers)-1 {
		h.Errorf("%d loads and %d coalesced, want 1 and %d", got.Loads, got.Coalesced, h.opts.Workers-1)
	}
}

func cacheNoCoalesce(h *harness) {
	src := newSource(someone(1))
	c := h.NewCache(src, store.CacheOptions{NoCoalesce: true})
	answer := src.hold()
	var readers sync.WaitGroup
	for range h.opts.Workers {
		readers.Go(func() { wantCached(h, c, someone(1), true) })
	}
	for range h.opts.Workers {
		h.awaitAsked(src)
	}
	close(answer)
	readers.Wait()
	if got := c.Stats(); got.Loads != int64(h.opts.Workers) || got.Coalesced != 0 {
		h.Errorf("%d loads and %d coalesced, want %d and 0", got.Loads, got.Coalesced, h.opts.Workers)
	}
}

func cacheImpatient(h *harness) {
	src := newSource(someone(1))
	c := h.NewCache(src, store.CacheOptions{})
	answer := src.hold()
	ctx, cancel := context.WithCancel(h.Context())
	first := make(chan error, 1)
	go func() {
		_, _, err := c.User(ctx, "usr_1")
		first <- err
	}()
	h.awaitAsked(src)
	var second sync.WaitGroup
	second.Go(func() { wantCached(h, c, someone(1), true) })
	h.eventually("both have missed", func() bool { return c.Stats().Misses == 2 })
	cancel()
	if err := await(h, "the impatient caller", first); !errors.Is(err, context.Canceled) {
		h.Errorf("the impatient caller got %v, want %v", err, context.Canceled)
	}
	close(answer)
	second.Wait()
	if got := c.Stats().Loads; got != 1 {
		h.Errorf("%d loads, want 1", got)
	}
}

// login is a session that a cache may copy.
func login() store.Session {
	token := store.NewToken("usr_1")
	at := time.Now().UTC().Truncate(time.Millisecond)
	return store.Session{
		Token: token, TokenHash: token.Hash(), UserID: "usr_1",
		CreatedAt: at, UpdatedAt: at, ExpiresAt: at.Add(time.Hour),
	}
}

// wantCopy compares a session with its copy.
func wantCopy(h *harness, c *store.Cache, s store.Session, metadata map[string]string) {
	h.Helper()
	got, ok, err := c.Session(h.Context(), s.Token)
	h.must(err)
	wantFoundCopy(h, got, ok, store.CachedSession{Session: s, Metadata: metadata})
}

// wantFoundCopy compares a session and its metadata with the copy that was found.
func wantFoundCopy(h *harness, got store.CachedSession, ok bool, want store.CachedSession) {
	h.Helper()
	got.CachedAt = want.CachedAt
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		h.Errorf("found: %t, difference (-want +got):\n%s", ok, diff)
	}
}

func noCopy(h *harness, c *store.Cache, token store.Token) {
	h.Helper()
	_, ok, err := c.Session(h.Context(), token)
	h.must(err)
	if ok {
		h.Error("there is a copy")
	}
}

func cacheOlderSession(h *harness) {
	c := h.NewCache(newSource(), store.CacheOptions{})
	older := login()
	newer := older
	newer.UpdatedAt, newer.ExpiresAt = older.UpdatedAt.Add(time.Second), older.ExpiresAt.Add(time.Hour)
	h.must(c.PutSession(h.Context(), newer, nil))
	h.must(c.PutSession(h.Context(), older, nil))
	wantCopy(h, c, newer, nil)
	h.must(c.PutSession(h.Context(), newer, map[string]string{"a": "b"}))
	wantCopy(h, c, newer, map[string]string{"a": "b"})
}

func cacheSession(h *harness) {
	c := h.NewCache(newSource(), store.CacheOptions{TTL: time.Minute})
	agent := ""
	s := login()
	s.UserAgent = &agent
	metadata := map[string]string{"": "empty name", "cached_at": "no collision", "日本": "\x00\n"}
	var got store.CachedSession
	var ok bool
	var keys map[string]store.Key
	h.inTime(func(life time.Duration) (end time.Time, err error) {
		s.CreatedAt = time.Now().UTC().Truncate(time.Millisecond)
		s.UpdatedAt, s.ExpiresAt = s.CreatedAt, s.CreatedAt.Add(life)
		h.must(c.PutSession(h.Context(), s, metadata))
		got, ok, err = c.Session(h.Context(), s.Token)
		keys = h.keys()
		return s.ExpiresAt, err
	})
	wantFoundCopy(h, got, ok, store.CachedSession{Session: s, Metadata: metadata})
	if len(keys) != 1 {
		h.Errorf("%d keys, want the copy alone: %v", len(keys), keys)
	}
	for key, k := range keys {
		if life := s.ExpiresAt.Sub(s.CreatedAt); k.TTL <= 0 || k.TTL > life {
			h.Errorf("key %s has the TTL %s, want up to %s", key, k.TTL, life)
		}
	}
	h.after(s)
	noCopy(h, c, s.Token)
	h.must(c.PutSession(h.Context(), s, nil))
	if keys := h.keys(); len(keys) > 0 {
		h.Errorf("an expired session was kept: %v", keys)
	}
	noCopy(h, c, "no token")
}

func cacheEndedSession(h *harness) {
	c := h.NewCache(newSource(), store.CacheOptions{})
	s := login()
	h.must(c.PutSession(h.Context(), s, nil))
	h.must(c.InvalidateSession(h.Context(), s.Token))
	noCopy(h, c, s.Token)
	h.must(c.PutSession(h.Context(), s, nil))
	noCopy(h, c, s.Token)
}

func cacheForget(h *harness) {
	src := newSource(someone(1))
	c := h.NewCache(src, store.CacheOptions{NoCoalesce: true})
	wantCached(h, c, someone(1), true)
	h.must(c.ForgetUser(h.Context(), "usr_1"))
	wantCached(h, c, someone(1), true)
	wantCached(h, c, someone(1), true)
	if got := c.Stats().FillsRefused; got != 2 {
		h.Errorf("%d fills refused, want 2", got)
	}
}

func cacheExpires(h *harness) {
	c := h.NewCache(newSource(someone(1)), store.CacheOptions{TTL: 200 * time.Millisecond})
	wantCached(h, c, someone(1), true)
	elapse(time.Now().Add(300 * time.Millisecond))
	wantCached(h, c, someone(1), true)
}

func cacheFloor(h *harness) {
	c := h.NewCache(newSource(someone(3)), store.CacheOptions{NoCoalesce: true})
	h.must(c.InvalidateUser(h.Context(), someone(5)))
	h.must(c.InvalidateUser(h.Context(), someone(2)))
	wantCached(h, c, someone(3), true)
	wantCached(h, c, someone(3), true)
	if got := c.Stats().FillsRefused; got != 2 {
		h.Errorf("%d fills refused, want 2", got)
	}
}

func cacheSourceFails(h *harness) {
	src := newSource(someone(1))
	src.err = errors.New("no connection")
	for _, alone := range []bool{false, true} {
		c := h.NewCache(src, store.CacheOptions{NoCoalesce: alone})
		if _, ok, err := c.User(h.Context(), "usr_1"); ok || !errors.Is(err, src.err) {
			h.Errorf("found: %t, error %v, want %v", ok, err, src.err)
		}
	}
	if keys := h.keys(); len(keys) > 0 {
		h.Errorf("something was kept: %v", keys)
	}
}
