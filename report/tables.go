package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/toriibench/toriibench/results"
)

// tone is what a field's colour says.
type tone int

const (
	plain tone = iota
	good
	doubtful
	bad
	quiet
	strong
)

// table is a table of text. The first keys columns name a row.
type table struct {
	title   string
	columns []column
	keys    int
	rows    [][]field
}

// column has a head in two lines. Numbers stand to the right.
type column struct {
	head, unit string
	left       bool
}

type field struct {
	text string
	tone tone
}

// percentile is a column of latencies.
type percentile struct {
	name string
	// q is 1 for the maximum.
	q  float64
	of func(results.Percentiles) *float64
}

func percentiles() []percentile {
	return []percentile{
		{"p50", 0.5, func(p results.Percentiles) *float64 { return p.P50 }},
		{"p90", 0.9, func(p results.Percentiles) *float64 { return p.P90 }},
		{"p99", 0.99, func(p results.Percentiles) *float64 { return p.P99 }},
		{"p99.9", 0.999, func(p results.Percentiles) *float64 { return p.P999 }},
		{"max", 1, func(p results.Percentiles) *float64 { return p.Max }},
	}
}

// row is an operation of a cell.
type row struct {
	cell      *results.Cell
	operation string
}

func (r row) numbers() results.Operation { return r.cell.Operations[r.operation] }

// times are what is shown of a cell's operation: a closed loop has no response
// time.
func (r row) times() results.Percentiles {
	if closed(r.cell) {
		return r.numbers().Service
	}
	return r.numbers().Response
}

// rate is how many of the operation a second went on.
func (r row) rate() float64 {
	if r.cell.Seconds <= 0 {
		return 0
	}
	return float64(r.numbers().Count) / r.cell.Seconds
}

// keyColumns and cellKeys name a cell.
func keyColumns() []column {
	return []column{{head: "target", left: true}, {head: "client", left: true}}
}

func cellKeys(c *results.Cell) []field {
	return []field{{text: shortTarget(c.Target)}, {text: clean(c.Client)}}
}

// headlineTable has a row for each cell: its verdict, its headline operation and
// what it cost.
func headlineTable(s *scenario, notes *footnotes) table {
	t := verdictTable(s, notes)
	t.title = clean(s.headline) + ", response time"
	rows := make([]row, len(s.cells))
	for i, c := range s.cells {
		rows[i] = row{cell: c, operation: s.headline}
	}
	t.addLatencies(rows, notes)
	t.addFailures(s)
	t.add(column{head: "CPU", unit: "µs/op"}, func(i int) field { return optional(s.cells[i].ServerCPUPerOp) })
	t.addMemory(s)
	return t
}

func (t *table) addFailures(s *scenario) {
	t.add(column{head: "fail", unit: "e/t/d"}, func(i int) field { return failures(s.cells[i]) })
}

func (t *table) addMemory(s *scenario) {
	t.add(column{head: "memory", unit: "B/sess"}, func(i int) field { return optional(s.cells[i].BytesPerSession) })
}

// verdictTable is what can be said of every cell, even one that did nothing.
func verdictTable(s *scenario, notes *footnotes) table {
	t := table{columns: keyColumns(), keys: len(keyColumns())}
	for _, c := range s.cells {
		t.rows = append(t.rows, cellKeys(c))
	}
	t.add(column{head: "verdict", left: true}, func(i int) field { return verdict(s.cells[i], notes) })
	t.add(column{head: "ops/s"}, func(i int) field { return achieved(s.cells[i]) })
	return t
}

// add appends a column.
func (t *table) add(c column, value func(i int) field) {
	t.columns = append(t.columns, c)
	for i := range t.rows {
		t.rows[i] = append(t.rows[i], value(i))
	}
}

// addLatencies appends the percentiles of the rows' times, each column in one
// unit.
func (t *table) addLatencies(rows []row, notes *footnotes) {
	for _, r := range rows { // First, so that the notes are numbered by row.
		if !complete(r.times()) {
			missing(rows, r, notes)
		}
	}
	for _, p := range percentiles() {
		u, head := latencyColumn(rows, p)
		t.add(head, func(i int) field {
			v := p.of(rows[i].times())
			switch {
			case v == nil:
				return field{text: dash + missing(rows, rows[i], notes), tone: quiet}
			case ratioOnly(rows[i].cell, p.q):
				return tailRatio(rows, rows[i], p, row.times, notes)
			default:
				return doubted(rows[i].cell, u.format(*v))
			}
		})
	}
}

// latencyColumn is the head of a column and the unit of the times in it: those
// that are not shown as ratios.
func latencyColumn(rows []row, p percentile) (latencyUnit, column) {
	var times []float64
	ratios := false
	for _, r := range rows {
		v := p.of(r.times())
		switch {
		case v == nil:
		case ratioOnly(r.cell, p.q):
			ratios = true
		default:
			times = append(times, *v)
		}
	}
	u := unitFor(times)
	switch {
	case len(times) > 0:
		return u, column{head: p.name, unit: u.name}
	case ratios:
		return u, column{head: p.name, unit: "ratio"}
	default:
		return u, column{head: p.name}
	}
}

func complete(p results.Percentiles) bool {
	return !slices.ContainsFunc(percentiles(), func(one percentile) bool { return one.of(p) == nil })
}

