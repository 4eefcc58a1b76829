package testservers

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"github.com/toriibench/toriibench/compose"
	"github.com/toriibench/toriibench/compose/composetest"
)

// EnvProvider names a variable that says where the servers of Topology come from:
// native, docker, or published for containers behind published ports.
const EnvProvider = "TORIIBENCH_TEST_PROVIDER"

// published is the word for Published.
const published = "published"

// envRequireDocker names a variable that makes a test fail, where it says 1, that
// would be skipped for want of a container engine.
const envRequireDocker = "TORIIBENCH_REQUIRE_DOCKER"

// Rules say what the client's user may do, given whether the servers are a cluster
// and what sentinels call the primary.
type Rules = func(clustered bool, masterName string) string

// Starter starts the servers of a target such as "valkey:8.1@cluster+tls+acl", for
// as long as the test.
type Starter = func(tb testing.TB, target string, rules Rules) *compose.Topology

// Topology is a Starter of what EnvProvider says.
func Topology(tb testing.TB, target string, rules Rules) *compose.Topology {
	tb.Helper()
	name := os.Getenv(EnvProvider)
	if name == published {
		return Published(tb, target, rules)
	}
	wanted := parse(tb, target)
	provider, _, err := compose.Choose(tb.Context(), name, []compose.Target{wanted}, compose.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return composetest.StartOn(tb, provider, target, compose.Options{Rules: rulesFor(wanted, rules)})
}

// Published is a Starter of containers behind published ports. Their image is made
// for the test and goes with it: one by a usual name would have whoever looks for
// servers take containers from then on.
func Published(tb testing.TB, target string, rules Rules) *compose.Topology {
	tb.Helper()
	if testing.Short() {
		tb.Skip("starts containers")
	}
	wanted := parse(tb, target)
	opts := compose.Options{Rules: rulesFor(wanted, rules), PublishedPorts: true, Log: tb.Output()}
	opts.Image = "toriibench-test/" + wanted.Engine + ":" + strings.ToLower(rand.Text())
	if _, err := compose.ImportImage(tb.Context(), wanted, opts); err != nil {
		needless(tb, err)
	}
	tb.Cleanup(func() {
		if err := compose.RemoveImage(context.WithoutCancel(tb.Context()), opts.Image); err != nil {
			tb.Error(err)
		}
	})
	return composetest.StartOn(tb, compose.Docker(), target, opts)
}

// needless ends a test for want of containers: as skipped, or as failed where they
// are required.
func needless(tb testing.TB, err error) {
	tb.Helper()
	if os.Getenv(envRequireDocker) == "1" {
		tb.Fatal(err)
	}
	tb.Skip(err)
}

func parse(tb testing.TB, target string) compose.Target {
	tb.Helper()
	wanted, err := compose.ParseTarget(target)
	if err != nil {
		tb.Fatal(err)
	}
	return wanted
}

func rulesFor(wanted compose.Target, rules Rules) string {
	masterName := ""
	if wanted.Topology == compose.Sentinel {
		masterName = compose.MasterName
	}
	return rules(wanted.Topology == compose.Cluster, masterName)
}
