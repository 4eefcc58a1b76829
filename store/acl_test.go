package store

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The rules allow what the scripts call, and what the drivers send beside it.
func TestACLRulesAreThoseOfTheScripts(t *testing.T) {
	for _, cfg := range []Config{{}, {WaitReplicas: 1}} {
		want := map[string]bool{"eval": true, "evalsha": true, "mget": true, "ping": true, "scan": true, "unlink": true}
		if cfg.WaitReplicas > 0 {
			want["wait"] = true
		}
		for _, script := range Scripts(cfg) {
			for _, call := range regexp.MustCompile(`redis\.p?call\(\s*['"](\w+)`).FindAllStringSubmatch(script.Lua, -1) {
				want[strings.ToLower(call[1])] = true
			}
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(slices.Values(cfg.commands()))); diff != "" {
			t.Errorf("%d replicas: -scripts and drivers +rules\n%s", cfg.WaitReplicas, diff)
		}
	}
}

func TestACLRules(t *testing.T) {
	plain := Config{}.ACLRules()
	if want := "resetkeys ~torii:{* resetchannels -@all +eval "; !strings.HasPrefix(plain, want) {
		t.Errorf("%q, want it to begin with %q", plain, want)
	}
	for name, c := range map[string]struct {
		cfg  Config
		more string
	}{
		"database":        {Config{Database: 1}, " +select"},
		"database in URL": {Config{URLs: []string{"redis://h/1"}}, " +select"},
		"waiting":         {Config{WaitReplicas: 1}, " +pexpiretime +wait"},
		"waiting in a cluster": {
			Config{WaitReplicas: 1, ClusterMode: true},
			" +pexpiretime +wait +discard +punsubscribe +sunsubscribe +unsubscribe +asking +cluster|shards +cluster|slots",
		},
		"sentinels":       {Config{MasterName: "m", ReadFrom: ReadFromAny}, " +role"},
		"cluster":         {Config{ClusterMode: true}, " +asking +cluster|shards +cluster|slots"},
		"cluster's reads": {Config{ClusterMode: true, ReadFrom: ReadFromAny}, " +asking +cluster|shards +cluster|slots +command +readonly"},
		"copies":          {Config{ClientCacheSize: 1}, " +client|caching +client|tracking +exec +multi +strlen"},
	} {
		if got := c.cfg.ACLRules(); got != plain+c.more {
			t.Errorf("%s: %q, want %q more than %q", name, got, c.more, plain)
		}
	}
	if got := (Config{KeyPrefix: "auth:a"}).ACLRules(); got != strings.Replace(plain, "torii", "auth:a", 1) {
		t.Errorf("a prefix gives %q", got)
	}
}

// What README shows is what the code says.
func TestREADME(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(text)
	rules := "ACL SETUSER torii on '>PASSWORD' " + strings.Replace(Config{}.ACLRules(), "~torii:{*", "'~torii:{*'", 1)
	if got := strings.Join(strings.Fields(strings.ReplaceAll(readme, "\\\n", " ")), " "); !strings.Contains(got, rules) {
		t.Errorf("README has not the rules of the user:\n%s", rules)
	}
	var table strings.Builder
	for _, s := range settings() {
		url := s.part
		if url == "" {
			url = "`?" + s.name + "=`"
		}
		table.WriteString("| `" + s.field + "` | `" + s.variable() + "` | " + url + " | " + s.otherwise + " |\n")
	}
	if !strings.Contains(readme, table.String()) {
		t.Errorf("README has not the table of the configuration:\n%s", table.String())
	}
}
