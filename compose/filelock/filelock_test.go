package filelock_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/toriibench/toriibench/compose/filelock"
)

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := filelock.Try(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("a held lock is refused at once", func(t *testing.T) {
		if _, err := filelock.Try(path); !errors.Is(err, filelock.ErrHeld) {
			t.Errorf("got %v, want ErrHeld", err)
		}
	})
	t.Run("waiting ends with the context", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := filelock.Acquire(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's end", err)
		}
	})
	t.Run("a waiter gets it after release", func(t *testing.T) {
		got := make(chan error, 1)
		go func() {
			l, err := filelock.Acquire(t.Context(), path)
			if err == nil {
				err = l.Release()
			}
			got <- err
		}()
		if err := first.Release(); err != nil {
			t.Fatal(err)
		}
		if err := <-got; err != nil {
			t.Error(err)
		}
	})
}

func TestTryInAMissingFolder(t *testing.T) {
	if _, err := filelock.Try(filepath.Join(t.TempDir(), "missing", "lock")); err == nil {
		t.Error("got a lock in a folder that does not exist")
	}
}
