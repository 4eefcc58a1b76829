//go:build !linux

package peers

import "syscall"

// childAttr asks for nothing: only Linux ties a child to its parent.
func childAttr() *syscall.SysProcAttr { return nil }