// missing files the note on the first percentile that the rows of an operation
// lack, and gives its mark: one note for an operation, with the longest time of
// its rows. Those above it need more, by a power of ten each.
func missing(rows []row, of row, notes *footnotes) string {
	if of.numbers().Count == 0 {
		return notes.mark("no operation of this kind")
	}
	if of.cell.Loop == "closed" {
		return notes.mark("a closed loop sends nothing while it waits: it tells throughput and cost, and no latency")
	}
	for _, p := range percentiles() {
		longest := 0.0
		for _, r := range rows {
			n := r.numbers()
			if r.operation == of.operation && n.Count > 0 && p.of(r.times()) == nil {
				longest = math.Max(longest, results.Needed(p.q, n.Count, r.rate()))
			}
		}
		if longest > 0 {
			return notes.mark(clean(of.operation) + ": " + p.name + " needs about " + duration(longest) + " more at this rate")
		}
	}
	return "" // The file lacks a percentile that its sample could carry.
}

func verdict(c *results.Cell, notes *footnotes) field {
	f := field{text: string(c.Verdict)}
	switch c.Verdict {
	case results.Valid:
		f.tone = good
	case results.Degraded:
		f.tone = doubtful
	case results.Invalid:
		f.tone = bad
	}
	if c.Verdict == results.Valid {
		return f
	}
	f.text += notes.mark(string(c.Verdict) + ": " + strings.Join(reasons(c), "; "))
	return f
}

func achieved(c *results.Cell) field {
	if c.Seconds <= 0 {
		return field{text: dash, tone: quiet}
	}
	return field{text: digits3(throughput(c))}
}

func failures(c *results.Cell) field {
	f := field{text: fmt.Sprintf("%d/%d/%d", c.Errors, c.Timeouts, c.Dropped)}
	if c.Errors+c.Timeouts+c.Dropped > 0 {
		f.tone = bad
	}
	return f
}

func optional(v *float64) field {
	if v == nil {
		return field{text: dash, tone: quiet}
	}
	return field{text: digits3(*v)}
}

// operationsTable has the named operations, a row for each cell. Where nothing
// failed it has no column for errors.
func operationsTable(s *scenario, title string, operations []string, notes *footnotes) table {
	columns := append([]column{{head: "operation", left: true}}, keyColumns()...)
	t := table{title: title, columns: columns, keys: len(columns)}
	var rows []row
	var few []string
	for _, operation := range operations {
		if n, ok := tooFew(s, operation); ok {
			few = append(few, fmt.Sprintf("%s (%s)", clean(operation), thousands(n)))
			continue
		}
		for i, c := range s.cells {
			name := field{text: clean(operation)}
			if i > 0 {
				name.tone = quiet
			}
			rows = append(rows, row{cell: c, operation: operation})
			t.rows = append(t.rows, append([]field{name}, cellKeys(c)...))
		}
	}
	if len(few) > 0 {
		notes.remark("too few to say anything of their times, in a cell at the most: " + strings.Join(few, ", "))
	}
	t.add(column{head: "count"}, func(i int) field { return field{text: thousands(rows[i].numbers().Count)} })
	t.addLatencies(rows, notes)
	if slices.ContainsFunc(rows, func(r row) bool { return r.numbers().Errors > 0 }) {
		t.add(column{head: "errors"}, func(i int) field {
			n := rows[i].numbers().Errors
			if n > 0 {
				return field{text: thousands(n), tone: bad}
			}
			return field{text: "0"}
		})
	}
	return t
}

// tooFew says whether no cell has enough of an operation for even its median, and
// gives the most that a cell has. What failed is always shown.
func tooFew(s *scenario, operation string) (most int64, ok bool) {
	for _, c := range s.cells {
		r := row{cell: c, operation: operation}
		if r.times().P50 != nil || r.numbers().Errors > 0 {
			return 0, false
		}
		most = max(most, r.numbers().Count)
	}
	return most, true
}

// measurementsTable sets a scenario's own numbers side by side, a column for
// each cell.
func measurementsTable(s *scenario, notes *footnotes) table {
	t := table{
		title:   "measured by this scenario alone",
		columns: []column{{head: "measurement", left: true}, {head: "unit", left: true}}, keys: 2,
	}
	first := map[string]results.Measurement{}
	for _, c := range s.cells {
		for name, m := range c.Measurements {
			if _, known := first[name]; !known {
				first[name] = m
			}
		}
	}
	names := sortedKeys(first)
	for _, name := range names {
		text := clean(name)
		if about := clean(first[name].About); about != "" {
			text += notes.mark(about)
		}
		t.rows = append(t.rows, []field{{text: text}, {text: clean(first[name].Unit)}})
	}
	for _, c := range s.cells {
		t.add(column{head: shortTarget(c.Target), unit: clean(c.Client)}, func(i int) field {
			m, ok := c.Measurements[names[i]]
			if !ok {
				return field{text: dash, tone: quiet}
			}
			text := digits3(m.Value)
			if m.Unit != first[names[i]].Unit {
				text += " " + clean(m.Unit)
			}
			if isTime(m.Unit) {
				return doubted(c, text)
			}
			return field{text: text}
		})
	}
	return t
}

// isTime says whether a unit is one that a disturbed machine stretches.
func isTime(unit string) bool { return slices.Contains([]string{"ns", "µs", "us", "ms", "s"}, unit) }

// loadWords tells the schedules of a scenario's cells.
func loadWords(s *scenario) string {
	var all []string
	for _, c := range s.cells {
		if l := clean(c.Schedule); l != "" && !slices.Contains(all, l) {
			all = append(all, l)
		}
	}
	if len(all) == 0 {
		return "not recorded"
	}
	return strings.Join(all, ", ")
}
