package store

import (
	"crypto/tls"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestConfigDefaults(t *testing.T) {
	cfg, err := Config{URLs: []string{"localhost"}, TLS: &tls.Config{MinVersion: tls.VersionTLS13}}.complete()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.KeyPrefix != "torii" || cfg.PoolSize != 64 || cfg.CacheTTL != 5*time.Minute || !cfg.TLSEnabled || cfg.Timeout == 0 {
		t.Errorf("completed to %s", cfg)
	}
}

func TestInvalidConfigsNameTheField(t *testing.T) {
	one, two := []string{"localhost"}, []string{"a", "b"}
	for _, c := range []struct {
		field string
		cfg   Config
	}{
		{"URLs", Config{}},
		{"URLs", Config{URLs: two}},
		{"URLs", Config{URLs: two, Replicas: one, ReadFrom: ReadFromAny}},
		{"Database", Config{URLs: one, Database: -1}},
		{"Database", Config{URLs: one, Database: 1, ClusterMode: true}},
		{"ClusterMode", Config{URLs: one, ClusterMode: true, MasterName: "m"}},
		{"MasterName", Config{URLs: one, MasterName: "my master"}},
		{"MasterName", Config{URLs: one, MasterName: "m/0"}},
		{"SentinelUsername", Config{URLs: one, SentinelUsername: "u", SentinelPassword: "p"}},
		{"SentinelUsername", Config{URLs: one, SentinelUsername: "u", MasterName: "m"}},
		{"SentinelPassword", Config{URLs: one, SentinelPassword: "p"}},
		{"Replicas", Config{URLs: one, Replicas: two}},
		{"Replicas", Config{URLs: one, Replicas: two, ReadFrom: ReadFromPrimary}},
		{"Replicas", Config{URLs: one, Replicas: two, ReadFrom: ReadFromReplica, ClusterMode: true}},
		{"Replicas", Config{URLs: one, Replicas: two, ReadFrom: ReadFromReplica, MasterName: "m"}},
		{"Replicas", Config{URLs: one, Replicas: []string{"a", "b:x"}, ReadFrom: ReadFromReplica}},
		{"Replicas", Config{URLs: one, Replicas: []string{"redis://:p@a"}, ReadFrom: ReadFromReplica}},
		{"ReadFrom", Config{URLs: one, ReadFrom: "secondary"}},
		{"ReadFrom", Config{URLs: one, ReadFrom: ReadFromReplica}},
		{"ReadFrom", Config{URLs: one, ReadFrom: ReadFromAny}},
		{"ReadRetries", Config{URLs: one, ReadRetries: MaxReadRetries + 1}},
		{"ReadRetries", Config{URLs: one, ReadRetries: -1}},
		{"Connections", Config{URLs: one, Connections: -1}},
		{"Connections", Config{URLs: one, Connections: 1<<16 + 1}},
		{"PoolSize", Config{URLs: one, PoolSize: -1}},
		{"PoolSize", Config{URLs: one, PoolSize: 1<<16 + 1}},
		{"CacheTTL", Config{URLs: one, CacheTTL: -1}},
		{"ClientCacheSize", Config{URLs: one, ClientCacheSize: -1}},
		{"ClientCacheSize", Config{URLs: two, ClusterMode: true, ReadFrom: ReadFromAny, ClientCacheSize: 1}},
		{"ClientCacheTTL", Config{URLs: one, ClientCacheTTL: time.Microsecond}},
		{"DialTimeout", Config{URLs: one, DialTimeout: -time.Second}},
		{"Timeout", Config{URLs: one, Timeout: time.Microsecond}},
		{"KeyPrefix", Config{URLs: one, KeyPrefix: "a{b"}},
		{"KeyPrefix", Config{URLs: one, KeyPrefix: "a}b"}},
		{"KeyPrefix", Config{URLs: one, KeyPrefix: "a b"}},
		{"KeyPrefix", Config{URLs: one, KeyPrefix: "a*"}},
		{"KeyPrefix", Config{URLs: one, KeyPrefix: "ü"}},
		{"KeyPrefix", Config{URLs: one, KeyPrefix: "a\n"}},
		{"KeyPrefix", Config{URLs: one, KeyPrefix: strings.Repeat("a", 65)}},
	} {
		_, err := c.cfg.complete()
		if !errors.Is(err, ErrInvalid) || !strings.HasPrefix(fmt.Sprint(err), "invalid: "+c.field+": ") {
			t.Errorf("%s: error is %v, want an ErrInvalid that begins with %s", c.cfg, err, c.field)
		}
	}
}

func TestDeploymentsAreComplete(t *testing.T) {
	for name, cfg := range map[string]Config{
		"standalone": {URLs: []string{"a"}},
		"cluster":    {URLs: []string{"a", "b"}, ClusterMode: true, ReadFrom: ReadFromReplica},
		"sentinel":   {URLs: []string{"a", "b"}, MasterName: "my-master.1", SentinelPassword: "p", Database: 3, ReadFrom: ReadFromAny},
		"replicated": {URLs: []string{"a"}, Replicas: []string{"b", "c:1"}, ReadFrom: ReadFromAny},
	} {
		if cfg, err := cfg.complete(); err != nil || cfg.ReadFrom == "" {
			t.Errorf("%s: reads from %q, error %v", name, cfg.ReadFrom, err)
		}
	}
}

// A field that no setting is about could be set by nobody who does not write Go,
// as only functions have to be.
func TestEveryFieldHasASetting(t *testing.T) {
	about := make(map[string]bool)
	for _, s := range settings() {
		about[s.field] = true
	}
	names := fieldNames(reflect.TypeFor[Config](), "")
	for _, name := range names {
		if !about[name] {
			t.Errorf("no setting is about %s", name)
		}
		delete(about, name)
	}
	if len(about) > 0 {
		t.Errorf("no such fields: %v", about)
	}
}

// fieldNames are those of a struct and of the structs of this package in it.
func fieldNames(of reflect.Type, within string) []string {
	var names []string
	for field := range of.Fields() {
		if field.Type.Kind() == reflect.Struct && field.Type.PkgPath() == of.PkgPath() {
			names = append(names, fieldNames(field.Type, within+field.Name+".")...)
			continue
		}
		if field.Type.Kind() != reflect.Func {
			names = append(names, within+field.Name)
		}
	}
	return names
}
