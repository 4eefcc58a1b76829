package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// The names of a run's files in its folder.
const (
	RunFile = "run.json"
	LogFile = "run.hlog"
)

// maxRunSize bounds what Read takes in; a run of the largest matrix is a
// few megabytes.
const maxRunSize = 256 << 20

// Write puts r into dir as run.json, whole or not at all: after an error no
// half-written file stays, and an older run.json is as it was. It refuses a run
// that Read would refuse. A nil slice or map that readers iterate over is
// written as an empty one, never as null. dir must exist.
func Write(dir string, r *Run) error {
	n := normalized(r)
	path := filepath.Join(dir, RunFile)
	if err := check(n); err != nil {
		return fmt.Errorf("write %s: the run is not one that can be read again: %w", path, err)
	}
	data, err := json.MarshalIndent(n, "", " ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return WriteFile(path, append(data, '\n'))
}

// Read takes a run from path, a run's folder or its run.json. The error is one
// sentence that names the file and what is wrong with it: unreadable, cut
// short, written by another version, or at odds with itself. Fields that it
// does not know are ignored.
func Read(path string) (*Run, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, RunFile)
	}
	data, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("read run %s: %w", path, cause(err))
	}
	r, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("read run %s: %w", path, err)
	}
	return r, nil
}

func readBounded(path string) (data []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err = io.ReadAll(io.LimitReader(f, maxRunSize+1))
	if err == nil && len(data) > maxRunSize {
		return nil, fmt.Errorf("larger than %d MB, so not a run", maxRunSize>>20)
	}
	return data, err
}

// decode looks at the version first, so that a file of another one is called
// that and not corrupt.
func decode(data []byte) (*Run, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("the file is empty")
	}
	var version struct {
		Schema *int `json:"schema"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, jsonProblem(err, len(data))
	}
	if version.Schema == nil {
		return nil, errors.New("it has no schema field, so it is not a run of this program")
	}
	if err := checkSchema(*version.Schema); err != nil {
		return nil, err
	}
	var r Run
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, jsonProblem(err, len(data))
	}
	if r.Cells == nil {
		return nil, errors.New("it has no cells field")
	}
	n := normalized(&r)
	if err := check(n); err != nil {
		return nil, err
	}
	return n, nil
}

// jsonProblem says what people want to know of a file of size bytes that json
// refuses.
func jsonProblem(err error, size int) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		if syntax.Offset >= int64(size) {
			return fmt.Errorf("it is cut short after byte %d", syntax.Offset)
		}
		return fmt.Errorf("it is not JSON: %w at byte %d", err, syntax.Offset)
	}
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fmt.Errorf("field %q holds a JSON %s where a %s belongs", kind.Field, kind.Value, kind.Type)
	}
	return err
}

// normalized is a copy of r whose Cells, Reasons, Operations and Invariants are
// never nil, in UTC. It shares what it does not change.
func normalized(r *Run) *Run {
	n := *r
	n.Started = r.Started.UTC()
	n.Cells = make([]Cell, len(r.Cells))
	for i, c := range r.Cells {
		c.Reasons = append([]string{}, c.Reasons...)
		if c.Operations == nil {
			c.Operations = map[string]Operation{}
		}
		if c.Invariants == nil {
			c.Invariants = map[string]Invariant{}
		}
		n.Cells[i] = c
	}
	return &n
}
