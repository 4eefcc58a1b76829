package runner

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toriibench/toriibench/compose/composetest"
	"github.com/toriibench/toriibench/results"
)

func TestOwnStores(t *testing.T) {
	for _, own := range ownStores() {
		t.Run(own.Name, func(t *testing.T) {
			url, people := composetest.Start(t, "valkey:8.1").URLs[0], newPeople(1, 1)
			store, err := own.Open(t.Context(), url, 4)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			ctx, want := t.Context(), people[0].begun()
			if _, err := store.Create(ctx, want); err == nil {
				t.Error("a session of nobody was created")
			}
			if err := createUsers(ctx, url, people, 2); err != nil {
				t.Fatal(err)
			}
			want.ExpiresAt = want.CreatedAt.Add(time.Hour)
			ticket, err := store.Create(ctx, want)
			if err != nil {
				t.Fatal(err)
			}
			got, found, err := store.Find(ctx, ticket)
			if err != nil || !found || !want.same(got) || !got.ExpiresAt.Equal(want.ExpiresAt) {
				t.Errorf("found %t %+v, %v; want %+v", found, got, err, want)
			}
			if err := store.Refresh(ctx, ticket, want.refreshed()); err != nil {
				t.Error(err)
			}
			if got, _, _ := store.Find(ctx, ticket); got.ExpiresAt.Before(want.CreatedAt.Add(storeLifetime)) {
				t.Errorf("the refreshed session ends at %s", got.ExpiresAt)
			}
			if err := store.Delete(ctx, ticket); err != nil {
				t.Error(err)
			}
			if _, found, err := store.Find(ctx, ticket); found || err != nil {
				t.Errorf("after the deletion: found %t, %v", found, err)
			}
		})
	}
}

// another is a peer that keeps sessions in the server, as ours does.
func another(name string) StorePeer {
	return StorePeer{Name: name, Version: "1", Open: ownStores()[0].Open}
}

