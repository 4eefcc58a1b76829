package results

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// filePerm is the permission of every file that a run leaves.
const filePerm = 0o644

// WriteFile writes path whole or not at all: into a temporary file in the same
// folder, flushed to the disk and then renamed over path. When it fails, what
// stood at path before still stands, and no temporary file stays.
func WriteFile(path string, data []byte) error {
	return replaceFile(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// replaceFile is WriteFile for a writer.
func replaceFile(path string, fill func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".partial-"+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("make a file beside %s: %w", path, cause(err))
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, dropFile(f.Name(), cause(err)))
		}
	}()
	if err := fillAndClose(f, fill); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// fillAndClose closes f whatever happens.
func fillAndClose(f *os.File, fill func(io.Writer) error) error {
	err := fill(f)
	if err == nil {
		err = f.Chmod(filePerm)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// dropFile removes name because of err, and adds to err when it could not.
func dropFile(name string, err error) error {
	if r := os.Remove(name); r != nil && !errors.Is(r, fs.ErrNotExist) {
		return fmt.Errorf("%w (and %s stays behind: %w)", err, name, cause(r))
	}
	return err
}

// cause takes the names of temporary files out of an error: the caller names
// the file that people know. It keeps what errors.Is finds.
func cause(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}
