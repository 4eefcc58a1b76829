package store

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// environment is a lookup of variables, without their prefix.
func environment(set map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := set[strings.TrimPrefix(name, EnvPrefix)]
		return value, ok && strings.HasPrefix(name, EnvPrefix)
	}
}

func TestConfigFromEnv(t *testing.T) {
	for name, c := range map[string]struct {
		set  map[string]string
		want Config
	}{
		"an address":     {map[string]string{"URLS": "h:1"}, Config{URLs: []string{"h:1"}}},
		"the short name": {map[string]string{"URL": "h:1"}, Config{URLs: []string{"h:1"}}},
		"empty counts as none": {
			map[string]string{"URL": "", "URLS": "h", "PASSWORD": "", "POOL_SIZE": "", "TLS_ENABLED": ""},
			Config{URLs: []string{"h"}},
		},
		"one URL with all": {
			map[string]string{"URL": "rediss+sentinel://u:p@h1,h2/m/3?read_from=any&timeout=1s"},
			Config{
				URLs: []string{"h1", "h2"}, MasterName: "m", Username: "u", Password: "p", Database: 3, TLSEnabled: true,
				ReadFrom: ReadFromAny, Timeout: time.Second,
			},
		},
		"variables over the URL": {
			map[string]string{"URL": "redis://u:p@h/3?timeout=1s", "PASSWORD": "q,r", "DATABASE": "0", "TIMEOUT": "2s", "TLS_ENABLED": "true"},
			Config{URLs: []string{"h"}, Username: "u", Password: "q,r", Timeout: 2 * time.Second, TLSEnabled: true},
		},
		"a variable that says no over the URL's yes": {
			map[string]string{"URL": "redis://h?lockout_disabled=true", "LOCKOUT_DISABLED": "false"},
			Config{URLs: []string{"h"}},
		},
		"seeds with blanks": {
			map[string]string{"URLS": "h1:1, h2:2", "CLUSTER_MODE": "true", "READ_FROM": "replica"},
			Config{URLs: []string{"h1:1", "h2:2"}, ClusterMode: true, ReadFrom: ReadFromReplica},
		},
		"seeds as URLs": {
			map[string]string{"URLS": "rediss://:p@h1,rediss://:p@h2", "CLUSTER_MODE": "1"},
			Config{URLs: []string{"rediss://:p@h1", "rediss://:p@h2"}, ClusterMode: true, TLSEnabled: true},
		},
		"sentinels": {
			map[string]string{"URLS": "h1,h2", "MASTER_NAME": "m", "SENTINEL_USERNAME": "s", "SENTINEL_PASSWORD": "q"},
			Config{URLs: []string{"h1", "h2"}, MasterName: "m", SentinelUsername: "s", SentinelPassword: "q"},
		},
		"all the others": {
			map[string]string{
				"URLS": "h", "USERNAME": "u", "PASSWORD": "p", "DATABASE": "2", "REPLICAS": "i, j:1", "READ_FROM": "replica",
				"KEY_PREFIX": "auth", "POOL_SIZE": "16", "CONNECTIONS": "4", "READ_RETRIES": "1", "CACHE_TTL": "1m",
				"DIAL_TIMEOUT": "2s", "TIMEOUT": "3s", "CLUSTER_MODE": "false", "TLS_ENABLED": "0",
			},
			Config{
				URLs: []string{"h"}, Username: "u", Password: "p", Database: 2, Replicas: []string{"i", "j:1"}, ReadFrom: ReadFromReplica,
				KeyPrefix: "auth", PoolSize: 16, Connections: 4, ReadRetries: 1, CacheTTL: time.Minute,
				DialTimeout: 2 * time.Second, Timeout: 3 * time.Second,
			},
		},
		"a name for TLS": {
			map[string]string{"URLS": "h", "TLS_SERVER_NAME": "cache.example"},
			Config{URLs: []string{"h"}, TLS: &tls.Config{ServerName: "cache.example", MinVersion: tls.VersionTLS12}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ConfigFromEnv(environment(c.set))
			if err != nil {
				t.Fatal(err)
			}
			if (c.want.TLS != nil) != (got.TLS != nil) || got.TLS != nil && got.TLS.ServerName != c.want.TLS.ServerName {
				t.Errorf("TLS is %v, want %v", got.TLS, c.want.TLS)
			}
			got.TLS, c.want.TLS = nil, nil
			if diff := cmp.Diff(plain(c.want), plain(got)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestConfigFromEnvNamesTheVariable(t *testing.T) {
	for _, c := range []struct {
		set  map[string]string
		want string
	}{
		{nil, "TORII_REDIS_URLS: no server address given"},
		{map[string]string{"URL": "h", "URLS": "h"}, "TORII_REDIS_URL and TORII_REDIS_URLS are both set"},
		{map[string]string{"URL": "redis://:hunter2@h:x"}, "TORII_REDIS_URL: the hosts: entry 1: not a URL and not host:port"},
		{map[string]string{"URL": "redis://h?pool_size=-1"}, "TORII_REDIS_URL: parameter pool_size: -1"},
		{map[string]string{"URLS": "h1,h2"}, "TORII_REDIS_URLS: 2 server addresses; give one, or say that they are those of a cluster (TORII_REDIS_CLUSTER_MODE)"},
		{map[string]string{"URLS": "h1,redis://:hunter2@h2"}, "TORII_REDIS_URLS: give one URL, or"},
		{map[string]string{"URLS": "redis://:hunter2@h1,redis://:other@h2", "CLUSTER_MODE": "true"}, "TORII_REDIS_URLS: entry 2 differs"},
		{map[string]string{"URLS": "h", "USERNAME": "u"}, "TORII_REDIS_USERNAME: a user needs a password; set TORII_REDIS_PASSWORD"},
		{map[string]string{"URLS": "h", "DATABASE": "-1"}, "TORII_REDIS_DATABASE: -1 is not between"},
		{map[string]string{"URLS": "h", "DATABASE": "1", "CLUSTER_MODE": "true"}, "TORII_REDIS_DATABASE: 1, but a cluster (TORII_REDIS_CLUSTER_MODE)"},
		{map[string]string{"URL": "redis://h/1", "CLUSTER_MODE": "true"}, "the end of the path in TORII_REDIS_URL: 1, but a cluster (TORII_REDIS_CLUSTER_MODE)"},
		{map[string]string{"URL": "redis+cluster://h", "CLUSTER_MODE": "false"}, "TORII_REDIS_CLUSTER_MODE: false, but"},
		{map[string]string{"URLS": "rediss://h", "TLS_ENABLED": "false"}, "TORII_REDIS_TLS_ENABLED: false, but"},
		{map[string]string{"URLS": "rediss://h,rediss://i", "CLUSTER_MODE": "1", "TLS_ENABLED": "false"}, "TORII_REDIS_TLS_ENABLED: false, but"},
		{map[string]string{"URLS": "h", "TLS_ENABLED": "false", "TLS_SERVER_NAME": "n"}, "TORII_REDIS_TLS_ENABLED: false, but files or a server's name"},
		{map[string]string{"URLS": "h", "TLS_ENABLED": "yes"}, "TORII_REDIS_TLS_ENABLED: give true or false"},
		{map[string]string{"URLS": "h", "MASTER_NAME": "a b"}, "TORII_REDIS_MASTER_NAME: has the character ' '"},
		{map[string]string{"URL": "redis+cluster://h", "MASTER_NAME": "m"}, "the scheme redis+cluster in TORII_REDIS_URL: a cluster has no sentinels; leave this or TORII_REDIS_MASTER_NAME out"},
		{map[string]string{"URLS": "h", "SENTINEL_PASSWORD": "hunter2"}, "TORII_REDIS_SENTINEL_PASSWORD: no sentinels"},
		{map[string]string{"URLS": "h", "REPLICAS": "i"}, "TORII_REDIS_REPLICAS: nothing would be read from them; set TORII_REDIS_READ_FROM"},
		{map[string]string{"URLS": "h", "READ_FROM": "replica"}, "TORII_REDIS_READ_FROM: no replicas are known; set TORII_REDIS_REPLICAS"},
		{map[string]string{"URLS": "h", "READ_FROM": "all"}, "TORII_REDIS_READ_FROM: give primary"},
		{map[string]string{"URLS": "h", "KEY_PREFIX": "a b"}, "TORII_REDIS_KEY_PREFIX: has the character"},
		{map[string]string{"URLS": "h", "POOL_SIZE": "x"}, "TORII_REDIS_POOL_SIZE: not a whole number"},
		{map[string]string{"URLS": "h", "CACHE_TTL": "300"}, "TORII_REDIS_CACHE_TTL: not a time"},
		{map[string]string{"URLS": "h", "TLS_KEY_FILE": "hunter2"}, "TORII_REDIS_TLS_KEY_FILE: a certificate needs its key"},
		{map[string]string{"URLS": "h", "TLS_CERT_FILE": "hunter2", "TLS_KEY_FILE": "x"}, "TORII_REDIS_TLS_CERT_FILE: open the file: no such file"},
		{map[string]string{"URLS": "h", "TLS_CERT_FILE": "/dev/null", "TLS_KEY_FILE": "/dev/null"}, "TORII_REDIS_TLS_CERT_FILE and TORII_REDIS_TLS_KEY_FILE: no certificate"},
	} {
		_, err := ConfigFromEnv(environment(c.set))
		if !errors.Is(err, ErrInvalid) || !strings.Contains(fmt.Sprint(err), ": invalid: "+c.want) {
			t.Errorf("%v: %v, want an ErrInvalid that says %q", c.set, err, c.want)
		}
		if strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%v: the error shows the secret: %v", c.set, err)
		}
	}
}
