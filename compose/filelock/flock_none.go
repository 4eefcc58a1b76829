//go:build !unix || aix || solaris || illumos

package filelock

import (
	"errors"
	"os"
)

// tryLock fails: this system has no flock.
func tryLock(*os.File) error { return errors.ErrUnsupported }
