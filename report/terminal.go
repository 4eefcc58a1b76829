package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/toriibench/toriibench/results"
)

// leastWidth is the least number of columns that Terminal lays out for.
const leastWidth = 40

// columnGap is the space between two columns.
const columnGap = "  "

// Terminal writes what a run says as text: what it means, and for each scenario
// a table of its headline operation, one of the others, its invariants (those
// violated first), its own measurements, and the reasons for every doubt as
// footnotes. Lines fit width columns (100 hold the headline table in one piece;
// in fewer a table goes on below itself, and nothing is left out); a width of 0
// means 100. With color, ANSI escapes mark verdicts; without, there are none.
func Terminal(w io.Writer, run *results.Run, width int, color bool) error {
	if width <= 0 {
		width = 100
	}
	out := bufio.NewWriter(w)
	t := terminal{w: out, width: max(width, leastWidth), color: color}
	t.document(newDocument(run))
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// terminal writes to a buffered writer, which remembers the first error.
type terminal struct {
	w     *bufio.Writer
	width int
	color bool
}

func (t *terminal) document(d document) {
	t.line(d.title, strong)
	for _, a := range d.alarms {
		t.paragraph("  ", a, bad)
	}
	for _, m := range d.meaning {
		t.paragraph("", m, plain)
	}
	for _, f := range d.facts {
		t.paragraph("", f, quiet)
	}
	for _, p := range d.parts {
		t.line("", plain)
		t.part(p)
	}
	if d.key != "" {
		t.line("", plain)
		t.paragraph("", d.key, quiet)
	}
}

func (t *terminal) part(p part) {
	head := p.name + "  " + p.load
	t.line(head+" "+strings.Repeat("─", max(0, t.width-utf8.RuneCountInString(head)-1)), strong)
	for _, a := range p.alarms {
		t.paragraph("  ", a, bad)
	}
	for _, one := range p.tables {
		t.line("", plain)
		t.table(one)
	}
	t.line("", plain)
	for _, c := range p.checks {
		t.paragraph("  ", c, plain)
	}
	for _, n := range p.notes.lines() {
		t.paragraph("  ", n, quiet)
	}
}

// line writes one line as it is.
func (t *terminal) line(s string, as tone) {
	fmt.Fprintln(t.w, t.paint(s, as))
}

// paragraph breaks s at the width; its later lines stand in by indent.
func (t *terminal) paragraph(indent, s string, as tone) {
	line, used := "", 0
	for _, word := range strings.Fields(s) {
		n := utf8.RuneCountInString(word)
		if used > 0 && used+1+n > t.width {
			t.line(line, as)
			line, used = indent, len(indent)
		} else if used > 0 {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+n
	}
	t.line(line, as)
}

// paint wraps s in the escapes of a tone.
func (t *terminal) paint(s string, as tone) string {
	codes := map[tone]string{good: "32", doubtful: "33", bad: "1;31", quiet: "2", strong: "1"}
	code, ok := codes[as]
	if !t.color || !ok || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// table writes a table in as many blocks as the width asks for, each with the
// key columns.
func (t *terminal) table(all table) {
	if all.title != "" {
		t.line(all.title, strong)
	}
	widths := all.widths()
	for _, block := range all.blocks(widths, t.width) {
		t.row(block, widths, all.columns, func(i int) field { return field{all.columns[i].head, strong} })
		if all.hasUnits(block) {
			t.row(block, widths, all.columns, func(i int) field { return field{all.columns[i].unit, quiet} })
		}
		for _, r := range all.rows {
			t.row(block, widths, all.columns, func(i int) field { return r[i] })
		}
	}
}

// row writes the columns of a block, with no space after the last.
func (t *terminal) row(block, widths []int, columns []column, value func(i int) field) {
	var b strings.Builder
	blank := ""
	for _, i := range block {
		f := value(i)
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(f.text))
		before, after := pad, ""
		if columns[i].left {
			before, after = "", pad
		}
		if f.text == "" {
			blank += pad
		} else {
			b.WriteString(blank + before + t.paint(f.text, f.tone))
			blank = after
		}
		blank += columnGap
	}
	fmt.Fprintln(t.w, b.String())
}

// widths are those of the widest field of each column.
func (t table) widths() []int {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		widths[i] = max(utf8.RuneCountInString(c.head), utf8.RuneCountInString(c.unit))
		for _, r := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(r[i].text))
		}
	}
	return widths
}

// blocks splits the columns so that each block fits the width, with the keys in
// front. A block has at least one column beside them.
func (t table) blocks(widths []int, width int) [][]int {
	var keys []int
	start := 0
	for i := range t.keys {
		keys = append(keys, i)
		start += widths[i] + len(columnGap)
	}
	var blocks [][]int
	used := width + 1
	for i := t.keys; i < len(widths); i++ {
		if used+widths[i] > width {
			blocks, used = append(blocks, append([]int{}, keys...)), start
		}
		last := len(blocks) - 1
		blocks[last] = append(blocks[last], i)
		used += widths[i] + len(columnGap)
	}
	return blocks
}

func (t table) hasUnits(block []int) bool {
	for _, i := range block {
		if t.columns[i].unit != "" {
			return true
		}
	}
	return false
}