// perfStores compares with these stores in short.
func perfStores(ctx context.Context, others []StorePeer, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	args = append([]string{"--provider", "native", "--for", "100ms", "--connections", "5", "--users", "100"}, args...)
	code := PerfStoresMain(ctx, args, others, &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

func TestPerfStores(t *testing.T) {
	needTwoCPUs(t)
	out := t.TempDir()
	closed := StorePeer{Name: "closed", Open: func(context.Context, string, int) (SessionStore, error) {
		return nil, errors.New("it does not open")
	}}
	elsewhere := StorePeer{Name: "elsewhere", Open: func(context.Context, string, int) (SessionStore, error) {
		return newMapStore(), nil
	}}
	got := perfStores(t.Context(), []StorePeer{another("works"), closed, elsewhere}, "--rounds", "2", "--sessions", "0", "--out", out)
	if got.code != exitNoProof {
		t.Fatalf("exit code %d: %s", got.code, got.stderr)
	}
	r := onlyResult[results.PerfStores](t, out)
	if !r.Complete || len(r.Stores) != 5 || len(r.Failed) != 4 || len(r.Memory) != 0 {
		t.Fatalf("complete %t, %d stores, %d weighed, failed: %q", r.Complete, len(r.Stores), len(r.Memory), r.Failed)
	}
	for _, s := range r.Stores {
		works := s.Ours || s.Name == "works"
		if works != (len(s.Operations) == 4) || !works && len(s.Operations) > 0 {
			t.Errorf("%s has %d operations", s.Name, len(s.Operations))
		}
		for _, o := range s.Operations {
			for _, sample := range o.Samples {
				if len(o.Samples) != 2 || sample.PerSecond <= 0 || sample.PerClientSecond <= 0 || sample.ServerCPU <= 0 || sample.Operations < 5 { // one a caller
					t.Errorf("%s of %s: %+v", o.Name, s.Name, sample)
				}
			}
		}
	}
	if len(r.Goals) != 2*4*2 { // ours through two libraries, to the one that works
		t.Errorf("%d goals", len(r.Goals))
	}
	for _, says := range []string{"closed: it does not open", "elsewhere: create: it counts", "of 16 met"} {
		if !strings.Contains(got.stdout, says) {
			t.Errorf("the tables lack %q:\n%s", says, got.stdout)
		}
	}
}

// stuck is a store that refreshes nothing once it keeps more than a few sessions,
// which is after the warm-up.
type stuck struct {
	SessionStore

	kept *atomic.Int64
}

func (s stuck) Create(ctx context.Context, l Login) (Ticket, error) {
	s.kept.Add(1)
	return s.SessionStore.Create(ctx, l)
}

func (s stuck) Delete(ctx context.Context, t Ticket) error {
	s.kept.Add(-1)
	return s.SessionStore.Delete(ctx, t)
}

func (s stuck) Refresh(ctx context.Context, t Ticket, l Login) error {
	if s.kept.Load() >= 20 {
		return errors.New("it is stuck")
	}
	return s.SessionStore.Refresh(ctx, t, l)
}

func TestAFailedTurnLeavesTheServerAsItWas(t *testing.T) {
	c := &storeContest{
		options: &storesOptions{perfOptions: perfOptions{length: 50 * time.Millisecond, connections: 4}},
		people:  newPeople(1, 20), topology: composetest.Start(t, "valkey:8.1"),
	}
	c.entrants = []StorePeer{{Name: "stuck", Open: func(ctx context.Context, url string, connections int) (SessionStore, error) {
		s, err := ownStores()[0].Open(ctx, url, connections)
		return stuck{s, new(atomic.Int64)}, err
	}}}
	keys := func() string {
		info, err := c.topology.Info(t.Context(), "keyspace")
		if err != nil {
			t.Fatal(err)
		}
		count, _, _ := strings.Cut(info["db0"], ",")
		return count
	}
	if err := createUsers(t.Context(), c.topology.URLs[0], c.people, 2); err != nil {
		t.Fatal(err)
	}
	before := keys()
	if err := c.turn(t.Context(), 0, 0, 0); err == nil || !strings.HasPrefix(err.Error(), "refresh: it is stuck") {
		t.Errorf("the turn ended with %v", err)
	}
	if after := keys(); after != before || before == "" {
		t.Errorf("the server has %s, want %s as before", after, before)
	}
}

func TestPerfStoresWeighs(t *testing.T) {
	needTwoCPUs(t)
	out := t.TempDir()
	got := perfStores(t.Context(), []StorePeer{another("wants users")}, "--rounds", "1", "--sessions", "300", "--out", out)
	// This one refuses sessions of users who are not there, and weighing creates
	// users for ours alone.
	if got.code != exitNoProof {
		t.Fatalf("exit code %d: %s", got.code, got.stderr)
	}
	r := onlyResult[results.PerfStores](t, out)
	if len(r.Memory) != 1 || len(r.Memory[0].Samples) != weighings || len(r.Failed) != weighings {
		t.Fatalf("%+v, failed: %q", r.Memory, r.Failed)
	}
	for _, s := range r.Memory[0].Samples {
		if s.PerSession < 200 || s.PerSession > 3000 || s.PerUser < 100 || s.PerUser > 3000 {
			t.Errorf("%+v", s)
		}
	}
}

func TestInterruptedPerfStoresKeepsWhatItHas(t *testing.T) {
	needTwoCPUs(t)
	out := t.TempDir()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	last := StorePeer{Name: "last", Open: func(context.Context, string, int) (SessionStore, error) {
		cancel(errInterrupted)
		return newMapStore(), nil
	}}
	got := perfStores(ctx, []StorePeer{last}, "--rounds", "3", "--out", out)
	if got.code != exitInterrupted {
		t.Fatalf("exit code %d: %s", got.code, got.stderr)
	}
	r := onlyResult[results.PerfStores](t, out)
	if r.Complete || r.Reason == "" || len(r.Stores[0].Operations) != 4 || len(r.Failed) > 0 || len(r.Memory) > 0 {
		t.Errorf("complete %t, reason %q, %d operations, failed %q", r.Complete, r.Reason, len(r.Stores[0].Operations), r.Failed)
	}
	if !strings.Contains(got.stdout, "was broken off") {
		t.Errorf("the tables do not say that it was broken off:\n%s", got.stdout)
	}
}
