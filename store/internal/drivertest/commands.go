package drivertest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

// echo replies with all that it was given.
func echo() *store.Script {
	return &store.Script{Name: "echo", Lua: `
local out = {}
for _, k in ipairs(KEYS) do out[#out + 1] = k end
for _, a in ipairs(ARGV) do out[#out + 1] = a end
return out`}
}

func readsValues(t *testing.T, s setup) {
	server, d := s.start(t)
	server.Do(t, "MSET", "a", "1", "c", "3\r\n\x00")
	for _, c := range []struct{ keys, want []string }{
		{nil, nil},
		{[]string{"a"}, []string{"1"}},
		{[]string{"b"}, []string{""}},
		{[]string{"c", "b", "a", "a"}, []string{"3\r\n\x00", "", "1", "1"}},
	} {
		got, err := d.Get(t.Context(), c.keys...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("get %q: -want +got\n%s", c.keys, diff)
		}
	}
	server.Do(t, "LPUSH", "list", "x")
	got, err := d.Get(t.Context(), "list")
	if err != nil || got[0] != "" {
		t.Errorf("MGET of a list gave %q and %v, want a missing value", got, err)
	}
}

func looksUp(t *testing.T, s setup) {
	server, d := s.start(t)
	server.Do(t, "SET", "text", "1\r\n\x00")
	server.Do(t, "HSET", "hash", "f\x00", "2\r\n\x00")
	for _, c := range []struct{ key, hash, field, text, value string }{
		{"text", "hash", "f\x00", "1\r\n\x00", "2\r\n\x00"},
		{"none", "hash", "f\x00", "", "2\r\n\x00"},
		{"text", "hash", "g", "1\r\n\x00", ""},
		{"text", "none", "f", "1\r\n\x00", ""},
		{"none", "none", "f", "", ""},
	} {
		text, value, err := d.Lookup(t.Context(), c.key, c.hash, c.field)
		if err != nil || text != c.text || value != c.value {
			t.Errorf("look up %+v: got %q, %q and %v", c, text, value, err)
		}
	}
	for _, keys := range [][2]string{{"hash", "hash"}, {"text", "text"}} {
		text, value, err := d.Lookup(t.Context(), keys[0], keys[1], "f")
		mustReply(t, err, "WRONGTYPE")
		mustBe(t, err, store.ErrCorrupt)
		if text+value != "" && err == nil {
			t.Errorf("look up %v: got %q and %q", keys, text, value)
		}
	}
}

func runsScripts(t *testing.T, s setup) {
	_, d := s.start(t)
	for _, c := range []struct {
		name       string
		script     *store.Script
		keys, args []string
		want       []string
	}{
		{"keys and arguments", echo(), []string{"k{1}", "l{1}"}, []string{"a", "", "\x00\r\n"}, []string{"k{1}", "l{1}", "a", "", "\x00\r\n"}},
		{"only keys", echo(), []string{"k"}, nil, []string{"k"}},
		{"only arguments", echo(), nil, []string{"a"}, []string{"a"}},
		{"nothing", echo(), nil, nil, []string{}},
		{"integers and nulls", &store.Script{Name: "mixed", Lua: "return {'a', false, 12, -3}"}, nil, nil, []string{"a", "", "12", "-3"}},
	} {
		got, err := d.Eval(t.Context(), c.script, c.keys, c.args...)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.name, diff)
		}
	}
}

func survivesScriptFlush(t *testing.T, s setup) {
	server, d := s.start(t)
	script := echo()
	run := func() map[string]int {
		server.Do(t, "CONFIG", "RESETSTAT")
		if got, err := d.Eval(t.Context(), script, []string{"k"}); err != nil || len(got) != 1 || got[0] != "k" {
			t.Errorf("got %q and %v", got, err)
		}
		calls := server.Calls(t)
		return map[string]int{"eval": calls["eval"], "evalsha": calls["evalsha"]}
	}
	unknown, known := map[string]int{"eval": 1, "evalsha": 1}, map[string]int{"eval": 0, "evalsha": 1}
	if diff := cmp.Diff(unknown, run()); diff != "" {
		t.Errorf("first run: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(known, run()); diff != "" {
		t.Errorf("second run: -want +got\n%s", diff)
	}
	server.Do(t, "SCRIPT", "FLUSH")
	if diff := cmp.Diff(unknown, run()); diff != "" {
		t.Errorf("after SCRIPT FLUSH: -want +got\n%s", diff)
	}
}

func reportsScriptErrors(t *testing.T, s setup) {
	server, d := s.start(t)
	server.Do(t, "SET", "text", "hunter2")
	for name, lua := range map[string]string{
		"a wrong command":     "return redis.call('HGET', KEYS[1], 'f')",
		"an error of its own": "return redis.error_reply('ERR ' .. ARGV[1])",
		"a fault":             "return #nil .. ARGV[1]",
		"bad Lua":             "return ]",
	} {
		_, err := d.Eval(t.Context(), &store.Script{Name: "failing", Lua: lua}, []string{"text"}, "hunter2")
		mustReply(t, err, "WRONGTYPE", "ERR")
		if errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v looks like an outage", name, err)
		}
		if strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%s: %v repeats an argument", name, err)
		}
	}
	if err := d.Ping(t.Context()); err != nil {
		t.Errorf("after script errors: %v", err)
	}
}

