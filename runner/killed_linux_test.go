package runner

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/toriibench/toriibench/compose"
)

// envProgram holds the arguments of a test program that behaves as the program,
// with a space between them.
const envProgram = "TORIIBENCH_TEST_PROGRAM"

// TestProgramItself is no test: it is the program that others kill.
func TestProgramItself(t *testing.T) {
	if args := os.Getenv(envProgram); args != "" && args != "sweep" {
		call(context.WithoutCancel(t.Context()), strings.Fields(args)...)
	}
}

// killings is how often the program is killed, and longestLife when at the latest:
// in the middle of its second fault.
const (
	killings    = 5
	longestLife = 22 * time.Second
)

func TestAProgramKilledAtAnyMomentLeavesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	times := killings
	if racing {
		times = 1
	}
	for range times {
		life := time.Duration(rand.Int64N(int64(longestLife)))
		t.Run(life.Round(time.Millisecond).String(), func(t *testing.T) {
			if !racing {
				t.Parallel()
			}
			temp := t.TempDir()
			program := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProgramItself$")
			program.Env = append(os.Environ(), "TMPDIR="+temp, envProgram+"=bench --provider native --scenario failover "+
				"--target valkey:8.1@cluster+acl --client go-redis --fault stop --replication-lag 50ms --rate 200 --population 100 --for 30s --out "+t.TempDir())
			if err := program.Start(); err != nil {
				t.Fatal(err)
			}
			timer := time.NewTimer(life)
			defer timer.Stop()
			<-timer.C
			if began := 8 * time.Second; !racing && life > began && len(processesIn(t, temp)) == 0 {
				t.Errorf("after %s no server was running yet", life)
			}
			if err := program.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := program.Wait(); err == nil {
				t.Fatal("it had ended before it was killed")
			}
			awaitNone(t, temp)
			sweep(t, temp)
		})
	}
}

// awaitNone waits until no process names a folder, on its command line or as
// where it works.
func awaitNone(t *testing.T, folder string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		left := processesIn(t, folder)
		if len(left) == 0 {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatalf("these processes are left: %q", left)
		}
	}
}

// processesIn are the command lines of the processes that name a folder.
func processesIn(t *testing.T, folder string) []string {
	t.Helper()
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range commands {
		text, _ := os.ReadFile(path)                         // it may have ended
		where, _ := os.Readlink(filepath.Dir(path) + "/cwd") // likewise
		if strings.Contains(string(text), folder) || strings.HasPrefix(where, folder) {
			found = append(found, strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return found
}

// sweep does what the next run does first, in a program that has this TMPDIR, and
// looks for run folders.
func sweep(t *testing.T, temp string) {
	t.Helper()
	sweeper := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSweepItself$")
	sweeper.Env = append(os.Environ(), "TMPDIR="+temp, envProgram+"=sweep")
	if out, err := sweeper.CombinedOutput(); err != nil {
		t.Fatalf("sweep: %v\n%s", err, out)
	}
	left, err := filepath.Glob(filepath.Join(temp, "*", "run-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

// TestSweepItself is no test: it is the start of the next run.
func TestSweepItself(t *testing.T) {
	if os.Getenv(envProgram) != "sweep" {
		return
	}
	if err := compose.Sweep(t.Context(), t.Output()); err != nil {
		t.Fatal(err)
	}
}
