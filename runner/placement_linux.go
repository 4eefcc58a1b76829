package runner

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// allowedCPUs are the processors that this program may use, in rising order.
func allowedCPUs() ([]int, error) {
	var set unix.CPUSet
	// The first thread's, which has the process's number.
	if err := unix.SchedGetaffinity(os.Getpid(), &set); err != nil {
		return nil, fmt.Errorf("read the processors that may be used: %w", err)
	}
	var cpus []int
	for cpu := range len(set) * strconv.IntSize {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// maxPasses bounds how often new threads are looked for.
const maxPasses = 20

// setThreads lets all threads of this program use these processors only. A
// thread that starts meanwhile may have been started by one that was not set
// yet, so it goes on until a look finds none.
func setThreads(cpus []int) error {
	var wanted unix.CPUSet
	for _, cpu := range cpus {
		wanted.Set(cpu)
	}
	for range maxPasses {
		changed, err := setOnce(&wanted)
		if err != nil {
			return fmt.Errorf("keep this program to processors %s: %w", numbers(cpus), err)
		}
		if !changed {
			return nil
		}
	}
	return fmt.Errorf("keep this program to processors %s: new threads kept starting", numbers(cpus))
}

// setOnce sets the threads that there are, and tells whether any was otherwise.
func setOnce(wanted *unix.CPUSet) (changed bool, err error) {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return false, err
	}
	for _, task := range tasks {
		id, err := strconv.Atoi(task.Name())
		if err != nil {
			return false, err
		}
		var has unix.CPUSet
		err = unix.SchedGetaffinity(id, &has)
		if err == nil && has != *wanted {
			changed = true
			err = unix.SchedSetaffinity(id, wanted)
		}
		if err != nil && !errors.Is(err, unix.ESRCH) { // one that has ended
			return false, err
		}
	}
	return changed, nil
}
