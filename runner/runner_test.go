package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/toriibench/toriibench/results"
)

// outcome is what a call of the program left behind.
type outcome struct {
	code           int
	stdout, stderr string
}

func call(ctx context.Context, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	code := Main(ctx, args, strings.NewReader(""), &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

// onlyRun is the one run in a folder.
func onlyRun(t *testing.T, out string) (dir string) {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(out, "*"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("there are %d runs in the folder: %v %v", len(dirs), dirs, err)
	}
	return dirs[0]
}

func readRun(t *testing.T, dir string) *results.Run {
	t.Helper()
	run, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func TestNonsenseIsRefusedInOneSentence(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string // in the sentence
	}{
		"an unknown command":          {[]string{"bnech"}, "bnech"},
		"an unknown kind of servers":  {[]string{"servers", "nonsense"}, "nonsense"},
		"an unknown help topic":       {[]string{"help", "nonsense"}, "nonsense"},
		"an unknown shell":            {[]string{"completion", "nonsense"}, "nonsense"},
		"a profile without sessions":  {[]string{"bench", "--profile", "P3", "--scenario", "ttl-expiry"}, "session-churn"},
		"an unknown flag":             {[]string{"bench", "--nonsense"}, "--nonsense"},
		"an examination of something": {[]string{"doctor", "me"}, "me"},
		"an argument too many":        {[]string{"bench", "now"}, "now"},
		"an unknown scenario":         {[]string{"bench", "--scenario", "nonsense"}, "session-churn"},
		"an unknown engine":           {[]string{"bench", "--target", "memcached"}, "valkey"},
		"an unknown version":          {[]string{"bench", "--target", "redis:five"}, "five"},
		"an option without its name":  {[]string{"bench", "--server-option", "--maxmemory"}, "maxmemory 1gb"},
		"an unknown client":           {[]string{"bench", "--client", "redigo"}, "valkey-go"},
		"an unknown provider":         {[]string{"bench", "--provider", "cloud"}, "native"},
		"an unknown profile":          {[]string{"bench", "--profile", "P9", "--scenario", "session-churn"}, "P4"},
		"a rate of zero":              {[]string{"bench", "--rate", "0"}, "10M"},
		"a negative rate":             {[]string{"bench", "--rate=-5"}, "2.5k"},
		"a rate that is no number":    {[]string{"bench", "--rate", "NaN"}, "2.5k"},
		"a rate beyond reason":        {[]string{"bench", "--rate", "1e12"}, "10M"},
		"no time to measure":          {[]string{"bench", "--for", "0s"}, "--for"},
		"a duration that is none":     {[]string{"bench", "--for", "soon"}, "soon"},
		"a population of nobody":      {[]string{"bench", "--population", "1"}, "--population"},
		"a cell named twice":          {[]string{"bench", "--target", "redis,redis"}, "twice"},
		"nothing to measure":          {[]string{"bench", "--scenario", ""}, "nothing"},
		"connections below zero":      {[]string{"bench", "--connections=-1"}, "--connections"},
		"more connections than fit":   {[]string{"bench", "--connections", "65536"}, "8192"},
		"a closed loop of nobody":     {[]string{"bench", "--closed=-1"}, "--closed"},
		"a closed loop with a rate":   {[]string{"bench", "--closed", "8", "--rate", "1k"}, "--rate"},
		"a comparison of no round":    {[]string{"perf", "--rounds", "0"}, "--rounds"},
		"a turn of no time":           {[]string{"perf", "--for", "0s"}, "--for"},
		"generators of nobody":        {[]string{"perf", "--connections", "0"}, "--connections"},
		"a comparison on a URL":       {[]string{"perf", "--target", "redis://127.0.0.1:1"}, "its own server"},
		"a comparison on a cluster":   {[]string{"perf", "--target", "valkey:8.1@cluster"}, "standalone"},
		"an unknown way to pin":       {[]string{"bench", "--pin", "hard"}, "auto"},
		"unknown arrivals":            {[]string{"bench", "--arrivals", "uniform"}, "poisson"},
		"a name that is a path":       {[]string{"bench", "--name", "../x"}, "--name"},
		"a binary of no engine":       {[]string{"bench", "--binary", "memcached=/x"}, "valkey"},
		"an image of no engine":       {[]string{"bench", "--image", "memcached=x"}, "valkey"},
		"a binary and an image":       {[]string{"bench", "--binary", "redis=/x", "--image", "valkey=x"}, "one of them"},
		"an unknown fault":            {[]string{"bench", "--scenario", "failover", "--fault", "flood"}, "partition"},
		"an unknown policy":           {[]string{"bench", "--scenario", "eviction", "--maxmemory-policy", "random"}, "noeviction"},
		"a lag beyond reason":         {[]string{"bench", "--scenario", "failover", "--replication-lag", "5s"}, "cut"},
		"waiting for a crowd":         {[]string{"bench", "--wait-replicas", "9"}, "--wait-replicas"},
		"a failover of one":           {[]string{"bench", "--scenario", "failover", "--target", "valkey:8.1"}, "@cluster"},
		"a failover to nobody":        {[]string{"bench", "--scenario", "failover", "--target", "valkey:8.1@cluster+replicas=0"}, "replicas"},
		"a failover of others":        {[]string{"bench", "--scenario", "failover", "--target", "redis://127.0.0.1:1"}, "not ours"},
		"a failover in no time":       {[]string{"bench", "--scenario", "failover", "--target", "valkey:8.1@cluster", "--for", "3s"}, "15s"},
		"a failover in a closed loop": {[]string{"bench", "--scenario", "failover", "--target", "valkey:8.1@cluster", "--closed", "8"}, "--closed"},
		"published native ports":      {[]string{"bench", "--published-ports", "--provider", "native"}, "--provider docker"},
		"a published binary":          {[]string{"bench", "--published-ports", "--binary", "redis=/x"}, "--binary"},
		"two forms of a report":       {[]string{"report", "--json", "--markdown"}, "both"},
		"nothing to fetch":            {[]string{"servers", "fetch"}, "redis:8.0"},
		"a URL to fetch":              {[]string{"servers", "fetch", "redis://127.0.0.1:1"}, "nothing to fetch"},
		"a storm in no time at all":   {[]string{"bench", "--scenario", "ttl-expiry", "--for", "1s"}, "2s"},
		"a report of no run":          {[]string{"report", "no/such/folder"}, "no/such/folder"},
		"a version nobody can get":    {[]string{"bench", "--target", "redis:1.0", "--provider", "native"}, "redis:1.0"},
		"a binary that is not there":  {[]string{"bench", "--target", "redis", "--binary", "redis=/no/such/server", "--provider", "native"}, "/no/such/server"},
		"a server that is not there":  {[]string{"bench", "--target", "redis://127.0.0.1:1"}, "127.0.0.1:1"},
		"a results folder under file": {[]string{"bench", "--target", "redis", "--provider", "native", "--out", "runner_test.go/runs"}, "runner_test.go"},
	}
	faults := map[string]int{
		"a report of no run": exitFault, "a server that is not there": exitFault, "a results folder under file": exitFault,
		"a binary that is not there": exitFault,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			out := t.TempDir()
			args := test.args
			if args[0] == "bench" && !strings.Contains(strings.Join(args, " "), "--out") {
				args = append(args, "--out", out)
			}
			got := call(t.Context(), args...)
			want := exitUsage
			if code, ok := faults[name]; ok {
				want = code
			}
			if got.code != want {
				t.Errorf("exit code %d, want %d", got.code, want)
			}
			told := sentence(got.stderr)
			if !strings.HasPrefix(told, "toriibench: ") || !strings.Contains(told, test.want) {
				t.Errorf("it says %q, want a sentence with %q", told, test.want)
			}
			for _, trace := range []string{"goroutine ", "panic", ".go:"} {
				if strings.Contains(got.stderr, trace) {
					t.Errorf("a stack trace for a person:\n%s", got.stderr)
				}
			}
			if got.stdout != "" {
				t.Errorf("stdout has %q", got.stdout)
			}
			if left, _ := os.ReadDir(out); len(left) > 0 {
				t.Errorf("%s was left in the results folder", left[0].Name())
			}
		})
	}
}

