package compose

import (
	"strings"
	"testing"
)

// behindURL writes a URL that names a topology's servers, of a kind such as
// "+cluster".
func behindURL(topo *Topology, kind, tail string) string {
	var hosts []string
	for _, rawURL := range topo.URLs {
		_, host, _ := strings.Cut(rawURL, "://")
		hosts = append(hosts, host)
	}
	return "redis" + kind + "://" + strings.Join(hosts, ",") + tail
}

func TestExternalCluster(t *testing.T) {
	local := startTopology(t, "valkey@cluster")
	topo := startExternal(t, behindURL(local, "+cluster", ""), Options{NeedBytes: 1 << 40})
	if !topo.Access.Cluster || topo.Engine != Valkey || topo.Version != local.Version {
		t.Errorf("got %s %s with %+v", topo.Engine, topo.Version, topo.Access)
	}
	if got := len(topo.nodes); got != 3 {
		t.Errorf("%d servers are watched, want the 3 primaries", got)
	}
	if _, err := topo.Info(t.Context(), "memory"); err != nil {
		t.Error(err)
	}
	t.Run("of which a node is named as a single server", func(t *testing.T) {
		refused(t, local.URLs[0], "write redis+cluster://")
	})
	t.Run("that is none", func(t *testing.T) {
		single, _ := startLocal(t)
		refused(t, behindURL(single, "+cluster", ""), "cluster support disabled")
	})
	t.Run("with slots that nobody serves", func(t *testing.T) {
		if _, err := local.members[0].command(t.Context(), "CLUSTER", "DELSLOTS", "0"); err != nil {
			t.Fatal(err)
		}
		refused(t, "redis+cluster://"+hostPort(local), "serves 16383 of its 16384 slots")
	})
}

func TestExternalSentinels(t *testing.T) {
	local := startTopology(t, "redis@sentinel")
	topo := startExternal(t, behindURL(local, "+sentinel", "/"+MasterName), Options{})
	if topo.Access.MasterName != MasterName || topo.Engine != Redis || len(topo.URLs) != 3 {
		t.Errorf("got %s at %v with %+v", topo.Engine, topo.URLs, topo.Access)
	}
	info, err := topo.Info(t.Context(), "replication")
	if err != nil || info["role"] != "master" {
		t.Errorf("asked a %s: %v", info["role"], err)
	}
	refused(t, behindURL(local, "+sentinel", "/another"), `knows no primary "another"`)
	refused(t, behindURL(local, "+sentinel", ""), "lacks the name")
}
