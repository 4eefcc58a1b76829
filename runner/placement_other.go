//go:build !linux

package runner

import (
	"errors"
	"fmt"
)

// allowedCPUs is known on Linux only.
func allowedCPUs() ([]int, error) {
	return nil, fmt.Errorf("keep programs to processors: %w on this system", errors.ErrUnsupported)
}

// setThreads is never called: there are no processors to choose from.
func setThreads([]int) error { return errors.ErrUnsupported }
