package layouts

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
)

// weighings is how many numbers of sessions are loaded: a server's tables grow by
// doubling, and the numbers lie evenly between one doubling and the next.
const weighings = 3

// engines are the servers that layouts are weighed on.
func engines() []string {
	return []string{"redis:7.0", "redis:8.0", "valkey:8.0", "valkey:8.1", "valkey:9.1"}
}

// BenchmarkMemory reports what a session takes in an empty server, its index
// included, in bytes of used_memory. The first of the weighings has b.N sessions: run
// it by -benchtime 3000x.
func BenchmarkMemory(b *testing.B) {
	for _, c := range crowds() {
		for _, t := range payloads() {
			b.Run(c.name+"/"+t.name, func(b *testing.B) {
				table := newTable(c.name+", "+t.name, engines())
				for _, l := range layouts() {
					for _, engine := range engines() {
						b.Run(l.name+"/"+engine, func(b *testing.B) {
							table.put(l.name, engine, weigh(b, l, engine, c, t))
						})
					}
				}
				table.print()
			})
		}
	}
}

// BenchmarkEdge reports what a session takes where every user has that many, on
// both sides of the 512 fields up to which a hash keeps its small encoding.
func BenchmarkEdge(b *testing.B) {
	table := newTable("sessions of each user", engines())
	l := layout{load: commands(hash((*records).compact))}
	for _, k := range []int{1, 2, 3, 5, 10, 20, 50, 100, 200, 512, 513, 1000} {
		for _, engine := range engines() {
			b.Run(fmt.Sprintf("%d/%s", k, engine), func(b *testing.B) {
				table.put(strconv.Itoa(k), engine, weigh(b, l, engine, each(k), payloads()[0]))
			})
		}
	}
	table.print()
}

// BenchmarkUsers reports what a user without sessions takes in the store: a record
// and a claim to an email.
func BenchmarkUsers(b *testing.B) {
	table := newTable("a user of the store", engines())
	l := layout{name: "without sessions", of: "user", load: users}
	for _, engine := range engines() {
		b.Run(engine, func(b *testing.B) {
			table.put(l.name, engine, weigh(b, l, engine, each(1), payloads()[0]))
		})
	}
	table.print()
}

// weigh gives the bytes of a session, at the mean over the weighings. Go tries a
// benchmark with one first: that is not worth a server.
func weigh(b *testing.B, l layout, engine string, c crowd, t texts) float64 {
	b.Helper()
	if !l.runsOn(engine) {
		b.Skipf("%s cannot do this", engine)
	}
	if b.N == 1 {
		return math.NaN()
	}
	var sum float64
	for i := range weighings {
		p := gather(int(float64(b.N)*math.Pow(2, float64(i)/weighings)), c, t)
		s := start(b, engine, l.options...)
		before := l.load(b, s, p)
		sum += float64(used(b, s)-before) / float64(len(p.logins))
	}
	b.ReportMetric(sum/weighings, "B/"+l.unit())
	b.ReportMetric(0, "ns/op") // Nothing was timed: Go leaves it out.
	return sum / weighings
}

// table collects what was weighed.
type table struct {
	title   string
	columns []string
	rows    []string
	cells   map[[2]string]float64
}

func newTable(title string, columns []string) *table {
	return &table{title: title, columns: columns, cells: map[[2]string]float64{}}
}

func (t *table) put(row, column string, value float64) {
	if math.IsNaN(value) {
		return
	}
	if len(t.rows) == 0 || t.rows[len(t.rows)-1] != row {
		t.rows = append(t.rows, row)
	}
	t.cells[[2]string{row, column}] = value
}

// print writes Markdown to standard output, where the benchmark's lines go.
func (t *table) print() {
	if len(t.rows) == 0 {
		return
	}
	var out strings.Builder
	fmt.Fprintf(&out, "\n| %s | %s |\n|---|%s\n", t.title, strings.Join(t.columns, " | "), strings.Repeat("--:|", len(t.columns)))
	for _, row := range t.rows {
		fmt.Fprintf(&out, "| %s |", row)
		for _, column := range t.columns {
			if v, ok := t.cells[[2]string{row, column}]; ok {
				fmt.Fprintf(&out, " %.0f |", v)
			} else {
				out.WriteString(" |")
			}
		}
		out.WriteByte('\n')
	}
	fmt.Fprintln(os.Stdout, out.String())
}