func refusesOtherReplies(t *testing.T, s setup) {
	_, d := s.start(t)
	for name, lua := range map[string]string{
		"a text":    "return 'hunter2'",
		"a status":  "return redis.status_reply('hunter2')",
		"a number":  "return 4711",
		"null":      "return false",
		"an answer": "return {{'hunter2'}, 'b'}",
	} {
		got, err := d.Eval(t.Context(), &store.Script{Name: "odd", Lua: lua}, nil)
		if err == nil {
			t.Errorf("%s gave %q", name, got)
			continue
		}
		if text := err.Error(); strings.Contains(text, "hunter2") || strings.Contains(text, "4711") {
			t.Errorf("%s: %v repeats the reply", name, err)
		}
	}
	if got, err := d.Eval(t.Context(), echo(), nil, "a"); err != nil || got[0] != "a" {
		t.Errorf("after odd replies: %q and %v", got, err)
	}
}

// fill writes keys and returns them.
func fill(t *testing.T, d store.Driver, prefix string, n int) map[string]bool {
	t.Helper()
	set := &store.Script{Name: "set", Lua: "redis.call('SET', KEYS[1], 'v') return {}"}
	keys := make(map[string]bool, n)
	for i := range n {
		key := prefix + strconv.Itoa(i)
		if _, err := d.Eval(t.Context(), set, []string{key}); err != nil {
			t.Fatal(err)
		}
		keys[key] = true
	}
	return keys
}

// collect scans for a prefix.
func collect(t *testing.T, d store.Driver, prefix string) map[string]bool {
	t.Helper()
	got := make(map[string]bool)
	err := d.Scan(t.Context(), prefix, func(keys []string) error {
		if len(keys) == 0 {
			t.Error("an empty page")
		}
		for _, key := range keys {
			got[key] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func scansPrefix(t *testing.T, s setup) {
	_, d := s.start(t)
	want := map[string]map[string]bool{}
	for prefix, n := range map[string]int{"p:": 1500, "q*:": 3, `[r]\?:`: 3, "qq:": 1, "r?:": 1} {
		want[prefix] = fill(t, d, prefix, n)
	}
	want["none:"] = map[string]bool{}
	for prefix, keys := range want {
		if diff := cmp.Diff(keys, collect(t, d, prefix)); diff != "" {
			t.Errorf("scan %q: -want +got\n%s", prefix, diff)
		}
	}
}

func endsScan(t *testing.T, s setup) {
	_, d := s.start(t)
	fill(t, d, "p:", 1500)
	enough, pages := errors.New("enough"), 0
	err := d.Scan(t.Context(), "p:", func([]string) error {
		pages++
		return enough
	})
	if !errors.Is(err, enough) || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want the page's own error", err)
	}
	if pages != 1 {
		t.Errorf("%d pages after an error", pages)
	}
}

func usesOneRoundTrip(t *testing.T, s setup) {
	server, d := s.start(t)
	script := echo()
	if _, err := d.Eval(t.Context(), script, []string{"k"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, command string
		run           func() error
	}{
		{"get", "mget", func() error { _, err := d.Get(t.Context(), "k", "l"); return err }},
		{"eval", "evalsha", func() error { _, err := d.Eval(t.Context(), script, []string{"k"}); return err }},
		{"lookup", "get hget", lookup(t.Context(), d)},
		{"ping", "ping", func() error { return d.Ping(t.Context()) }},
		{"scan", "scan", func() error { return d.Scan(t.Context(), "k", func([]string) error { return nil }) }},
	} {
		server.Do(t, "CONFIG", "RESETSTAT")
		if err := c.run(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		calls := server.Calls(t)
		delete(calls, "hello") // A connection may still be added to the pool.
		t.Logf("%s: the server saw %v", c.name, calls)
		want := map[string]int{}
		for _, command := range strings.Fields(c.command) {
			want[command] = 1
		}
		if diff := cmp.Diff(want, calls); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.name, diff)
		}
	}
}

// lookup is a Lookup of keys in one slot.
func lookup(ctx context.Context, d store.Driver) func() error {
	return func() error { _, _, err := d.Lookup(ctx, "{k}1", "{k}2", "f"); return err }
}

func connectsWithoutErrors(t *testing.T, s setup) {
	server := testservers.Start(t, s.engine)
	server.Protect(t, "hunter2")
	server.Do(t, "CONFIG", "RESETSTAT")
	d := s.open(t, store.Config{URLs: []string{server.URL()}, Password: server.Password})
	if err := d.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	failed, calls := server.Errors(t), server.Calls(t)
	t.Logf("connecting cost %v, errors %v", calls, failed)
	if len(failed) != 0 {
		t.Errorf("the server counted the errors %v", failed)
	}
	for command := range calls {
		if command != "hello" && command != "ping" {
			t.Errorf("connecting sent %s", command)
		}
	}
}

func usesDatabase(t *testing.T, s setup) {
	server, _ := s.start(t)
	fill(t, s.open(t, store.Config{URLs: []string{server.URL() + "/3"}}), "url:", 1)
	fill(t, s.open(t, store.Config{URLs: []string{server.URL() + "/3"}, Database: 5}), "field:", 1)
	space := server.Info(t, "keyspace")
	if len(space) != 2 || !strings.HasPrefix(space["db3"], "keys=1,") || !strings.HasPrefix(space["db5"], "keys=1,") {
		t.Errorf("the databases hold %v, want a key in db3 and one in db5", space)
	}
	err := s.use(t, store.Config{URLs: []string{server.URL()}, Database: 4711})
	mustReply(t, err, "ERR")
}

func servesManyCallers(t *testing.T, s setup) {
	_, d := s.start(t)
	script := echo()
	var wg sync.WaitGroup
	for caller := range 50 {
		wg.Go(func() {
			for i := range 50 {
				want := fmt.Sprintf("%d-%d", caller, i)
				got, err := d.Eval(t.Context(), script, []string{"k"}, want)
				if err != nil || got[1] != want {
					t.Errorf("got %q and %v, want %q", got, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
}
