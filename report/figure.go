package report

import (
	"bytes"
	"strings"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// pngDPI is twice the density of a plain screen.
const pngDPI = 192

// figure is a picture: a title, lines below it, a legend that stands above the
// data and so never covers any, the body, and notes at the foot.
type figure struct {
	title  string
	lines  []string
	legend []entry
	notes  []string
	// height is that of the body alone.
	height vg.Length
	body   func(draw.Canvas)
}

// entry is one name in a legend with its sample.
type entry struct {
	name   string
	sample func(c draw.Canvas, from, to vg.Point)
}

// lineSample is the sample of a line.
func lineSample(s draw.LineStyle) func(draw.Canvas, vg.Point, vg.Point) {
	return func(c draw.Canvas, from, to vg.Point) { c.StrokeLine2(s, from.X, from.Y, to.X, to.Y) }
}

// dotSample is the sample of a row of dots.
func dotSample(s draw.GlyphStyle) func(draw.Canvas, vg.Point, vg.Point) {
	return func(c draw.Canvas, from, to vg.Point) {
		for _, share := range []vg.Length{0.15, 0.5, 0.85} {
			c.DrawGlyph(s, vg.Point{X: from.X + (to.X-from.X)*share, Y: from.Y})
		}
	}
}

// The distances inside a figure, in points.
const (
	lead         = vg.Length(1.35) // times the size of the letters
	sampleWidth  = vg.Length(26)
	sampleGap    = vg.Length(6)
	entryGap     = vg.Length(20)
	legendAbove  = vg.Length(6)
	legendBelow  = vg.Length(8)
	noteAbove    = vg.Length(8)
	contentWidth = pictureWidth - 2*margin
)

// size is what the whole figure takes.
func (f *figure) size() (w, h vg.Length) {
	h = 2*margin + titleSize*lead
	h += vg.Length(len(f.wrapped(f.lines, lineSize))) * lineSize * lead
	h += legendAbove + vg.Length(f.legendRows())*bodySize*1.5 + legendBelow
	h += f.height
	h += noteAbove + vg.Length(len(f.wrapped(f.notes, smallSize)))*smallSize*lead
	return pictureWidth, h
}

// draw fills c from the top down.
func (f *figure) draw(c draw.Canvas) {
	c.SetColor(ink(255))
	c.Fill(c.Path())
	c = draw.Crop(c, margin, -margin, margin, -margin)
	y := f.text(c, c.Max.Y, []string{fit(f.title, bold(letters(titleSize, 20)))}, bold(letters(titleSize, 20)))
	y = f.text(c, y, f.wrapped(f.lines, lineSize), letters(lineSize, 95))
	y = f.drawLegend(c, y-legendAbove) - legendBelow
	f.body(draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
		Min: vg.Point{X: c.Min.X, Y: y - f.height}, Max: vg.Point{X: c.Max.X, Y: y},
	}})
	f.text(c, y-f.height-noteAbove, f.wrapped(f.notes, smallSize), letters(smallSize, 120))
}

// text draws lines below top and returns where they end.
func (*figure) text(c draw.Canvas, top vg.Length, lines []string, s text.Style) vg.Length {
	for _, l := range lines {
		c.FillText(s, vg.Point{X: c.Min.X, Y: top - s.Font.Size}, l)
		top -= s.Font.Size * lead
	}
	return top
}

func (f *figure) drawLegend(c draw.Canvas, top vg.Length) vg.Length {
	s := letters(bodySize, 40)
	perRow, width := f.columns()
	for i, e := range f.legend {
		x := c.Min.X + vg.Length(i%perRow)*width
		y := top - vg.Length(i/perRow)*bodySize*1.5 - bodySize
		mid := y + bodySize*0.33
		e.sample(c, vg.Point{X: x, Y: mid}, vg.Point{X: x + sampleWidth, Y: mid})
		c.FillText(s, vg.Point{X: x + sampleWidth + sampleGap, Y: y}, e.name)
	}
	return top - vg.Length(f.legendRows())*bodySize*1.5
}

// columns lays the legend out: how many entries stand in a row, as even as the
// figure's width allows, and how wide each is.
func (f *figure) columns() (perRow int, width vg.Length) {
	s := letters(bodySize, 0)
	for _, e := range f.legend {
		width = max(width, sampleWidth+sampleGap+s.Width(e.name)+entryGap)
	}
	perRow = max(1, int((contentWidth+entryGap)/max(width, 1)))
	rows := max(1, (len(f.legend)+perRow-1)/perRow)
	return max(1, (len(f.legend)+rows-1)/rows), width
}

func (f *figure) legendRows() int {
	perRow, _ := f.columns()
	return (len(f.legend) + perRow - 1) / perRow
}

// separator stands between the parts of a line; one at a line's end is left out.
const separator = " · "

// wrapped breaks lines at the figure's width, between words.
func (*figure) wrapped(lines []string, size vg.Length) []string {
	s := letters(size, 0)
	var out []string
	for _, line := range lines {
		current := ""
		// A separator stays with the word before it.
		for _, word := range strings.Fields(strings.ReplaceAll(line, separator, "\u00a0· ")) {
			word = strings.ReplaceAll(word, "\u00a0", " ")
			next := strings.TrimSpace(current + " " + word)
			if current != "" && s.Width(next) > contentWidth {
				out, next = append(out, strings.TrimSuffix(current, " ·")), word
			}
			current = next
		}
		out = append(out, fit(current, s))
	}
	return out
}

// fit cuts what is wider than a figure.
func fit(line string, s text.Style) string {
	r := []rune(line)
	if s.Width(line) <= contentWidth {
		return line
	}
	for len(r) > 0 && s.Width(string(r)+"…") > contentWidth {
		r = r[:len(r)-1]
	}
	return string(r) + "…"
}

// png draws the figure at twice the density of a plain screen.
func (f *figure) png() ([]byte, error) {
	w, h := f.size()
	c := vgimg.NewWith(vgimg.UseWH(w, h), vgimg.UseDPI(pngDPI))
	f.draw(draw.New(c))
	var b bytes.Buffer
	_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(&b)
	return b.Bytes(), err
}

// svg draws the figure with its text as text. The library names one font only;
// the others are those that a reader without it has, the first of the same
// widths.
func (f *figure) svg() ([]byte, error) {
	w, h := f.size()
	c := vgsvg.New(w, h)
	f.draw(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"),
		[]byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;")), nil
}
