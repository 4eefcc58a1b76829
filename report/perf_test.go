package report

import (
	"strings"
	"testing"

	"github.com/toriibench/toriibench/results"
)

func TestPerf(t *testing.T) {
	r := &results.Perf{
		Server: results.Server{Name: "valkey", Version: "8.1.1"}, Setup: results.PerfSetup{ServerCPU: 1, Rounds: 3, RoundSeconds: 3},
		Missing: []string{"memtier_benchmark is not here"}, Failed: []string{"round 2, x: it broke"}, Reason: "interrupted",
		Generators: []results.PerfGenerator{
			{Name: "valkey-benchmark", Version: "8.1.1\x1b[31m", Connections: 50, Samples: []results.PerfSample{{PerSecond: 90e3}, {PerSecond: 100e3}, {PerSecond: 120e3}}},
			{Name: "get, valkey-go", Ours: true, Connections: 4},
		},
		Ratios: []results.PerfRatio{{Of: "get, valkey-go", To: "valkey-benchmark", Measure: "ops/s", Spread: results.Spread{Median: 1.34, Low: 1.2, High: 1.5}}},
		Open:   []results.PerfOpen{{Schedule: "poisson:10k/3s", Samples: []results.PerfOpenSample{{LagP50: 24, Achieved: 0.995}}}},
		Goals: []results.PerfGoal{
			{Name: "goal A", Bound: 1.3, AtLeast: true, Unit: "×", Got: &results.Spread{Median: 1.34, Low: 1.2, High: 1.5}, Met: true},
			{Name: "goal B", Bound: 30, Unit: "µs", Got: &results.Spread{Median: 45, Low: 40, High: 50}},
			{Name: "goal C", Bound: 99, AtLeast: true},
		},
	}
	lines := strings.Split(Perf(r), "\n")
	for _, want := range [][]string{
		{"valkey 8.1.1", "on CPU 1", "every generator on CPU 0"},
		{"valkey-benchmark", "50", "100,000 [90,000 … 120,000]"},
		{"get, valkey-go", "4", dash},
		{"get, valkey-go", "ops/s", "valkey-benchmark", "1.34 [1.20 … 1.50]"},
		{"poisson:10k/3s", "24.0", "99.5"},
		{"goal A", "at least 1.30 ×", "1.34 [1.20 … 1.50]", "met"},
		{"goal B", "at most 30.0 µs", "45.0 [40.0 … 50.0]", "MISSED"},
		{"goal C", "at least 99.0", "nothing to compare with", "open"},
		{"not compared with: memtier_benchmark is not here"},
		{"failed, and left out: round 2, x: it broke"},
		{"was broken off: interrupted"},
	} {
		if !hasLine(lines, want) {
			t.Errorf("no line has all of %q in:\n%s", want, strings.Join(lines, "\n"))
		}
	}
	if strings.Contains(strings.Join(lines, "\n"), "\x1b") {
		t.Error("a text from a file reaches the terminal as a command")
	}
	if r.Complete = true; strings.Contains(Perf(r), "broken off") {
		t.Error("a complete comparison is said to be broken off")
	}
}

// hasLine says whether a line has all the words, in this order.
func hasLine(lines, words []string) bool {
	for _, line := range lines {
		found := true
		for _, w := range words {
			_, after, ok := strings.Cut(line, w)
			line, found = after, found && ok
		}
		if found {
			return true
		}
	}
	return false
}
