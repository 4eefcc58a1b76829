package compose

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTarget(t *testing.T) {
	tests := []struct {
		in   string
		want Target
		text string // what String gives back; "" for the input itself
	}{
		{"redis", Target{Engine: Redis, Topology: Standalone}, "redis@standalone"},
		{"valkey:8.1", Target{Engine: Valkey, Version: "8.1", Topology: Standalone}, "valkey:8.1@standalone"},
		{"valkey:8.1.4@standalone", Target{Engine: Valkey, Version: "8.1.4", Topology: Standalone}, ""},
		{"valkey:9.1.0-rc1@standalone", Target{Engine: Valkey, Version: "9.1.0-rc1", Topology: Standalone}, ""},
		{"redis@cluster", Target{Engine: Redis, Topology: "cluster"}, ""},
		{"valkey:9.1@sentinel+tls", Target{Engine: Valkey, Version: "9.1", Topology: "sentinel", Options: []string{"tls"}}, ""},
		{
			"redis:7.0@replicated+acl+tls",
			Target{Engine: Redis, Version: "7.0", Topology: "replicated", Options: []string{"acl", "tls"}},
			"",
		},
		{"redis://127.0.0.1:6379/0", Target{Topology: Standalone, URL: "redis://127.0.0.1:6379/0"}, ""},
		{"valkey://[::1]:6379", Target{Topology: Standalone, URL: "valkey://[::1]:6379"}, ""},
		{
			"redis://user:s%40cret@host:6379/0",
			Target{Topology: Standalone, URL: "redis://user:s%40cret@host:6379/0"},
			"redis://user:xxxxx@host:6379/0",
		},
		{
			"rediss://:secret@host",
			Target{Topology: Standalone, Options: []string{"tls"}, URL: "rediss://:secret@host"},
			"rediss://:xxxxx@host",
		},
		{
			"redis+cluster://u:secret@h1:6379,h2:6379",
			Target{Topology: "cluster", URL: "redis+cluster://u:secret@h1:6379,h2:6379"},
			"redis+cluster://u:xxxxx@h1:6379,h2:6379",
		},
		{"redis+sentinel://h1:26379,h2:26379/mymaster", Target{Topology: "sentinel", URL: "redis+sentinel://h1:26379,h2:26379/mymaster"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := ParseTarget(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			want := tt.text
			if want == "" {
				want = tt.in
			}
			if got.String() != want {
				t.Errorf("String() = %q, want %q", got.String(), want)
			}
		})
	}
}

func TestParseTargetFaults(t *testing.T) {
	tests := []struct{ name, in, says string }{
		{"nothing", "", "known are redis and valkey"},
		{"an unknown engine", "keydb:6.3", "known are redis and valkey"},
		{"a word for a version", "redis:latest", "7.0, 8.0"},
		{"an empty version", "valkey:", "8.0, 8.1"},
		{"an unknown topology", "redis:8.0@ring", "standalone, replicated, sentinel, cluster"},
		{"an unknown option", "redis:8.0@cluster+fast", "tls, mtls, acl, aof, primaries=N"},
		{"an option given twice", "redis@cluster+tls+tls", "twice"},
		{"a number given twice", "redis@cluster+replicas=1+replicas=2", "twice"},
		{"a number of another topology", "redis@replicated+primaries=2", "replicas=N"},
		{"a number for one server", "redis@standalone+replicas=1", "known are tls"},
		{"too many", "redis@cluster+primaries=17", "from 1 to 16"},
		{"none", "redis@sentinel+sentinels=0", "from 1 to 9"},
		{"half of one", "redis@replicated+replicas=1.5", "from 1 to 5"},
		{"a number that is none", "redis@replicated+replicas=", "whole number"},
		{"a number without its number", "redis@replicated+replicas", "replicas=N"},
		{"a word with a number", "redis@cluster+tls=1", "no option"},
		{"an unknown scheme", "http://host", "known are redis"},
		{"a URL without a host", "redis:///0", "not a URL"},
		{"one of several hosts missing", "redis+cluster://h1,,h2", "not a URL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := ParseTarget(tt.in); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("ParseTarget(%q): %v, want it to say %q", tt.in, err, tt.says)
			}
		})
	}
}

