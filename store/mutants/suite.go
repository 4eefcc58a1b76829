package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// The suite runs over one driver, on a standalone server of one engine: which
// faults it finds does not depend on these.
const (
	driverPackage = "goredis"
	suiteTest     = "TestConformance"
	engine        = "redis:7.0"
)

// suiteTimeout bounds one run of the suite.
const suiteTimeout = 4 * time.Minute

// suite is the conformance suite, compiled with or without a fault.
type suite struct {
	binary string
	// dir is where it runs, the directory of its package.
	dir string
}

// compile builds the suite. An overlay of "" leaves the store as it is.
func compile(ctx context.Context, store, dir, overlay string) (suite, error) {
	s := suite{binary: filepath.Join(dir, "suite.test"), dir: filepath.Join(store, driverPackage)}
	args := []string{"test", "-c", "-o", s.binary}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, ".")...)
	cmd.Dir = s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return s, fmt.Errorf("compile the suite: %w\n%s", err, out)
	}
	return s, nil
}

// exitFailed is how a test program ends of which cases fail. One that panics or
// runs out of time ends with 2.
const exitFailed = 1

// outcome is what became of the cases of one run, by name.
type outcome struct {
	passed, failed []string
	// output is all that the run has printed.
	output string
}

// run runs the cases whose names begin as a regular expression says; "" stands
// for all.
func (s suite) run(ctx context.Context, cases string) (outcome, error) {
	pattern := suiteTest + "/^" + engine + "$"
	if cases != "" {
		pattern += "/^(" + cases + ")"
	}
	cmd := exec.CommandContext(ctx, s.binary, "-test.v", "-test.run", pattern, "-test.timeout", suiteTimeout.String())
	cmd.Dir = s.dir
	// Its servers end with it if it is asked to end, not if it is killed.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	// That cases fail is an answer; that the suite did not come to its end is none.
	if code := cmd.ProcessState.ExitCode(); ctx.Err() != nil || err != nil && code != exitFailed {
		return outcome{}, fmt.Errorf("run the suite: %w:\n%s", errors.Join(err, ctx.Err()), &out)
	}
	o, unread := readOutcome(out.String())
	switch {
	case unread != nil:
		return o, fmt.Errorf("read what the suite prints: %w", unread)
	case len(o.passed)+len(o.failed) == 0:
		return o, fmt.Errorf("run the suite: no case of %q has ended:\n%s", cases, o.output)
	case (err == nil) != (len(o.failed) == 0):
		return o, fmt.Errorf("run the suite: it ended with %v and %d failed cases:\n%s", cmd.ProcessState, len(o.failed), o.output)
	}
	return o, nil
}

// readOutcome reads what go test -v prints. Parts of a case count with it.
func readOutcome(output string) (outcome, error) {
	o := outcome{output: output}
	lines := bufio.NewScanner(strings.NewReader(output))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimLeft(lines.Text(), " ")
		name, failed := strings.CutPrefix(line, "--- FAIL: "+suiteTest+"/"+engine+"/")
		name, passed := strings.CutPrefix(name, "--- PASS: "+suiteTest+"/"+engine+"/")
		if failed == passed || strings.Contains(name, "/") {
			continue
		}
		name, _, _ = strings.Cut(name, " (")
		name = strings.ReplaceAll(name, "_", " ")
		if failed {
			o.failed = append(o.failed, name)
		} else {
			o.passed = append(o.passed, name)
		}
	}
	return o, lines.Err()
}
