package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/cast"
	"github.com/toriibench/toriibench/store/memory"
)

// records is a system of record with rows by id. It asks nobody for leave, so that
// a question lies between two commands of its asker.
type records struct {
	mu   sync.Mutex
	rows map[string]store.User
}

func newRecords(users ...store.User) *records {
	r := &records{rows: map[string]store.User{}}
	for _, u := range users {
		r.write(u)
	}
	return r
}

func (r *records) write(u store.User) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows[u.ID] = u
}

func (r *records) User(_ context.Context, id string) (store.User, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u, ok := r.rows[id]
	return u, ok, nil
}

func (r *records) UserByEmail(_ context.Context, email string) (store.User, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range r.rows {
		if u.Email == email {
			return u, true, nil
		}
	}
	return store.User{}, false, nil
}

// row is a user at a version.
func row(id, email string, version int64) store.User {
	return store.User{ID: id, Email: email, CreatedAt: time.UnixMilli(1).UTC(), UpdatedAt: time.UnixMilli(version).UTC()}
}

var cacheForOrder = store.CacheOptions{NoCoalesce: true, NegativeTTL: time.Minute}

// wantLikeSource expects that what the cache says about ids and emails is what
// the source says.
func wantLikeSource(t *testing.T, s *store.RedisStorage, src *records, emails ...string) {
	t.Helper()
	cache := s.NewCache(src, cacheForOrder)
	// By id first: what is found by email makes good for an old copy.
	for range 2 {
		for _, id := range []string{user1, user2} {
			want, there, _ := src.User(t.Context(), id)
			got, ok, err := cache.User(t.Context(), id)
			check(t, err)
			if ok != there || got.Email != want.Email || !got.UpdatedAt.Equal(want.UpdatedAt) {
				t.Errorf("%s: %t, %+v, want %t, %+v", id, ok, got.User, there, want)
			}
		}
		for _, email := range emails {
			want, there, _ := src.UserByEmail(t.Context(), email)
			got, ok, err := cache.UserByEmail(t.Context(), email)
			check(t, err)
			if ok != there || got.ID != want.ID || got.Email != want.Email || !got.UpdatedAt.Equal(want.UpdatedAt) {
				t.Errorf("%s: %t, %+v, want %t, %+v", email, ok, got.User, there, want)
			}
		}
	}
}

// warm fills the cache with what the source says of the emails.
func warm(t *testing.T, server *memory.Server, src *records, emails ...string) {
	t.Helper()
	cache := openHealthy(t, server).NewCache(src, cacheForOrder)
	for _, email := range emails {
		_, _, err := cache.UserByEmail(t.Context(), email)
		check(t, err)
	}
}

// One user gives up an email, which another takes; readers come by both emails.
// Whatever the order of their commands, in the end the cache says what the source
// says. An answer on the way may be the old one, but never a user who does not
// have the email that was asked for.
func TestEveryInterleavingOfAChangeOfEmailAndReaders(t *testing.T) {
	change := func(src *records) cast.Operation {
		return cast.Operation{Name: "change", Run: func(ctx context.Context, s *store.RedisStorage) error {
			cache := s.NewCache(src, cacheForOrder)
			after := row(user1, emailB, 2)
			src.write(after)
			return cache.InvalidateUser(ctx, after, emailA)
		}}
	}
	inherit := func(src *records) cast.Operation {
		return cast.Operation{Name: "inherit", Run: func(ctx context.Context, s *store.RedisStorage) error {
			cache := s.NewCache(src, cacheForOrder)
			src.write(row(user1, emailB, 2))
			if err := cache.InvalidateUser(ctx, row(user1, emailB, 2), emailA); err != nil {
				return err
			}
			src.write(row(user2, emailA, 3))
			return cache.InvalidateUser(ctx, row(user2, emailA, 3))
		}}
	}
	read := func(email string) func(src *records) cast.Operation {
		return func(src *records) cast.Operation {
			return cast.Operation{Name: "read " + email, Run: func(ctx context.Context, s *store.RedisStorage) error {
				got, ok, err := s.NewCache(src, cacheForOrder).UserByEmail(ctx, email)
				if err == nil && ok && got.Email != email {
					return fmt.Errorf("%s finds %+v", email, got.User)
				}
				return err
			}}
		}
	}
	for _, filled := range [][]string{nil, {emailA}, {emailA, emailB}} {
		for _, makers := range [][]func(src *records) cast.Operation{
			{change, read(emailA)}, {change, read(emailB)}, {inherit, read(emailA)}, {inherit, read(emailB)}, {change, change},
		} {
			schedules := exploreCache(t, filled, makers)
			if schedules < 2 {
				t.Errorf("%d interleavings", schedules)
			}
		}
	}
}

// exploreCache runs all interleavings on a cache that was filled by emails.
func exploreCache(t *testing.T, filled []string, makers []func(src *records) cast.Operation) int {
	t.Helper()
	schedule, more := []choice(nil), true
	n := 0
	for ; more; n++ {
		if n == maxSchedules {
			t.Fatalf("more than %d interleavings", maxSchedules)
		}
		src, server := newRecords(row(user1, emailA, 1)), memory.NewServer(nil)
		warm(t, server, src, filled...)
		ops := make([]cast.Operation, len(makers))
		for i, make := range makers {
			ops[i] = make(src)
		}
		for i, err := range interleave(t, server, ops, func(n, options int) int {
			if n == len(schedule) {
				schedule = append(schedule, choice{0, options})
			}
			return schedule[n].taken
		}) {
			if err != nil {
				t.Errorf("%s: %v", ops[i].Name, err)
			}
		}
		wantLikeSource(t, openHealthy(t, server), src, emailA, emailB)
		if t.Failed() {
			t.Fatalf("%s and %s, filled with %v, schedule %v", ops[0].Name, ops[1].Name, filled, schedule)
		}
		schedule, more = next(schedule)
	}
	return n
}

// The process that tells of a change dies at each of its commands. Once the first
// has arrived, nobody gets the old user any more, by id or by either email: the
// entries that are left lead to a copy that says otherwise. And to tell again
// after the failure makes good for all of it.
func TestAnInvalidationThatIsCutOffLeavesNoWayToTheOldUser(t *testing.T) {
	for _, d := range deaths(3) {
		t.Run(d.String(), func(t *testing.T) {
			src, server := newRecords(row(user1, emailA, 1)), memory.NewServer(nil)
			warm(t, server, src, emailA)
			after := row(user1, emailB, 2)
			src.write(after)
			dying := openMortal(t, server, d).NewCache(src, cacheForOrder)
			if err := dying.InvalidateUser(t.Context(), after, emailA); err == nil {
				t.Fatal("the process has not died")
			}
			s := openHealthy(t, server)
			if d.command > 1 || d.reaches {
				wantLikeSource(t, s, src, emailA, emailB)
			}
			check(t, s.NewCache(src, cacheForOrder).InvalidateUser(t.Context(), after, emailA))
			wantLikeSource(t, s, src, emailA, emailB)
		})
	}
}

// A process that dies while it fills leaves nothing that a later reader minds.
func TestAFillThatIsCutOffMisleadsNobody(t *testing.T) {
	for _, d := range deaths(3) {
		src, server := newRecords(row(user1, emailA, 1)), memory.NewServer(nil)
		dying := openMortal(t, server, d).NewCache(src, cacheForOrder)
		_, _, _ = dying.UserByEmail(t.Context(), emailA) // A failed fill is no error.
		wantLikeSource(t, openHealthy(t, server), src, emailA, emailB)
	}
}
