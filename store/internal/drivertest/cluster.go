package drivertest

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

// Cluster runs all that needs a cluster of the engine: three primaries without
// replicas. The last step kills one of them.
func Cluster(t *testing.T, engine string, dial store.Dial) {
	t.Helper()
	nodes := testservers.Cluster(t, engine)
	s := setup{engine: engine, dial: dial}
	d := s.open(t, store.Config{URLs: seeds(nodes), ClusterMode: true, Timeout: patient})
	for _, c := range []struct {
		name string
		test func(t *testing.T, nodes []*testservers.Server, d store.Driver)
	}{
		{"finds the other nodes from any seed", func(t *testing.T, nodes []*testservers.Server, _ store.Driver) {
			findsNodes(t, s, nodes)
		}},
		{"sends keys of one slot in one command to their node", usesOneCommand},
		{"loads a script on each node", loadsEverywhere},
		{"refuses keys of different slots", refusesSlots},
		{"scans and pings every primary", reachesAll},
		{"follows a slot that moved", followsMove},
		{"does not run a timed-out script again", func(t *testing.T, nodes []*testservers.Server, _ store.Driver) {
			hasty := s.open(t, store.Config{URLs: seeds(nodes), ClusterMode: true, Timeout: 300 * time.Millisecond})
			mustRunOnce(t, nodes[1], hasty, on()[1][0])
		}},
		{"reports a dead primary as unavailable", reportsDeadPrimary},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, nodes, d) })
	}
}

// Lonely runs what needs a cluster of one node, which nobody has told its own
// address.
func Lonely(t *testing.T, engine string, dial store.Dial) {
	t.Helper()
	node := testservers.Start(t, engine, "--cluster-enabled", "yes", "--cluster-port", testservers.FreePort(t))
	node.Do(t, "CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	testservers.WaitFor(t, "the cluster to be ready", func() bool { return node.Joined(t, 1) })
	s := setup{engine: engine, dial: dial}
	cycle := func() {
		d := s.open(t, store.Config{URLs: []string{node.URL()}, ClusterMode: true})
		want := fill(t, d, "k", 10)
		if diff := cmp.Diff(want, collect(t, d, "k")); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		for range 2 {
			if err := d.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
		mustBe(t, d.Ping(t.Context()), store.ErrUnavailable)
	}
	mustEndAll(t, node, cycle)
}

// seeds are the URLs of nodes.
func seeds(nodes []*testservers.Server) []string {
	urls := make([]string, len(nodes))
	for i, n := range nodes {
		urls[i] = n.URL()
	}
	return urls
}

// on are keys, two in the same slot of each node, in the nodes' order: the
// slots of the tags are 3300, 7365 and 15495.
func on() [3][2]string {
	return [3][2]string{{"{b}1", "{b}2"}, {"{c}1", "{c}2"}, {"{a}1", "{a}2"}}
}

func findsNodes(t *testing.T, s setup, nodes []*testservers.Server) {
	for _, n := range nodes {
		d := s.open(t, store.Config{URLs: []string{n.URL()}, ClusterMode: true})
		for _, keys := range on() {
			if got, err := d.Get(t.Context(), keys[0]); err != nil || got[0] != "" {
				t.Errorf("seed %s: got %q and %v", n.Addr, got, err)
			}
		}
	}
	_, err := s.dial(t.Context(), store.Config{URLs: []string{nodes[0].URL()}, ClusterMode: true, Database: 1}.WithDefaults())
	mustBe(t, err, store.ErrInvalid)
}

// calls sums what all nodes saw.
func calls(t *testing.T, nodes []*testservers.Server) (sum map[string]int, busy int) {
	t.Helper()
	sum = make(map[string]int)
	for _, n := range nodes {
		seen := n.Calls(t)
		maps.DeleteFunc(seen, func(command string, _ int) bool {
			return command == "hello" || command == "ping" || strings.HasPrefix(command, "cluster|")
		})
		if len(seen) > 0 {
			busy++
		}
		for command, n := range seen {
			sum[command] += n
		}
	}
	return sum, busy
}

func resetCalls(t *testing.T, nodes []*testservers.Server) {
	t.Helper()
	for _, n := range nodes {
		n.Do(t, "CONFIG", "RESETSTAT")
	}
}

func usesOneCommand(t *testing.T, nodes []*testservers.Server, d store.Driver) {
	set := &store.Script{Name: "set", Lua: "for i, k in ipairs(KEYS) do redis.call('SET', k, ARGV[i]) end return ARGV"}
	for i, keys := range on() {
		owner := nodes[i]
		if _, err := d.Eval(t.Context(), set, keys[:], "1", "2"); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			command string
			run     func() (any, error)
			want    any
		}{
			{"mget", func() (any, error) { return d.Get(t.Context(), keys[0], keys[1]) }, []string{"1", "2"}},
			{"evalsha", func() (any, error) { return d.Eval(t.Context(), set, keys[:], "3", "4") }, []string{"3", "4"}},
		} {
			resetCalls(t, nodes)
			got, err := c.run()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s %v: -want +got\n%s", c.command, keys, diff)
			}
			seen, busy := calls(t, nodes)
			delete(seen, "set") // The script's own.
			if diff := cmp.Diff(map[string]int{c.command: 1}, seen); diff != "" || busy != 1 || owner.Calls(t)[c.command] != 1 {
				t.Errorf("%s %v: %d nodes were asked, want its own alone; -want +got\n%s", c.command, keys, busy, diff)
			}
		}
		owner.Do(t, "UNLINK", keys[0], keys[1])
	}
}

