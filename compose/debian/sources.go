package debian

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// source is one package source of the machine, in either of apt's formats.
type source struct {
	uris, suites, components []string
	// signedBy is the value of Signed-By as apt reads it in the deb822
	// format: key files, fingerprints, or a key itself over several lines; ""
	// leaves it to the keys that apt trusts for everything.
	signedBy string
}

// parseList reads the one-line format: deb [option=value …] URI suite component….
func parseList(r io.Reader) ([]source, error) {
	var sources []source
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if s, ok := parseListLine(line); ok {
			sources = append(sources, s)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read package sources: %w", err)
	}
	return sources, nil
}

// parseListLine reads one source; source packages and disabled lines are none.
func parseListLine(line string) (source, bool) {
	line = strings.TrimSpace(line)
	rest, ok := strings.CutPrefix(line, "deb")
	if !ok || rest == "" || !strings.ContainsAny(rest[:1], " \t[") {
		return source{}, false
	}
	rest = strings.TrimSpace(rest)
	var s source
	if strings.HasPrefix(rest, "[") {
		options, after, closed := strings.Cut(rest[1:], "]")
		if !closed {
			return source{}, false
		}
		s.signedBy = listOption(options, "signed-by")
		rest = after
	}
	words := strings.Fields(rest)
	if len(words) < 2 {
		return source{}, false
	}
	s.uris, s.suites, s.components = words[:1], words[1:2], words[2:]
	return s, true
}

// listOption finds name=value in the options of a line; apt separates several
// values with commas there.
func listOption(options, name string) string {
	for _, option := range strings.Fields(options) {
		key, value, _ := strings.Cut(option, "=")
		if strings.EqualFold(key, name) {
			return strings.Join(strings.Split(value, ","), " ")
		}
	}
	return ""
}

// parseDeb822 reads the format of .sources files: paragraphs of fields.
func parseDeb822(r io.Reader) ([]source, error) {
	paragraphs, err := parseParagraphs(r)
	if err != nil {
		return nil, err
	}
	var sources []source
	for _, p := range paragraphs {
		off := slices.Contains([]string{"no", "false", "0", "off", "without", "disable"}, strings.ToLower(p["enabled"]))
		if off || !slices.Contains(strings.Fields(p["types"]), "deb") {
			continue
		}
		sources = append(sources, source{
			uris: strings.Fields(p["uris"]), suites: strings.Fields(p["suites"]),
			components: strings.Fields(p["components"]), signedBy: p["signed-by"],
		})
	}
	return sources, nil
}

// parseParagraphs reads paragraphs of "Field: value" with lines that continue
// a value by beginning with space. Names are in lower case; the lines of a
// value keep their breaks.
func parseParagraphs(r io.Reader) ([]map[string]string, error) {
	var all []map[string]string
	current, name := map[string]string{}, ""
	flush := func() {
		if len(current) > 0 {
			all = append(all, current)
		}
		current, name = map[string]string{}, ""
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), " \t\r")
		switch {
		case strings.HasPrefix(line, "#"):
		case line == "":
			flush()
		case line[0] == ' ' || line[0] == '\t':
			if name != "" {
				current[name] += "\n" + line
			}
		default:
			key, value, _ := strings.Cut(line, ":")
			name = strings.ToLower(key)
			current[name] = strings.TrimSpace(value)
		}
	}
	flush()
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read fields: %w", err)
	}
	return all, nil
}
