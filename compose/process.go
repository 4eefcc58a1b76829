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
	"sync"
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

// process is a server as a child process, with its folder. It is a node. A fault
// may end it and start it again: then it has several lives.
type process struct {
	program program
	spec    spec
	dir     *runDir
	contact contact
	place   place

	gone chan struct{} // closed when a life ended without being asked

	mu   sync.Mutex
	last *life
	lost error // why that life ended
}

// life is the process from one start to its end.
type life struct {
	cmd   *exec.Cmd
	asked atomic.Bool   // somebody here wants it to end
	ended chan struct{} // closed when it has ended; cause is set before
	cause error
}

// startProcess starts a server program in dir. It does not wait for it to
// answer.
func startProcess(ctx context.Context, prog program, dir *runDir, s spec, at place) (*process, error) {
	p := &process{program: prog, spec: s, dir: dir, place: at, contact: s.contact(localHost, at.port), gone: make(chan struct{})}
	return p, p.begin(ctx)
}

// begin starts a life of the process.
func (p *process) begin(ctx context.Context) error {
	out, err := os.OpenFile(filepath.Join(p.dir.path, logName), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("make log of server: %w", err)
	}
	argv := append(p.program.command(), p.spec.nativeCommand(p.place)...)
	l := &life{ended: make(chan struct{})}
	// The end of the context must not end the server: Close does, in order.
	l.cmd = exec.CommandContext(context.WithoutCancel(ctx), argv[0], argv[1:]...)
	l.cmd.Dir, l.cmd.Stdout, l.cmd.Stderr = p.dir.path, out, out
	l.cmd.Env = append(os.Environ(), "LC_ALL=C")
	l.cmd.SysProcAttr = serverAttr()
	started := make(chan error)
	go p.run(l, p.program.cpus, started)
	if err := errors.Join(<-started, out.Close()); err != nil {
		return fmt.Errorf("start %s: %w", argv[0], err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = l
	return nil
}

// life is the process as it is now.
func (p *process) life() *life {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// localHost is where servers that are started here listen.
const localHost = "127.0.0.1"

// run starts the process and waits for its end, on one thread that lives as
// long: the kernel takes the end of the thread that started a child for the
// end of its parent. A child takes over which processors that thread may use.
func (p *process) run(l *life, cpus []int, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := onCPUs(cpus, l.cmd.Start)
	started <- err
	if err != nil {
		return
	}
	err = l.cmd.Wait()
	if err == nil {
		err = errors.New("exit status 0")
	}
	l.cause = fmt.Errorf("process %d ended: %w%s", l.cmd.Process.Pid, err, p.quoteLog())
	if !l.asked.Load() {
		p.lose(l.cause)
	}
	close(l.ended)
}

// lose notes the first end that nobody asked for.
func (p *process) lose(cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost == nil {
		p.lost = cause
		close(p.gone)
	}
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
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

// kill is part of node.
func (p *process) kill(ctx context.Context) error { return p.life().kill(ctx) }

// crash is part of breakable.
func (p *process) crash(ctx context.Context) error {
	l := p.life()
	l.asked.Store(true)
	return l.kill(ctx)
}

// freeze is part of breakable.
func (p *process) freeze(context.Context) error { return p.life().signal(stopSignal) }

// thaw is part of breakable.
func (p *process) thaw(context.Context) error { return p.life().signal(continueSignal) }

// revive is part of breakable. The server has its folder and its port again.
func (p *process) revive(ctx context.Context) error {
	select {
	case <-p.life().ended:
	default:
		return errors.New("start a server again: it runs")
	}
	if err := p.begin(ctx); err != nil {
		return err
	}
	return p.ready(ctx)
}

// close is part of node: it asks the server to end, kills one that does not,
// and removes the folder.
func (p *process) close(ctx context.Context) error {
	return errors.Join(p.life().stop(ctx), p.dir.remove())
}

// stop ends the process. It kills at once when ctx has ended.
func (l *life) stop(ctx context.Context) error {
	l.asked.Store(true)
	if err := l.cmd.Process.Signal(syscall.SIGTERM); err == nil {
		// One that is stopped hears it when it goes on.
		_ = l.signal(continueSignal)
		if l.await(ctx, stopTimeout) == nil {
			return nil
		}
	}
	// From here on the end of ctx does not matter: a kill takes no time.
	return l.kill(context.WithoutCancel(ctx))
}

// kill ends the process at once.
func (l *life) kill(ctx context.Context) error {
	if err := l.signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return l.await(ctx, killTimeout)
}

// signal sends the process a signal.
func (l *life) signal(s syscall.Signal) error {
	if err := l.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("send %s to server %d: %w", s, l.cmd.Process.Pid, err)
	}
	return nil
}

// await waits for the end of the process.
func (l *life) await(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-l.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for server %d to end: %w", l.cmd.Process.Pid, ctx.Err())
	}
}
