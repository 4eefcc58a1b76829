package report

import (
	"slices"
	"strings"

	"github.com/toriibench/toriibench/results"
)

// tailFrom is the first quantile that counts as a tail: on a disturbed machine
// it tells of the machine more than of the server.
const tailFrom = 0.99

// ratioOnly says whether a quantile of a cell is shown as a ratio, and never as a
// time: the tails of a degraded cell.
func ratioOnly(c *results.Cell, q float64) bool {
	return c.Verdict == results.Degraded && q >= tailFrom
}

// doubted marks a time by how far its cell may be believed.
func doubted(c *results.Cell, text string) field {
	switch c.Verdict {
	case results.Degraded:
		return field{text: "~" + text}
	case results.Invalid:
		return field{text: "(" + text + ")", tone: quiet}
	default:
		return field{text: text}
	}
}

// reference finds what the tails of a row are compared with: the same operation
// through the same client on the first target whose cell is not invalid. The rows
// of an operation and client stand in the order of the run's targets. A row that
// is not invalid has one, if only itself.
func reference(rows []row, of row) row {
	at := slices.IndexFunc(rows, func(r row) bool {
		return r.operation == of.operation && r.cell.Client == of.cell.Client && r.cell.Verdict != results.Invalid
	})
	if at < 0 {
		return of
	}
	return rows[at]
}

// tailRatio shows a tail as a ratio to the reference's, or why there is none.
func tailRatio(rows []row, of row, p percentile, times func(row) results.Percentiles, notes *footnotes) field {
	base := reference(rows, of)
	name := shortTarget(base.cell.Target)
	v, least := p.of(times(of)), p.of(times(base))
	switch {
	case base.cell.Schedule != of.cell.Schedule:
		return field{text: dash + notes.mark("no ratio: "+name+" ran under another load"), tone: quiet}
	case v == nil || least == nil || !(*least > 0):
		return field{text: dash + notes.mark("no ratio: "+name+" has no "+p.name+" of "+clean(of.operation)), tone: quiet}
	default:
		return field{text: ratio(*v, *least)}
	}
}

// invalidCells tells of each invalid cell why it is one.
func invalidCells(run *results.Run) []string {
	var out []string
	for i := range run.Cells {
		c := &run.Cells[i]
		if c.Verdict == results.Invalid {
			out = append(out, "INVALID: "+clean(c.Scenario)+", "+cellName(c)+": "+strings.Join(reasons(c), "; "))
		}
	}
	return out
}

// reasons are those of a verdict that is not valid, without a full stop.
func reasons(c *results.Cell) []string {
	if len(c.Reasons) == 0 {
		return []string{"no reason is recorded"}
	}
	out := make([]string, len(c.Reasons))
	for i, r := range c.Reasons {
		out[i] = strings.TrimSuffix(clean(r), ".")
	}
	return out
}

// cellName names a cell within its scenario.
func cellName(c *results.Cell) string { return shortTarget(c.Target) + " × " + clean(c.Client) }

// doubtfulCells says which cells of a picture may not be read like the others,
// each verdict in a sentence that begins with the words for it.
func doubtfulCells(s *scenario, degraded, invalid string) string {
	names := map[results.Verdict][]string{}
	for _, c := range s.cells {
		names[c.Verdict] = append(names[c.Verdict], cellName(c))
	}
	var sentences []string
	say := func(v results.Verdict, words string) {
		switch len(names[v]) {
		case 0:
		case len(s.cells):
			sentences = append(sentences, words+": all cells.")
		default:
			sentences = append(sentences, words+": "+strings.Join(names[v], ", ")+".")
		}
	}
	say(results.Degraded, degraded)
	say(results.Invalid, invalid)
	return strings.Join(sentences, " ")
}
