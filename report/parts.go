package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/toriibench/toriibench/results"
)

// stage is a part of an operation's time.
type stage struct {
	name string
	of   func(results.Operation) results.Percentiles
}

// stages are what a scenario's cells tell of, in the order in which an operation
// goes through them. A closed loop is never late, and its service time stands
// elsewhere.
func stages(s *scenario) []stage {
	lag := stage{"lag", func(o results.Operation) results.Percentiles { return o.Lag }}
	divided := slices.ContainsFunc(s.cells, hasParts)
	if !divided && !s.closed {
		return []stage{lag, {"service", func(o results.Operation) results.Percentiles { return o.Service }}}
	}
	if !divided {
		return nil
	}
	var all []stage
	if !s.closed {
		all = append(all, lag)
	}
	parts := func(of func(*results.Parts) results.Percentiles) func(results.Operation) results.Percentiles {
		return func(o results.Operation) results.Percentiles {
			if o.Parts == nil {
				return results.Percentiles{}
			}
			return of(o.Parts)
		}
	}
	return append(all,
		stage{"queue", parts(func(p *results.Parts) results.Percentiles { return p.Queue })},
		stage{"wire", parts(func(p *results.Parts) results.Percentiles { return p.Wire })},
		stage{"rest", parts(func(p *results.Parts) results.Percentiles { return p.Rest })})
}

// hasParts says whether a cell's headline operation was divided.
func hasParts(c *results.Cell) bool { return c.Operations[c.HeadlineOperation()].Parts != nil }

// partsTable tells where the time of the headline operation goes: the medians of
// its stages, and of the cells whose tails are times these as well. It is empty
// when no cell has a median.
func partsTable(s *scenario) table {
	t := table{title: clean(s.headline) + ", where the time goes", columns: keyColumns(), keys: len(keyColumns())}
	if s.closed {
		t.title += " (" + notLatency + ")"
	}
	for _, c := range s.cells {
		t.rows = append(t.rows, cellKeys(c))
	}
	for _, p := range percentiles() {
		if p.q == 0.5 {
			t.addStages(s, p)
		}
	}
	if len(t.columns) == t.keys {
		return table{}
	}
	if slices.ContainsFunc(s.cells, func(c *results.Cell) bool { return c.Retries != nil && *c.Retries != 0 }) {
		t.add(column{head: "client", unit: "retries"}, func(i int) field { return retries(s.cells[i]) })
	}
	for _, p := range percentiles() {
		if p.q == tailFrom {
			t.addStages(s, p)
		}
	}
	return t
}

// addStages appends a column for each stage in which a cell has something to
// show, all in one unit.
func (t *table) addStages(s *scenario, p percentile) {
	value := func(part stage, c *results.Cell) *float64 {
		if ratioOnly(c, p.q) {
			return nil
		}
		return p.of(part.of(c.Operations[s.headline]))
	}
	var shown []stage
	var values []float64
	for _, part := range stages(s) {
		before := len(values)
		for _, c := range s.cells {
			if v := value(part, c); v != nil {
				values = append(values, *v)
			}
		}
		if len(values) > before {
			shown = append(shown, part)
		}
	}
	u := unitFor(values)
	for _, part := range shown {
		t.add(column{head: part.name, unit: p.name + " " + u.name}, func(i int) field {
			v := value(part, s.cells[i])
			if v == nil {
				return field{text: dash, tone: quiet}
			}
			return doubted(s.cells[i], u.format(*v))
		})
	}
}

func retries(c *results.Cell) field {
	switch {
	case c.Retries == nil:
		return field{text: dash, tone: quiet}
	case *c.Retries != 0:
		return field{text: thousands(*c.Retries), tone: bad}
	default:
		return field{text: "0"}
	}
}

// mostCommands is how many of a server's commands are shown.
const mostCommands = 5

// serverTable tells the server's own view: of the commands that took most of its
// time, how long a call took it. It is empty when no server was asked.
func serverTable(s *scenario, notes *footnotes) table {
	t := table{title: "the server's own view: its time for each call", columns: []column{{head: "command", left: true}}, keys: 1}
	names, share := topCommands(s)
	if len(names) == 0 {
		return table{}
	}
	for _, name := range names {
		t.rows = append(t.rows, []field{{text: clean(name)}})
	}
	for _, c := range s.cells {
		t.add(column{head: shortTarget(c.Target), unit: clean(c.Client) + " µs"}, func(i int) field {
			command, ok := commands(c)[names[i]]
			if !ok || command.Calls == 0 {
				return field{text: dash, tone: quiet}
			}
			return field{text: digits3(command.CPU)}
		})
		refusedNotes(c, notes)
	}
	if share < 0.995 {
		notes.remark(fmt.Sprintf("The commands shown are %.0f %% of the time that the servers counted.", 100*share))
	}
	return t
}

// commands are what a cell's server counted; none if it was not asked.
func commands(c *results.Cell) map[string]results.Command {
	if c.ServerView == nil {
		return nil
	}
	return c.ServerView.Commands
}

// topCommands names the commands that took most of the servers' time, and gives
// their share of it.
func topCommands(s *scenario) (names []string, share float64) {
	spent, total := map[string]float64{}, 0.0
	for _, c := range s.cells {
		for name, command := range commands(c) {
			t := float64(command.Calls) * command.CPU
			spent[name] += t
			total += t
		}
	}
	names = sortedKeys(spent)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(spent[b], spent[a]) })
	if len(names) <= mostCommands || total <= 0 {
		return names[:min(len(names), mostCommands)], 1
	}
	names = names[:mostCommands]
	for _, name := range names {
		share += spent[name] / total
	}
	return names, share
}

// refusedNotes tells of calls that the server did not perform.
func refusedNotes(c *results.Cell, notes *footnotes) {
	for _, name := range sortedKeys(commands(c)) {
		if command := commands(c)[name]; command.Rejected+command.Failed > 0 {
			notes.remark(fmt.Sprintf("%s: of %s the server rejected %s calls, and %s failed.",
				cellName(c), clean(name), thousands(command.Rejected), thousands(command.Failed)))
		}
	}
}
