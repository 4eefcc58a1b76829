package compose

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// testRules let the clients of these tests do what they do.
const testRules = "~* &* +@all"

// startTopology starts a target natively, and the test's end closes it.
func startTopology(t *testing.T, text string) *Topology {
	t.Helper()
	return startWith(t, text, Options{Log: t.Output(), Rules: testRules})
}

// startWith is startTopology with options.
func startWith(t *testing.T, text string, opts Options) *Topology {
	t.Helper()
	target, err := ParseTarget(text)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	topo, err := Native().Start(t.Context(), target, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("started in %s", time.Since(began).Round(time.Millisecond))
	t.Cleanup(func() {
		if err := topo.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return topo
}

// connect is a client of the topology that uses what it tells of itself.
func connect(t *testing.T, topo *Topology) redis.UniversalClient {
	t.Helper()
	opts := &redis.UniversalOptions{
		Username: topo.Access.Username, Password: topo.Access.Password, MasterName: topo.Access.MasterName,
		SentinelUsername: topo.Access.SentinelUsername, SentinelPassword: topo.Access.SentinelPassword,
		IsClusterMode: topo.Access.Cluster, TLSConfig: topo.Access.TLS,
	}
	for _, url := range topo.URLs {
		_, address, _ := strings.Cut(url, "://")
		opts.Addrs = append(opts.Addrs, address)
	}
	opts.Dialer = onLoopback(t, topo.Access)
	client := redis.NewUniversalClient(opts)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// onLoopback dials as a topology wants it, and expects that all of it is found on
// this machine's loopback.
func onLoopback(t *testing.T, access Access) func(ctx context.Context, network, addr string) (net.Conn, error) {
	t.Helper()
	dial := access.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if to := conn.RemoteAddr().(*net.TCPAddr); !to.IP.IsLoopback() {
			t.Errorf("%s is reached at %s, which is not on the loopback", addr, to)
		}
		if access.TLS != nil {
			conn = tls.Client(conn, access.TLS)
		}
		return conn, nil
	}
}

func TestNativeTopologies(t *testing.T) {
	needServers(t)
	for _, engine := range []string{"redis:7.0", "valkey:8.1"} {
		for shape, servers := range map[string]int{
			"standalone+mtls+acl": 1, "replicated": 3, "replicated+replicas=1+tls+acl": 2,
			"sentinel": 6, "sentinel+mtls+acl+aof": 6, "cluster": 6, "cluster+mtls+acl": 6, "cluster+primaries=2+replicas=0": 2,
		} {
			t.Run(engine+"@"+shape, func(t *testing.T) {
				ownTemp(t)
				topo := startTopology(t, engine+"@"+shape)
				if got := len(runDirs(t)); got != servers {
					t.Errorf("%d servers run, want %d", got, servers)
				}
				useTopology(t, topo)
				if err := topo.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				if left := runDirs(t); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
			})
		}
	}
}

// useTopology writes keys over all slots, counts what the primaries say of it,
// and finds them on the replicas.
func useTopology(t *testing.T, topo *Topology) {
	t.Helper()
	client := connect(t, topo)
	const keys = 50
	for i := range keys {
		if err := client.Set(t.Context(), fmt.Sprintf("key-%d", i), i, time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
	}
	info, err := topo.Info(t.Context(), "commandstats", "server")
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for part := range strings.SplitSeq(info["cmdstat_set"], ",") {
		if n, ok := strings.CutPrefix(part, "calls="); ok {
			calls, _ = strconv.Atoi(n)
		}
	}
	touches := 0 // Of each shard with replicas, so that clients are told of them.
	if shape, _ := topo.Target.Shape(); topo.Access.Cluster && shape.Replicas > 0 {
		touches = shape.Primaries
	}
	if calls != keys+touches || info["server_time_usec"] == "" {
		t.Errorf("the primaries say cmdstat_set %q, want %d calls", info["cmdstat_set"], keys+touches)
	}
	if err := topo.ResetStats(t.Context()); err != nil {
		t.Error(err)
	}
	for _, n := range topo.data() {
		about, err := n.info(t.Context(), "replication", "keyspace", "persistence", "server")
		if err != nil {
			t.Fatal(err)
		}
		if about["role"] == "slave" && about["master_link_status"] != "up" {
			t.Errorf("a replica's link is %s", about["master_link_status"])
		}
		if aof := strings.Contains(topo.Target.String(), "+aof"); aof != (about["aof_enabled"] == "1") {
			t.Errorf("aof_enabled is %s", about["aof_enabled"])
		}
	}
}

func TestMutualTLSWantsACertificate(t *testing.T) {
	needServers(t)
	topo := startTopology(t, "redis:7.0@standalone+mtls")
	bare := topo.Access.TLS.Clone()
	bare.Certificates = nil
	for name, c := range map[string]contact{
		"no certificate": {url: topo.URLs[0], tls: bare},
		"no TLS":         at(strings.Replace(topo.URLs[0], "rediss", "redis", 1)),
		"no authority":   at(topo.URLs[0]),
	} {
		if err := ping(t.Context(), c); err == nil {
			t.Errorf("with %s the server answers", name)
		}
	}
}

func TestUsersHaveOnlyTheirRights(t *testing.T) {
	needServers(t)
	target, err := ParseTarget("valkey:8.1@sentinel+acl")
	if err != nil {
		t.Fatal(err)
	}
	topo, err := Native().Start(t.Context(), target, Options{Log: t.Output(), Rules: "~mine:* -@all +get +ping +role"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := topo.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	client := connect(t, topo)
	if err := client.Get(t.Context(), "mine:1").Err(); err != redis.Nil { //nolint:errorlint // The library promises this very value.
		t.Errorf("GET of its own key: %v", err)
	}
	for name, err := range map[string]error{
		"GET of another's key": client.Get(t.Context(), "other").Err(),
		"SET":                  client.Set(t.Context(), "mine:1", 1, 0).Err(),
	} {
		if !redis.HasErrorPrefix(err, "NOPERM") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, secret := range []string{topo.Access.Password} {
		if text := fmt.Sprintf("%v %+v %#v", topo.Access, topo.Access, topo.Access); strings.Contains(text, secret) {
			t.Errorf("the password is printed: %s", text)
		}
	}
	for _, pid := range processes(t) {
		line, err := os.ReadFile("/proc/" + pid + "/cmdline")
		if err == nil && strings.Contains(string(line), topo.Access.Password) {
			t.Errorf("the password is on a command line: %q", line)
		}
	}
}

// processes are the ids of all that run.
func processes(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err == nil {
			ids = append(ids, e.Name())
		}
	}
	return ids
}

func TestATopologyThatNeverGetsReadyShowsWhy(t *testing.T) {
	needServers(t)
	ownTemp(t)
	target, err := ParseTarget("redis:7.0@replicated+replicas=1")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	// No replica may follow: the primary is told not to take them.
	_, err = Native().Start(ctx, target, Options{Log: t.Output(), Args: []string{"--rename-command", "PSYNC", "", "--rename-command", "SYNC", ""}})
	if err == nil || !strings.Contains(err.Error(), "link to the primary") || !strings.Contains(err.Error(), "its log ends with") {
		t.Errorf("got %v, want the replica's state and its log", err)
	}
	if left := runDirs(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
