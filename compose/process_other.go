//go:build !linux

package compose

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// serverAttr asks for nothing: only Linux ties a child to its parent, and
// elsewhere [Sweep] removes the folders only.
func serverAttr() *syscall.SysProcAttr { return nil }

// processStart stands in for the start time, which only Linux tells simply.
func processStart(pid int) (string, error) {
	if pid == os.Getpid() {
		return strconv.Itoa(pid), nil
	}
	return "", fmt.Errorf("read start of process %d: %w", pid, os.ErrProcessDone)
}

// commandNames is false: a process that cannot be told for sure is not ours.
func commandNames(int, string) bool { return false }

// placeMark differs for each process, so that ownerAlive never claims that
// another one is gone.
func placeMark() string { return mark(strconv.Itoa(os.Getpid())) }

// bootMark is not known.
func bootMark() string { return mark() }

// onCPUs refuses processors: only Linux lets a program choose them.
func onCPUs(cpus []int, start func() error) error {
	if len(cpus) > 0 {
		return fmt.Errorf("keep the server to processors %v: %w on this system", cpus, errors.ErrUnsupported)
	}
	return start()
}
