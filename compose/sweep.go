package compose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/toriibench/toriibench/compose/filelock"
)

const (
	// killTimeout bounds the wait for a killed process to be gone.
	killTimeout = 5 * time.Second
	// killPoll is the pause between two looks at it.
	killPoll = 5 * time.Millisecond
)

// Sweep ends the servers and containers, and removes the folders and networks,
// that programs of this user left behind when they were killed. What belongs to
// a living program is not touched. It writes a line to log, which may be nil, for each
// thing it takes away. A program calls it when it starts.
func Sweep(ctx context.Context, log io.Writer) error {
	out := Options{Log: log}.log()
	return errors.Join(sweepRuns(ctx, out), sweepDocker(ctx, out))
}

// sweepRuns takes away what killed owners of run folders left. It holds the
// lock of the base folder, as newRunDir does.
func sweepRuns(ctx context.Context, log io.Writer) (err error) {
	base, err := baseDir()
	if err != nil {
		return err
	}
	guard, err := filelock.Acquire(ctx, filepath.Join(base, lockName))
	if err != nil {
		return fmt.Errorf("sweep %s: %w", base, err)
	}
	defer func() { err = errors.Join(err, guard.Release()) }()
	paths, err := filepath.Glob(filepath.Join(base, runPattern))
	if err != nil {
		return fmt.Errorf("sweep %s: %w", base, err)
	}
	var errs []error
	for _, path := range paths {
		errs = append(errs, sweepDir(ctx, path, log))
	}
	return errors.Join(errs...)
}

// sweepDir takes one run folder away when its owner is gone.
func sweepDir(ctx context.Context, path string, log io.Writer) error {
	lock, err := filelock.Try(filepath.Join(path, lockName))
	if errors.Is(err, filelock.ErrHeld) || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweep %s: %w", path, err)
	}
	dir := &runDir{path: path, lock: lock}
	if err := killLeftover(ctx, path, log); err != nil {
		return errors.Join(err, lock.Release())
	}
	fmt.Fprintf(log, "removed %s, left behind by a run that was killed\n", path)
	return dir.remove()
}

// killLeftover ends the recorded process of a folder if it still runs and is
// really the one: it began when the record says and its command line names the
// folder.
func killLeftover(ctx context.Context, path string, log io.Writer) error {
	data, err := os.ReadFile(filepath.Join(path, recordName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweep %s: %w", path, err)
	}
	var rec processRecord
	if err := json.Unmarshal(data, &rec); err != nil || rec.PID <= 1 {
		return nil //nolint:nilerr // a record cut short: its writer was killed just then
	}
	process, err := os.FindProcess(rec.PID)
	if err != nil {
		return nil //nolint:nilerr // there is no such process, so nothing is left
	}
	// The handle was opened before the look, so it is the process looked at.
	if !runs(rec.PID, rec.Start) || !commandNames(rec.PID, path+string(filepath.Separator)) {
		return process.Release()
	}
	if err := process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end leftover server %d: %w", rec.PID, err)
	}
	fmt.Fprintf(log, "ended server %d, left behind by a run that was killed\n", rec.PID)
	return awaitEnd(ctx, rec)
}

// awaitEnd waits until a killed process that is no child is gone.
func awaitEnd(ctx context.Context, rec processRecord) error {
	ctx, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	tick := time.NewTicker(killPoll)
	defer tick.Stop()
	for runs(rec.PID, rec.Start) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for leftover server %d to end: %w", rec.PID, ctx.Err())
		}
	}
	return nil
}
