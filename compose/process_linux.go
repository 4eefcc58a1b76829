package compose

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// serverAttr ties a server to the thread that starts it: the server is killed
// when this program ends in whatever way. Its own process group keeps the
// terminal's Ctrl-C from it, so that it lives until it is closed in order.
func serverAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// processStart is when a process began, in clock ticks since the boot. A
// zombie is no process.
func processStart(pid int) (string, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", fmt.Errorf("read state of process %d: %w", pid, err)
	}
	// The second field is a name in parentheses that may hold anything.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	const state, start = 0, 19 // fields 3 and 22 of proc(5): two are cut off, and it counts from 1
	if len(fields) <= start {
		return "", fmt.Errorf("read state of process %d: %d fields", pid, len(fields))
	}
	if fields[state] == "Z" || fields[state] == "X" {
		return "", fmt.Errorf("process %d has ended: %w", pid, os.ErrProcessDone)
	}
	return fields[start], nil
}

// commandNames says whether the command line of a process has an argument that
// begins with prefix.
func commandNames(pid int, prefix string) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return false
	}
	for arg := range bytes.SplitSeq(data, []byte{0}) {
		if bytes.HasPrefix(arg, []byte(prefix)) {
			return true
		}
	}
	return false
}

// placeMark stands for this machine and its process namespace.
func placeMark() string {
	machine, err := os.ReadFile("/etc/machine-id")
	if err != nil {
		machine = nil // not every container has one; the namespace tells it apart
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		namespace = ""
	}
	return mark(string(machine), namespace)
}

// bootMark stands for the time since the last boot.
func bootMark() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return mark()
	}
	return mark(string(boot))
}

// onCPUs calls start while the calling thread, which the caller has locked, may
// use these processors only; none means that nothing changes.
func onCPUs(cpus []int, start func() error) (err error) {
	if len(cpus) == 0 {
		return start()
	}
	var before, wanted unix.CPUSet
	for _, cpu := range cpus {
		wanted.Set(cpu)
	}
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("read the processors of this thread: %w", err)
	}
	if err := unix.SchedSetaffinity(0, &wanted); err != nil {
		return fmt.Errorf("keep the server to processors %v: %w; are they there, and may this program use them?", cpus, err)
	}
	err = start()
	if back := unix.SchedSetaffinity(0, &before); back != nil {
		return errors.Join(err, fmt.Errorf("give a thread its processors back: %w", back))
	}
	return err
}
