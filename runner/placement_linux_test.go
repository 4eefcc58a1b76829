package runner

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPlace(t *testing.T) {
	for _, test := range []struct {
		allowed           []int
		server, generator []int
	}{
		{nil, nil, nil},
		{[]int{3}, nil, nil},
		{[]int{0, 1}, []int{1}, []int{0}},
		{[]int{2, 5, 7}, []int{7}, []int{2, 5}},
		{[]int{0, 1, 2, 3, 4, 5, 6}, []int{6}, []int{0, 1, 2, 3, 4, 5}},
		{[]int{0, 1, 2, 3, 4, 5, 6, 7}, []int{6, 7}, []int{0, 1, 2, 3, 4, 5}},
	} {
		got := placeFor(test.allowed)
		if diff := cmp.Diff([][]int{test.server, test.generator}, [][]int{got.server, got.generator}); diff != "" {
			t.Errorf("of %v: %s", test.allowed, diff)
		}
		if pins := strings.Contains(got.String(), "server on CPU"); pins != (len(test.server) > 0) {
			t.Errorf("of %v it says %q", test.allowed, got)
		}
	}
}

// threadCPUs are the processors of a process's threads, each set once.
func threadCPUs(t *testing.T, process string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/" + process + "/task/*/status")
	if err != nil {
		t.Fatal(err)
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

func TestKeepTo(t *testing.T) {
	allowed, err := allowedCPUs()
	if err != nil {
		t.Fatal(err)
	}
	before, procs := threadCPUs(t, "self"), runtime.GOMAXPROCS(0)
	var threads, ended sync.WaitGroup
	stop := make(chan struct{})
	for range 8 {
		threads.Add(1)
		ended.Go(func() {
			runtime.LockOSThread() // not unlocked, so that the thread ends here
			threads.Done()
			<-stop
		})
	}
	threads.Wait()
	release, err := keepTo(allowed[:1])
	if err != nil {
		t.Fatal(err)
	}
	if got := threadCPUs(t, "self"); !slices.Equal(got, []string{numbers(allowed[:1])}) || runtime.GOMAXPROCS(0) != 1 {
		t.Errorf("threads may use %v, %d at a time, want processor %d alone", got, runtime.GOMAXPROCS(0), allowed[0])
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if got := threadCPUs(t, "self"); !slices.Equal(got, before) || runtime.GOMAXPROCS(0) != procs {
		t.Errorf("afterwards %v, %d at a time; it was %v, %d", got, runtime.GOMAXPROCS(0), before, procs)
	}
	close(stop)
	ended.Wait()
	if release, err := keepTo([]int{1000}); err == nil {
		t.Errorf("a processor that is not there was taken: %v", release())
	}
	if got := threadCPUs(t, "self"); !slices.Equal(got, before) {
		t.Errorf("a refused wish left %v, it was %v", got, before)
	}
}

// awaitServer is the process of a server that this one starts soon.
func awaitServer(t *testing.T) string {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); <-tick.C {
		files, _ := filepath.Glob("/proc/self/task/*/children")
		for _, file := range files {
			children, _ := os.ReadFile(file)
			for child := range strings.FieldsSeq(string(children)) {
				if line, _ := os.ReadFile("/proc/" + child + "/cmdline"); strings.Contains(string(line), "--port") {
					return child
				}
			}
		}
	}
	t.Error("no server was started")
	return "none"
}

func TestBenchPins(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	allowed, err := allowedCPUs()
	if err != nil {
		t.Fatal(err)
	}
	before, procs := threadCPUs(t, "self"), runtime.GOMAXPROCS(0)
	want := map[string][]string{"auto": {numbers(placeFor(allowed).server)}, "off": before}
	if len(allowed) < 2 {
		want["auto"] = before
	}
	for policy, cpus := range want {
		t.Run(policy, func(t *testing.T) {
			out := t.TempDir()
			ended := make(chan outcome, 1)
			go func() {
				ended <- call(t.Context(), "bench", "--provider", "native", "--target", "valkey:8.1", "--client", "valkey-go", "--scenario", "session-churn",
					"--rate", "500", "--population", "200", "--for", "1s", "--warmup", "0s", "--pin", policy, "--out", out)
			}()
			server := awaitServer(t)
			if got := threadCPUs(t, server); !slices.Equal(got, cpus) {
				t.Errorf("the server may use processors %v, want %v", got, cpus)
			}
			if got := <-ended; got.code != exitFine && got.code != exitNoProof {
				t.Fatalf("exit code %d: %s", got.code, got.stderr)
			}
			told := readRun(t, onlyRun(t, out)).Cells[0].Settings["pinning"]
			if pins := policy == "auto" && len(allowed) > 1; strings.HasPrefix(told, "server on CPU ") != pins {
				t.Errorf("the run tells %q of its pinning", told)
			}
			if got := threadCPUs(t, "self"); !slices.Equal(got, before) || runtime.GOMAXPROCS(0) != procs {
				t.Errorf("afterwards this program may use %v, %d at a time; it was %v, %d", got, runtime.GOMAXPROCS(0), before, procs)
			}
		})
	}
}
