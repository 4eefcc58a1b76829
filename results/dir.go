package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// idTime begins a run's ID. It sorts by time as text.
const idTime = "20060102T150405Z"

// The bounds of NewRunDir.
const (
	maxNameLength = 100
	maxSameName   = 1000
)

// NewRunDir makes a new folder for a run below base, and base as well when it
// is missing. Its name is the run's ID: the UTC time of now, to the second, and
// after a hyphen the name, as in 20261123T084500Z-bench. When that is taken,
// -2, -3 and so on are tried: two runs never share a folder. An empty name is
// left out. A name may hold letters, digits, '.', '_', '+' and '-'.
func NewRunDir(base string, now time.Time, name string) (dir, id string, err error) {
	if err := checkName(name); err != nil {
		return "", "", err
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", "", fmt.Errorf("make the folder %s for results: %w (choose another one)", base, cause(err))
	}
	stem := now.UTC().Format(idTime)
	if name != "" {
		stem += "-" + name
	}
	for i := 1; i <= maxSameName; i++ {
		id := stem
		if i > 1 {
			id = fmt.Sprintf("%s-%d", stem, i)
		}
		dir := filepath.Join(base, id)
		err := os.Mkdir(dir, 0o755)
		if err == nil {
			return dir, id, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", "", fmt.Errorf("make a run's folder in %s: %w (choose another place for results)", base, cause(err))
		}
	}
	return "", "", fmt.Errorf("make a run's folder in %s: %s to %s-%d are all taken", base, stem, stem, maxSameName)
}

func checkName(name string) error {
	if len(name) > maxNameLength {
		return fmt.Errorf("name a run: %d characters are more than %d", len(name), maxNameLength)
	}
	for _, r := range name {
		ok := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._+-", r)
		if !ok {
			return fmt.Errorf("name a run %q: use letters, digits, '.', '_', '+' and '-' only", name)
		}
	}
	return nil
}

// Latest finds the newest run's folder below base, by the time in its name.
// Folders without a run.json, such as those of runs that were killed, do not
// count. The error wraps [fs.ErrNotExist] when there is no run.
func Latest(base string) (dir string, err error) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return "", fmt.Errorf("look for runs in %s: %w", base, cause(err))
	}
	best := ""
	for _, e := range entries {
		if e.IsDir() && newer(e.Name(), best) && isRun(filepath.Join(base, e.Name())) {
			best = e.Name()
		}
	}
	if best == "" {
		return "", fmt.Errorf("look for runs in %s: %w: it holds none yet", base, fs.ErrNotExist)
	}
	return filepath.Join(base, best), nil
}

func isRun(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, RunFile))
	return err == nil && info.Mode().IsRegular()
}

// newer orders IDs: by time, then by length, so that -10 comes after -9, then
// as text. What does not begin with a time is never newer.
func newer(id, than string) bool {
	t, ok := timeOf(id)
	if !ok {
		return false
	}
	u, ok := timeOf(than)
	switch {
	case !ok || t.After(u):
		return true
	case t.Before(u):
		return false
	case len(id) != len(than):
		return len(id) > len(than)
	default:
		return id > than
	}
}

func timeOf(id string) (time.Time, bool) {
	if len(id) < len(idTime) {
		return time.Time{}, false
	}
	t, err := time.Parse(idTime, id[:len(idTime)])
	return t, err == nil
}