func TestTargetNeverShowsAPassword(t *testing.T) {
	target, err := ParseTarget("redis://user:hunter2@host:6379/0")
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(target)
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{
		target.String(), fmt.Sprint(target), fmt.Sprintf("%+v", target), fmt.Sprintf("%#v", target),
		fmt.Sprintf("%q", target), string(asJSON), target.Startable().Error(),
	}
	for _, text := range texts {
		if strings.Contains(text, "hunter2") {
			t.Errorf("the password shows in %s", text)
		}
	}
	for _, broken := range []string{
		"redis://user:hunter2@host:port", "redis://u:hunter2/@host", "redis://u:12/hunter2@host", "redis://host?password=hunter2",
	} {
		_, err := ParseTarget(broken)
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(redact(broken), "hunter2") {
			t.Errorf("ParseTarget(%q): %v, redacted %q", broken, err, redact(broken))
		}
	}
}

func TestStartable(t *testing.T) {
	tests := []struct {
		in string
		ok bool
	}{
		{"redis", true},
		{"valkey:9.1@standalone", true},
		{"valkey:9.1@cluster+mtls+primaries=5", true},
		{"redis://host", false},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			target, err := ParseTarget(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			err = target.Startable()
			if (err == nil) != tt.ok {
				t.Errorf("Startable() = %v", err)
			}
		})
	}
}

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		version, want string
		ok            bool
	}{
		{"8.1.4", "", true},
		{"8.1.4", "8", true},
		{"8.1.4", "8.1", true},
		{"8.1.4", "8.1.4", true},
		{"8.10.1", "8.1", false},
		{"9.0.0-rc2", "9.0.0", true},
		{"8.1", "8.1.4", false},
	} {
		if matches(tt.version, tt.want) != tt.ok {
			t.Errorf("matches(%q, %q) = %v", tt.version, tt.want, !tt.ok)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{
		"redis", "valkey:8.1", "redis:7.0@cluster", "valkey:9.1.0-rc1@sentinel+tls+acl", "redis://u:p@h:6379/0?db=1",
		"rediss://:p%2F@h", "redis+cluster://u:p@h1:1,h2:2", "valkeys+sentinel://h1,h2/mymaster", "redis:@", "://", "redis://u:@[::1]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		target, err := ParseTarget(s)
		if err != nil {
			return
		}
		text := target.String()
		again, err := ParseTarget(text)
		if err != nil {
			t.Fatalf("ParseTarget(%q) is %q, which does not parse: %v", s, text, err)
		}
		if again.String() != text {
			t.Errorf("%q becomes %q", text, again.String())
		}
		if target.URL == "" {
			if diff := cmp.Diff(target, again); diff != "" {
				t.Error(diff)
			}
			return
		}
		u, err := splitURL(target.URL)
		if err != nil {
			t.Fatalf("the URL of a target does not split: %v", err)
		}
		if u.user == nil {
			return
		}
		// A password that occurs elsewhere in the URL proves nothing.
		password, _ := u.user.Password()
		if len(password) > 5 && !strings.Contains(u.scheme+u.user.Username()+u.hosts+u.tail, password) && strings.Contains(text, password) {
			t.Errorf("the password %q shows in %q", password, text)
		}
	})
}

func TestTargetNameIsOneWord(t *testing.T) {
	for text, want := range map[string]string{
		"valkey:8.1":                            "valkey:8.1@standalone",
		"redis://u:secret@a:1/2":                "redis://u:xxxxx@a:1/2",
		"redis+cluster://u:secret@a:1,b:2":      "redis+cluster://u:xxxxx@a:1",
		"redis+sentinel://a:1,b:2,c:3/mymaster": "redis+sentinel://a:1/mymaster",
	} {
		target, err := ParseTarget(text)
		if err != nil || target.Name() != want {
			t.Errorf("%s: got %s and %v, want %s", text, target.Name(), err, want)
		}
	}
}

func TestParseTargetsKeepsTheHostsOfAURLTogether(t *testing.T) {
	for words, want := range map[string][]string{
		"redis,valkey:8.1@cluster":                                    {"redis@standalone", "valkey:8.1@cluster"},
		"redis+cluster://a:1,b:2,[::1]:3":                             {"redis+cluster://a:1,b:2,[::1]:3"},
		"redis+cluster://a:1,b:2,valkey:8.1":                          {"redis+cluster://a:1,b:2", "valkey:8.1@standalone"},
		"valkeys+sentinel://a,b/mymaster,redis://c,redis+cluster://d": {"valkeys+sentinel://a,b/mymaster", "redis://c", "redis+cluster://d"},
	} {
		targets, err := ParseTargets(strings.Split(words, ","))
		var got []string
		for _, target := range targets {
			got = append(got, target.String())
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q and %v, want %q", words, got, err, want)
		}
	}
	for _, words := range []string{"", "redis://a,b", "redis,nonsense", "redis+cluster://a,,valkey"} {
		if got, err := ParseTargets([]string{words}); err == nil {
			t.Errorf("%q: got %v, want an error", words, got)
		}
	}
}
