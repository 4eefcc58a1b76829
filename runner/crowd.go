package runner

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/toriibench/toriibench/compose/filelock"
)

// crowdedReason is why a cell is degraded that was not measured alone.
const crowdedReason = "another run of this program was measuring on this machine when this one began."

// claimMachine takes the lock that each run holds while it measures, so that the
// second of two knows that both disturb each other; it may go on. crowded tells
// that another holds it. Where there can be no lock nothing is known, and nobody
// is suspected.
func claimMachine(log io.Writer) (crowded bool, release func()) {
	path, err := claimPath()
	if err != nil {
		return false, func() {}
	}
	lock, err := filelock.Try(path)
	switch {
	case errors.Is(err, filelock.ErrHeld):
		fmt.Fprintln(log, "another run of this program is measuring on this machine: both disturb each other")
		return true, func() {}
	case err != nil:
		return false, func() {}
	}
	return false, func() { _ = lock.Release() } // It ends with the program at the latest.
}

// claimPath is a user's own: runs of other users show as CPU pressure alone.
func claimPath() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, "toriibench")
	return filepath.Join(folder, "measuring.lock"), os.MkdirAll(folder, 0o700)
}
