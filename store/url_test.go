package store

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseURL(t *testing.T) {
	for _, c := range []struct {
		text string
		want Config
	}{
		{"redis://h", Config{URLs: []string{"h"}}},
		{"valkey://h:1/", Config{URLs: []string{"h:1"}}},
		{"rediss://u:p@[::1]:1/2", Config{URLs: []string{"[::1]:1"}, Username: "u", Password: "p", Database: 2, TLSEnabled: true}},
		{"VALKEYS://:p%40%2F%3A%23@h", Config{URLs: []string{"h"}, Password: "p@/:#", TLSEnabled: true}},
		{"redis://:a@b,c@h", Config{URLs: []string{"h"}, Password: "a@b,c"}},
		{"redis+cluster://h1:1,h2:2", Config{URLs: []string{"h1:1", "h2:2"}, ClusterMode: true}},
		{"valkeys+cluster://u:p@h1,[::1]:2/0", Config{URLs: []string{"h1", "[::1]:2"}, ClusterMode: true, Username: "u", Password: "p", TLSEnabled: true}},
		{"redis+sentinel://h1:26379,h2:26379/mymaster", Config{URLs: []string{"h1:26379", "h2:26379"}, MasterName: "mymaster"}},
		{
			"rediss+sentinel://u:p@h/m.1/3?sentinel_username=s&sentinel_password=q%26+%2B&read_from=replica",
			Config{
				URLs: []string{"h"}, MasterName: "m.1", Username: "u", Password: "p", Database: 3, TLSEnabled: true,
				SentinelUsername: "s", SentinelPassword: "q&++", ReadFrom: ReadFromReplica,
			},
		},
		{
			"redis://h?replicas=i:1,j&read_from=any",
			Config{URLs: []string{"h"}, Replicas: []string{"i:1", "j"}, ReadFrom: ReadFromAny},
		},
		{
			"redis://h/1?key_prefix=auth:a&pool_size=16&connections=4&read_retries=2&cache_ttl=90s&client_cache_size=1000&client_cache_ttl=2s&dial_timeout=250ms&timeout=1s",
			Config{
				URLs: []string{"h"}, Database: 1, KeyPrefix: "auth:a", PoolSize: 16, Connections: 4, ReadRetries: 2,
				CacheTTL: 90 * time.Second, ClientCacheSize: 1000, ClientCacheTTL: 2 * time.Second, DialTimeout: 250 * time.Millisecond, Timeout: time.Second,
			},
		},
		{"redis://h?pool_size=0", Config{URLs: []string{"h"}}},
	} {
		got, err := ParseURL(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if diff := cmp.Diff(plain(c.want), plain(got)); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.text, diff)
		}
	}
}

// plain is a Config that hides nothing, so that it can be compared.
func plain(cfg Config) any {
	type shown Config
	return shown(cfg)
}

func TestParseURLNamesWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "no scheme",
		"h:1":                                   "no scheme",
		"http://h":                              "the scheme is none",
		"redis+://h":                            "the scheme is none",
		"redis+replicated://h":                  "the scheme is none",
		"redis://":                              "the hosts: entry 1: the host is neither",
		"redis://h,":                            "the hosts: entry 2: the host is neither",
		"redis://h:0":                           "the hosts: entry 1: the port is not",
		"redis://h,i":                           "the hosts: 2 server addresses",
		"redis://h#1":                           "takes no #fragment",
		"redis://u:p#w@h":                       "a # in a password is written as %23",
		"redis://u:p/w@h":                       "an @ behind the hosts",
		"redis://u:p?w@h":                       "an @ behind the hosts",
		"redis://u:p%@h":                        "the password before @ cannot be read",
		"redis://u@h":                           "the user before @: a user needs a password",
		"redis://h/users":                       "the path is not a database number",
		"redis+cluster://h/1":                   "the end of the path: 1, but a cluster (the scheme redis+cluster) has only database 0",
		"redis+sentinel://h":                    "no name of a master",
		"redis+sentinel://h/":                   "no name of a master",
		"redis+sentinel://h/my%20master":        "the name of the master has the character ' '",
		"redis+sentinel://h/m/x":                "the path is not a database number",
		"redis://h?%zz":                         "the ?parameters cannot be read",
		"redis://h?poolsize=1":                  "unknown parameter poolsize; known are cache_ttl, client_cache_size, client_cache_ttl, connections, ",
		"redis://h?password=x":                  "unknown parameter password; known are",
		"redis://h?x%0ay=1":                     "an unknown parameter; known are",
		"redis://h?timeout=1s&timeout=2s":       "parameter timeout is given 2 times",
		"redis://h?timeout=":                    "parameter timeout is empty",
		"redis://h?timeout=5":                   "parameter timeout: not a time; give a number and its unit",
		"redis://h?timeout=0s":                  "parameter timeout: 0s is too short",
		"redis://h?cache_ttl=1us":               "parameter cache_ttl: 1µs is too short",
		"redis://h?dial_timeout=-1s":            "parameter dial_timeout: -1s is too short",
		"redis://h?pool_size=many":              "parameter pool_size: not a whole number",
		"redis://h?pool_size=-1":                "parameter pool_size: -1 is not between 1 and 65536",
		"redis://h?pool_size=4294967297":        "parameter pool_size: not a whole number",
		"redis://h?connections=70000":           "parameter connections: 70000 is not between 0 and 65536",
		"redis://h?read_retries=4":              "parameter read_retries: 4 is not between 0 and 3",
		"redis://h?key_prefix=a*":               "parameter key_prefix: has the character '*'",
		"redis://h?read_from=both":              "parameter read_from: give primary, replica or any",
		"redis://h?read_from=any":               "parameter read_from: no replicas are known; set parameter replicas, the scheme redis+cluster or ",
		"redis://h?replicas=i":                  "parameter replicas: nothing would be read from them; set parameter read_from",
		"redis://h?replicas=i:x&read_from=any":  "parameter replicas: entry 1: not a URL",
		"redis+cluster://h?replicas=i":          "parameter replicas: clusters and sentinels tell",
		"redis://h?sentinel_password=x":         "parameter sentinel_password: no sentinels to log in to; set the path behind redis+sentinel",
		"redis+sentinel://h/m?tls_cert_file=x":  "parameter tls_cert_file: a certificate needs its key",
		"redis://h?tls_ca_file=/no/such/file":   "parameter tls_ca_file: open the file: no such file or directory",
		"redis://h?tls_ca_file=/":               "parameter tls_ca_file: read the file: is a directory",
		"redis://h?tls_ca_file=/dev/null":       "parameter tls_ca_file: the file has no certificate",
		"redis://h?tls_ca_file=/dev/zero":       "parameter tls_ca_file: the file has more than",
		"redis://h?tls_server_name=x&timeout=x": "parameter timeout: not a time",
	} {
		_, err := ParseURL(text)
		if !errors.Is(err, ErrInvalid) || !strings.HasPrefix(fmt.Sprint(err), "parse URL: invalid: ") || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%q: %v, want an ErrInvalid that says %q", text, err, want)
		}
	}
}

func TestParseURLKeepsSecretsToItself(t *testing.T) {
	for _, text := range []string{
		"http://u:hunter2@h", "redis://u:hunter2@h:x", "redis://u:hunter2@h/x", "redis://u:hunter2@h\x7f", "redis://u:hunter2@",
		"redis://u:hunter2%@h", "redis://u:hun/hunter2@h", "redis://u:hun?hunter2=1@h", "redis://u:hun#hunter2@h",
		"redis://h?password=hunter2", "redis://h?sentinel_password=hunter2", "redis://u:hunter2@h?pool_size=hunter2",
		"redis+sentinel://h/m?sentinel_password=hunter2&timeout=x", "redis://h?hunter2=1", "redis://h?tls_ca_file=hunter2",
		"redis://h,hunter2", "redis+sentinel://h/hunter2:x", "hunter2", "hunter2://h", "redis+hunter2://h", "redis://h/hunter2",
		"redis://h?read_from=hunter2", "redis://h?replicas=hunter2:x&read_from=any", "redis://h?timeout=hunter2",
	} {
		if _, err := ParseURL(text); err == nil {
			t.Errorf("%q is accepted", text)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error shows the secret: %v", text, err)
		}
	}
}

