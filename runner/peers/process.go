package peers

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"time"
)

// patience is how much longer than its job, twice as long, a generator may take.
// One that finds no server would try forever.
const patience = 10 * time.Second

// run runs the program and returns what it printed and its processor time.
func (p *Peer) run(ctx context.Context, job Job, args []string) (out []byte, cpu time.Duration, err error) {
	limit, cancel := context.WithTimeout(ctx, 2*job.Length+patience)
	defer cancel()
	argv := slices.Concat(p.command, args)
	cmd := exec.CommandContext(limit, argv[0], argv[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = childAttr()
	// The kernel takes the end of the thread that started a child for the end of
	// its parent.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, 0, context.Cause(ctx)
	case limit.Err() != nil:
		return nil, 0, fmt.Errorf("it did not end within %s and was killed; it said %q", 2*job.Length+patience, beginning(stderr.Bytes()))
	case err != nil:
		return nil, 0, fmt.Errorf("%w: %s", err, beginning(slices.Concat(stderr.Bytes(), stdout.Bytes())))
	}
	return stdout.Bytes(), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}
