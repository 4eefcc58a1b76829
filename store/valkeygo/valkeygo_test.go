package valkeygo_test

import (
	"testing"

	"github.com/toriibench/toriibench/store/internal/drivertest"
	"github.com/toriibench/toriibench/store/internal/testservers"
	"github.com/toriibench/toriibench/store/valkeygo"
)

func TestDriver(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { drivertest.Run(t, engine, valkeygo.Dial) })
	}
}

func TestFakedServer(t *testing.T) {
	drivertest.Faked(t, valkeygo.Dial, drivertest.Traits{Multiplexed: true})
}

func TestScriptsMatchTheirTwins(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { drivertest.Twins(t, engine, valkeygo.Dial) })
	}
}

func TestCluster(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { drivertest.Cluster(t, engine, valkeygo.Dial) })
		t.Run(engine+" of one node", func(t *testing.T) { drivertest.Lonely(t, engine, valkeygo.Dial) })
	}
}

func TestReplicas(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { drivertest.Replicated(t, engine, valkeygo.Dial) })
	}
}

func TestSentinels(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { drivertest.Sentinel(t, engine, valkeygo.Dial) })
	}
}

func TestDurable(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { drivertest.Durable(t, engine, valkeygo.Dial) })
	}
}

func TestSecured(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { drivertest.Secured(t, engine, valkeygo.Dial) })
	}
}

func TestSecrets(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { drivertest.Secrets(t, engine, valkeygo.Dial) })
	}
}

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
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { drivertest.Conform(t, engine, valkeygo.Dial) })
		t.Run(engine+" cluster", func(t *testing.T) { drivertest.ConformCluster(t, engine, valkeygo.Dial) })
	}
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
