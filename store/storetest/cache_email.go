package storetest

import (
	"context"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/store"
)

func cacheEmailScenarios() []scenario {
	return []scenario{
		{name: "C-19 a user is found by email, and the copy serves those who come by id", run: cacheByEmail},
		{name: "C-19 emails differ by a byte", run: cacheEmailExact},
		{name: "C-20 after a change of email the old one finds nobody and the new one the user", run: cacheEmailChange},
		{name: "C-20 nor does the old one find the user when nobody has told of it", run: cacheEmailUntold},
		{name: "C-21 an email that another user has taken over leads to that user", run: cacheEmailTakenOver},
		{name: "C-22 a deleted user is not found by email", run: cacheEmailForget},
		{name: "C-23 who loaded by email before a change of email cannot store it after", run: cacheEmailFillRace},
		{name: "C-24 a source that knows no emails is not asked for one", run: cacheNoEmails},
		{name: "C-25 concurrent misses by email share one load", run: cacheEmailCoalesce},
	}
}

// wantCachedByEmail is wantCached by email.
func wantCachedByEmail(h *harness, c *store.Cache, u store.User, fromSource bool) {
	h.Helper()
	got, ok, err := c.UserByEmail(h.Context(), u.Email)
	h.must(err)
	wantFound(h, got, ok, u, fromSource)
}

// wantNobody reads by email and finds nobody.
func wantNobody(h *harness, c *store.Cache, email string) {
	h.Helper()
	got, ok, err := c.UserByEmail(h.Context(), email)
	h.must(err)
	if ok {
		h.Errorf("%s finds %+v, want nobody", email, got.User)
	}
}

// moved is someone at version n with another email.
func moved(n int) store.User {
	u := someone(n)
	u.Email = "b@example.org"
	return u
}

func cacheByEmail(h *harness) {
	c := h.NewCache(newSource(someone(1)), store.CacheOptions{})
	wantCachedByEmail(h, c, someone(1), true)
	wantCachedByEmail(h, c, someone(1), false)
	wantCached(h, c, someone(1), false)
	if diff := cmp.Diff(store.CacheStats{Hits: 2, Misses: 1, Loads: 1}, remote(c.Stats())); diff != "" {
		h.Errorf("stats (-want +got):\n%s", diff)
	}
	_, err := h.DeleteAll(h.Context())
	h.must(err)
	h.must(c.PutUser(h.Context(), someone(1), time.Minute))
	wantCachedByEmail(h, c, someone(1), false)
}

// A database may compare emails without regard to case. Its answer is passed on,
// and no entry ever leads from one spelling to a user with another.
func cacheEmailExact(h *harness) {
	src := newSource(someone(1))
	c := h.NewCache(anyCase{src}, store.CacheOptions{})
	for range 2 {
		got, ok, err := c.UserByEmail(h.Context(), "A@example.org")
		h.must(err)
		if !ok || got.ID != "usr_1" || !got.FromSource {
			h.Errorf("found: %t, %+v, want the user from the source", ok, got)
		}
	}
	if keys := h.keys(); len(keys) != 1 {
		h.Errorf("%d keys, want the user's copy alone: %v", len(keys), keys)
	}
	wantCachedByEmail(h, c, someone(1), true)
	wantCachedByEmail(h, c, someone(1), false)
}

// anyCase is a source that takes A for a.
type anyCase struct{ *source }

func (s anyCase) UserByEmail(ctx context.Context, email string) (store.User, bool, error) {
	if email[0] == 'A' {
		email = "a" + email[1:]
	}
	return s.source.UserByEmail(ctx, email)
}

func cacheEmailChange(h *harness) {
	src := newSource(someone(1))
	c := h.NewCache(src, store.CacheOptions{NegativeTTL: time.Minute})
	after := moved(2)
	wantCachedByEmail(h, c, someone(1), true)
	wantNobody(h, c, after.Email)
	src.put(after)
	h.must(c.InvalidateUser(h.Context(), after, someone(1).Email))
	wantNobody(h, c, someone(1).Email)
	wantCachedByEmail(h, c, after, true)
	wantCachedByEmail(h, c, after, false)
	wantCached(h, c, after, false)
}

// The old email's entry is still there. It leads to the user's copy, which has
// another email by now, or to none.
func cacheEmailUntold(h *harness) {
	src := newSource(someone(1))
	c := h.NewCache(src, store.CacheOptions{})
	wantCachedByEmail(h, c, someone(1), true)
	after := moved(2)
	src.put(after)
	h.must(c.InvalidateUser(h.Context(), after))
	wantNobody(h, c, someone(1).Email)
	wantCached(h, c, after, true)
	wantNobody(h, c, someone(1).Email)
}

func cacheEmailTakenOver(h *harness) {
	src := newSource(someone(1))
	c := h.NewCache(src, store.CacheOptions{})
	wantCachedByEmail(h, c, someone(1), true)
	after := moved(2)
	heir := someone(3)
	heir.ID = "usr_2"
	src.put(after)
	src.put(heir)
	h.must(c.InvalidateUser(h.Context(), after, someone(1).Email))
	h.must(c.InvalidateUser(h.Context(), heir))
	for _, fromSource := range []bool{true, false} {
		wantCachedByEmail(h, c, heir, fromSource)
		wantCachedByEmail(h, c, after, fromSource)
	}
}

func cacheEmailForget(h *harness) {
	src := newSource(someone(1))
	c := h.NewCache(src, store.CacheOptions{})
	wantCachedByEmail(h, c, someone(1), true)
	src.remove("usr_1")
	h.must(c.ForgetUser(h.Context(), "usr_1", someone(1).Email))
	wantNobody(h, c, someone(1).Email)
	for key, k := range h.keys() {
		if k.TTL <= 0 || k.TTL > store.DefaultFillGrace || len(k.Values[0]) > 20 {
			h.Errorf("key %s is more than a bar against old copies: %+v", key, k)
		}
	}
}

func cacheEmailFillRace(h *harness) {
	for name, alone := range map[string]bool{"alone": true, "together": false} {
		before := named(name)
		src := newSource(before)
		c := h.NewCache(src, store.CacheOptions{NoCoalesce: alone})
		answer := src.hold()
		var reader sync.WaitGroup
		reader.Go(func() {
			if _, _, err := c.UserByEmail(h.Context(), before.Email); err != nil {
				h.Error(err)
			}
		})
		h.awaitAsked(src)
		src.release()
		after := before
		after.Email, after.UpdatedAt = "new "+before.Email, before.UpdatedAt.Add(time.Second)
		src.put(after)
		h.must(c.InvalidateUser(h.Context(), after, before.Email))
		close(answer)
		reader.Wait()
		wantNobody(h, c, before.Email)
		wantCachedByEmail(h, c, after, true)
		wantCachedByEmail(h, c, after, false)
		if got := c.Stats().FillsRefused; got != 1 {
			h.Errorf("%d fills refused, want 1", got)
		}
	}
}

func cacheNoEmails(h *harness) {
	c := h.NewCache(sourceFunc(newSource(someone(1)).User), store.CacheOptions{})
	_, _, err := c.UserByEmail(h.Context(), someone(1).Email)
	h.want(err, store.ErrInvalid)
	_, _, err = c.FreshByEmail(h.Context(), someone(1).Email)
	h.want(err, store.ErrInvalid)
	wantCached(h, c, someone(1), true)
	wantCached(h, c, someone(1), false)
}

func cacheEmailCoalesce(h *harness) { wantOneLoad(h, wantCachedByEmail) }
