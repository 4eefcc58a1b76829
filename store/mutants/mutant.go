package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// mutant is a fault that somebody could put into package store.
type mutant struct {
	name string
	// breaks says what users would suffer.
	breaks string
	// finder is how the name of the case begins that must fail.
	finder string
	// cases chooses what is run, by the beginnings of names with a | between
	// them: what lies near the fault, so that the table shows how wide it is seen.
	cases string
	edits []edit
}

// edit replaces a text that stands once in a file of package store, or as often
// as times says.
type edit struct {
	file, old, new string
	times          int
}

// overlay writes the changed files into dir, and there a file for go build's
// -overlay that puts them in place of those of the store.
func (m mutant) overlay(store, dir string) (string, error) {
	changed := map[string]string{}
	for _, e := range m.edits {
		text, ok := changed[e.file]
		if !ok {
			raw, err := os.ReadFile(filepath.Join(store, e.file))
			if err != nil {
				return "", fmt.Errorf("mutant %s: %w", m.name, err)
			}
			text = string(raw)
		}
		mutated, err := e.apply(text)
		if err != nil {
			return "", fmt.Errorf("mutant %s: %w", m.name, err)
		}
		changed[e.file] = mutated
	}
	replace := map[string]string{}
	for file, text := range changed {
		path := filepath.Join(dir, filepath.Base(file))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return "", fmt.Errorf("mutant %s: %w", m.name, err)
		}
		replace[filepath.Join(store, file)] = path
	}
	return writeOverlay(dir, replace)
}

func (e edit) apply(text string) (string, error) {
	if n := strings.Count(text, e.old); n != max(e.times, 1) || e.old == e.new {
		return "", fmt.Errorf("%s has %d times what is to be changed, want %d: %q", e.file, n, max(e.times, 1), e.old)
	}
	return strings.ReplaceAll(text, e.old, e.new), nil
}

func writeOverlay(dir string, replace map[string]string) (string, error) {
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", fmt.Errorf("write overlay: %w", err)
	}
	path := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return "", fmt.Errorf("write overlay: %w", err)
	}
	return path, nil
}
