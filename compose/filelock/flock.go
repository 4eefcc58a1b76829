//go:build unix && !aix && !solaris && !illumos

package filelock

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks f for this open file alone.
func tryLock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrHeld
	}
	return err
}