func loadsEverywhere(t *testing.T, nodes []*testservers.Server, d store.Driver) {
	for _, n := range nodes {
		n.Do(t, "SCRIPT", "FLUSH")
	}
	resetCalls(t, nodes)
	script := echo()
	for range 2 {
		for _, keys := range on() {
			if got, err := d.Eval(t.Context(), script, keys[:]); err != nil || len(got) != 2 || got[1] != keys[1] {
				t.Errorf("got %q and %v", got, err)
			}
		}
	}
	seen, _ := calls(t, nodes)
	if diff := cmp.Diff(map[string]int{"evalsha": 6, "eval": 3}, seen); diff != "" {
		t.Errorf("two runs on each of three nodes: -want +got\n%s", diff)
	}
}

func refusesSlots(t *testing.T, _ []*testservers.Server, d store.Driver) {
	keys := []string{on()[0][0], on()[1][0]}
	_, err := d.Get(t.Context(), keys...)
	mustReply(t, err, "CROSSSLOT")
	_, err = d.Eval(t.Context(), echo(), keys)
	mustReply(t, err, "CROSSSLOT")
	if errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%v looks like an outage", err)
	}
}

func reachesAll(t *testing.T, nodes []*testservers.Server, d store.Driver) {
	want := fill(t, d, "scan:", 300)
	for _, n := range nodes {
		if size := n.Do(t, "DBSIZE"); size == int64(0) || size == int64(300) {
			t.Fatalf("%s has %v of 300 keys", n.Addr, size)
		}
	}
	if diff := cmp.Diff(want, collect(t, d, "scan:")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	before := make([]int, len(nodes))
	for i, n := range nodes {
		before[i] = n.Calls(t)["ping"]
	}
	if err := d.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, n := range nodes {
		if n.Calls(t)["ping"] == before[i] {
			t.Errorf("%s was not asked", n.Addr)
		}
	}
}

func followsMove(t *testing.T, nodes []*testservers.Server, d store.Driver) {
	const key, slot = "{b}moved", "3300"
	from, to := nodes[0], nodes[1]
	if got := from.Do(t, "CLUSTER", "KEYSLOT", key); got != int64(3300) {
		t.Fatalf("the slot of %s is %v", key, got)
	}
	if _, err := d.Get(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	id := to.Do(t, "CLUSTER", "MYID").(string) //nolint:forcetypeassert // It is a text or the test fails.
	for _, n := range []*testservers.Server{to, from, nodes[2]} {
		n.Do(t, "CLUSTER", "SETSLOT", slot, "NODE", id)
	}
	before := retries(t, d)
	defer func() {
		if n := retries(t, d) - before; n < 1 {
			t.Errorf("%d redirections were counted", n)
		}
	}()
	for range 3 {
		if got, err := d.Eval(t.Context(), echo(), []string{key}); err != nil || got[0] != key {
			t.Errorf("got %q and %v", got, err)
		}
		if got, err := d.Get(t.Context(), key); err != nil || got[0] != "" {
			t.Errorf("got %q and %v", got, err)
		}
	}
}

func reportsDeadPrimary(t *testing.T, nodes []*testservers.Server, d store.Driver) {
	keys := on()[1]
	if _, err := d.Get(t.Context(), keys[0]); err != nil {
		t.Fatal(err)
	}
	nodes[1].Kill(t)
	for range 3 {
		for name, command := range map[string]func(ctx context.Context) error{
			"get":  func(ctx context.Context) error { _, err := d.Get(ctx, keys[0]); return err },
			"eval": func(ctx context.Context) error { _, err := d.Eval(ctx, echo(), keys[:]); return err },
			"ping": d.Ping,
			"scan": func(ctx context.Context) error { return d.Scan(ctx, "k", func([]string) error { return nil }) },
		} {
			err := timed(t, late, func() error { return command(within(t, time.Second)) })
			mustBe(t, err, store.ErrUnavailable)
			t.Logf("%s: %v", name, err)
		}
	}
}
