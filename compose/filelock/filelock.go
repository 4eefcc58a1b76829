// Package filelock locks files between processes. The system releases a lock
// when its holder ends, however it ends, so a lock that can be had tells that
// its owner is gone.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// poll is the pause between two attempts of Acquire.
const poll = 50 * time.Millisecond

// ErrHeld says that another open file holds the lock.
var ErrHeld = errors.New("lock is held")

// Lock is a lock that is held until Release.
type Lock struct{ file *os.File }

// Try takes the lock on the file at path, which it creates if needed, or
// returns [ErrHeld] at once.
func Try(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := tryLock(f); err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, errors.Join(err, f.Close()))
	}
	return &Lock{file: f}, nil
}

// Acquire takes the lock on the file at path and waits for it until ctx ends.
func Acquire(ctx context.Context, path string) (*Lock, error) {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		l, err := Try(path)
		if !errors.Is(err, ErrHeld) {
			return l, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %w: %w", err, ctx.Err())
		}
	}
}

// Release gives the lock up. The file stays: removing it would let two others
// lock two files of one name.
func (l *Lock) Release() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("release lock: %w", err)
	}
	return nil
}
