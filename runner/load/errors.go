package load

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// The bounds of the error texts that are kept, and of the work spent on them.
const (
	maxErrorSamples = 8
	maxErrorBytes   = 200
	maxErrorLooks   = 10_000
)

// errorSamples keeps the first distinct error texts. It may be used from many
// goroutines at once.
type errorSamples struct {
	// looks counts the errors, so that a run that fails throughout does not
	// spend itself on formatting.
	looks atomic.Int64

	mu struct {
		sync.Mutex
		texts []string
	}
}

func (e *errorSamples) add(err error) {
	if e.looks.Load() >= maxErrorLooks || e.looks.Add(1) > maxErrorLooks {
		return
	}
	text := fmt.Sprint(err) // Survives an Error method that panics.
	if len(text) > maxErrorBytes {
		text = text[:maxErrorBytes]
	}
	text = strings.ToValidUTF8(text, "") // The cut may have split a rune.
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.mu.texts) < maxErrorSamples && !slices.Contains(e.mu.texts, text) {
		// A copy: a cut text would keep the whole one.
		e.mu.texts = append(e.mu.texts, strings.Clone(text))
	}
}

func (e *errorSamples) list() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.mu.texts)
}
