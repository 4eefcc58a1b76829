package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/toriibench/toriibench/results"
)

// scenario is what a run holds of one scenario, of its open or its closed loops.
type scenario struct {
	name   string
	closed bool
	// headline is the operation that speaks for it.
	headline string
	// cells are ordered so that the targets of one client stand together:
	// clients, and the targets of each, in the order of the run.
	cells            []*results.Cell
	clients, targets []string
}

// scenarios splits a run, in the order in which the scenarios first appear.
func scenarios(run *results.Run) []*scenario {
	var all []*scenario
	for i := range run.Cells {
		c := &run.Cells[i]
		at := slices.IndexFunc(all, func(s *scenario) bool { return s.name == c.Scenario && s.closed == closed(c) })
		if at < 0 {
			at = len(all)
			all = append(all, &scenario{name: c.Scenario, closed: closed(c)})
		}
		all[at].add(c)
	}
	for _, s := range all {
		s.order()
	}
	return all
}

func (s *scenario) add(c *results.Cell) {
	s.cells = append(s.cells, c)
	if !slices.Contains(s.clients, c.Client) {
		s.clients = append(s.clients, c.Client)
	}
	if !slices.Contains(s.targets, c.Target) {
		s.targets = append(s.targets, c.Target)
	}
}

func (s *scenario) order() {
	slices.SortStableFunc(s.cells, func(a, b *results.Cell) int {
		return cmp.Or(
			cmp.Compare(slices.Index(s.clients, a.Client), slices.Index(s.clients, b.Client)),
			cmp.Compare(slices.Index(s.targets, a.Target), slices.Index(s.targets, b.Target)),
		)
	})
	for _, c := range s.cells {
		if h := c.HeadlineOperation(); h != "" {
			s.headline = h
			return
		}
	}
}

// find gives the first cell of a target and a client, or nil.
func (s *scenario) find(target, client string) *results.Cell {
	for _, c := range s.cells {
		if c.Target == target && c.Client == client {
			return c
		}
	}
	return nil
}

// operations names all operations, the headline first and then by name.
func (s *scenario) operations() []string {
	var names []string
	for _, c := range s.cells {
		for name := range c.Operations {
			if name != s.headline && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Insert(names, 0, s.headline)
}

// engine names what a cell measured, in lower case: by what the server said of
// itself, or else by the target.
func engine(c *results.Cell) string {
	if c.Server.Name != "" {
		return strings.ToLower(c.Server.Name)
	}
	name, _, _ := strings.Cut(c.Target, ":")
	return strings.ToLower(name)
}

// shortTarget leaves out the topology that every engine has when none is named.
func shortTarget(target string) string {
	return clean(strings.TrimSuffix(target, "@standalone"))
}

// label names a cell in a legend, with its verdict when it is not valid.
func label(c *results.Cell) string {
	l := shortTarget(c.Target) + " · " + clean(c.Client)
	if c.Verdict != results.Valid {
		l += " (" + string(c.Verdict) + ")"
	}
	return l
}

// count tells how many cells have a verdict.
func count(cells []*results.Cell, v results.Verdict) int {
	n := 0
	for _, c := range cells {
		if c.Verdict == v {
			n++
		}
	}
	return n
}
