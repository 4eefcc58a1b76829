package report

import (
	"strings"

	"github.com/toriibench/toriibench/results"
)

// notLatency names what a closed loop measures in place of a response time.
const notLatency = "service, closed loop: not a latency"

// closed says whether each worker waited for its last operation before it sent
// the next: then nothing was ever late, and there is no response time (B.
// Schroeder et al., "Open Versus Closed", NSDI 2006).
func closed(c *results.Cell) bool { return c.Loop == "closed" }

// closedTables tell a closed loop: its throughput and cost, and how long the
// server took, which is no latency.
func closedTables(s *scenario, notes *footnotes) []table {
	t := verdictTable(s, notes)
	t.title = "throughput and cost"
	t.addFailures(s)
	t.add(column{head: "server", unit: "µs/op"}, func(i int) field { return optional(s.cells[i].ServerCPUPerOp) })
	t.add(column{head: "client", unit: "µs/op"}, func(i int) field { return optional(s.cells[i].ClientCPUPerOp) })
	t.addMemory(s)
	tables := []table{t}
	if s.headline != "" {
		tables = append(tables, operationsTable(s, notLatency, s.operations(), notes))
	}
	return tables
}

// closedWords tell what there was of a load.
func closedWords(s *scenario) string {
	workers := s.cells[0].Settings["workers"]
	for _, c := range s.cells {
		if c.Settings["workers"] != workers {
			workers = ""
		}
	}
	if workers == "" {
		return "closed loop"
	}
	return "closed loop, " + clean(workers) + " workers"
}

// compareClosed tells the ratio of the throughputs, through each client.
func compareClosed(s *scenario) (words string, ratios bool) {
	var said []string
	for _, client := range s.clients {
		if w := compareThroughput(s, client); w != "" {
			said = append(said, "with "+clean(client)+", "+w)
		}
	}
	if len(said) == 0 {
		return "", false
	}
	return clean(s.name) + " (closed loop, operations a second): " + strings.Join(said, "; ") + ".", true
}

// compareThroughput compares the targets with the least of them.
func compareThroughput(s *scenario, client string) string {
	var all []*results.Cell
	var least *results.Cell
	for _, c := range s.cells {
		if c.Client != client || c.Verdict == results.Invalid || throughput(c) <= 0 {
			continue
		}
		all = append(all, c)
		if least == nil || throughput(c) < throughput(least) {
			least = c
		}
	}
	var more []string
	for _, c := range all {
		if c != least {
			more = append(more, shortTarget(c.Target)+" did "+ratio(throughput(c), throughput(least)))
		}
	}
	if len(more) == 0 {
		return ""
	}
	return strings.Join(more, ", ") + " as many as " + shortTarget(least.Target)
}

// throughput is in operations a second.
func throughput(c *results.Cell) float64 {
	if c.Seconds <= 0 {
		return 0
	}
	return float64(c.Sent) / c.Seconds
}
