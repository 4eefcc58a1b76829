package scenarios

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/toriibench/toriibench/store"
)

// origin is a slow system of record in memory: it answers after a set latency,
// as a database would, and knows which version of each user it has committed.
type origin struct {
	// slow is the latency in nanoseconds; 0 while the caches are filled.
	slow   atomic.Int64
	window atomic.Int32
	users  []originUser
	index  map[string]int
}

type originUser struct {
	id string
	mu struct {
		sync.Mutex
		user  store.User
		waves [windows]wave
		// commits are the updates in order.
		commits []commit
	}
	// committed is the version of user, in milliseconds.
	committed atomic.Int64
	// announced is the latest version whose invalidation was acknowledged.
	announced atomic.Int64
}

// commit is when a version was committed.
type commit struct {
	version int64
	at      time.Time
}

// windows are: before the storms (not counted), after the first, after the second.
const windows = 3

// wave is the loads that one missing entry caused: the first one, and those that
// started before the first could have filled the cache.
type wave struct {
	first time.Time
	loads int
}

// newOrigin makes n users that were all last changed at now.
func newOrigin(n int, now time.Time) *origin {
	o := &origin{users: make([]originUser, n), index: make(map[string]int, n)}
	now = now.UTC().Truncate(time.Millisecond)
	for i := range o.users {
		u := &o.users[i]
		name := fmt.Sprintf("Person %d", i)
		u.id = fmt.Sprintf("usr_cached%08d", i)
		u.mu.user = store.User{
			ID: u.id, Email: u.id + "@example.com", Name: &name, EmailVerifiedAt: &now, CreatedAt: now, UpdatedAt: now,
		}
		u.committed.Store(now.UnixMilli())
		o.index[u.id] = i
	}
	return o
}

// User implements store.Source. What it returns is the state at the beginning of
// its latency, as the snapshot of a query is.
func (o *origin) User(ctx context.Context, id string) (store.User, bool, error) {
	i, ok := o.index[id]
	if !ok {
		return store.User{}, false, nil
	}
	user := o.snapshot(&o.users[i])
	latency := time.Duration(o.slow.Load())
	if latency == 0 {
		return user, true, nil
	}
	timer := time.NewTimer(latency)
	defer timer.Stop()
	select {
	case <-timer.C:
		return user, true, nil
	case <-ctx.Done():
		return store.User{}, false, ctx.Err()
	}
}

// snapshot reads a user and counts the load.
func (o *origin) snapshot(u *originUser) store.User {
	now, window := time.Now(), o.window.Load()
	u.mu.Lock()
	defer u.mu.Unlock()
	w := &u.mu.waves[window]
	if w.first.IsZero() {
		w.first = now
	}
	if now.Sub(w.first) < time.Duration(o.slow.Load()) {
		w.loads++
	}
	return u.mu.user
}

// beginWindow starts counting waves of loads anew.
func (o *origin) beginWindow() {
	o.window.Store(min(o.window.Load()+1, windows-1))
}

// current returns user i as committed.
func (o *origin) current(i int) store.User {
	u := &o.users[i]
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.mu.user
}

// update commits a new version of user i and returns it.
func (o *origin) update(i int) store.User {
	u := &o.users[i]
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	version := max(now.UnixMilli(), u.mu.user.UpdatedAt.UnixMilli()+1)
	u.mu.user.UpdatedAt = time.UnixMilli(version).UTC()
	name := fmt.Sprintf("Person %d, version %d", i, version)
	u.mu.user.Name = &name
	u.mu.commits = append(u.mu.commits, commit{version, now})
	u.committed.Store(version)
	return u.mu.user
}

// replaced returns when a version of user i was replaced by a newer one, or false
// when it is the newest.
func (o *origin) replaced(i int, version int64) (time.Time, bool) {
	u := &o.users[i]
	if version >= u.committed.Load() {
		return time.Time{}, false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range u.mu.commits {
		if c.version > version {
			return c.at, true
		}
	}
	return time.Time{}, false
}

// acknowledge notes that the cache has confirmed the invalidation of version.
func (u *originUser) acknowledge(version int64) {
	for {
		old := u.announced.Load()
		if version <= old || u.announced.CompareAndSwap(old, version) {
			return
		}
	}
}

// stampede sums up the waves of the storms over the users whose number has this
// parity and who are never changed: the mean number of loads for one missing
// entry, and the worst.
type stampede struct {
	mean  float64
	worst int
}

func (o *origin) stampede(parity int, changed []bool) stampede {
	var s stampede
	loads, missing := 0, 0
	for i := parity; i < len(o.users); i += 2 {
		if changed[i] {
			continue
		}
		u := &o.users[i]
		u.mu.Lock()
		for _, w := range u.mu.waves[1:] {
			if w.loads > 0 {
				missing++
				loads += w.loads
				s.worst = max(s.worst, w.loads)
			}
		}
		u.mu.Unlock()
	}
	if missing > 0 {
		s.mean = float64(loads) / float64(missing)
	}
	return s
}
