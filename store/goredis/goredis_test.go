package goredis_test

import (
	"testing"

	"github.com/toriibench/toriibench/store/goredis"
	"github.com/toriibench/toriibench/store/internal/drivertest"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

func TestDriver(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { drivertest.Run(t, engine, goredis.Dial) })
	}
}

func TestFakedServer(t *testing.T) {
	drivertest.Faked(t, goredis.Dial, drivertest.Traits{})
}

func TestScriptsMatchTheirTwins(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { drivertest.Twins(t, engine, goredis.Dial) })
	}
}

func TestCluster(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { drivertest.Cluster(t, engine, goredis.Dial) })
		t.Run(engine+" of one node", func(t *testing.T) { drivertest.Lonely(t, engine, goredis.Dial) })
	}
}

func TestReplicas(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { drivertest.Replicated(t, engine, goredis.Dial) })
	}
}

func TestSentinels(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { drivertest.Sentinel(t, engine, goredis.Dial) })
	}
}

func TestDurable(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { drivertest.Durable(t, engine, goredis.Dial) })
	}
}

func TestSecured(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { drivertest.Secured(t, engine, goredis.Dial) })
	}
}

func TestSecrets(t *testing.T) {
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { drivertest.Secrets(t, engine, goredis.Dial) })
	}
}

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
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) { drivertest.Conform(t, engine, goredis.Dial) })
		t.Run(engine+" cluster", func(t *testing.T) { drivertest.ConformCluster(t, engine, goredis.Dial) })
	}
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
