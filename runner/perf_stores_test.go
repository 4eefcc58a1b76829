package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/results"
)

// mapStore keeps sessions in memory. Its faults are those of a store that does not
// work.
type mapStore struct {
	mu        sync.Mutex
	kept      map[string]Login
	forgetful bool // finds nothing
	confused  bool // finds another session
	clinging  bool // deletes nothing
	deleted   int
}

func newMapStore() *mapStore { return &mapStore{kept: map[string]Login{}} }

func (m *mapStore) Create(_ context.Context, l Login) (Ticket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := Ticket{Cookie: strconv.Itoa(len(m.kept) + m.deleted)}
	m.kept[t.Cookie] = l
	return t, nil
}

func (m *mapStore) Find(_ context.Context, t Ticket) (Login, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, found := m.kept[t.Cookie]
	if m.confused {
		l.UserID += "?"
	}
	return l, found && !m.forgetful, nil
}

func (m *mapStore) Refresh(_ context.Context, t Ticket, l Login) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept[t.Cookie] = l
	return nil
}

func (m *mapStore) Delete(_ context.Context, t Ticket) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.clinging {
		delete(m.kept, t.Cookie)
		m.deleted++
	}
	return nil
}

func (*mapStore) Close() error { return nil }

func TestLapLoop(t *testing.T) {
	t.Run("a limit", func(t *testing.T) {
		var seen [100]atomic.Int64
		done, err := (&lapLoop{callers: 7, limit: 100, do: func(_ context.Context, _ int, n int64) error {
			seen[n].Add(1)
			return nil
		}}).run(t.Context())
		if err != nil || done.operations != 100 {
			t.Fatalf("%d operations, %v", done.operations, err)
		}
		for n := range seen {
			if times := seen[n].Load(); times != 1 {
				t.Errorf("operation %d was done %d times", n, times)
			}
		}
	})
	t.Run("a length", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			done, err := (&lapLoop{callers: 2, length: 95 * time.Millisecond, do: func(context.Context, int, int64) error {
				<-time.After(10 * time.Millisecond)
				return nil
			}}).run(t.Context())
			// The last of each caller begins at 90 ms and ends at 100.
			if err != nil || done.operations != 20 || done.elapsed != 100*time.Millisecond {
				t.Errorf("%d operations in %s, %v", done.operations, done.elapsed, err)
			}
		})
	})
	t.Run("an error", func(t *testing.T) {
		broken := errors.New("broken")
		done, err := (&lapLoop{callers: 3, do: func(_ context.Context, _ int, n int64) error {
			if n == 10 {
				return broken
			}
			return nil
		}}).run(t.Context())
		if !errors.Is(err, broken) || done.operations < 9 {
			t.Errorf("%d operations, %v", done.operations, err)
		}
	})
	t.Run("an interrupt", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		_, err := (&lapLoop{callers: 3, do: func(_ context.Context, _ int, n int64) error {
			if n == 10 {
				cancel(errInterrupted)
			}
			return nil
		}}).run(ctx)
		if !errors.Is(err, errInterrupted) {
			t.Errorf("got %v, want the interrupt", err)
		}
	})
}

// turnUsers is how many users there are in a turn of turnOf.
const turnUsers = 10

// turnOf performs a turn of a store: so many creations, finds and refreshes, and
// the deletion of half of what there is.
func turnOf(ctx context.Context, s SessionStore, times int64) error {
	v := newVisit(s, newPeople(1, turnUsers), 3, 1)
	for _, operation := range storeOperations() {
		if operation == operationFind {
			if err := v.even(ctx); err != nil {
				return err
			}
		}
		l := v.loopOf(operation, 0)
		if l.limit = times; operation == operationDelete {
			l.limit = turnUsers / 2
		}
		if _, err := l.run(ctx); err != nil {
			return err
		}
	}
	return v.leave(ctx)
}

func TestVisitLeavesNothing(t *testing.T) {
	s := newMapStore()
	if err := newVisit(s, newPeople(1, 10), 3, 1).warmUp(t.Context()); err != nil || len(s.kept) > 0 || s.deleted == 0 {
		t.Errorf("after the warm-up: %d sessions kept, %d deleted, %v", len(s.kept), s.deleted, err)
	}
	s = newMapStore()
	if err := turnOf(t.Context(), s, 400); err != nil {
		t.Fatal(err)
	}
	if len(s.kept) > 0 || s.deleted != 400 {
		t.Errorf("%d sessions are left, %d were deleted", len(s.kept), s.deleted)
	}
}

// However fast a store creates, all have as many sessions to find.
func TestStoresHaveAsManySessionsToFind(t *testing.T) {
	for name, created := range map[string]int64{"few": 4, "one each": turnUsers, "many": 999} {
		t.Run(name, func(t *testing.T) {
			s, people := newMapStore(), newPeople(1, turnUsers)
			v := newVisit(s, people, 3, 1)
			create := v.loopOf(operationCreate, 0)
			create.limit = created
			if _, err := create.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := v.even(t.Context()); err != nil {
				t.Fatal(err)
			}
			users := map[string]bool{}
			for _, o := range v.sessions {
				if l, found, _ := s.Find(t.Context(), o.ticket); !found || !l.same(o.login) {
					t.Errorf("found %t %+v, want %+v", found, l, o.login)
				}
				users[o.login.UserID] = true
			}
			if len(v.sessions) != len(people) || len(users) != len(people) || len(s.kept) != len(people) {
				t.Errorf("%d sessions of %d users, %d are kept, want one of each of %d", len(v.sessions), len(users), len(s.kept), len(people))
			}
		})
	}
}

