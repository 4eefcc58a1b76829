package storetest

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/toriibench/toriibench/store"
)

func cacheEntryScenarios() []scenario {
	return []scenario{
		{name: "C-35 absent and empty are different in a cached user", run: cacheOptionals},
		{name: "C-36 all times of an entry have one encoding", run: cacheTimes},
		{name: "C-37 what an entry could not give back unchanged is not kept", run: cacheUnkeepable},
	}
}

func cacheOptionals(h *harness) {
	empty, odd := "", "\x00\n\"日本 null"
	at := someone(1).UpdatedAt
	before := at.Add(-100 * 365 * 24 * time.Hour)
	c := h.NewCache(newSource(), store.CacheOptions{})
	for _, name := range []*string{nil, &empty, &odd} {
		for _, t := range []*time.Time{nil, &at, &before} {
			u := someone(1)
			u.Name, u.EmailVerifiedAt, u.LockedAt = name, t, t
			h.must(c.PutUser(h.Context(), u, 0))
			wantCached(h, c, u, false)
			wantCachedByEmail(h, c, u, false)
		}
	}
}

func cacheTimes(h *harness) {
	src := newSource(someone(1))
	c := h.NewCache(src, store.CacheOptions{NegativeTTL: time.Minute, Beta: 1})
	answer := src.hold()
	time.AfterFunc(5*time.Millisecond, func() { close(answer) })
	u := someone(1)
	u.EmailVerifiedAt, u.LockedAt = &u.CreatedAt, &u.UpdatedAt
	src.put(u)
	wantCachedByEmail(h, c, u, true)
	wantNobody(h, c, "b@example.org")
	h.must(c.PutSession(h.Context(), login(), nil))
	seen := map[string]int{}
	for key, k := range h.keys() {
		_, body, _ := strings.Cut(k.Values[0], "\n")
		var entry map[string]any
		if err := json.Unmarshal([]byte(body), &entry); err != nil {
			h.Fatalf("key %s: %v", key, err)
		}
		countTimes(h, entry, seen)
	}
	for name, want := range map[string]int{
		"cached_at": 4, "ends_at": 2, "created_at": 2, "updated_at": 2, "email_verified_at": 1, "locked_at": 1, "expires_at": 1,
	} {
		if seen[name] != want {
			h.Errorf("%s was seen %d times, want %d", name, seen[name], want)
		}
	}
}

// countTimes counts the times of an entry, nested ones included: whole numbers of
// milliseconds since 1970.
func countTimes(h *harness, object map[string]any, seen map[string]int) {
	h.Helper()
	for name, value := range object {
		if nested, ok := value.(map[string]any); ok {
			countTimes(h, nested, seen)
		}
		if !strings.HasSuffix(name, "_at") {
			continue
		}
		seen[name]++
		ms, ok := value.(float64)
		if at := time.UnixMilli(int64(ms)); !ok || ms != float64(int64(ms)) || at.Year() < 2023 || at.Year() > 2200 {
			h.Errorf("%s is %v, want milliseconds since 1970", name, value)
		}
	}
}

func cacheUnkeepable(h *harness) {
	bad, long := someone(1), someone(1)
	bad.Email = "\xff@example.org"
	text := strings.Repeat("n", 17<<10)
	long.Name = &text
	for _, u := range []store.User{bad, long, {ID: "usr_1"}, {ID: "usr_1", Email: "a", UpdatedAt: time.Unix(1<<40, 0)}} {
		c := h.NewCache(newSource(u), store.CacheOptions{})
		h.want(c.PutUser(h.Context(), u, 0), store.ErrInvalid)
		for range 2 {
			got, ok, err := c.User(h.Context(), u.ID)
			h.must(err)
			if !ok || got.Email != u.Email || !got.FromSource {
				h.Errorf("found: %t, %+v, want what the source has", ok, got)
			}
		}
		if got := c.Stats().FillErrors; got != 2 {
			h.Errorf("%d fill errors, want 2", got)
		}
	}
	if keys := h.keys(); len(keys) > 0 {
		h.Errorf("something was kept: %v", keys)
	}
}
