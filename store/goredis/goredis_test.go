package goredis_test

import (
	"testing"

	"github.com/toriibench/toriibench/store/goredis"
	"github.com/toriibench/toriibench/store/internal/drivertest"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

func TestDriver(t *testing.T) { drivertest.OnEach(t, goredis.Dial, drivertest.Run) }

func TestFakedServer(t *testing.T) {
	drivertest.Faked(t, goredis.Dial, drivertest.Traits{})
}

func TestScriptsMatchTheirTwins(t *testing.T) { drivertest.OnEach(t, goredis.Dial, drivertest.Twins) }

func TestCluster(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { drivertest.Cluster(t, engine, goredis.Dial) })
		t.Run(engine+" of one node", func(t *testing.T) { drivertest.Lonely(t, engine, goredis.Dial) })
	}
}

func TestReplicas(t *testing.T) { drivertest.OnEach(t, goredis.Dial, drivertest.Replicated) }

func TestSentinels(t *testing.T) { drivertest.OnEach(t, goredis.Dial, drivertest.Sentinel) }

func TestDurable(t *testing.T) { drivertest.OnEach(t, goredis.Dial, drivertest.Durable) }

func TestSecured(t *testing.T) { drivertest.OnEach(t, goredis.Dial, drivertest.Secured) }

func TestSecrets(t *testing.T) { drivertest.OnEach(t, goredis.Dial, drivertest.Secrets) }

func TestCutConnections(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			drivertest.Cut(t, engine, goredis.Dial)
		})
	}
}

func TestConformanceInJSON(t *testing.T) {
	drivertest.ConformJSON(t, "valkey:8.1", goredis.Dial)
}

func TestConformance(t *testing.T) {
	// Beside each other: much of the time each waits for its servers.
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			drivertest.Conform(t, engine, goredis.Dial)
		})
		t.Run(engine+" cluster", func(t *testing.T) {
			t.Parallel()
			drivertest.ConformCluster(t, engine, goredis.Dial)
		})
	}
}

func TestTopologies(t *testing.T) { drivertest.Topologies(t, goredis.Dial) }

func TestPublishedPorts(t *testing.T) {
	drivertest.Published(t, "redis:7.0@cluster", goredis.Dial)
}

func BenchmarkDriver(b *testing.B) {
	for _, engine := range testservers.Engines() {
		b.Run(engine, func(b *testing.B) { drivertest.Benchmark(b, engine, goredis.Dial) })
	}
}

func BenchmarkPrices(b *testing.B) {
	for _, engine := range testservers.Engines() {
		b.Run(engine, func(b *testing.B) { drivertest.Prices(b, engine, goredis.Dial) })
	}
}
