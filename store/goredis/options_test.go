package goredis

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/toriibench/toriibench/store"
)

func TestOptionsSwitchHiddenWorkOff(t *testing.T) {
	cfg := store.Config{
		URLs: []string{"rediss://u:p@h:1/2"}, PoolSize: 16, DialTimeout: time.Second, Timeout: 2 * time.Second,
	}
	e, err := cfg.Endpoint()
	if err != nil {
		t.Fatal(err)
	}
	o := standalone(cfg, e)
	for name, ok := range map[string]bool{
		"commands are not repeated": o.MaxRetries == -1,
		"dials are not repeated":    o.DialerRetries == 1,
		"deadlines are kept":        o.ContextTimeoutEnabled,
		"no CLIENT SETINFO":         o.DisableIdentity,
		"no maintenance push":       o.MaintNotificationsConfig.Mode == maintnotifications.ModeDisabled,
		"no pool for pipelines":     o.PipelinePoolSize == -1,
		"RESP3":                     o.Protocol == 3,
		"address":                   o.Addr == "h:1",
		"login":                     o.Username == "u" && o.Password == "p",
		"database":                  o.DB == 2,
		"TLS":                       o.TLSConfig != nil,
		"pool":                      o.PoolSize == 16 && o.MinIdleConns == 2,
		"timeouts":                  o.DialTimeout == time.Second && o.ReadTimeout == 2*time.Second && o.PoolTimeout == 2*time.Second,
	} {
		if !ok {
			t.Errorf("%s: no", name)
		}
	}
}

func TestClusterRoutesWholeCommands(t *testing.T) {
	cfg := store.Config{URLs: []string{"redis://u:p@h:1", "redis://u:p@i:2"}, ClusterMode: true}.WithDefaults()
	e, err := cfg.Endpoint()
	if err != nil {
		t.Fatal(err)
	}
	o := cluster(cfg, e)
	if !o.DisableRoutingPolicies || o.ReadOnly || o.MaxRedirects != maxRedirects || o.MaxRetries != -1 {
		t.Errorf("commands are split, read from replicas, or repeated: %+v", o)
	}
	if len(o.Addrs) != 2 || o.Username != "u" || o.Password != "p" || o.PoolSize != store.DefaultPoolSize {
		t.Errorf("seeds, login or pool are lost: %+v", o.Addrs)
	}
}

func TestAskedConnectionsAreAllOpenAndUsed(t *testing.T) {
	for _, clustered := range []bool{false, true} {
		cfg := store.Config{URLs: []string{"redis://h:1"}, ClusterMode: clustered, Connections: 4096, PoolSize: 3}.WithDefaults()
		e, err := cfg.Endpoint()
		if err != nil {
			t.Fatal(err)
		}
		o, c := standalone(cfg, e), cluster(cfg, e)
		if o.PoolSize != 4096 || o.MinIdleConns != 4096 || !o.PoolFIFO || c.PoolSize != 4096 || c.MinIdleConns != 4096 || !c.PoolFIFO {
			t.Errorf("pools of %d and %d, %d and %d kept idle", o.PoolSize, c.PoolSize, o.MinIdleConns, c.MinIdleConns)
		}
		if told := Settings(cfg)["connections"]; !strings.Contains(told, "4096") || !strings.Contains(told, "in turn") {
			t.Errorf("told as %q", told)
		}
	}
}

func TestRetriesOfReadsAreToldAndAtOnce(t *testing.T) {
	cfg := store.Config{URLs: []string{"redis://h:1"}, ReadRetries: 2}.WithDefaults()
	e, err := cfg.Endpoint()
	if err != nil {
		t.Fatal(err)
	}
	if o := standalone(cfg, e); o.MaxRetries != 2 || o.MinRetryBackoff != -1 || o.MaxRetryBackoff != -1 {
		t.Errorf("%d retries after %s to %s", o.MaxRetries, o.MinRetryBackoff, o.MaxRetryBackoff)
	}
	if told := Settings(cfg)["retries"]; !strings.HasPrefix(told, "MGET, GET and HGET up to 2 times") {
		t.Errorf("told as %q", told)
	}
}

func TestSettings(t *testing.T) {
	cfg := store.Config{URLs: []string{"redis://u:hunter2@h:1"}, Password: "hunter2", PoolSize: 24, Timeout: 7 * time.Second}
	for _, clustered := range []bool{false, true} {
		cfg.ClusterMode = clustered
		s := Settings(cfg)
		text := fmt.Sprint(s)
		if strings.Contains(text, "hunter2") {
			t.Errorf("the settings show the password: %s", text)
		}
		if !strings.Contains(s["connections"], "24") || !strings.Contains(s["command_timeout"], "7s") {
			t.Errorf("the settings are not those of the configuration: %s", text)
		}
		if _, ok := s["topology"]; ok != clustered {
			t.Errorf("cluster %t, but topology is told: %t", clustered, ok)
		}
	}
	if s := Settings(store.Config{}); !strings.Contains(s["connections"], strconv.Itoa(store.DefaultPoolSize)) {
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
