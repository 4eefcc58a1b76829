package compose

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/toriibench/toriibench/compose/links"
)

// faultTimeout bounds what a topology may take to come to terms with a fault: an
// old primary that comes back is told so by its sentinels after ten seconds.
const faultTimeout = 60 * time.Second

// until looks until found, or the test fails.
func until(t *testing.T, what string, found func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), faultTimeout)
	defer cancel()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for !found(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: never seen", what)
		}
	}
}

// primaryOf is the number of the primary of a shard, -1 without one.
func primaryOf(ctx context.Context, topo *Topology, shard int) int {
	for _, s := range topo.Servers(ctx) {
		if s.Shard == shard && s.Role == RolePrimary {
			return s.Number
		}
	}
	return -1
}

// settle waits for the topology to be whole again.
func settle(t *testing.T, topo *Topology) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), faultTimeout)
	defer cancel()
	if err := topo.Settled(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestAPrimaryIsReplacedAndComesBack(t *testing.T) {
	needServers(t)
	t.Parallel()
	type fault struct {
		name         string
		inflict, end func(*Topology, context.Context, int) error
	}
	kill := fault{"kill", (*Topology).Kill, (*Topology).Restart}
	stop := fault{"stop", (*Topology).Stop, (*Topology).Continue}
	for _, c := range []struct {
		target string
		fault  fault
	}{
		{"valkey:8.1@cluster", kill}, {"redis:7.0@cluster+tls+acl", stop}, {"valkey:8.1@sentinel+tls+acl", stop}, {"redis:7.0@sentinel", kill},
	} {
		t.Run(c.target+" "+c.fault.name, func(t *testing.T) {
			t.Parallel()
			topo := startTopology(t, c.target)
			if got := primaryOf(t.Context(), topo, 0); got != 0 {
				t.Fatalf("server %d is the first primary", got)
			}
			if err := c.fault.inflict(topo, t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			if got := topo.Servers(t.Context())[0].Role; got != RoleDown {
				t.Errorf("the broken server is %q, want %q", got, RoleDown)
			}
			until(t, "a new primary", func(ctx context.Context) bool { return primaryOf(ctx, topo, 0) > 0 })
			if err := c.fault.end(topo, t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			settle(t, topo)
			if got := topo.Servers(t.Context())[0].Role; got != RoleReplica {
				t.Errorf("the old primary is %q, want %q", got, RoleReplica)
			}
			useTopology(t, topo)
			select {
			case <-topo.Died():
				t.Errorf("a fault that was asked for was reported as a death: %v", topo.Err())
			default:
			}
		})
	}
}

func TestFailoverByCommand(t *testing.T) {
	needServers(t)
	t.Parallel()
	for _, target := range []string{"valkey:8.1@cluster", "redis:7.0@sentinel"} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			topo := startTopology(t, target)
			servers := topo.Servers(t.Context())
			replica := slices.IndexFunc(servers, func(s Server) bool { return s.Role == RoleReplica && s.Shard == 0 })
			if err := topo.Failover(t.Context(), replica); err != nil {
				t.Fatal(err)
			}
			until(t, "another primary", func(ctx context.Context) bool { return primaryOf(ctx, topo, 0) > 0 })
			settle(t, topo)
			useTopology(t, topo)
		})
	}
	t.Run("nobody would tell clients", func(t *testing.T) {
		topo := startTopology(t, "valkey:8.1@replicated")
		if err := topo.Failover(t.Context(), 1); !errors.Is(err, ErrNotSupported) {
			t.Errorf("got %v, want %v", err, ErrNotSupported)
		}
	})
}

func TestPausedWrites(t *testing.T) {
	needServers(t)
	t.Parallel()
	topo := startTopology(t, "valkey:8.1")
	client := connect(t, topo)
	if err := topo.PauseWrites(t.Context(), 0, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := client.Get(t.Context(), "key").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("a read gave %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := client.Set(ctx, "key", "value", 0).Err(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a write gave %v, want it held back", err)
	}
}

// startLinked is startTopology with links that can be cut.
func startLinked(t *testing.T, text string) *Topology {
	t.Helper()
	return startWith(t, text, Options{Log: t.Output(), Rules: testRules, Links: true})
}

