//go:build unix

package results

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// fullDisk names the folder that a child of this test writes to with a bound on
// the size of files, which fails a write half way as a full disk does.
const fullDisk = "TORIIBENCH_TEST_FULL_DISK"

func TestAFullDiskLeavesNothingThatLooksWhole(t *testing.T) {
	if dir := os.Getenv(fullDisk); dir != "" {
		writeUntilFull(t, dir)
		return
	}
	dir := t.TempDir()
	before := sampleRun()
	before.ID = "before"
	if err := Write(dir, before); err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), fullDisk+"="+dir)
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run, err := Read(dir)
	if err != nil || run.ID != "before" {
		t.Errorf("what was there before is lost: %v", err)
	}
	log, err := ReadLog(dir)
	if err != nil || !log.Partial || len(log.Tags) == 0 {
		t.Errorf("the log that broke off cannot be read up to there, or seems whole: %v", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		if f.Name() != RunFile && f.Name() != LogFile+partialSuffix {
			t.Errorf("%s was left behind", f.Name())
		}
	}
}

// writeUntilFull runs in the child.
func writeUntilFull(t *testing.T, dir string) {
	t.Helper()
	const room = 16 << 10
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: room, Max: room}); err != nil {
		t.Fatal(err)
	}
	large := sampleRun()
	large.Reason = strings.Repeat("long ", room)
	wantTooLarge(t, "run.json", Write(dir, large))

	log, err := CreateLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	h := hdrhistogram.New(1000, time.Minute.Nanoseconds(), 3)
	for v := int64(1000); v < 1e9; v += v / 50 {
		if err := h.RecordValue(v); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	for range room {
		if err = log.Append("a/b/c/d/response", start, start.Add(time.Second), h); err != nil {
			break
		}
	}
	wantTooLarge(t, "the log", err)
	if err := log.Close(); err == nil {
		t.Error("a log that broke off was closed as whole")
	}
}

func wantTooLarge(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, syscall.EFBIG) {
		t.Errorf("%s: %v, want an error that says why", what, err)
	}
	if err != nil && strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: more than a sentence: %v", what, err)
	}
}
