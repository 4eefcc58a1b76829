package store

import (
	"crypto/tls"
	"errors"
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

func TestInvalidConfigs(t *testing.T) {
	one := []string{"localhost"}
	for name, cfg := range map[string]Config{
		"no URL":              {},
		"two without cluster": {URLs: []string{"a", "b"}},
		"negative database":   {URLs: one, Database: -1},
		"database in cluster": {URLs: one, Database: 1, ClusterMode: true},
		"too many retries":    {URLs: one, ReadRetries: MaxReadRetries + 1},
		"negative retries":    {URLs: one, ReadRetries: -1},
		"negative number":     {URLs: one, Connections: -1},
		"more than ports":     {URLs: one, Connections: 1<<16 + 1},
		"negative pool":       {URLs: one, PoolSize: -1},
		"negative TTL":        {URLs: one, CacheTTL: -1},
		"tiny timeout":        {URLs: one, Timeout: time.Microsecond},
		"brace":               {URLs: one, KeyPrefix: "a{b"},
		"closing brace":       {URLs: one, KeyPrefix: "a}b"},
		"space":               {URLs: one, KeyPrefix: "a b"},
		"glob":                {URLs: one, KeyPrefix: "a*"},
		"not ASCII":           {URLs: one, KeyPrefix: "ü"},
		"control character":   {URLs: one, KeyPrefix: "a\n"},
		"long":                {URLs: one, KeyPrefix: strings.Repeat("a", 65)},
	} {
		if _, err := cfg.complete(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: error is %v, want %v", name, err, ErrInvalid)
		}
	}
}
