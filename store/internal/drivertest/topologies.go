package drivertest

import (
	"context"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
	"github.com/toriibench/toriibench/store/storetest"
)

// envTargets names a variable that holds other targets for Topologies, with commas
// between them.
const envTargets = "TORIIBENCH_TEST_TARGETS"

// topologyTargets are those of Topologies.
func topologyTargets() []string {
	if words := os.Getenv(envTargets); words != "" {
		return strings.Split(words, ",")
	}
	return []string{"valkey:8.1@sentinel+mtls+acl+aof", "redis:7.0@cluster+tls+acl"}
}

// Topologies runs the suite on servers as people start them, by the words that
// they write, in a few rounds: Conform and ConformCluster take many.
func Topologies(t *testing.T, dial store.Dial) {
	t.Helper()
	for _, target := range topologyTargets() {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			cfg := reach(t, target)
			storetest.Run(t, opener(dial, cfg), storetest.Options{Rounds: 3})
		})
	}
}

// Published runs the suite on a target in containers behind published ports, whose
// servers tell clients of addresses that only Config.DialContext leads from.
func Published(t *testing.T, target string, dial store.Dial) {
	t.Helper()
	cfg := reachBy(t, testservers.Published, target)
	cfg.PoolSize = 16 // Each connection costs the engine's proxy two of its own.
	seen := watchDials(&cfg)
	storetest.Run(t, opener(dial, cfg), storetest.Options{Rounds: 3})
	const shards = 3
	for _, url := range cfg.URLs {
		_, seed, _ := strings.Cut(url, "://")
		seen.Delete(seed)
	}
	told := 0
	seen.Range(func(any, any) bool { told++; return true })
	if told < shards {
		t.Errorf("the driver has dialled %d addresses that it was told of, want those of %d shards at least", told, shards)
	}
}

// watchDials notes the addresses that a driver wants to reach.
func watchDials(cfg *store.Config) *sync.Map {
	var seen sync.Map
	dial := cfg.DialContext
	cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		seen.Store(addr, true)
		return dial(ctx, network, addr)
	}
	return &seen
}

// reach starts a target's servers and says how to reach them.
func reach(t *testing.T, target string) store.Config {
	t.Helper()
	return reachBy(t, testservers.Topology, target)
}

// reachBy is reach with another way to start.
func reachBy(t *testing.T, start testservers.Starter, target string) store.Config {
	t.Helper()
	topology := start(t, target, func(clustered bool, masterName string) string {
		rules := store.Config{KeyPrefix: "t", ClusterMode: clustered, MasterName: masterName}.ACLRules()
		// The suite has a prefix for each case, all of which begin so.
		return strings.Replace(rules, "~t:{*", "~t*", 1)
	})
	access := topology.Access
	return store.Config{
		URLs: topology.URLs, ClusterMode: access.Cluster, TLS: access.TLS,
		Username: access.Username, Password: access.Password,
		MasterName: access.MasterName, SentinelUsername: access.SentinelUsername, SentinelPassword: access.SentinelPassword,
		DialContext: access.DialContext,
	}
}
