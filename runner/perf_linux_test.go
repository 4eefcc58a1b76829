package runner

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/results"
)

// rates makes a generator of one rate a round; its operations cost the client a
// hundredth of the time that the round's number says.
func rates(name, operation string, ours bool, values ...float64) results.PerfGenerator {
	g := results.PerfGenerator{Name: name, Operation: operation, Ours: ours}
	for round, v := range values {
		g.Samples = append(g.Samples, results.PerfSample{Round: round, PerSecond: v, PerClientSecond: 1000 - v})
	}
	return g
}

func TestRatiosArePairedByRound(t *testing.T) {
	r := &results.Perf{Generators: []results.PerfGenerator{
		rates("slow", operationGet, false, 10, 20, 30),
		rates("quick", operationGet, false, 100, 200, 50),
		rates("get", operationGet, true, 150, 240, 80),
		rates("get, more", operationGet, true, 50, 50, 50),
		rates("authenticate", operationAuthenticate, true, 80, 200),
	}}
	conclude(r)
	got := map[string]results.Spread{}
	for _, ratio := range r.Ratios {
		if to := map[string]string{measureRate: "quick", measureCPU: "slow"}[ratio.Measure]; ratio.To != to {
			t.Errorf("%s is compared with %s by %s, want %s", ratio.Of, ratio.To, ratio.Measure, to)
		}
		if ratio.Measure == measureRate {
			got[ratio.Of] = ratio.Spread
		}
	}
	want := map[string]results.Spread{
		"get":          {Median: 1.5, Low: 1.2, High: 1.6, Rounds: 3},
		"get, more":    {Median: 0.5, Low: 0.25, High: 1, Rounds: 3},
		"authenticate": {Median: 0.9, Low: 0.8, High: 1, Rounds: 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if get, authenticate := r.Goals[0], r.Goals[1]; !get.Met || get.Got.Median != 1.5 || !authenticate.Met || authenticate.Got.Median != 0.9 {
		t.Errorf("the goals of throughput: %+v, %+v", get, authenticate)
	}
}

func TestGoals(t *testing.T) {
	sample := func(lag, core, achieved float64, dropped int64) results.PerfOpenSample {
		return results.PerfOpenSample{LagP50: lag, LagP99: 4 * lag, ClientShare: core, Achieved: achieved, Dropped: dropped}
	}
	tests := map[string]struct {
		r    results.Perf
		want string // one letter a goal: met, Missed, or ? for nothing to judge
	}{
		"nothing was measured": {results.Perf{}, "?????????"},
		"all is well": {results.Perf{
			Open: []results.PerfOpen{
				{Rate: steadyRate, Samples: []results.PerfOpenSample{sample(25, 0.35, 1, 0)}},
				{Rate: briskRate, Samples: []results.PerfOpenSample{sample(900, 1, 0.99, 0)}},
			},
			Noop: []results.PerfNoop{{PerClientSecond: 2e6, Allocations: 0.0001}},
		}, "??mmmmmmm"},
		"all is missed": {results.Perf{
			Generators: []results.PerfGenerator{rates("peer", operationGet, false, 100), rates("get", operationGet, true, 129), rates("a", operationAuthenticate, true, 89)},
			Open: []results.PerfOpen{
				{Rate: steadyRate, Samples: []results.PerfOpenSample{sample(31, 0.36, 0, 9)}},
				{Rate: briskRate, Samples: []results.PerfOpenSample{sample(0, 0, 0.98, 1)}},
			},
			Noop: []results.PerfNoop{{PerClientSecond: 1.9e6, Allocations: 1}},
		}, "MMMMMMMMM"},
		"one round with a drop is one too many": {results.Perf{
			Open: []results.PerfOpen{{Rate: briskRate, Samples: []results.PerfOpenSample{sample(0, 0, 1, 0), sample(0, 0, 1, 3), sample(0, 0, 1, 0)}}},
		}, "?????mM??"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			conclude(&test.r)
			var got strings.Builder
			for _, g := range test.r.Goals {
				switch {
				case g.Got == nil:
					got.WriteByte('?')
				case g.Met:
					got.WriteByte('m')
				default:
					got.WriteByte('M')
				}
			}
			if got.String() != test.want {
				t.Errorf("got %s, want %s of %+v", &got, test.want, test.r.Goals)
			}
		})
	}
}

func TestGeneratorsCountsAreChecked(t *testing.T) {
	for name, test := range map[string]struct {
		s                   served
		operations, lookups int64
		says                string
	}{
		"as the server counted":       {served{hits: 1000}, 1000, 1, ""},
		"two keys in an operation":    {served{hits: 2000}, 1000, 2, ""},
		"what was under way at last":  {served{hits: 1005}, 1000, 1, ""},
		"more than were served":       {served{hits: 900}, 1000, 1, "served 900"},
		"fewer than were served":      {served{hits: 1100}, 1000, 1, "served 1100"},
		"keys that are not there":     {served{hits: 1000, misses: 1}, 1000, 1, "1 of the keys"},
		"half of the keys of each op": {served{hits: 1000}, 1000, 2, "served 500"},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.s.agree(test.operations, test.lookups)
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}

// needTwoCPUs skips a test that needs what perf does.
func needTwoCPUs(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers")
	}
	if _, err := perfCPUs(); err != nil {
		lacking(t, err)
	}
}

// onlyResult reads the only file of a folder.
func onlyResult[P results.Perf | results.PerfStores](t *testing.T, folder string) (p P) {
	t.Helper()
	data, err := os.ReadFile(onlyRun(t, folder))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPerf(t *testing.T) {
	needTwoCPUs(t)
	out := t.TempDir()
	got := call(t.Context(), "perf", "--provider", "native", "--rounds", "1", "--for", "200ms", "--connections", "10", "--seed", "5", "--out", out, "--json")
	if got.code != exitFine && got.code != exitNoProof { // a busy machine may fail a turn
		t.Fatalf("exit code %d: %s", got.code, got.stderr)
	}
	var told results.Perf
	if err := json.Unmarshal([]byte(got.stdout), &told); err != nil {
		t.Fatal(err)
	}
	written := onlyResult[results.Perf](t, out)
	if diff := cmp.Diff(told, written); diff != "" {
		t.Errorf("what is written is not what is told: %s", diff)
	}
	if !written.Complete || written.Setup.ServerCPU == written.Setup.ClientCPU || written.Seed != 5 || len(written.Goals) != 9 {
		t.Errorf("complete %t, seed %d, setup %+v, %d goals", written.Complete, written.Seed, written.Setup, len(written.Goals))
	}
	turns := len(written.Failed)
	for _, g := range written.Generators {
		turns += len(g.Samples)
		for _, s := range g.Samples {
			if s.Operations < 10 || s.PerSecond <= 0 || s.ClientCPU <= 0 || s.ServerCPU <= 0 || s.PerClientSecond <= 0 {
				t.Errorf("%s: %+v", g.Name, s)
			}
		}
	}
	for _, o := range written.Open {
		turns += len(o.Samples)
	}
	if want := len(written.Generators) + len(written.Open) + 1; turns+len(written.Noop) != want {
		t.Errorf("%d turns have a sample or failed, want %d", turns+len(written.Noop), want)
	}
	if len(written.Generators) < 8 { // two others at least, which are fetched, and six of ours
		t.Errorf("%d generators, missing: %v", len(written.Generators), written.Missing)
	}
}

func TestInterruptedPerfKeepsWhatItHas(t *testing.T) {
	needTwoCPUs(t)
	out := t.TempDir()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	ended := make(chan outcome, 1)
	go func() {
		ended <- call(ctx, "perf", "--provider", "native", "--rounds", "50", "--for", "300ms", "--connections", "4", "--out", out)
	}()
	server := awaitServer(t)
	timer := time.AfterFunc(6*time.Second, func() { cancel(errInterrupted) })
	defer timer.Stop()
	got := <-ended
	if got.code != exitInterrupted {
		t.Fatalf("exit code %d: %s", got.code, got.stderr)
	}
	if line, err := os.ReadFile("/proc/" + server + "/cmdline"); err == nil && strings.Contains(string(line), "--port") {
		t.Errorf("the server runs on: %q", line)
	}
	files, err := filepath.Glob(filepath.Join(out, "*"))
	if err != nil || len(files) > 1 {
		t.Fatalf("it left %v, %v", files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r results.Perf
		if err := json.Unmarshal(data, &r); err != nil || r.Complete || r.Reason == "" {
			t.Errorf("complete %t, reason %q, %v", r.Complete, r.Reason, err)
		}
		if !strings.Contains(got.stdout, "was broken off") {
			t.Errorf("the tables do not say that it was broken off:\n%s", got.stdout)
		}
	}
}
