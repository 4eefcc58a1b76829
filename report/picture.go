package report

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/toriibench/toriibench/results"
)

// Picture is one picture of a run, or the reason why there is none.
type Picture struct {
	// Scenario is what it shows.
	Scenario string
	// SVG and PNG are file names in the folder that Render was given; both are
	// empty when there was nothing to draw.
	SVG, PNG string
	// Caption says what the picture shows, and which of its cells are not valid.
	Caption string
	// Note says why there is no picture; it is empty when there is one.
	Note string
	// closed tells of which of a scenario's loops it is.
	closed bool
}

// Render draws the pictures of a run into dir, for each scenario
// <scenario>-percentiles and <scenario>-time, as SVG and as PNG at twice the
// density of a plain screen (1843 pixels wide). Each file is written whole or
// not at all. log may be nil: the pictures over time need only the run.
//
// A picture that cannot be drawn for want of data is returned with a Note and
// is no error; an error is a folder that cannot be written.
func Render(run *results.Run, log *results.Log, dir string) ([]Picture, error) {
	var pictures []Picture
	for _, s := range scenarios(run) {
		for _, d := range drawings(run, log, s) {
			p, err := save(dir, d)
			if err != nil {
				return pictures, err
			}
			pictures = append(pictures, p)
		}
	}
	return pictures, nil
}

// drawing is a picture that is not yet in a file.
type drawing struct {
	Picture
	kind   string
	figure *figure
}

// drawings are those of a scenario. A closed loop has none: its service time is no
// latency, and a curve would be taken for one.
func drawings(run *results.Run, log *results.Log, s *scenario) []drawing {
	of := Picture{Scenario: s.name, closed: s.closed}
	if s.closed {
		of.Caption = s.name + ", closed loop."
		of.Note = "a closed loop has no response time"
		return []drawing{{Picture: of}}
	}
	percentiles, time := drawing{Picture: of, kind: "percentiles"}, drawing{Picture: of, kind: "time"}
	percentiles.Caption = caption(fmt.Sprintf("%s: response time of %s by percentile, all targets and clients.", s.name, s.headline), s)
	percentiles.figure, percentiles.Note = percentileFigure(run, log, s, s.headline)
	time.Caption = caption(s.name+": response time of all operations over the measured time, a panel for each client.", s)
	time.figure, time.Note = timeFigure(run, log, s)
	return []drawing{percentiles, time}
}

// caption adds which cells are in doubt.
func caption(shows string, s *scenario) string {
	return strings.TrimSpace(shows + " " + doubtfulCells(s, "Degraded", "Invalid"))
}

// save writes a drawing's files; one without a figure has none.
func save(dir string, d drawing) (Picture, error) {
	p, f := d.Picture, d.figure
	if f == nil {
		return p, nil
	}
	stem := fileName(p.Scenario) + "-" + d.kind
	for _, format := range []struct {
		name string
		draw func() ([]byte, error)
	}{{stem + ".svg", f.svg}, {stem + ".png", f.png}} {
		data, err := format.draw()
		if err != nil {
			return p, fmt.Errorf("draw %s: %w", format.name, err)
		}
		if err := results.WriteFile(filepath.Join(dir, format.name), data); err != nil {
			return p, err
		}
	}
	p.SVG, p.PNG = stem+".svg", stem+".png"
	return p, nil
}

// fileName keeps a scenario's name inside its folder, whatever a file says.
func fileName(scenario string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		default:
			return '-'
		}
	}, scenario)
}
