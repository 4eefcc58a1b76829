package runner

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress tells a person how far the run has come: a bar with the time left on
// a terminal, plain lines elsewhere. It is safe for concurrent use.
type progress struct {
	out io.Writer
	bar *progressbar.ProgressBar // nil without a terminal

	mu struct {
		sync.Mutex
		done        int // cells
		what, phase string
		began       time.Time     // of the phase
		spent       time.Duration // in the cell's earlier phases
	}
	cells   int
	perCell time.Duration
	stop    chan struct{}
	ended   sync.WaitGroup
}

// setupTime is about how long a cell takes beside its traffic.
const setupTime = 5 * time.Second

func newProgress(out io.Writer, cells int, traffic time.Duration) *progress {
	p := &progress{out: out, cells: cells, perCell: traffic + setupTime, stop: make(chan struct{})}
	if !isTerminal(out) {
		return p
	}
	p.bar = progressbar.NewOptions64(p.total(),
		progressbar.OptionSetWriter(out),
		progressbar.OptionSetWidth(barWidth),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetRenderBlankState(true),
		progressbar.OptionClearOnFinish(),
	)
	p.ended.Go(p.animate)
	return p
}

// total is the whole run in milliseconds, as far as it can be known.
func (p *progress) total() int64 { return int64(p.cells) * p.perCell.Milliseconds() }

func (p *progress) animate() {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.draw()
		case <-p.stop:
			return
		}
	}
}

func (p *progress) draw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	done := time.Duration(max(p.mu.done-1, 0)) * p.perCell
	done += min(p.mu.spent+time.Since(p.mu.began), p.perCell)
	left := (time.Duration(p.cells)*p.perCell - done).Round(time.Second)
	p.bar.Describe(p.describe(left, terminalWidth(p.out)))
	// The bar fails only where its writer does; then there is nobody to tell.
	_ = p.bar.Set64(done.Milliseconds())
}

// The bar and what the library prints around it leave the rest of a line to the
// description, which must not wrap.
const (
	barWidth    = 12
	aroundBar   = barWidth + 12
	fewestWords = 12
)

// describe says where the run is in what a line of the terminal has room for; the
// end, which changes, is kept. It is called with the lock held.
func (p *progress) describe(left time.Duration, width int) string {
	text := []rune(fmt.Sprintf("%d/%d %s: %s, %s left", p.mu.done, p.cells, p.mu.what, p.mu.phase, left))
	room := max(width-aroundBar, fewestWords)
	if len(text) > room {
		text = append([]rune("…"), text[len(text)-room+1:]...)
	}
	return string(text)
}

// cell begins the next cell.
func (p *progress) cell(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.done++
	p.mu.what, p.mu.phase = what, "start"
	p.mu.began, p.mu.spent = time.Now(), 0
	if p.bar == nil {
		left := time.Duration(p.cells-p.mu.done+1) * p.perCell
		fmt.Fprintf(p.out, "%d/%d %s (about %s left)\n", p.mu.done, p.cells, what, left.Round(time.Second))
	}
}

// phase begins a phase of a cell.
func (p *progress) phase(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.mu.spent += now.Sub(p.mu.began)
	p.mu.phase, p.mu.began = name, now
}

// loading tells how much of a population has been stored.
func (p *progress) loading(done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.phase = fmt.Sprintf("load %d %%", 100*done/max(total, 1))
}

// Write prints lines that a part of the program wants a person to read, above
// the bar.
func (p *progress) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	fmt.Fprintf(p.out, "  %s\n", strings.TrimRight(string(line), "\n"))
	return len(line), nil
}

// close takes the bar away. It may be called twice.
func (p *progress) close() {
	select {
	case <-p.stop:
		return
	default:
	}
	close(p.stop)
	p.ended.Wait()
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

// isTerminal says whether w is a terminal that can move its cursor and has
// colours.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// terminalWidth is the width to lay tables out for.
func terminalWidth(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return 100
}

// wantColor follows the NO_COLOR convention (no-color.org).
func wantColor(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == ""
}
