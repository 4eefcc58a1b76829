package compose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/toriibench/toriibench/compose/filelock"
)

const (
	// lockName is the file in a run folder that its living owner holds locked.
	lockName = "lock"
	// recordName is the file in a run folder that tells of its process.
	recordName = "process.json"
	// runPattern names run folders.
	runPattern = "run-*"
)

// runDir is a folder for one server that only its owner uses. The lock on it
// ends with the owner, however that ends, so that Sweep knows what is left.
type runDir struct {
	path string
	lock *filelock.Lock
}

// processRecord tells which process belongs to a run folder. Ids are used
// again, so the start tells whether it is still the same process.
type processRecord struct {
	PID   int    `json:"pid"`
	Start string `json:"start"`
}

// baseDir is the folder of all run folders of this user. It refuses one that
// somebody else could have prepared.
func baseDir() (string, error) {
	path := filepath.Join(os.TempDir(), "toriibench-"+strconv.Itoa(os.Getuid()))
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("make folder for servers: %w; TMPDIR can name another place", err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return "", fmt.Errorf("look at folder for servers: %w", err)
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 || !ownedByUs(info) {
		return "", fmt.Errorf("use %s: it is not a folder of yours that only you can use (it is %s); "+
			"remove it, or let TMPDIR name another place", path, info.Mode())
	}
	return path, nil
}

// newRunDir makes a locked run folder. It holds the lock of the base folder
// meanwhile, so that no sweep finds the new folder before its lock is held.
func newRunDir(ctx context.Context) (dir *runDir, err error) {
	base, err := baseDir()
	if err != nil {
		return nil, err
	}
	guard, err := filelock.Acquire(ctx, filepath.Join(base, lockName))
	if err != nil {
		return nil, fmt.Errorf("make folder for a server: %w", err)
	}
	defer func() { err = errors.Join(err, guard.Release()) }()
	path, err := os.MkdirTemp(base, runPattern)
	if err != nil {
		return nil, fmt.Errorf("make folder for a server: %w", err)
	}
	lock, err := filelock.Try(filepath.Join(path, lockName))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make folder for a server: %w", err), os.RemoveAll(path))
	}
	return &runDir{path: path, lock: lock}, nil
}

// record notes the process that runs in the folder.
func (d *runDir) record(pid int) error {
	start, err := processStart(pid)
	if err != nil {
		return err
	}
	data, err := json.Marshal(processRecord{PID: pid, Start: start})
	if err != nil {
		return fmt.Errorf("record process: %w", err)
	}
	if err := os.WriteFile(filepath.Join(d.path, recordName), data, 0o600); err != nil {
		return fmt.Errorf("record process: %w", err)
	}
	return nil
}

// write puts into the folder what a server reads when it starts.
func (d *runDir) write(s spec, at place) error {
	for name, data := range s.files(at) {
		if err := os.WriteFile(filepath.Join(d.path, name), data, 0o600); err != nil {
			return fmt.Errorf("configure a server: %w", err)
		}
	}
	return nil
}

// remove deletes the folder and gives its lock up.
func (d *runDir) remove() error {
	err := os.RemoveAll(d.path)
	if err != nil {
		err = fmt.Errorf("remove folder of a server: %w", err)
	}
	return errors.Join(err, d.lock.Release())
}
