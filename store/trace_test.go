package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/memory"
)

func TestTraceAddsUpCommands(t *testing.T) {
	var trace store.Trace
	at := time.Now()
	later := func(ms int) time.Time { return at.Add(time.Duration(ms) * time.Millisecond) }
	trace.Add(at, later(1), later(5), nil)
	trace.Add(at, later(2), later(3), errors.New("a reply"))
	trace.Add(at, time.Time{}, later(10), errors.New("never written"))
	trace.Add(at, time.Time{}, later(100), nil)
	want := store.Trace{Queue: 13 * time.Millisecond, Wire: 5 * time.Millisecond, Commands: 4, Unseen: 1}
	if diff := cmp.Diff(want, trace); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if store.TraceOf(t.Context()) != nil {
		t.Error("a context has a Trace that nobody gave it")
	}
}

// noting is a driver that fills in Traces, with a second of each for a command.
type noting struct{ store.Driver }

func (n noting) note(ctx context.Context) {
	if trace := store.TraceOf(ctx); trace != nil {
		at := time.Now()
		trace.Add(at, at.Add(time.Second), at.Add(2*time.Second), nil)
	}
}

func (n noting) Get(ctx context.Context, keys ...string) ([]string, error) {
	n.note(ctx)
	return n.Driver.Get(ctx, keys...)
}

func (n noting) Lookup(ctx context.Context, key, hash, field string) (string, string, error) {
	n.note(ctx)
	return n.Driver.Lookup(ctx, key, hash, field)
}

func (n noting) Eval(ctx context.Context, script *store.Script, keys []string, args ...string) ([]string, error) {
	n.note(ctx)
	return n.Driver.Eval(ctx, script, keys, args...)
}

// slowSource holds everybody up until it is let go.
type slowSource struct {
	asked, goOn chan struct{}
	once        sync.Once // There is a second load if all leave before the first ends.
}

func (s *slowSource) User(ctx context.Context, id string) (store.User, bool, error) {
	s.once.Do(func() { close(s.asked) })
	if store.TraceOf(ctx) != nil {
		return store.User{}, false, errors.New("a shared load has a caller's Trace")
	}
	<-s.goOn
	return store.User{ID: id, Email: "a@example.com"}, true, nil
}

// A load that several callers share must not write to the Trace of one, which
// may have gone away meanwhile.
func TestASharedLoadIsInNobodysTrace(t *testing.T) {
	server := memory.NewServer(time.Now)
	s, err := store.Open(t.Context(), store.Config{URLs: []string{"memory"}}, func(ctx context.Context, cfg store.Config) (store.Driver, error) {
		d, err := server.Dial(ctx, cfg)
		return noting{d}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	source := &slowSource{asked: make(chan struct{}), goOn: make(chan struct{})}
	cache := s.NewCache(source, store.CacheOptions{})
	traces := make([]store.Trace, 4)
	ctx, leave := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range traces {
		wg.Go(func() {
			_, _, err := cache.User(store.WithTrace(ctx, &traces[i]), "u")
			if !errors.Is(err, context.Canceled) {
				t.Errorf("left with %v", err)
			}
			traces[i].Queue++ // The race detector watches.
		})
	}
	<-source.asked
	leave()
	wg.Wait()
	close(source.goOn)
	got, ok, err := cache.User(t.Context(), "u")
	if err != nil || !ok || got.User.ID != "u" {
		t.Fatalf("got %v, %t and %v", got, ok, err)
	}
	for i, trace := range traces {
		if trace.Commands > 1 {
			t.Errorf("caller %d has the %d commands of a load: %+v", i, trace.Commands, trace)
		}
	}
	if n, known := s.ClientRetries(); known {
		t.Errorf("a driver that does not count has counted %d retries", n)
	}
}

// What is removed on many slots at once must not write to one Trace.
func TestDeleteAllIsInNobodysTrace(t *testing.T) {
	server := memory.NewServer(time.Now)
	s, err := store.Open(t.Context(), store.Config{URLs: []string{"memory"}, ClusterMode: true},
		func(ctx context.Context, cfg store.Config) (store.Driver, error) {
			d, err := server.Dial(ctx, cfg)
			return noting{d}, err
		})
	check(t, err)
	for _, email := range []string{emailA, emailB, emailC} {
		_, err := s.Users.Create(t.Context(), store.NewUser{Email: email})
		check(t, err)
	}
	var trace store.Trace
	if n, err := s.DeleteAll(store.WithTrace(t.Context(), &trace)); n != 6 || err != nil {
		t.Errorf("%d keys removed, %v", n, err)
	}
	if trace != (store.Trace{}) {
		t.Errorf("got %+v", trace)
	}
}
