package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/toriibench/toriibench/results"
)

// document is what a run says, before it is a terminal's text or Markdown.
type document struct {
	title string
	// alarms make everything below them doubtful.
	alarms []string
	// meaning says in plain words what the numbers say, and no more.
	meaning []string
	facts   []string
	parts   []part
	// key explains the columns.
	key string
}

// part is a scenario's share of a document.
type part struct {
	name string
	// load is what was offered, or that nothing was: a closed loop.
	load string
	// alarms are invariants that did not hold.
	alarms []string
	tables []table
	// checks are invariants that held.
	checks []string
	notes  footnotes
}

func newDocument(run *results.Run) document {
	d := document{
		title:   "Run " + clean(run.ID),
		alarms:  alarms(run),
		meaning: meaning(run),
		facts:   facts(run),
	}
	for _, s := range scenarios(run) {
		d.parts = append(d.parts, newPart(s))
	}
	d.key = key(run)
	return d
}

func alarms(run *results.Run) []string {
	var out []string
	if !run.Complete {
		why := clean(run.Reason)
		if why == "" {
			why = "it does not say why"
		}
		out = append(out, "This run is incomplete: "+strings.TrimSuffix(why, ".")+". What it measured until then follows.")
	}
	if len(run.Cells) == 0 {
		out = append(out, "This run measured nothing: it has no cells.")
	}
	for _, one := range run.NotRun {
		out = append(out, fmt.Sprintf("Not run: %s on %s: %s.", clean(one.Scenario), shortTarget(one.Target), clean(one.Reason)))
	}
	if n := violations(run); n > 0 {
		out = append(out, "This run FAILS, whatever its latencies: "+plural(n, "invariant was", "invariants were")+" violated.")
	}
	return append(out, invalidCells(run)...)
}

func facts(run *results.Run) []string {
	when := run.Started.UTC().Format("2006-01-02 15:04 UTC")
	took := (time.Duration(run.Seconds) * time.Second).String()
	return append([]string{
		strings.Join(machineWords(run.Environment), separator),
		fmt.Sprintf("started %s%stook %s%sseed %d", when, separator, took, separator, run.Seed),
	}, doctorWords(run.Environment)...)
}

func newPart(s *scenario) part {
	p := part{name: clean(s.name), load: "load " + loadWords(s)}
	p.alarms, p.checks = invariants(s)
	if s.closed {
		p.load = closedWords(s)
		p.tables = closedTables(s, &p.notes)
	} else {
		p.tables = openTables(s, &p.notes)
	}
	p.tables = append(p.tables, failoverTables(s, &p.notes)...)
	for _, t := range []table{partsTable(s), serverTable(s, &p.notes), measurementsTable(s, &p.notes)} {
		if len(t.rows) > 0 {
			p.tables = append(p.tables, t)
		}
	}
	errorNotes(s, &p.notes)
	return p
}

// openTables tell the response times.
func openTables(s *scenario, notes *footnotes) []table {
	if s.headline == "" {
		return []table{verdictTable(s, notes)}
	}
	tables := []table{headlineTable(s, notes)}
	if t := intervalTable(s, notes); len(t.rows) > 0 {
		tables = append(tables, t)
	}
	if others := s.operations()[1:]; len(others) > 0 {
		tables = append(tables, operationsTable(s, "other operations, response time", others, notes))
	}
	return tables
}

// errorNotes tells the first error text of each cell that has one.
func errorNotes(s *scenario, notes *footnotes) {
	for _, c := range s.cells {
		if len(c.ErrorSamples) > 0 {
			notes.remark(fmt.Sprintf("An error with %s × %s: %s", shortTarget(c.Target), clean(c.Client), clean(c.ErrorSamples[0])))
		}
	}
}

// invariants tells those that were violated cell by cell, and sums up the rest.
func invariants(s *scenario) (violated, held []string) {
	sums := map[string]results.Invariant{}
	var names []string
	for _, c := range s.cells {
		for _, name := range sortedKeys(c.Invariants) {
			i := c.Invariants[name]
			if i.Violated > 0 {
				violated = append(violated, violation(c, name, i))
			}
			sum, known := sums[name]
			if !known {
				names = append(names, name)
			}
			sums[name] = results.Invariant{Checked: sum.Checked + i.Checked, Violated: sum.Violated + i.Violated}
		}
	}
	for _, name := range names {
		switch sum := sums[name]; {
		case sum.Violated > 0:
		case sum.Checked == 0:
			held = append(held, clean(name)+" was never checked, and so proves nothing")
		default:
			held = append(held, fmt.Sprintf("%s held in all %s checks", clean(name), thousands(sum.Checked)))
		}
	}
	return violated, held
}

func violation(c *results.Cell, name string, i results.Invariant) string {
	v := fmt.Sprintf("VIOLATED: %s, %s of %s checks, by %s × %s", clean(name),
		thousands(i.Violated), thousands(i.Checked), shortTarget(c.Target), clean(c.Client))
	if i.Example != "" {
		v += ": " + clean(i.Example)
	}
	return v
}
