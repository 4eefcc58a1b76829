package runner

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/toriibench/toriibench/results"
	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/scenarios"
)

// recorded writes a file of due times.
func recorded(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "times.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTimingsThatMakeNoSenseAreRefused(t *testing.T) {
	times := recorded(t, "0\n5\n")
	tests := map[string]struct {
		args []string
		want []string // in the sentence
	}{
		"arrivals that nobody knows":      {[]string{"--arrivals", "uniform"}, []string{"--arrivals", "visits=8x250ms"}},
		"arrivals with a shape":           {[]string{"--arrivals", "ramp"}, []string{"--arrivals", "poisson"}},
		"visits of nothing":               {[]string{"--arrivals", "visits=0x1s"}, []string{"--arrivals", "from 1 to"}},
		"visits of NaN":                   {[]string{"--arrivals", "visits=NaNx1s"}, []string{"--arrivals", "visits=8x250ms"}},
		"visits without end":              {[]string{"--arrivals", "visits=1000x1h", "--rate", "10k"}, []string{"--arrivals", "at most 4000000"}},
		"too many at the scenario's rate": {[]string{"--arrivals", "visits=1000x1h"}, []string{"--arrivals", "at most 4000000"}},
		"an empty schedule":               {[]string{"--schedule="}, []string{"--schedule", "ramp:1k-10k/30s"}},
		"a schedule of a rate of zero":    {[]string{"--schedule", "0/10s"}, []string{"--schedule", "0.001 to 10M"}},
		"a schedule of a negative rate":   {[]string{"--schedule", "-5/10s"}, []string{"--schedule", "2.5k"}},
		"a schedule of NaN":               {[]string{"--schedule", "ramp:NaN-5/10s"}, []string{"--schedule", "2.5k"}},
		"a schedule beyond reason":        {[]string{"--schedule", "sine:1-1000000000000@1s/10s"}, []string{"--schedule", "10M"}},
		"an exponent":                     {[]string{"--schedule", "1e12/10s"}, []string{"--schedule", "2.5k"}},
		"too short a schedule":            {[]string{"--schedule", "1k/500ms"}, []string{"--schedule", "lasts 500ms", "between 1s"}},
		"a recorded schedule by name":     {[]string{"--schedule", `recorded:"x" (1 in 0s, sha256 00)`}, []string{"--schedule", "its file"}},
		"a schedule and a rate":           {[]string{"--schedule", "1k/10s", "--rate", "5"}, []string{"--schedule", "leave --rate out"}},
		"a schedule and a length":         {[]string{"--schedule", "1k/10s", "--for", "10s"}, []string{"--schedule", "leave --for out"}},
		"a schedule and arrivals":         {[]string{"--schedule", "1k/10s", "--arrivals", "poisson"}, []string{"--schedule", "leave --arrivals out"}},
		"a schedule and a file":           {[]string{"--schedule", "1k/10s", "--replay", times}, []string{"--schedule and --replay", "one of them"}},
		"a file and a rate":               {[]string{"--replay", times, "--rate", "5"}, []string{"--replay", "leave --rate out"}},
		"no file":                         {[]string{"--replay="}, []string{"--replay"}},
		"a file that is not there":        {[]string{"--replay", "no/such/file"}, []string{"--replay", "no/such/file"}},
		"a folder":                        {[]string{"--replay", t.TempDir()}, []string{"--replay", "directory"}},
		"a file of words":                 {[]string{"--replay", recorded(t, "1\nsoon\n")}, []string{"--replay", "times.txt", "line 2", "soon"}},
		"a file of a moment":              {[]string{"--replay", recorded(t, "1\n1\n")}, []string{"--replay", "lasts 1ms", "between 1s"}},
		"a storm in a short schedule":     {[]string{"--scenario", "ttl-expiry", "--schedule", "1k/1500ms"}, []string{"2s"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := call(t.Context(), append([]string{"bench", "--out", t.TempDir()}, test.args...)...)
			told := sentence(got.stderr)
			if got.code != exitUsage || strings.Count(strings.TrimSpace(got.stderr), "\n") > 1 {
				t.Errorf("exit code %d, want %d:\n%s", got.code, exitUsage, got.stderr)
			}
			for _, want := range test.want {
				if !strings.Contains(told, want) {
					t.Errorf("it says %q, want a sentence with %q", told, want)
				}
			}
		})
	}
}