func TestLinksAreCutAndSlowed(t *testing.T) {
	needServers(t)
	t.Parallel()
	for _, target := range []string{"valkey:8.1@replicated+replicas=1+tls", "redis:7.0@cluster+primaries=2", "valkey:9.1@cluster+primaries=2+tls"} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			topo := startLinked(t, target)
			useTopology(t, topo)
			shape, err := topo.Target.Shape()
			if err != nil {
				t.Fatal(err)
			}
			primary, replica := topo.members[0], shape.Primaries
			if err := topo.SetLink(replica, 0, links.State{Cut: true}); err != nil {
				t.Fatal(err)
			}
			key := ownKey(t, topo)
			if _, err := primary.command(t.Context(), "SET", key, "value"); err != nil {
				t.Fatal(err)
			}
			if got := waitFor(t, primary, key, 300); got != 0 {
				t.Errorf("%d replicas have what was written while the link was cut", got)
			}
			if err := topo.SetLink(replica, 0, links.State{}); err != nil {
				t.Fatal(err)
			}
			settle(t, topo)
			if err := topo.SetLink(replica, 0, links.State{Delay: 150 * time.Millisecond}); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if got := waitFor(t, primary, key, 5000); got != 1 {
				t.Errorf("%d replicas have it over the slow link, want 1", got)
			}
			if took := time.Since(began); took < 150*time.Millisecond {
				t.Errorf("the replica had it after %s, in less than the link's delay", took)
			}
		})
	}
}

// ownKey is a key of the first primary.
func ownKey(t *testing.T, topo *Topology) string {
	t.Helper()
	for _, key := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		if topo.Target.Topology != Cluster {
			return key
		}
		slot, err := topo.members[0].command(t.Context(), "CLUSTER", "KEYSLOT", key)
		if err != nil {
			t.Fatal(err)
		}
		shape, _ := topo.Target.Shape()
		if shardOf(int(slot.(int64)), shape.Primaries) == 0 {
			return key
		}
	}
	t.Fatal("no key of the first shard")
	return ""
}

// waitFor writes once more and waits for replicas on the same connection.
func waitFor(t *testing.T, m *member, key string, ms int) int64 {
	t.Helper()
	opts, err := m.contact.options()
	if err != nil {
		t.Fatal(err)
	}
	opts.ReadTimeout = faultTimeout
	client := redis.NewClient(opts)
	defer client.Close()
	conn := client.Conn()
	if err := conn.Set(t.Context(), key, "more", 0).Err(); err != nil {
		t.Fatal(err)
	}
	n, err := conn.Wait(t.Context(), 1, time.Duration(ms)*time.Millisecond).Result()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAPartitionedPrimaryIsReplaced(t *testing.T) {
	needServers(t)
	t.Parallel()
	for _, target := range []string{"valkey:8.1@sentinel+tls+acl", "redis:7.0@sentinel", "redis:7.0@cluster"} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			topo := startLinked(t, target)
			if err := topo.Partition(0, true); err != nil {
				t.Fatal(err)
			}
			until(t, "a new primary", func(ctx context.Context) bool {
				return slices.ContainsFunc(topo.Servers(ctx), func(s Server) bool { return s.Number > 0 && s.Shard == 0 && s.Role == RolePrimary })
			})
			// Its clients still reach the old one, which knows of nothing.
			if _, err := topo.members[0].info(t.Context(), "server"); err != nil {
				t.Errorf("the old primary does not answer its clients: %v", err)
			}
			if err := topo.Partition(0, false); err != nil {
				t.Fatal(err)
			}
			settle(t, topo)
			useTopology(t, topo)
		})
	}
}

func TestFaultsThatCannotBe(t *testing.T) {
	needServers(t)
	t.Parallel()
	topo := startTopology(t, "valkey:8.1")
	for name, err := range map[string]error{
		"no links":               topo.SetLink(links.Clients, 0, links.State{Cut: true}),
		"no standalone failover": topo.Failover(t.Context(), 0),
	} {
		if !errors.Is(err, ErrNotSupported) {
			t.Errorf("%s: got %v, want %v", name, err, ErrNotSupported)
		}
	}
	if err := topo.Kill(t.Context(), 7); err == nil || !strings.Contains(err.Error(), "has 1 of them") {
		t.Errorf("a server that is not there: got %v", err)
	}
	if err := topo.Restart(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "it runs") {
		t.Errorf("restart of one that runs: got %v", err)
	}
	outside, err := External().Start(t.Context(), urlTarget(t, topo.URLs[0]), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close(context.WithoutCancel(t.Context()))
	for name, do := range map[string]func(context.Context, int) error{
		"kill": outside.Kill, "stop": outside.Stop, "continue": outside.Continue, "restart": outside.Restart, "fail over": outside.Failover,
	} {
		if err := do(t.Context(), 0); !errors.Is(err, ErrNotSupported) {
			t.Errorf("%s a server of somebody else: got %v, want %v", name, err, ErrNotSupported)
		}
	}
	if _, err := topo.Info(t.Context()); err != nil {
		t.Errorf("the server of somebody else was hurt: %v", err)
	}
}
