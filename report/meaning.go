package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/toriibench/toriibench/results"
)

// noDifference is the ratio of two medians below which no difference is told.
// Measured with two identical servers, one after the other on a busy machine of
// two cores: the ratio of their medians strayed by 14 % (median absolute
// deviation), and now and then had the wrong sign.
const noDifference = 1.15

// meaning says in plain words what a run says: whether it can be believed, and
// for each scenario and client by what ratio the targets differed at the
// median. It tells what was seen in this run, and never that an engine is
// faster: cells run once, one after another.
func meaning(run *results.Run) []string {
	if len(run.Cells) == 0 {
		return nil
	}
	out := []string{belief(run)}
	compared := false
	for _, s := range scenarios(run) {
		compare := compareClients
		if s.closed {
			compare = compareClosed
		}
		words, ratios := compare(s)
		compared = compared || ratios
		if words != "" {
			out = append(out, words)
		}
	}
	if compared {
		out = append(out, "Each cell ran once, one after another: a ratio tells what happened in this run, and proves no engine faster.")
	}
	return out
}

// violations counts the invariants that did not hold, cell by cell.
func violations(run *results.Run) int {
	n := 0
	for i := range run.Cells {
		for _, v := range run.Cells[i].Invariants {
			if v.Violated > 0 {
				n++
			}
		}
	}
	return n
}

// belief sums the verdicts up.
func belief(run *results.Run) string {
	cells := make([]*results.Cell, len(run.Cells))
	for i := range run.Cells {
		cells[i] = &run.Cells[i]
	}
	degraded, invalid := count(cells, results.Degraded), count(cells, results.Invalid)
	var words []string
	if degraded == 0 && invalid == 0 {
		words = append(words, plural(len(cells), "cell, and it is", "cells, and all are")+" valid: the numbers stand, for this machine.")
	}
	if degraded > 0 {
		words = append(words, fmt.Sprintf("%d of %d cells %s degraded: the machine disturbed the measurement, so that only ratios count, not the times themselves.",
			degraded, len(cells), isAre(degraded)))
	}
	if invalid > 0 {
		words = append(words, fmt.Sprintf("%d of %d cells %s invalid, which proves nothing and is compared with nothing.", invalid, len(cells), isAre(invalid)))
	}
	return strings.Join(words, " ")
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// compareClients compares the targets through each client. Clients of which the
// same is to be said share the words.
func compareClients(s *scenario) (words string, ratios bool) {
	var said []string
	clients := map[string][]string{}
	for _, client := range s.clients {
		w, isRatio := compareTargets(s, client)
		ratios = ratios || isRatio
		if w == "" {
			continue
		}
		if len(clients[w]) == 0 {
			said = append(said, w)
		}
		clients[w] = append(clients[w], clean(client))
	}
	if len(said) == 0 {
		return "", false
	}
	for i, w := range said {
		said[i] = "with " + strings.Join(clients[w], " and ") + ", " + w
	}
	return fmt.Sprintf("%s (%s, p50): %s.", clean(s.name), clean(s.headline), strings.Join(said, "; ")), ratios
}

// median is a target's median response time of the headline operation.
type median struct {
	cell   *results.Cell
	micros float64
}

// compareTargets compares the targets that can be, through one client.
func compareTargets(s *scenario, client string) (words string, isRatio bool) {
	var all []median
	for _, c := range s.cells {
		p := c.Operations[s.headline].Response.P50
		if c.Client == client && c.Verdict != results.Invalid && p != nil && *p > 0 {
			all = append(all, median{c, *p})
		}
	}
	switch {
	case len(all) == 0:
		return "", false
	case len(all) == 1:
		return alone(all[0]), false
	case slices.ContainsFunc(all, func(m median) bool { return m.cell.Schedule != all[0].cell.Schedule }):
		return "the targets ran under different loads and do not compare", false
	default:
		return ratioWords(all), true
	}
}

// alone tells a time only where times count.
func alone(m median) string {
	name := shortTarget(m.cell.Target)
	if m.cell.Verdict != results.Valid {
		return name + " has nothing to be compared with"
	}
	return name + " alone has numbers that count, and took " + formatLatency(m.micros)
}

// ratioWords tells the ratio of each target to the lowest.
func ratioWords(all []median) string {
	byTime := func(a, b median) int { return cmp.Compare(a.micros, b.micros) }
	least, most := slices.MinFunc(all, byTime), slices.MaxFunc(all, byTime)
	if most.micros < least.micros*noDifference {
		names := make([]string, len(all))
		for i, m := range all {
			names[i] = shortTarget(m.cell.Target)
		}
		return fmt.Sprintf("%s were within %.0f %% of each other, which one run cannot tell apart",
			strings.Join(names, " and "), (noDifference-1)*100)
	}
	var slower []string
	for _, m := range all {
		if m.cell != least.cell {
			slower = append(slower, fmt.Sprintf("%s took %s", shortTarget(m.cell.Target), ratio(m.micros, least.micros)))
		}
	}
	return strings.Join(slower, ", ") + " as long as " + shortTarget(least.cell.Target)
}
