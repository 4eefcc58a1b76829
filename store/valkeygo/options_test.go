package valkeygo

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
)

func TestConnectionsFollowThePool(t *testing.T) {
	for pool, want := range map[int]int{-1: 1, 0: 1, 1: 1, 2: 2, 3: 2, 4: 2, 64: 2, 10_000: 2} {
		if got := connections(store.Config{PoolSize: pool}); got != want {
			t.Errorf("a pool of %d makes %d connections, want %d", pool, got, want)
		}
	}
	if n := multiplex(store.Config{PoolSize: 1}); n != -1 {
		t.Errorf("a pool of 1 is %d, which the library takes for its default", n)
	}
}

func TestConnectionsAreTheNearestThatTheLibraryHas(t *testing.T) {
	for wanted, want := range map[int]int{1: 1, 16: 16, 24: 16, 256: 256, 4096: 256} {
		cfg := store.Config{Connections: wanted}
		if got := connections(cfg); got != want {
			t.Errorf("%d connections become %d, want %d", wanted, got, want)
		}
		told := Settings(cfg)["connections"]
		if !strings.HasPrefix(told, fmt.Sprint(want, " ")) || strings.Contains(told, "asked for") != (wanted != want) {
			t.Errorf("%d connections are told as %q", wanted, told)
		}
	}
}

func TestOptionsSwitchHiddenWorkOff(t *testing.T) {
	cfg := store.Config{
		URLs: []string{"rediss://u:p@h:1/2"}, PoolSize: 16, DialTimeout: time.Second, Timeout: 2 * time.Second,
	}.WithDefaults()
	e, err := cfg.Endpoint()
	if err != nil {
		t.Fatal(err)
	}
	o := options(cfg, e)
	for name, ok := range map[string]bool{
		"commands are not repeated": o.DisableRetry,
		"nothing is cached":         o.DisableCache,
		"always pipelined":          o.AlwaysPipelining && !o.DisableAutoPipelining,
		"no search for a cluster":   o.ForceSingleClient,
		"no CLIENT SETINFO":         o.ClientSetInfo != nil && len(o.ClientSetInfo) == 0,
		"RESP3":                     !o.AlwaysRESP2,
		"address":                   len(o.InitAddress) == 1 && o.InitAddress[0] == "h:1",
		"login":                     o.Username == "u" && o.Password == "p",
		"database":                  o.SelectDB == 2,
		"TLS":                       o.TLSConfig != nil,
		"connections":               o.PipelineMultiplex == 1,
		"timeouts":                  o.Dialer.Timeout == time.Second && o.ConnWriteTimeout == 2*time.Second,
	} {
		if !ok {
			t.Errorf("%s: no", name)
		}
	}
	cfg.ClusterMode = true
	if o := options(cfg, e); o.ForceSingleClient || o.ClusterOption.MaxMovedRedirections != maxRedirects || o.SendToReplicas != nil {
		t.Error("a cluster is not followed, followed without end, or read from replicas")
	}
}

// The library takes 0 for 128 MiB.
func TestLocalCopiesShareTheirSizeAmongConnections(t *testing.T) {
	for size, want := range map[int]int{1: 1, 1000: 500, 1 << 30: 1 << 29} {
		cfg := store.Config{URLs: []string{"h:1"}, ClientCacheSize: size}.WithDefaults()
		e, err := cfg.Endpoint()
		if err != nil {
			t.Fatal(err)
		}
		if o := options(cfg, e); o.DisableCache || o.CacheSizeEachConn != want || o.ClientTrackingOptions != nil {
			t.Errorf("%d bytes: off %t, %d for each connection, tracking %v, want %d", size, o.DisableCache, o.CacheSizeEachConn, o.ClientTrackingOptions, want)
		}
		s := Settings(cfg)
		for name, words := range map[string][]string{
			"client_side_caching": {strconv.Itoa(size), store.DefaultClientCacheTTL.String()},
			"handshake":           {"CLIENT TRACKING ON OPTIN"},
		} {
			for _, word := range words {
				if !strings.Contains(s[name], word) || strings.Contains(s[name], "no CLIENT TRACKING") {
					t.Errorf("%d bytes: %s is told as %q, want %q in it", size, name, s[name], word)
				}
			}
		}
	}
	off := Settings(store.Config{})
	if off["client_side_caching"] != "off" || !strings.Contains(off["handshake"], "no CLIENT TRACKING") {
		t.Errorf("without copies: %v", off)
	}
}

func TestSettings(t *testing.T) {
	cfg := store.Config{URLs: []string{"redis://u:hunter2@h:1"}, Password: "hunter2", PoolSize: 3, Timeout: 7 * time.Second}
	for _, clustered := range []bool{false, true} {
		cfg.ClusterMode = clustered
		s := Settings(cfg)
		text := fmt.Sprint(s)
		if strings.Contains(text, "hunter2") {
			t.Errorf("the settings show the password: %s", text)
		}
		if !strings.HasPrefix(s["connections"], "2 ") || !strings.Contains(s["command_timeout"], "8s") {
			t.Errorf("the settings are not those of the configuration: %s", text)
		}
		if _, ok := s["topology"]; ok != clustered {
			t.Errorf("cluster %t, but topology is told: %t", clustered, ok)
		}
	}
	if s := Settings(store.Config{}); !strings.HasPrefix(s["connections"], "2 ") {
		t.Errorf("defaults are not filled in: %v", s)
	}
}

func TestSettingsTellWhereReadsGo(t *testing.T) {
	for name, c := range map[string]struct {
		cfg             store.Config
		reads, topology string
	}{
		"standalone": {store.Config{}, "from the primary", ""},
		"replicas":   {store.Config{Replicas: []string{"a", "b"}, ReadFrom: store.ReadFromReplica}, "MGET, GET and HGET: from 2 replicas", ""},
		"any":        {store.Config{ClusterMode: true, ReadFrom: store.ReadFromAny}, "MGET, GET and HGET: every other one, at random, from the primary; the others from replicas", "CLUSTER"},
		"sentinels":  {store.Config{MasterName: "m", ReadFrom: store.ReadFromReplica}, "that the sentinels name", "+switch-master"},
		"a primary":  {store.Config{MasterName: "m"}, "from the primary", "+switch-master"},
	} {
		if s := Settings(c.cfg); !strings.Contains(s["reads"], c.reads) || !strings.Contains(s["topology"], c.topology) {
			t.Errorf("%s: reads are told as %q, the topology as %q", name, s["reads"], s["topology"])
		}
	}
}

func TestSeedsAreDialledAsGiven(t *testing.T) {
	seeds := []string{"h:1", "[::1]:6379", "10.0.0.1:7000"}
	for i, alias := range aliases(seeds) {
		if alias == seeds[i] || unalias(alias) != seeds[i] || unalias(seeds[i]) != seeds[i] {
			t.Errorf("%s becomes %s and then %s", seeds[i], alias, unalias(alias))
		}
	}
}
