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
	// Caption says what the picture shows, in a sentence.
	Caption string
	// Note says why there is no picture; it is empty when there is one.
	Note string
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
		percentiles, why := percentileFigure(run, log, s, s.headline)
		p, err := save(dir, Picture{
			Scenario: s.name,
			Caption:  fmt.Sprintf("%s: response time of %s by percentile, all targets and clients.", s.name, s.headline),
			Note:     why,
		}, "percentiles", percentiles)
		if err != nil {
			return pictures, err
		}
		pictures = append(pictures, p)
		time, why := timeFigure(run, s)
		p, err = save(dir, Picture{
			Scenario: s.name,
			Caption:  s.name + ": response time of all operations over the measured time, a panel for each client.",
			Note:     why,
		}, "time", time)
		if err != nil {
			return pictures, err
		}
		pictures = append(pictures, p)
	}
	return pictures, nil
}

// save writes f as p's files; a nil f leaves p as it is.
func save(dir string, p Picture, kind string, f *figure) (Picture, error) {
	if f == nil {
		return p, nil
	}
	stem := fileName(p.Scenario) + "-" + kind
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
