package compose

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/client"
)

// ownNetworks lists the networks that this process made, by name.
func ownNetworks(t *testing.T, eng *engine) []string {
	t.Helper()
	list, err := eng.networks(context.WithoutCancel(t.Context()), labelOwner+"="+ownerID())
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, len(list))
	for _, item := range list {
		names = append(names, item.Name)
	}
	return names
}

// createNetwork makes a network as of owner.
func createNetwork(t *testing.T, eng *engine, owner string) (name string) {
	t.Helper()
	name = "toriibench-test-" + newMarker()
	_, err := eng.api.NetworkCreate(t.Context(), name, client.NetworkCreateOptions{
		Driver: "bridge", Labels: map[string]string{labelProgram: programName, labelOwner: owner},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { eng.removeNetwork(context.WithoutCancel(t.Context()), name) })
	return name
}

func (s dockerSuite) publishedTopologies(t *testing.T) {
	for shape, servers := range map[string]int{
		"replicated+acl": 3, "sentinel+tls": 6, "cluster": 6, "cluster+primaries=1+replicas=0+mtls+acl+aof": 1,
	} {
		t.Run(shape, func(t *testing.T) {
			s.watchLeftovers(t)
			target, err := ParseTarget(Redis + ":" + s.target.Version + "@" + shape)
			if err != nil {
				t.Fatal(err)
			}
			topo := startDocker(t, target, Options{Rules: testRules, PublishedPorts: true})
			if got := len(ownContainers(t, s.eng)); got != servers {
				t.Errorf("%d servers run, want %d", got, servers)
			}
			if got := ownNetworks(t, s.eng); len(got) != 1 {
				t.Errorf("the servers have the networks %v, want one", got)
			}
			if !strings.HasSuffix(topo.Origin, ", behind published ports") {
				t.Errorf("the origin is %q, and does not tell of published ports", topo.Origin)
			}
			useTopology(t, topo)
			if err := topo.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func (s dockerSuite) publishedFailure(t *testing.T) {
	s.watchLeftovers(t)
	target, err := ParseTarget(Redis + ":" + s.target.Version + "@replicated+replicas=1")
	if err != nil {
		t.Fatal(err)
	}
	got := failStart(t, target, Options{PublishedPorts: true, Args: []string{"--no-such-option", "1"}})
	for _, want := range []string{"exit code 1", "no-such-option"} {
		if !strings.Contains(got, want) {
			t.Errorf("error %q lacks %q", got, want)
		}
	}
	target.Version = "1.2"
	if got := failStart(t, target, Options{PublishedPorts: true, Image: "toriibench-test/redis:" + s.target.Version}); !strings.Contains(got, "not redis:1.2") {
		t.Errorf("got %s, want another version refused", got)
	}
}

// TestDockerAnnouncesPublishedPorts needs an engine that can announce another
// address to clients than to nodes: any client then works without a mapping.
func TestDockerAnnouncesPublishedPorts(t *testing.T) {
	eng := needEngine(t)
	name, _ := importServer(t, eng, Target{Engine: Valkey, Version: "9.1", Topology: Standalone})
	s := dockerSuite{eng: eng}
	for _, shape := range []string{"cluster", "cluster+tls"} {
		t.Run(shape, func(t *testing.T) {
			s.watchLeftovers(t)
			target, err := ParseTarget("valkey:9.1@" + shape)
			if err != nil {
				t.Fatal(err)
			}
			topo := startDocker(t, target, Options{Image: name, PublishedPorts: true})
			if topo.Access.DialContext != nil {
				t.Error("clients are to map addresses that they could reach")
			}
			useTopology(t, topo)
			var reached, told []string
			for _, url := range topo.URLs {
				_, address, _ := strings.Cut(url, "://")
				reached = append(reached, address)
			}
			reply, err := ask(t.Context(), contact{url: topo.URLs[0], tls: topo.Access.TLS}, "CLUSTER", "SLOTS")
			if err != nil {
				t.Fatal(err)
			}
			for _, shard := range reply.([]any) {
				for _, node := range shard.([]any)[2:] {
					told = append(told, shownAddress(node))
				}
			}
			slices.Sort(reached)
			slices.Sort(told)
			if !slices.Equal(told, reached) {
				t.Errorf("clients are told of %v and reach %v", told, reached)
			}
			if err := topo.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
