package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/toriibench/toriibench/results"
)

// Markdown writes what Terminal writes as GitHub Markdown, for the summary of a
// CI job. The pictures, as Render returns them, are named by their file names
// alone, so that they are seen where the text stands beside them.
func Markdown(w io.Writer, run *results.Run, pictures ...Picture) error {
	out := bufio.NewWriter(w)
	m := markdown{out}
	d := newDocument(run)
	m.line("## " + escape(d.title))
	for _, a := range d.alarms {
		m.paragraph("**" + escape(a) + "**")
	}
	m.paragraph(strings.Join(escapeAll(d.meaning), "\\\n"))
	m.paragraph(strings.Join(escapeAll(d.facts), "\\\n"))
	for i, s := range scenarios(run) {
		m.part(d.parts[i])
		for _, p := range pictures {
			if p.Scenario == s.name && p.closed == s.closed {
				m.picture(p)
			}
		}
	}
	m.paragraph(escape(d.key))
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// markdown writes to a buffered writer, which remembers the first error.
type markdown struct{ w *bufio.Writer }

func (m markdown) line(s string) { fmt.Fprintln(m.w, s) }

// paragraph stands alone; an empty one is left out.
func (m markdown) paragraph(s string) {
	if s != "" {
		m.line("\n" + s)
	}
}

func (m markdown) part(p part) {
	m.paragraph("### " + escape(p.name))
	m.paragraph(escape(p.load))
	for _, a := range p.alarms {
		m.paragraph("**" + escape(a) + "**")
	}
	for _, t := range p.tables {
		m.table(t)
	}
	m.list(p.checks)
	m.list(p.notes.lines())
}

func (m markdown) list(items []string) {
	for i, item := range items {
		if i == 0 {
			m.line("")
		}
		m.line("- " + escape(item))
	}
}

func (m markdown) table(t table) {
	if t.title != "" {
		m.paragraph(escape(t.title))
	}
	var heads, rules []string
	for _, c := range t.columns {
		head := escape(c.head)
		if c.unit != "" {
			head += " " + escape(c.unit)
		}
		rule := "--:"
		if c.left {
			rule = ":--"
		}
		heads, rules = append(heads, head), append(rules, rule)
	}
	m.paragraph("| " + strings.Join(heads, " | ") + " |")
	m.line("| " + strings.Join(rules, " | ") + " |")
	for _, r := range t.rows {
		var fields []string
		for _, f := range r {
			text := escape(f.text)
			if f.tone == bad {
				text = "**" + text + "**"
			}
			fields = append(fields, text)
		}
		m.line("| " + strings.Join(fields, " | ") + " |")
	}
}

func (m markdown) picture(p Picture) {
	if p.SVG == "" {
		m.paragraph("*No picture: " + escape(p.Note) + ".*")
		return
	}
	m.paragraph(fmt.Sprintf("![%s](%s)", escape(p.Caption), p.SVG))
}

// escape keeps a text from a file from being Markdown or HTML.
func escape(s string) string {
	return strings.NewReplacer(
		`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "|", `\|`, "~", `\~`,
	).Replace(s)
}

func escapeAll(all []string) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = escape(s)
	}
	return out
}