// environmentOf is what a call of bench makes of session-churn's defaults.
func environmentOf(t *testing.T, args ...string) scenarios.Env {
	t.Helper()
	var o benchOptions
	f := pflag.NewFlagSet("bench", pflag.ContinueOnError)
	o.timing.addFlags(f)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	if err := o.timing.check(f.Changed); err != nil {
		t.Fatal(err)
	}
	o.warmup = 2 * time.Second
	return o.env(scenarios.SessionChurn())
}

func TestTimingsMakeSchedules(t *testing.T) {
	own := scenarios.SessionChurn().Rate
	const s = time.Second
	replayed, err := load.ReadRecorded(strings.NewReader("7\n8\n16.999\n"), "times.txt")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args []string
		want load.Schedule
		rate float64
	}{
		"nothing":       {nil, load.Poisson(own, 10*s), own},
		"a rate":        {[]string{"--rate", "2.5k", "--for", "3s"}, load.Poisson(2500, 3*s), 2500},
		"even arrivals": {[]string{"--arrivals", "constant"}, load.Constant(own, 10*s), own},
		"visits":        {[]string{"--arrivals", "visits"}, load.Poisson(own, 10*s).With(load.InVisits(load.DefaultVisits())), own},
		"visits of a sort": {
			[]string{"--arrivals", "visits=8x1s", "--rate", "100"},
			load.Poisson(100, 10*s).With(load.InVisits(load.Visits{Operations: 8, Think: s})), 100,
		},
		"a schedule": {[]string{"--schedule", "ramp:1k-3k/5s"}, load.Ramp(1000, 3000, 5*s), 2000},
		"a file":     {[]string{"--replay", recorded(t, "7\n8\n16.999\n")}, replayed, 0.3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			env := environmentOf(t, test.args...)
			if !env.Schedule.Equal(test.want) || math.Abs(env.Rate-test.rate) > 1e-9 || env.For != test.want.Duration() {
				t.Errorf("%v at %v for %v, want %v at %v", env.Schedule, env.Rate, env.For, test.want, test.rate)
			}
		})
	}
}

func TestBenchOffersWhatItsTimingSays(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	var lines strings.Builder
	for i := range 2000 {
		lines.WriteString(strconv.FormatFloat(1718000000+float64(i)/1000, 'f', 3, 64) + "\n")
	}
	tests := map[string]struct {
		args     []string
		schedule string
		offered  float64 // Within a fifth: visits come in clusters, which are those of the seed.
	}{
		"visits, shorter than the warm-up": {
			[]string{"--arrivals", "visits=8x50ms", "--rate", "1k", "--for", "2s", "--warmup", "3s"}, "visits=8x50ms:1k/2s", 2000,
		},
		"a schedule": {[]string{"--schedule", "visits=8x50ms+sine:500-1500@1s/2s"}, "visits=8x50ms+sine:500-1500@1s/2s", 2000},
		"a file":     {[]string{"--replay", recorded(t, lines.String())}, `recorded:"times.txt" (2000 in 1.999s, sha256 `, 2000},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			out := t.TempDir()
			got := call(t.Context(), append([]string{
				"bench", "--provider", "native", "--target", "redis", "--client", "go-redis", "--scenario", "session-churn",
				"--population", "1000", "--seed", "7", "--out", out,
			}, test.args...)...)
			if got.code != exitFine && got.code != exitNoProof {
				t.Fatalf("exit code %d:\n%s", got.code, got.stderr)
			}
			run := readRun(t, onlyRun(t, out))
			if len(run.Cells) != 1 {
				t.Fatalf("%d cells", len(run.Cells))
			}
			cell := &run.Cells[0]
			checkCell(t, cell)
			if !strings.HasPrefix(cell.Schedule, test.schedule) {
				t.Errorf("the schedule is %s, want %s", cell.Schedule, test.schedule)
			}
			if d := math.Abs(float64(cell.Offered)/test.offered - 1); d > 0.2 {
				t.Errorf("%d operations were offered, want about %v", cell.Offered, test.offered)
			}
			if cell.Verdict == results.Invalid {
				t.Logf("on this machine the cell is invalid: %v", cell.Reasons)
			}
		})
	}
}
