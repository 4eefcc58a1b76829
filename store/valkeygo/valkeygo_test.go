package valkeygo_test

import (
	"testing"

	"github.com/toriibench/toriibench/store/internal/drivertest"
	"github.com/toriibench/toriibench/store/internal/testservers"
	"github.com/toriibench/toriibench/store/valkeygo"
)

func TestDriver(t *testing.T) { drivertest.OnEach(t, valkeygo.Dial, drivertest.Run) }

func TestFakedServer(t *testing.T) {
	drivertest.Faked(t, valkeygo.Dial, drivertest.Traits{Multiplexed: true})
}

func TestScriptsMatchTheirTwins(t *testing.T) { drivertest.OnEach(t, valkeygo.Dial, drivertest.Twins) }

func TestCluster(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { drivertest.Cluster(t, engine, valkeygo.Dial) })
		t.Run(engine+" of one node", func(t *testing.T) { drivertest.Lonely(t, engine, valkeygo.Dial) })
	}
}

func TestReplicas(t *testing.T) { drivertest.OnEach(t, valkeygo.Dial, drivertest.Replicated) }

func TestSentinels(t *testing.T) { drivertest.OnEach(t, valkeygo.Dial, drivertest.Sentinel) }

func TestDurable(t *testing.T) { drivertest.OnEach(t, valkeygo.Dial, drivertest.Durable) }

func TestSecured(t *testing.T) { drivertest.OnEach(t, valkeygo.Dial, drivertest.Secured) }

func TestSecrets(t *testing.T) { drivertest.OnEach(t, valkeygo.Dial, drivertest.Secrets) }

func TestCutConnections(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			drivertest.Cut(t, engine, valkeygo.Dial)
		})
	}
}

func TestConformanceInJSON(t *testing.T) {
	drivertest.ConformJSON(t, "redis:7.0", valkeygo.Dial)
}

func TestConformance(t *testing.T) {
	// Beside each other: much of the time each waits for its servers.
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			drivertest.Conform(t, engine, valkeygo.Dial)
		})
		t.Run(engine+" cluster", func(t *testing.T) {
			t.Parallel()
			drivertest.ConformCluster(t, engine, valkeygo.Dial)
		})
	}
}

func TestTopologies(t *testing.T) { drivertest.Topologies(t, valkeygo.Dial) }

func TestPublishedPorts(t *testing.T) {
	drivertest.Published(t, "valkey:8.1@cluster", valkeygo.Dial)
}

func BenchmarkDriver(b *testing.B) {
	for _, engine := range testservers.Engines() {
		b.Run(engine, func(b *testing.B) { drivertest.Benchmark(b, engine, valkeygo.Dial) })
	}
}

func BenchmarkPrices(b *testing.B) {
	for _, engine := range testservers.Engines() {
		b.Run(engine, func(b *testing.B) { drivertest.Prices(b, engine, valkeygo.Dial) })
	}
}
