package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/toriibench/toriibench/results"
)

// failoverTables are the scorecards of a scenario's cells: what the faults have
// done, as median and worst, and which errors there were.
func failoverTables(s *scenario, notes *footnotes) []table {
	if !slices.ContainsFunc(s.cells, func(c *results.Cell) bool { return c.Failover != nil }) {
		return nil
	}
	return []table{outageTable(s, notes), lossTable(s, notes)}
}

// faultsOf are a cell's faults.
func faultsOf(c *results.Cell) []results.Fault {
	if c.Failover == nil {
		return nil
	}
	return c.Failover.Faults
}

// cellTable begins a table with a row for each cell.
func cellTable(s *scenario, title string) table {
	t := table{title: title, columns: keyColumns(), keys: len(keyColumns())}
	for _, c := range s.cells {
		t.rows = append(t.rows, cellKeys(c))
	}
	return t
}

// outageTable tells how long things took, median and worst, in seconds.
func outageTable(s *scenario, notes *footnotes) table {
	t := cellTable(s, "how long it took after the fault: median / worst, in seconds")
	t.add(column{head: "faults"}, func(i int) field { return field{text: strconv.Itoa(len(faultsOf(s.cells[i])))} })
	for _, one := range []struct {
		head, unit string
		of         func(results.Fault) *float64
	}{
		{"failure", "agreed", func(f results.Fault) *float64 { return f.Detected }},
		{"new", "primary", func(f results.Fault) *float64 { return f.Promoted }},
		{"no", "writes", func(f results.Fault) *float64 { return f.WritesOut }},
		{"no", "reads", func(f results.Fault) *float64 { return f.ReadsOut }},
		{"p99", "back", func(f results.Fault) *float64 { return f.Back }},
	} {
		t.add(column{head: one.head, unit: one.unit}, func(i int) field { return spreadOf(faultsOf(s.cells[i]), one.of) })
	}
	for _, c := range s.cells {
		for i, f := range faultsOf(c) {
			if f.Trouble != "" {
				notes.remark(fmt.Sprintf("%s, fault %d: %s.", cellName(c), i+1, clean(f.Trouble)))
			}
		}
		if c.Failover != nil && c.Failover.NotRun != "" {
			notes.remark(fmt.Sprintf("%s: no further fault was made: %s.", cellName(c), clean(c.Failover.NotRun)))
		}
	}
	return t
}

// spreadOf is the median and the worst of what was seen, in seconds, and a dash
// for a fault after which it was not.
func spreadOf(faults []results.Fault, of func(results.Fault) *float64) field {
	var seen []float64
	for _, f := range faults {
		if v := of(f); v != nil {
			seen = append(seen, *v)
		}
	}
	if len(seen) == 0 {
		return field{text: dash, tone: quiet}
	}
	slices.Sort(seen)
	const ms = 1000
	worst := fmt.Sprintf("%.2f", seen[len(seen)-1]/ms)
	if len(seen) < len(faults) {
		worst = "never"
	}
	return field{text: fmt.Sprintf("%.2f / %s", (seen[(len(seen)-1)/2]+seen[len(seen)/2])/2/ms, worst)}
}

// lossTable tells what was acknowledged and did not hold.
func lossTable(s *scenario, notes *footnotes) table {
	t := cellTable(s, "what was acknowledged and did not hold, of all that was")
	for _, one := range []struct {
		head, unit string
		of         func(results.Fault) int64
		all        func(*results.Failover) int
		tone       tone
	}{
		{"sessions", "lost", func(f results.Fault) int64 { return f.Lost }, func(f *results.Failover) int { return f.Created }, doubtful},
		{"log-outs", "undone", func(f results.Fault) int64 { return f.Resurrected }, func(f *results.Failover) int { return f.LoggedOut }, bad},
		{"tokens", "used twice", func(f results.Fault) int64 { return f.Twice }, func(f *results.Failover) int { return f.TokensUsed }, bad},
	} {
		t.add(column{head: one.head, unit: one.unit}, func(i int) field { return lossField(s.cells[i], one.of, one.all, one.tone) })
	}
	t.add(column{head: "TTL drift", unit: "ms"}, func(i int) field {
		worst, compared := 0.0, 0
		for _, f := range faultsOf(s.cells[i]) {
			worst, compared = max(worst, f.Drift), compared+f.Compared
		}
		if compared == 0 {
			return field{text: dash, tone: quiet}
		}
		return field{text: fmt.Sprintf("%.0f", worst)}
	})
	t.add(column{head: "errors by class", left: true}, func(i int) field { return field{text: classes(faultsOf(s.cells[i]))} })
	for _, c := range s.cells {
		if c.Failover != nil && c.Failover.Unexplained > 0 {
			notes.remark(fmt.Sprintf("%s: %d losses belong to none of the faults.", cellName(c), c.Failover.Unexplained))
		}
	}
	return t
}

func lossField(c *results.Cell, of func(results.Fault) int64, all func(*results.Failover) int, t tone) field {
	if c.Failover == nil {
		return field{text: dash, tone: quiet}
	}
	var sum int64
	for _, f := range c.Failover.Faults {
		sum += of(f)
	}
	so := field{text: fmt.Sprintf("%s / %s", thousands(sum), thousands(int64(all(c.Failover))))}
	if sum > 0 {
		so.tone = t
	}
	return so
}

// classes lists the errors of all faults, the most frequent first.
func classes(faults []results.Fault) string {
	sum := map[string]int64{}
	for _, f := range faults {
		for class, n := range f.Errors {
			sum[class] += n
		}
	}
	names := sortedKeys(sum)
	slices.SortStableFunc(names, func(a, b string) int { return int(min(1, max(-1, sum[b]-sum[a]))) })
	var words []string
	for _, name := range names {
		words = append(words, fmt.Sprintf("%s %s", thousands(sum[name]), clean(name)))
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, " · ")
}
