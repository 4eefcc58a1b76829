package report

import (
	"bytes"
	"encoding/xml"
	"flag"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/results"
)

// TestReport renders one made-up run in all ways: making it takes longer than
// all the rest. With -update it writes the golden files anew.
func TestReport(t *testing.T) {
	run, log := newFixture(t, t.TempDir())
	dir := t.TempDir()
	pictures, err := Render(run, log, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("terminal of 100 columns", func(t *testing.T) { golden(t, "terminal-100.txt", terminalText(t, run, 100, false)) })
	t.Run("terminal of 80 columns", func(t *testing.T) { golden(t, "terminal-80.txt", terminalText(t, run, 80, false)) })
	t.Run("terminal in colour", func(t *testing.T) { golden(t, "terminal-colour.txt", terminalText(t, run, 0, true)) })
	t.Run("markdown", func(t *testing.T) {
		var b bytes.Buffer
		if err := Markdown(&b, run, pictures...); err != nil {
			t.Fatal(err)
		}
		golden(t, "summary.md", b.String())
	})
	t.Run("no line is wider than the terminal", func(t *testing.T) { assertWidths(t, run) })
	t.Run("colour changes no text", func(t *testing.T) {
		if diff := cmp.Diff(terminalText(t, run, 100, false), stripColour(terminalText(t, run, 100, true))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("pictures", func(t *testing.T) { assertPictures(t, dir, pictures) })
	t.Run("pictures say what they show", func(t *testing.T) { assertPictureWords(t, dir) })
	t.Run("pictures come out the same twice", func(t *testing.T) {
		if testing.Short() {
			t.Skip("draws everything again")
		}
		again := t.TempDir()
		if _, err := Render(run, log, again); err != nil {
			t.Fatal(err)
		}
		for _, p := range pictures {
			if !bytes.Equal(read(t, dir, p.SVG), read(t, again, p.SVG)) || !bytes.Equal(read(t, dir, p.PNG), read(t, again, p.PNG)) {
				t.Errorf("%s differs", p.SVG)
			}
		}
	})
	t.Run("without a log the pictures over time remain", func(t *testing.T) { assertWithoutLog(t, run) })
	t.Run("what was not run is told", func(t *testing.T) {
		without := *run
		without.NotRun = []results.NotRun{{Scenario: "failover", Target: "redis:8.0@standalone", Reason: "nobody takes over there"}}
		var markdown bytes.Buffer
		if err := Markdown(&markdown, &without); err != nil {
			t.Fatal(err)
		}
		for form, text := range map[string]string{"terminal": terminalText(t, &without, 200, false), "markdown": markdown.String()} {
			if !strings.Contains(text, "Not run: failover on redis:8.0: nobody takes over there.") {
				t.Errorf("%s does not tell:\n%s", form, text)
			}
		}
	})
	t.Run("a folder that is not there is an error", func(t *testing.T) {
		if _, err := Render(run, log, filepath.Join(dir, "absent")); err == nil || !strings.Contains(err.Error(), "absent") {
			t.Errorf("err = %v", err)
		}
	})
	t.Run("a writer that fails is an error", func(t *testing.T) {
		if err := Terminal(brokenPipe{}, run, 100, false); err == nil {
			t.Error("Terminal says nothing")
		}
		if err := Markdown(brokenPipe{}, run); err == nil {
			t.Error("Markdown says nothing")
		}
	})
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func terminalText(t *testing.T, run *results.Run, width int, color bool) string {
	t.Helper()
	var b bytes.Buffer
	if err := Terminal(&b, run, width, color); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s is different; go test ./report -update writes it anew (-want +got):\n%s", name, diff)
	}
}

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the golden files anew")
	m.Run() // The testing package exits with its result.
}

func stripColour(s string) string {
	for _, code := range []string{"32", "33", "1;31", "2", "1", "0"} {
		s = strings.ReplaceAll(s, "\x1b["+code+"m", "")
	}
	return s
}

func assertWidths(t *testing.T, run *results.Run) {
	t.Helper()
	for _, width := range []int{60, 80, 100, 140} {
		for line := range strings.Lines(terminalText(t, run, width, false)) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d columns of %d: %q", n, width, line)
			}
		}
	}
}

func assertPictures(t *testing.T, dir string, pictures []Picture) {
	t.Helper()
	if len(pictures) != 6 {
		t.Fatalf("%d pictures, want 6", len(pictures))
	}
	for _, p := range pictures {
		if p.Note != "" || p.Caption == "" || !strings.HasPrefix(p.SVG, p.Scenario+"-") {
			t.Errorf("picture %+v", p)
		}
		c, err := png.DecodeConfig(bytes.NewReader(read(t, dir, p.PNG)))
		if err != nil {
			t.Fatal(err)
		}
		if c.Width != 1843 || c.Height < 1000 || c.Height > 1600 {
			t.Errorf("%s is %d by %d", p.PNG, c.Width, c.Height)
		}
		var doc struct {
			XMLName xml.Name `xml:"svg"`
		}
		if err := xml.Unmarshal(read(t, dir, p.SVG), &doc); err != nil {
			t.Errorf("%s: %v", p.SVG, err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 12 {
		t.Errorf("%d files in the folder, want 12 and nothing temporary", len(entries))
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func assertPictureWords(t *testing.T, dir string) {
	t.Helper()
	for name, words := range map[string][]string{
		"session-churn-percentiles.svg": {
			"session-churn: response time of validate by percentile", "load poisson:10000/60s", "Intel Xeon Platinum 8370C", "2 cores",
			">percentile<", ">response time<", ">50 %<", ">99.9 %<", ">99.99 %<", ">500 µs<", ">1 ms<",
			"redis:7.0 · go-redis (degraded)", "valkey:8.0 · go-redis<", "valkey:8.0 · valkey-go (degraded)",
			"stroke:#D55E00", "stroke:#0072B2", "stroke-dasharray:5.5,2.6",
		},
		"cache-read-storm-percentiles.svg": {"redis:7.0 · valkey-go (invalid)"},
		"ttl-expiry-time.svg": {
			"50,000 sessions expire", "all reclaimed", ">seconds since measuring began<", ">go-redis<", ">valkey-go<", ">p50<", ">p99<", ">max<", ">20 ms<",
		},
		"cache-read-storm-time.svg": {"hot keys dropped", "valkey-go – redis:7.0 (invalid)"},
	} {
		svg := string(read(t, dir, name))
		for _, w := range words {
			if !strings.Contains(svg, w) {
				t.Errorf("%s lacks %q", name, w)
			}
		}
	}
	// 72,000 operations cannot tell a percentile past 99.99.
	if svg := string(read(t, dir, "ttl-expiry-percentiles.svg")); strings.Contains(svg, ">99.99 %<") {
		t.Error("ttl-expiry-percentiles.svg goes on past its data")
	}
	// A mark in every cell is one line a panel and one label.
	if n := strings.Count(string(read(t, dir, "ttl-expiry-time.svg")), "50,000 sessions expire"); n != 1 {
		t.Errorf("the mark is labelled %d times", n)
	}
}

func assertWithoutLog(t *testing.T, run *results.Run) {
	t.Helper()
	dir := t.TempDir()
	first := *run
	first.Cells = run.Cells[:4]
	pictures, err := Render(&first, nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pictures {
		if isTime := strings.Contains(p.Caption, "measured time"); isTime != (p.SVG != "") || isTime == (p.Note != "") {
			t.Errorf("picture %+v", p)
		}
	}
	var b bytes.Buffer
	if err := Markdown(&b, &first, pictures...); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "*No picture: the run has no histogram log.*") {
		t.Error("the summary does not say why pictures are missing")
	}
}
