package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// logName is the file in a run folder that takes all the server writes.
	logName = "server.log"
	// tailBytes and tailLines bound what an error shows of that log.
	tailBytes, tailLines = 4096, 12
	// stopTimeout is how long a server may take to end when asked.
	stopTimeout = 5 * time.Second
)

// process is a server as a child process, with its folder. It is a node.
type process struct {
	dir     *runDir
	cmd     *exec.Cmd
	contact contact
	place   place

	asked atomic.Bool   // close wants it to end
	ended chan struct{} // closed when it has ended; cause is set before
	gone  chan struct{} // closed when it ended without being asked
	cause error
}

// startProcess starts a server program in dir. It does not wait for it to
// answer.
func startProcess(ctx context.Context, prog program, dir *runDir, s spec, at place) (*process, error) {
	p := &process{
		dir: dir, place: at, contact: s.contact(localHost, at.port),
		ended: make(chan struct{}), gone: make(chan struct{}),
	}
	out, err := os.OpenFile(filepath.Join(dir.path, logName), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make log of server: %w", err)
	}
	argv := append(prog.command(), s.nativeCommand(at)...)
	// The end of the context must not end the server: Close does, in order.
	p.cmd = exec.CommandContext(context.WithoutCancel(ctx), argv[0], argv[1:]...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir.path, out, out
	p.cmd.Env = append(os.Environ(), "LC_ALL=C")
	p.cmd.SysProcAttr = serverAttr()
	started := make(chan error)
	go p.run(prog.cpus, started)
	if err := errors.Join(<-started, out.Close()); err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	return p, nil
}

// localHost is where servers that are started here listen.
const localHost = "127.0.0.1"

// run starts the process and waits for its end, on one thread that lives as
// long: the kernel takes the end of the thread that started a child for the
// end of its parent. A child takes over which processors that thread may use.
func (p *process) run(cpus []int, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := onCPUs(cpus, p.cmd.Start)
	started <- err
	if err != nil {
		return
	}
	err = p.cmd.Wait()
	if err == nil {
		err = errors.New("exit status 0")
	}
	p.cause = fmt.Errorf("process %d ended: %w%s", p.cmd.Process.Pid, err, p.quoteLog())
	if !p.asked.Load() {
		close(p.gone)
	}
	close(p.ended)
}

// quoteLog is the end of the server's log, ready to follow an error.
func (p *process) quoteLog() string {
	tail, err := tailFile(filepath.Join(p.dir.path, logName))
	if err != nil {
		return "; its log cannot be read: " + err.Error()
	}
	if tail == "" {
		return "; its log is empty"
	}
	return "; its log ends with:\n" + tail
}

// tailFile reads the last lines of a file, without surrounding space.
func tailFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	from := max(0, info.Size()-tailBytes)
	data, err := io.ReadAll(io.NewSectionReader(f, from, tailBytes))
	if err != nil {
		return "", err
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n"), nil
}

// resetStats is part of node.
func (p *process) resetStats(ctx context.Context) error { return resetStats(ctx, p.contact) }

// info is part of node. It refuses the answer of another server that took the
// port after this one ended.
func (p *process) info(ctx context.Context, sections ...string) (map[string]string, error) {
	info, err := serverInfo(ctx, p.contact, sections...)
	if cause := p.err(); cause != nil {
		return nil, cause
	}
	return info, err
}

// died is part of node.
func (p *process) died() <-chan struct{} { return p.gone }

// err is part of node.
func (p *process) err() error {
	select {
	case <-p.gone:
		return p.cause
	default:
		return nil
	}
}

// kill is part of node.
func (p *process) kill(ctx context.Context) error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill server: %w", err)
	}
	return p.await(ctx, killTimeout)
}

// close is part of node: it asks the server to end, kills one that does not,
// and removes the folder.
func (p *process) close(ctx context.Context) error {
	return errors.Join(p.stop(ctx), p.dir.remove())
}

// stop ends the process. It kills at once when ctx has ended.
func (p *process) stop(ctx context.Context) error {
	p.asked.Store(true)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err == nil {
		if p.await(ctx, stopTimeout) == nil {
			return nil
		}
	}
	// From here on the end of ctx does not matter: a kill takes no time.
	return p.kill(context.WithoutCancel(ctx))
}

// await waits for the end of the process.
func (p *process) await(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for server %d to end: %w", p.cmd.Process.Pid, ctx.Err())
	}
}