// sentence is the last line that the program itself said; lines of a server's
// log may follow it.
func sentence(stderr string) string {
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	for i := len(lines) - 1; i > 0; i-- {
		if strings.HasPrefix(lines[i], "toriibench: ") {
			return lines[i]
		}
	}
	return lines[0]
}

func TestHelpNamesTheExitCodes(t *testing.T) {
	for _, args := range [][]string{
		{"--help"},
		{"completion", "--help"},
		{"bench", "--help"},
		{"report", "--help"},
		{"doctor", "--help"},
		{"list", "--help"},
		{"servers", "--help"},
		{"servers", "fetch", "--help"},
		{"servers", "list", "--help"},
	} {
		got := call(t.Context(), args...)
		if got.code != exitFine || !strings.Contains(got.stdout, "130  interrupted") {
			t.Errorf("%v: exit code %d and\n%s", args, got.code, got.stdout)
		}
	}
}

func TestListsAreReadableByPrograms(t *testing.T) {
	for _, args := range [][]string{{"list", "--json"}, {"servers", "list", "--json"}} {
		got := call(t.Context(), args...)
		if got.code != exitFine || !json.Valid([]byte(got.stdout)) {
			t.Errorf("%v: exit code %d and %q %s", args, got.code, got.stdout, got.stderr)
		}
	}
}

func TestTheSampleOfARunCanBeReported(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../results/sample")); err != nil {
		t.Fatal(err)
	}
	got := call(t.Context(), "report", dir)
	if got.code != exitFine || !strings.Contains(got.stdout, "session-churn-percentiles.png") {
		t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
	for _, name := range []string{"bench.txt", "session-churn-redis-8_0-valkey-go.hgrm"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("it lacks a file for other tools: %v", err)
		}
	}
}

// lacking skips a test for which this machine lacks something, and fails it in CI,
// where nothing may be lacking.
func lacking(t *testing.T, what error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}
