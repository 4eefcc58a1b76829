//go:build unix

package runner

import (
	"syscall"
	"time"
)

// ownCPU returns the processor time that this process has used, user and system.
func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
