package report

import (
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/toriibench/toriibench/results"

	xfont "golang.org/x/image/font"
)

// Sizes in points; a picture is 691 by about 400.
const (
	pictureWidth = 9.6 * vg.Inch
	margin       = vg.Length(16)
	titleSize    = vg.Length(15)
	bodySize     = vg.Length(10.5)
	lineSize     = vg.Length(9.5)
	smallSize    = vg.Length(9)
	lineWidth    = vg.Length(1.7)
	faintWidth   = vg.Length(1)
)

// ink is a grey: 0 is black.
func ink(level uint8) color.NRGBA { return color.NRGBA{R: level, G: level, B: level, A: 255} }

// faded is c with the given share of its opacity.
func faded(c color.NRGBA, share float64) color.NRGBA {
	c.A = uint8(float64(c.A) * share)
	return c
}

// letters is a style in the sans-serif face, aligned left on the baseline.
func letters(size vg.Length, level uint8) text.Style {
	return text.Style{
		Color:   ink(level),
		Font:    font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size),
		Handler: plot.DefaultTextHandler,
	}
}

func bold(s text.Style) text.Style {
	s.Font.Weight = xfont.WeightBold
	return s
}

// palette gives each target of a scenario its colour. All are from the set of
// M. Okabe and K. Ito ("Color Universal Design", 2008), which people with any
// kind of colour vision can tell apart; engines keep to their side of it, warm
// for Redis and cold for Valkey, from picture to picture.
func palette(s *scenario) map[string]color.NRGBA {
	sides := map[string][]color.NRGBA{
		"redis":  {{213, 94, 0, 255}, {230, 159, 0, 255}, {204, 121, 167, 255}},
		"valkey": {{0, 114, 178, 255}, {86, 180, 233, 255}, {0, 158, 115, 255}},
	}
	used := map[string]int{}
	colours := map[string]color.NRGBA{}
	for _, c := range s.cells {
		if _, ok := colours[c.Target]; ok {
			continue
		}
		e := engine(c)
		side := sides[e]
		if len(side) == 0 {
			side = []color.NRGBA{ink(0), ink(110), ink(170)}
		}
		colours[c.Target] = side[used[e]%len(side)]
		used[e]++
	}
	return colours
}

// dashes gives each client its line: solid for the first one.
func dashes(clients []string, client string) []vg.Length {
	patterns := [][]vg.Length{nil, {5.5, 2.6}, {1.6, 2.2}, {8, 2.4, 1.6, 2.4}}
	return patterns[max(0, slices.Index(clients, client))%len(patterns)]
}

// stroke is a cell's line.
func stroke(s *scenario, c *results.Cell, colour color.NRGBA) draw.LineStyle {
	return draw.LineStyle{Color: colour, Width: lineWidth, Dashes: dashes(s.clients, c.Client)}
}