// In a Williams design nobody always comes first, and nobody always after the
// same one.
func TestOrdersAreBalanced(t *testing.T) {
	for n := 1; n <= 9; n++ {
		rounds, seen := n+n%2*n, map[string]bool{}
		type pair [2]int
		places, follows := map[pair]int{}, map[pair]int{}
		for round := range rounds {
			order := inOrder(round, n)
			seen[fmt.Sprint(order)] = true
			for place, turn := range order {
				places[pair{place, turn}]++
				if place > 0 {
					follows[pair{order[place-1], turn}]++
				}
			}
		}
		for a := range n {
			for b := range n {
				if got := places[pair{a, b}]; got != rounds/n {
					t.Errorf("of %d, %d comes %d times at place %d in %d rounds", n, b, got, a, rounds)
				}
				if got := follows[pair{a, b}]; a != b && got != rounds/n || a == b && got > 0 {
					t.Errorf("of %d, %d comes %d times after %d in %d rounds", n, b, got, a, rounds)
				}
			}
		}
		if n > 1 && len(seen) != rounds {
			t.Errorf("of %d, only %d of %d orders differ", n, len(seen), rounds)
		}
	}
}

func TestVisitOfAStoreThatDoesNotWork(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*mapStore)
		says  string
	}{
		"it finds nothing":           {func(m *mapStore) { m.forgetful = true }, errOther.Error()},
		"it finds another's session": {func(m *mapStore) { m.confused = true }, errOther.Error()},
		"it deletes nothing":         {func(m *mapStore) { m.clinging = true }, "a deleted session: found true"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newMapStore()
			test.spoil(s)
			if err := turnOf(t.Context(), s, 100); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}

func TestPeopleDiffer(t *testing.T) {
	people := newPeople(3, 1000)
	ids, agents := map[string]bool{}, map[string]bool{}
	for _, p := range people {
		ids[p.UserID], agents[p.UserAgent] = true, true
		record, err := json.Marshal(p.begun())
		if err != nil || len(record) < 280 || len(record) > 340 {
			t.Fatalf("a session takes %d bytes: %s, %v", len(record), record, err)
		}
	}
	if len(ids) != len(people) || len(agents) < 50 {
		t.Errorf("%d users with %d kinds of browser", len(ids), len(agents))
	}
}

// storeOf makes a store whose finds have these rates, one a round, and cost its
// client the more the faster they are.
func storeOf(name string, ours bool, rates ...float64) results.PerfStore {
	return results.PerfStore{Name: name, Ours: ours, Operations: []results.PerfStoreOperation{
		{Name: operationFind, Samples: storeSamples(rates)},
	}}
}

func storeSamples(rates []float64) []results.PerfSample {
	var samples []results.PerfSample
	for round, v := range rates {
		samples = append(samples, results.PerfSample{Round: round, PerSecond: v, PerClientSecond: 1e6 / v})
	}
	return samples
}

func TestStoreGoals(t *testing.T) {
	r := &results.PerfStores{
		Stores: []results.PerfStore{storeOf("ours", true, 100, 200, 300), storeOf("even", false, 100, 200, 300), storeOf("slow", false, 50, 100)},
		Memory: []results.PerfStoreBytes{
			{Name: "ours", Ours: true, Samples: []results.PerfStoreByteSet{{Sessions: 10, PerSession: 600}, {Sessions: 20, PerSession: 500}}},
			{Name: "small", Samples: []results.PerfStoreByteSet{{Sessions: 10, PerSession: 400}, {Sessions: 20, PerSession: 250}}},
			{Name: "unmatched", Samples: []results.PerfStoreByteSet{{Sessions: 30, PerSession: 400}}},
		},
	}
	concludeStores(r)
	spread := func(median, low, high float64, rounds int) results.Spread {
		return results.Spread{Median: median, Low: low, High: high, Rounds: rounds}
	}
	want := []results.PerfStoreGoal{
		{Of: "ours", To: "even", Operation: "find", Measure: measureRate, Spread: spread(1, 1, 1, 3)},
		{Of: "ours", To: "even", Operation: "find", Measure: measureCPU, Spread: spread(1, 1, 1, 3)},
		{Of: "ours", To: "slow", Operation: "find", Measure: measureRate, Spread: spread(2, 2, 2, 2), Met: true},
		{Of: "ours", To: "slow", Operation: "find", Measure: measureCPU, Spread: spread(0.5, 0.5, 0.5, 2)},
	}
	if diff := cmp.Diff(want, r.Goals); diff != "" {
		t.Error(diff)
	}
	if ratio := r.Memory[1].Ratio; ratio == nil || *ratio != spread(1.75, 1.5, 2, 2) {
		t.Errorf("the ratio of bytes is %+v", ratio)
	}
	if r.Memory[0].Ratio != nil || r.Memory[2].Ratio != nil {
		t.Error("bytes are compared with nothing")
	}
}

func TestPerfStoresRefusals(t *testing.T) {
	for _, args := range []string{
		"--rounds 0", "--for 1ms", "--connections 0", "--users 0", "--sessions -1", "--target valkey:8.1@cluster",
		"--target redis://localhost:6379", "--provider moon", "--speed 11", "redis",
	} {
		t.Run(args, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			words := slices.Concat(strings.Fields(args), []string{"--out", t.TempDir()})
			if code := PerfStoresMain(t.Context(), words, nil, &stdout, &stderr); code != exitUsage || stderr.Len() == 0 {
				t.Errorf("exit code %d: %s", code, &stderr)
			}
		})
	}
}
