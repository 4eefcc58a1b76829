//go:build unix

package machine

import (
	"syscall"
	"time"
)

// OwnCPU returns the processor time that this process has used, user and
// system, and whether this system tells. It is safe for concurrent use.
func OwnCPU() (time.Duration, bool) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, false
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), true
}
