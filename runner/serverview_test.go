package runner

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/compose"
	"github.com/toriibench/toriibench/compose/composetest"
	"github.com/toriibench/toriibench/results"
	"github.com/toriibench/toriibench/store"
)

func TestCommandStatsAreRead(t *testing.T) {
	got := commandCounts(map[string]string{
		"cmdstat_mget":       "calls=10,usec=65,usec_per_call=6.50,rejected_calls=1,failed_calls=2",
		"cmdstat_config|get": "calls=2,usec=125,usec_per_call=62.50,rejected_calls=0,failed_calls=0",
		"cmdstat_new":        "calls=1,usec=2,later=added,rejected_calls=0,failed_calls=0",
		"cmdstat_old":        "calls=1,usec=2,usec_per_call=2.00",
		"cmdstat_odd":        "calls=many,usec=2,rejected_calls=0,failed_calls=0",
		"cmdstat_below":      "calls=-1,usec=2,rejected_calls=0,failed_calls=0",
		"cmdstat_empty":      "",
		"used_memory":        "calls=1,usec=1,rejected_calls=0,failed_calls=0",
	})
	want := map[string]commandCount{"mget": {10, 65, 1, 2}, "config|get": {2, 125, 0, 0}, "new": {1, 2, 0, 0}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(commandCount{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if commandCounts(map[string]string{"used_memory": "1"}) != nil {
		t.Error("a server that tells nothing is taken for one that did nothing")
	}
}

func TestLatencyStatsAreRead(t *testing.T) {
	got := commandLatencies(map[string]string{
		"latency_percentiles_usec_mget":       "p50=6.015,p99=7.007,p99.9=11.5",
		"latency_percentiles_usec_config|get": "p100=70",
		"latency_percentiles_usec_odd":        "p50=NaN,p99=-1,q=1,p101=4,p99.9=3",
		"latency_percentiles_usec_empty":      "",
		"cmdstat_mget":                        "p50=1",
	})
	want := map[string]map[string]float64{
		"mget": {"p50": 6.015, "p99": 7.007, "p99.9": 11.5}, "config|get": {"p100": 70}, "odd": {"p99.9": 3},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestServerViewIsTheGrowth(t *testing.T) {
	before := map[string]commandCount{"mget": {10, 100, 1, 0}, "idle": {5, 5, 0, 0}}
	after := map[string]commandCount{"mget": {30, 150, 1, 2}, "idle": {5, 5, 0, 0}, "evalsha": {4, 80, 0, 0}, "get": {0, 0, 3, 0}}
	latency := map[string]map[string]float64{"mget": {"p50": 2}, "idle": {"p50": 1}}
	want := &results.ServerView{Commands: map[string]results.Command{
		"mget":    {Calls: 20, CPU: 2.5, Failed: 2, Latency: map[string]float64{"p50": 2}},
		"evalsha": {Calls: 4, CPU: 20},
		"get":     {Rejected: 3},
	}}
	if diff := cmp.Diff(want, serverView(before, after, latency)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for name, v := range map[string]*results.ServerView{
		"not read before":   serverView(nil, after, latency),
		"not read after":    serverView(before, nil, latency),
		"reset in between":  serverView(after, map[string]commandCount{"mget": {1, 1, 0, 0}}, latency),
		"nothing was done":  serverView(before, before, latency),
		"failed calls sank": serverView(map[string]commandCount{"mget": {1, 1, 0, 5}}, map[string]commandCount{"mget": {2, 2, 0, 1}}, nil),
	} {
		if v != nil {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestServerViewIsBounded(t *testing.T) {
	after := map[string]commandCount{}
	for i := range 100 {
		after[fmt.Sprintf("c%02d", i)] = commandCount{calls: 1, micros: int64(i / 10)}
	}
	view := serverView(map[string]commandCount{}, after, nil)
	if len(view.Commands) != maxCommands {
		t.Errorf("%d commands, want %d", len(view.Commands), maxCommands)
	}
	for _, name := range []string{"c99", "c70", "c60", "c61"} {
		if _, ok := view.Commands[name]; !ok {
			t.Errorf("%s is not among the dearest", name)
		}
	}
	if _, ok := view.Commands["c62"]; ok {
		t.Error("c62 is kept, though others come first by name")
	}
}

func FuzzCommandStats(f *testing.F) {
	f.Add("mget", "calls=10,usec=65,usec_per_call=6.50,rejected_calls=1,failed_calls=2", "p50=6.015,p99=7.007")
	f.Add("config|get", "calls=,usec=", "p50=,p=1")
	f.Fuzz(func(t *testing.T, name, stat, latency string) {
		info := map[string]string{"cmdstat_" + name: stat, "latency_percentiles_usec_" + name: latency}
		view := serverView(map[string]commandCount{}, commandCounts(info), commandLatencies(info))
		if view == nil {
			return
		}
		c := view.Commands[name]
		if c.Calls < 0 || c.CPU < 0 || c.Rejected < 0 || c.Failed < 0 || math.IsInf(c.CPU, 0) {
			t.Errorf("%q is read as %+v", stat, c)
		}
		for p, us := range c.Latency {
			if err := results.CheckLatency(p, us); err != nil {
				t.Errorf("%q: %v", latency, err)
			}
		}
	})
}

func TestEveryVersionTellsItsCommands(t *testing.T) {
	for _, word := range []string{"redis:7.0", "redis:8.0", "valkey:8.0", "valkey:8.1", "valkey:9.1"} {
		t.Run(word, func(t *testing.T) {
			topology := composetest.Start(t, word)
			for _, cl := range clients() {
				c := &cellRun{topology: topology, cell: results.Cell{Settings: map[string]string{}}}
				var err error
				if c.storage, err = store.Open(t.Context(), store.Config{URLs: topology.URLs}, cl.dial); err != nil {
					t.Fatal(err)
				}
				token := store.NewToken("nobody")
				find := func() {
					if _, ok, err := c.storage.Sessions.Find(t.Context(), token); ok || err != nil {
						t.Fatalf("found a session of nobody, or %v", err)
					}
				}
				find()
				c.beginTally(t.Context())
				for range 10 {
					find()
				}
				c.addTally(c.tally(t.Context()))
				if c.cell.ServerView == nil || c.cell.Retries == nil || *c.cell.Retries != 0 {
					t.Fatalf("%s: view %v, retries %v", cl.name, c.cell.ServerView, c.cell.Retries)
				}
				hget := c.cell.ServerView.Commands["hget"]
				if hget.Calls != 10 || hget.Latency["p50"] <= 0 || hget.Latency["p99.9"] < hget.Latency["p50"] {
					t.Errorf("%s: %+v", cl.name, hget)
				}
				if err := c.storage.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestSomeoneElsesCountersAreLeftAlone(t *testing.T) {
	theirs := startSomeoneElses(t)
	target, err := compose.ParseTarget(theirs.url())
	if err != nil {
		t.Fatal(err)
	}
	topology, err := compose.External().Start(t.Context(), target, compose.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer topology.Close(t.Context())
	if err := topology.ResetStats(t.Context()); err == nil || strings.Contains(err.Error(), "opensesame") {
		t.Errorf("resetting somebody else's counters: %v", err)
	}
	c := &cellRun{topology: topology, cell: results.Cell{Settings: map[string]string{}}}
	if c.storage, err = store.Open(t.Context(), store.Config{URLs: topology.URLs}, clients()[0].dial); err != nil {
		t.Fatal(err)
	}
	defer c.storage.Close()
	c.beginTally(t.Context())
	if _, _, err := c.storage.Sessions.Find(t.Context(), store.NewToken("nobody")); err != nil {
		t.Fatal(err)
	}
	c.addTally(c.tally(t.Context()))
	if c.counted.commands["set"].calls != 1 {
		t.Errorf("their SET is gone from their counters: %+v", c.counted.commands["set"])
	}
	hget := c.cell.ServerView.Commands["hget"]
	if hget.Calls != 1 || hget.Latency != nil {
		t.Errorf("%+v, want one call and no percentiles, which are not ours alone", hget)
	}
}
