package report

import (
	"maps"
	"slices"
	"strings"
)

// footnotes collects the doubts about a part's numbers. The same text gets the
// same mark.
type footnotes struct {
	texts []string
	// remarks have no mark.
	remarks []string
}

// mark files a note and gives its mark, to stand behind what it is about.
func (f *footnotes) mark(text string) string {
	at := slices.Index(f.texts, text)
	if at < 0 {
		at = len(f.texts)
		f.texts = append(f.texts, text)
	}
	return superscript(at + 1)
}

// remark files a note that is about no number in particular.
func (f *footnotes) remark(text string) {
	if !slices.Contains(f.remarks, text) {
		f.remarks = append(f.remarks, text)
	}
}

// lines gives all notes, the marked ones first.
func (f *footnotes) lines() []string {
	var out []string
	for i, text := range f.texts {
		out = append(out, superscript(i+1)+" "+text)
	}
	return append(out, f.remarks...)
}

func superscript(n int) string {
	digits := []rune("⁰¹²³⁴⁵⁶⁷⁸⁹")
	var b strings.Builder
	if n >= len(digits) {
		b.WriteString(superscript(n / len(digits)))
	}
	b.WriteRune(digits[n%len(digits)])
	return b.String()
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
