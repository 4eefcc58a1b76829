package peers

import "syscall"

// childAttr lets a child end with this program, in whatever way that ends, and
// keeps the terminal's Ctrl-C from it, which would make it print half a result.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
