package store

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseAddress(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       Address
	}{
		{"a host alone gets the usual port", "cache.example", Address{HostPort: "cache.example:6379"}},
		{"host and port", "127.0.0.1:7000", Address{HostPort: "127.0.0.1:7000"}},
		{"IPv6 in brackets", "[::1]:7000", Address{HostPort: "[::1]:7000"}},
		{"IPv6 without port", "redis://[fe80::1]", Address{HostPort: "[fe80::1]:6379"}},
		{"redis", "redis://h:1", Address{HostPort: "h:1"}},
		{"valkey", "valkey://h:1/", Address{HostPort: "h:1"}},
		{"rediss", "rediss://h:1", Address{HostPort: "h:1", TLS: true}},
		{"valkeys", "valkeys://h:1", Address{HostPort: "h:1", TLS: true}},
		{"capital scheme", "REDISS://h:1", Address{HostPort: "h:1", TLS: true}},
		{"database", "redis://h:1/15", Address{HostPort: "h:1", Database: 15}},
		{"password only", "redis://:secret@h:1", Address{HostPort: "h:1", Password: "secret"}},
		{"user only", "redis://app@h:1", Address{HostPort: "h:1", Username: "app"}},
		{
			"escaped password", "redis://app:a%40b%2Fc%3A@h:1/2",
			Address{HostPort: "h:1", Username: "app", Password: "a@b/c:", Database: 2},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseAddress(c.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestParseAddressRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":               "",
		"a scheme alone":        "redis://",
		"another scheme":        "http://h:1",
		"a unix socket":         "unix:///run/redis.sock",
		"port 0":                "h:0",
		"port 65536":            "h:65536",
		"a port that is a name": "h:redis",
		"IPv6 without brackets": "fe80::1",
		"a name in brackets":    "redis://[cache]:1",
		"a space":               "redis://a b:1",
		"an escaped space":      "redis://a%20b:1",
		"a comma":               "redis://a,b:1",
		"a database name":       "redis://h:1/users",
		"a negative database":   "redis://h:1/-1",
		"two databases":         "redis://h:1/1/2",
		"an option":             "redis://h:1?db=1",
		"a fragment":            "redis://h:1#1",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := ParseAddress(text); err == nil {
				t.Errorf("%q gave %+v", text, got)
			}
		})
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, text := range []string{
		"h:1", "redis://u:p%40@[::1]:1/2", "rediss://h", "valkey://:p@h/", "redis://h:1?x", "[::1]", "a://b", "redis://u:p@h:x",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAddress(text)
		if err != nil {
			if _, secret, ok := strings.Cut(text, ":zq7"); ok && strings.Contains(err.Error(), "zq7"+secret) {
				t.Errorf("the error repeats the text: %v", err)
			}
			return
		}
		again, err := ParseAddress(a.HostPort)
		if err != nil {
			t.Fatalf("%q gave %q, which is refused: %v", text, a.HostPort, err)
		}
		if again != (Address{HostPort: a.HostPort}) {
			t.Errorf("%q gave %q, which gave %+v", text, a.HostPort, again)
		}
		if a.Database < 0 {
			t.Errorf("%q gave database %d", text, a.Database)
		}
	})
}

func TestParseAddressKeepsTheTextToItself(t *testing.T) {
	for _, text := range []string{
		"http://u:hunter2@h:1", "redis://u:hunter2@h:x", "redis://u:hunter2@h:1/x", "redis://u:hunter2@h\x7f:1",
		"redis://u:hunter2@:1", "redis://u:hunter2%@h:1", "redis://h:1?password=hunter2",
	} {
		_, err := ParseAddress(text)
		if err == nil {
			t.Errorf("%q is accepted", text)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestEndpoint(t *testing.T) {
	mine := &tls.Config{ServerName: "mine", MinVersion: tls.VersionTLS13}
	for _, c := range []struct {
		name string
		cfg  Config
		want Endpoint
		tls  string
	}{
		{
			"what the URL says",
			Config{URLs: []string{"redis://u:p@h:1/3"}},
			Endpoint{Addrs: []string{"h:1"}, Username: "u", Password: "p", Database: 3},
			"",
		},
		{
			"explicit fields win one by one",
			Config{URLs: []string{"redis://u:p@h:1/3"}, Password: "other", Database: 4},
			Endpoint{Addrs: []string{"h:1"}, Username: "u", Password: "other", Database: 4},
			"",
		},
		{
			"seeds of a cluster",
			Config{URLs: []string{"redis://:p@h:1", "valkey://:p@i:2"}, ClusterMode: true},
			Endpoint{Addrs: []string{"h:1", "i:2"}, Password: "p"},
			"",
		},
		{"TLS from the scheme", Config{URLs: []string{"rediss://h:1"}}, Endpoint{Addrs: []string{"h:1"}}, "TLS"},
		{"TLS from the flag", Config{URLs: []string{"h:1"}, TLSEnabled: true}, Endpoint{Addrs: []string{"h:1"}}, "TLS"},
		{
			"sentinels",
			Config{URLs: []string{"redis://:p@h/3", "redis://:p@i:2/3"}, MasterName: "m"},
			Endpoint{Addrs: []string{"h:26379", "i:2"}, Password: "p", Database: 3},
			"",
		},
		{
			"replicas",
			Config{URLs: []string{"h"}, Replicas: []string{"i", "j:1"}, ReadFrom: ReadFromReplica},
			Endpoint{Addrs: []string{"h:6379"}, Replicas: []string{"i:6379", "j:1"}},
			"",
		},
		{"TLS of one's own", Config{URLs: []string{"h:1"}, TLS: mine}, Endpoint{Addrs: []string{"h:1"}}, "mine"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.cfg.Endpoint()
			if err != nil {
				t.Fatal(err)
			}
			if (got.TLS != nil) != (c.tls != "") {
				t.Errorf("TLS %v, want %q", got.TLS, c.tls)
			}
			if c.tls == "mine" && (got.TLS.ServerName != "mine" || got.TLS == mine) {
				t.Errorf("TLS is not a copy of what was given")
			}
			got.TLS = nil
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestEndpointRefuses(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no URL":                             {},
		"a user without a password":          {URLs: []string{"h:1"}, Username: "u"},
		"a URL's user without a password":    {URLs: []string{"redis://u@h:1"}},
		"a replica with a password":          {URLs: []string{"h:1"}, Replicas: []string{"redis://:p@i:1"}, ReadFrom: ReadFromReplica},
		"replicas of a cluster":              {URLs: []string{"h:1"}, Replicas: []string{"i:1"}, ReadFrom: ReadFromReplica, ClusterMode: true},
		"two URLs without a cluster":         {URLs: []string{"h:1", "h:2"}},
		"a bad URL":                          {URLs: []string{"h:x"}},
		"seeds with different passwords":     {URLs: []string{"redis://:p@h:1", "redis://:q@h:2"}, ClusterMode: true},
		"seeds with and without TLS":         {URLs: []string{"redis://h:1", "rediss://h:2"}, ClusterMode: true},
		"a cluster's database in the URL":    {URLs: []string{"redis://h:1/1"}, ClusterMode: true},
		"a cluster's database in its field":  {URLs: []string{"redis://h:1"}, Database: 1, ClusterMode: true},
		"a cluster's seeds in two databases": {URLs: []string{"redis://h:1", "redis://h:2/1"}, ClusterMode: true},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := cfg.Endpoint(); !errors.Is(err, ErrInvalid) {
				t.Errorf("got %+v and %v, want an ErrInvalid", got, err)
			}
		})
	}
}
