//go:build !unix

package compose

import "syscall"

// stopSignal and continueSignal are none here: the system refuses to send them.
const (
	stopSignal     = syscall.Signal(-1)
	continueSignal = syscall.Signal(-1)
)
