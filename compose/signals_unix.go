//go:build unix

package compose

import "syscall"

// stopSignal and continueSignal hold a process and let it go on.
const (
	stopSignal     = syscall.SIGSTOP
	continueSignal = syscall.SIGCONT
)