// write is a URL that means cfg.
func write(cfg Config) string {
	scheme := "redis"
	if cfg.TLSEnabled {
		scheme = "rediss"
	}
	path := ""
	switch {
	case cfg.ClusterMode:
		scheme += "+cluster"
	case cfg.MasterName != "":
		scheme += "+sentinel"
		path = "/" + cfg.MasterName
	}
	user := ""
	if cfg.Username+cfg.Password != "" {
		user = url.UserPassword(cfg.Username, cfg.Password).String() + "@"
	}
	given := url.Values{}
	for name, value := range map[string]string{
		"sentinel_username": cfg.SentinelUsername, "sentinel_password": cfg.SentinelPassword,
		"replicas": strings.Join(cfg.Replicas, ","), "read_from": string(cfg.ReadFrom), "key_prefix": cfg.KeyPrefix,
		"pool_size": strconv.Itoa(cfg.PoolSize), "connections": strconv.Itoa(cfg.Connections),
		"read_retries": strconv.Itoa(cfg.ReadRetries), "cache_ttl": cfg.CacheTTL.String(),
		"client_cache_size": strconv.Itoa(cfg.ClientCacheSize), "client_cache_ttl": cfg.ClientCacheTTL.String(),
		"dial_timeout": cfg.DialTimeout.String(), "timeout": cfg.Timeout.String(),
	} {
		if value != "" && value != "0s" {
			given.Set(name, value)
		}
	}
	return scheme + "://" + user + strings.Join(cfg.URLs, ",") + path + "/" + strconv.Itoa(cfg.Database) +
		"?" + given.Encode()
}

func FuzzParseURL(f *testing.F) {
	for _, text := range []string{
		"redis://h", "valkeys://u:pass@[::1]:1/2", "redis+cluster://u:p%40@h1:1,h2:2?read_from=any",
		"rediss+sentinel://h1,h2:1/mymaster/3?sentinel_username=u&sentinel_password=p", "redis://h?replicas=i:1,j&read_from=replica",
		"redis://h?key_prefix=a&pool_size=1&connections=2&read_retries=3&cache_ttl=5m&dial_timeout=1s&timeout=1ms",
		"redis://:zq7secret@h:x", "redis+sentinel://h/m?sentinel_password=zq7secret&x=y", "redis://h?zq7secret", "redis://a:zq7b@c@h",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "file") {
			t.Skip("reads files")
		}
		cfg, err := ParseURL(text)
		if err != nil {
			// Whatever begins with zq7 stands for a secret.
			if !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), "zq7") {
				t.Errorf("%q: error is %v", text, err)
			}
			return
		}
		if _, err := cfg.complete(); err != nil {
			t.Errorf("%q is accepted and cannot be opened: %v", text, err)
		}
		e, err := cfg.Endpoint()
		if err != nil || len(e.Addrs) != len(cfg.URLs) {
			t.Fatalf("%q is accepted and cannot be dialed: %s, %v", text, e, err)
		}
		if cfg.TLS != nil {
			return // A URL names files, which were read.
		}
		again, err := ParseURL(write(cfg))
		if err != nil {
			t.Fatalf("%q is written as %q, which is refused: %v", text, write(cfg), err)
		}
		if diff := cmp.Diff(plain(cfg), plain(again)); diff != "" {
			t.Errorf("%q is written as %q, which means another: -first +second\n%s", text, write(cfg), diff)
		}
	})
}
