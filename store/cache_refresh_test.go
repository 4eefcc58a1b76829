package store_test

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/memory"
)

// lagging is a system of record with one user, which takes its time.
type lagging struct{ latency time.Duration }

func (l lagging) User(ctx context.Context, id string) (store.User, bool, error) {
	select {
	case <-time.After(l.latency):
		return store.User{ID: id, Email: emailA}, true, nil
	case <-ctx.Done():
		return store.User{}, false, ctx.Err()
	}
}

const (
	loadTime = 50 * time.Millisecond
	copyLife = time.Second
)

// read reads the user and returns how long that took.
func read(t *testing.T, cache *store.Cache) time.Duration {
	t.Helper()
	begin := time.Now()
	if _, ok, err := cache.User(t.Context(), user1); !ok || err != nil {
		t.Errorf("found: %t, error %v", ok, err)
	}
	return time.Since(begin)
}

// cacheAt makes a cache over memory in a bubble, and fills it.
func cacheAt(t *testing.T, opts store.CacheOptions) *store.Cache {
	t.Helper()
	opts.TTL = copyLife
	cache := openHealthy(t, memory.NewServer(time.Now)).NewCache(lagging{loadTime}, opts)
	if took := read(t, cache); took != loadTime {
		t.Fatalf("the first read took %s, want %s", took, loadTime)
	}
	return cache
}

// The moment from which on a hit loads early is the end minus
// cost * Beta * -ln(u), for the u in (0, 1] that was drawn.
func TestAnEarlyLoadBeginsWhenTheFormulaSays(t *testing.T) {
	for _, c := range []struct{ beta, random float64 }{
		{1, 0}, {1, 0.5}, {1, 0.9}, {2, 0.9}, {0.5, 0.9}, {1, 0.999999}, {0, 0.9}, {-1, 0.9},
	} {
		ahead := time.Duration(-float64(loadTime) * max(c.beta, 0) * math.Log(1-c.random)).Truncate(time.Millisecond)
		wantEarly(t, c.beta, c.random, ahead+time.Millisecond, 0)
		if ahead > 0 {
			wantEarly(t, c.beta, c.random, ahead, 1)
		}
	}
}

// wantEarly reads a copy that has this much time left and counts the loads that
// begin.
func wantEarly(t *testing.T, beta, random float64, left time.Duration, loads int64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cache := cacheAt(t, store.CacheOptions{Beta: beta, Random: func() float64 { return random }})
		<-time.After(copyLife - left)
		if took := read(t, cache); took != 0 {
			t.Errorf("beta %g, random %g: a hit took %s", beta, random, took)
		}
		synctest.Wait()
		if got := cache.Stats().Refreshes; got != loads {
			t.Errorf("beta %g, random %g, %s before the end: %d early loads, want %d", beta, random, left, got, loads)
		}
		<-time.After(copyLife)
	})
}

func TestNobodyWaitsAtTheEndUnderConstantReads(t *testing.T) {
	for name, beta := range map[string]float64{"with early loads": 1, "without": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				waited, got := constantReads(t, beta)
				if (waited == 0) != (beta > 0) || (got.Refreshes > 0) != (beta > 0) {
					t.Errorf("%d readers have waited; stats %+v", waited, got)
				}
				// A life is a second, and shorter by what a load begins early.
				if got.Loads < 20 || got.Loads > 30 {
					t.Errorf("%d loads, want 20 to 30", got.Loads)
				}
				if beta > 0 && got.Misses != 1 {
					t.Errorf("%d misses, want the first alone", got.Misses)
				}
			})
		})
	}
}

// constantReads reads a thousand times a second, over twenty lives of a copy, from
// a source that takes a twentieth of one, and counts the readers who had to wait.
func constantReads(t *testing.T, beta float64) (waited int64, stats store.CacheStats) {
	t.Helper()
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 2))
	cache := cacheAt(t, store.CacheOptions{Beta: beta, Random: func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return random.Float64()
	}})
	var readers sync.WaitGroup
	var waiting atomic.Int64
	for range 20 * copyLife / time.Millisecond {
		<-time.After(time.Millisecond)
		readers.Go(func() {
			if read(t, cache) > 0 {
				waiting.Add(1)
			}
		})
		synctest.Wait()
	}
	readers.Wait()
	<-time.After(loadTime) // A load may be under way.
	return waiting.Load(), cache.Stats()
}

// A reader who gives up after the hit that begins a load takes nothing from it.
func TestAnEarlyLoadOutlivesItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache := cacheAt(t, store.CacheOptions{Beta: 1, Random: func() float64 { return 0.999999 }})
		<-time.After(copyLife - loadTime)
		ctx, cancel := context.WithCancel(t.Context())
		_, ok, err := cache.User(ctx, user1)
		cancel()
		if !ok || err != nil {
			t.Errorf("found: %t, error %v", ok, err)
		}
		<-time.After(copyLife / 2)
		if took := read(t, cache); took != 0 || cache.Stats().RefreshErrors != 0 {
			t.Errorf("the read after the end of the first copy took %s, stats %+v", took, cache.Stats())
		}
		<-time.After(copyLife)
	})
}
