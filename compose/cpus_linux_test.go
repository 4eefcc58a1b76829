package compose

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// allowedCPUs are the processors of every thread of a process, as /proc tells
// them.
func allowedCPUs(t *testing.T, pid int) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/status")
	if err != nil || len(files) == 0 {
		t.Fatalf("threads of process %d: %v, %v", pid, files, err)
	}
	var lists []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		_, list, _ := strings.Cut(string(text), "Cpus_allowed_list:")
		list, _, _ = strings.Cut(list, "\n")
		lists = append(lists, strings.TrimSpace(list))
	}
	slices.Sort(lists)
	return slices.Compact(lists)
}

func TestNativeServerKeepsToItsProcessors(t *testing.T) {
	needServers(t)
	ownTemp(t)
	before := allowedCPUs(t, os.Getpid())
	t.Run("all its threads do", func(t *testing.T) {
		topo := startNative(t, native{port: freePort}, Options{CPUs: []int{0}})
		if got := allowedCPUs(t, pidOf(t, topo)); !slices.Equal(got, []string{"0"}) {
			t.Errorf("the server's threads may use processors %v, want 0", got)
		}
	})
	t.Run("without a wish it may use all", func(t *testing.T) {
		topo := startNative(t, native{port: freePort}, Options{})
		if got := allowedCPUs(t, pidOf(t, topo)); !slices.Equal(got, before) {
			t.Errorf("the server's threads may use processors %v, want %v", got, before)
		}
	})
	t.Run("this program may use what it could before", func(t *testing.T) {
		if got := allowedCPUs(t, os.Getpid()); !slices.Equal(got, before) {
			t.Errorf("processors %v, want %v", got, before)
		}
	})
	t.Run("a processor that is not there is refused", func(t *testing.T) {
		_, err := Native().Start(t.Context(), Target{Engine: Redis, Topology: Standalone}, Options{CPUs: []int{1000}})
		if err == nil || !strings.Contains(err.Error(), "[1000]") {
			t.Errorf("got %v, want an error that names the processor", err)
		}
		if left := runDirs(t); len(left) > 0 {
			t.Errorf("it left %v", left)
		}
	})
}

func TestThreadGetsItsProcessorsBack(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, during, after unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	err := onCPUs([]int{0}, func() error { return unix.SchedGetaffinity(0, &during) })
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SchedGetaffinity(0, &after); err != nil {
		t.Fatal(err)
	}
	if during.Count() != 1 || !during.IsSet(0) || after != before {
		t.Errorf("before %v, meanwhile %v, after %v", before, during, after)
	}
}
