package report

import (
	"strings"
	"testing"

	"github.com/toriibench/toriibench/results"
)

func TestPerfStores(t *testing.T) {
	finds := func(rates ...float64) []results.PerfStoreOperation {
		o := results.PerfStoreOperation{Name: "find"}
		for _, rate := range rates {
			o.Samples = append(o.Samples, results.PerfSample{PerSecond: rate})
		}
		return []results.PerfStoreOperation{o}
	}
	goal := func(to string, median, low, high float64) results.PerfStoreGoal {
		return results.PerfStoreGoal{
			Of: "ours", To: to, Operation: "find", Measure: "ops/s", Met: median > 1,
			Spread: results.Spread{Median: median, Low: low, High: high},
		}
	}
	r := &results.PerfStores{
		Server: results.Server{Name: "valkey", Version: "8.1.1"}, Reason: "interrupted", Failed: []string{"round 2, x: it broke"},
		Setup: results.PerfStoresSetup{ServerCPU: 1, Callers: 50, Users: 200, LoginBytes: 303, Rounds: 3, RoundSeconds: 0.5},
		Stores: []results.PerfStore{
			{Name: "ours", Ours: true, Connections: 2, Operations: finds(90e3, 100e3, 120e3)},
			{Name: "scs\x1b[31m", Connections: 50, Operations: finds(50e3)},
			{Name: "broken", Connections: 50},
		},
		Goals: []results.PerfStoreGoal{goal("A", 1.5, 1.2, 1.6), goal("B", 0.8, 0.7, 0.9), goal("C", 1.01, 0.9, 1.2), goal("D", 1, 1, 1), goal("E", 0.9, 0.8, 1.1)},
		Memory: []results.PerfStoreBytes{
			{Name: "ours", Ours: true, Samples: []results.PerfStoreByteSet{{PerSession: 600, PerUser: 400}}},
			{Name: "scs", Samples: []results.PerfStoreByteSet{{PerSession: 500}}, Ratio: &results.Spread{Median: 1.2, Low: 1.1, High: 1.3}},
		},
	}
	text := PerfStores(r)
	lines := strings.Split(text, "\n")
	for _, want := range [][]string{
		{"valkey 8.1.1", "on CPU 1", "every store on CPU 0"},
		{"50 callers", "200 users", "303 bytes", "3 rounds of 0.5 s"},
		{"find", "ours", "2", "100,000 [90,000 … 120,000]"},
		{"find", "scs", "50", "50,000"},
		{"2 of 5 met"},
		{"find", "ours", "A", "ops/s", "1.50 [1.20 … 1.60]", "met, by 50.0 %"},
		{"find", "ours", "B", "MISSED by 20.0 %"},
		{"find", "ours", "C", "met, by 1.0 %; some rounds say otherwise"},
		{"find", "ours", "D", "MISSED by 0.0 %"},
		{"find", "ours", "E", "MISSED by 10.0 %; some rounds say otherwise"},
		{"ours", "600", "400", dash},
		{"scs", "500", dash, "1.20 [1.10 … 1.30]"},
		{"failed, and left out: round 2, x: it broke"},
		{"was broken off: interrupted"},
	} {
		if !hasLine(lines, want) {
			t.Errorf("no line has all of %q in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Error("a text from a file reaches the terminal as a command")
	}
	if strings.Contains(text, "met, by 50.0 %;") || strings.Contains(text, "MISSED by 0.0 %;") {
		t.Error("a goal that all rounds agree on is said to be doubtful")
	}
}
