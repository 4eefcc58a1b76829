package compose

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// portAttempts bounds how often a start is tried again because somebody
	// else took the port meanwhile.
	portAttempts = 5
	// portGrace is how long a server that may have lost its port gets to say
	// so and end.
	portGrace = 3 * time.Second
)

// errPortTaken says that another program took the port first.
var errPortTaken = errors.New("port was taken by another program")

// Native starts servers as plain processes of this user, from a program on
// this machine or from one that it fetches.
func Native() Provider { return native{port: freePort} }

// native is the provider of plain processes.
type native struct {
	port func(ctx context.Context) (int, error)
}

// Name is part of Provider.
func (native) Name() string { return "native" }

// Check is part of Provider: it wants a program that is on this machine.
func (native) Check(ctx context.Context, t Target) error {
	if err := t.Startable(); err != nil {
		return err
	}
	_, err := findProgram(ctx, t, Options{})
	if errors.Is(err, errNotHere) {
		return fmt.Errorf("%w for %s; get one with: toriibench servers fetch %s", err, t, fetchName(t))
	}
	return err
}

// fetchName is what to fetch for a target.
func fetchName(t Target) string {
	if t.Version == "" {
		return t.Engine + ":" + DefaultVersion(t.Engine)
	}
	return t.Engine + ":" + t.Version
}

// Start is part of Provider. It fetches a server that is not on this machine,
// unless opts forbid it.
func (n native) Start(ctx context.Context, t Target, opts Options) (*Topology, error) {
	if err := t.Startable(); err != nil {
		return nil, err
	}
	if err := checkArgs(opts.Args); err != nil {
		return nil, err
	}
	if err := sweepRuns(ctx, opts.log()); err != nil {
		fmt.Fprintf(opts.log(), "warning: could not remove what killed runs left behind: %v\n", err)
	}
	prog, err := obtain(ctx, t, opts)
	if err != nil {
		return nil, fmt.Errorf("find server for %s: %w", t, err)
	}
	prog.cpus = opts.CPUs
	a, err := assemble(ctx, t, opts, func(ctx context.Context, s spec) (*member, error) { return n.startOnPort(ctx, prog, s) })
	if err != nil {
		return nil, fmt.Errorf("start %s from %s: %w", t, prog.origin, err)
	}
	topo := a.topology(t, n.Name())
	topo.Engine, topo.Version, topo.Origin = prog.engine, prog.version, prog.origin
	return topo, nil
}

// obtain finds or fetches the program for a target.
func obtain(ctx context.Context, t Target, opts Options) (program, error) {
	prog, err := findProgram(ctx, t, opts)
	if !errors.Is(err, errNotHere) {
		return prog, err
	}
	if opts.Offline {
		return program{}, fmt.Errorf("%w, and fetching is switched off; install %s-server, or name one with %s or %s, "+
			"or run once with the network: toriibench servers fetch %s", err, t.Engine, EnvRedisServer, EnvValkeyServer, fetchName(t))
	}
	return fetchProgram(ctx, t, opts.log())
}

// ownOptions are set by the provider and decide whether it can keep hold of
// its server.
func ownOptions() []string {
	return []string{
		"port", "tls-port", "bind", "daemonize", "dir", "logfile", "pidfile", "unixsocket", "include",
		"set-proc-title", "supervised", "requirepass",
	}
}

// checkArgs refuses options that the provider has to set by itself.
func checkArgs(args []string) error {
	for _, arg := range args {
		name, isOption := strings.CutPrefix(strings.ToLower(arg), "--")
		name, _, _ = strings.Cut(name, " ")
		if isOption && slices.Contains(ownOptions(), name) {
			return fmt.Errorf("use server option --%s: it is set for every server that is started here; leave it out", name)
		}
	}
	return nil
}

// freePort is a port of the loopback that nobody uses right now. Somebody may
// before the server does; see startOnPort.
func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return port, nil
}

// startOnPort starts the program on a free port, and on another one when that
// was taken between choosing it and using it.
func (n native) startOnPort(ctx context.Context, prog program, s spec) (*member, error) {
	var last error
	for range portAttempts {
		p, err := n.launch(ctx, prog, s)
		if err == nil {
			return p.member(), nil
		}
		if !errors.Is(err, errPortTaken) {
			return nil, err
		}
		last = err
	}
	return nil, fmt.Errorf("give up after %d ports: %w", portAttempts, last)
}

// member is the process as a member of a topology.
func (p *process) member() *member {
	port, bus := p.place.announced()
	return &member{
		node: p, contact: p.contact, host: localHost, port: port, bus: bus,
		tail: func(context.Context) string { return p.quoteLog() },
	}
}

// launch starts the program once and returns when it answers; on an error
// nothing stays.
func (n native) launch(ctx context.Context, prog program, s spec) (*process, error) {
	dir, err := newRunDir(ctx)
	if err != nil {
		return nil, err
	}
	// The process title stays the command line, by which Sweep knows a leftover.
	at, err := n.choose(ctx, dir, s)
	if err == nil {
		err = dir.write(s, at)
	}
	if err != nil {
		return nil, errors.Join(err, dir.remove())
	}
	p, err := startProcess(ctx, prog, dir, s, at)
	if err != nil {
		return nil, errors.Join(err, dir.remove())
	}
	if err := p.ready(ctx); err != nil {
		return nil, errors.Join(err, p.close(ctx))
	}
	return p, nil
}

// choose finds the ports of a server.
func (n native) choose(ctx context.Context, dir *runDir, s spec) (at place, err error) {
	at = place{bind: localHost, dir: dir.path + "/"}
	if at.port, err = n.port(ctx); err != nil {
		return at, err
	}
	if s.clustered() {
		// The usual port of the bus, ten thousand above, may lie beyond the last one.
		if at.bus, err = n.port(ctx); err != nil {
			return at, err
		}
	}
	return s.withFronts(ctx, at)
}

// ready waits until the server answers, and makes sure that it is this one.
func (p *process) ready(ctx context.Context) error {
	l := p.life()
	if err := p.dir.record(l.cmd.Process.Pid); err != nil && l.await(ctx, portGrace) != nil {
		return err // it lives, so the fault is not that it has ended
	}
	err := p.answers(ctx)
	if err == nil {
		return nil
	}
	if p.lostPort(ctx) {
		return fmt.Errorf("%w: %d", errPortTaken, p.place.port)
	}
	if cause := p.err(); cause != nil {
		return cause
	}
	return fmt.Errorf("%w%s", err, p.quoteLog())
}

// answers waits for an answer as long as the process lives.
func (p *process) answers(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l := p.life()
	go func() {
		select {
		case <-l.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := waitReady(ctx, p.contact); err != nil {
		return err
	}
	info, err := serverInfo(ctx, p.contact, "server")
	if err != nil {
		return err
	}
	if info["process_id"] != strconv.Itoa(l.cmd.Process.Pid) || info["tcp_port"] != strconv.Itoa(p.place.port) {
		return fmt.Errorf("%w: process %s answers on it", errPortTaken, info["process_id"])
	}
	return nil
}

// lostPort says whether the server ended, or is about to, because another
// program has its port.
func (p *process) lostPort(ctx context.Context) bool {
	if p.life().await(ctx, portGrace) != nil {
		return false
	}
	tail := strings.ToLower(p.quoteLog())
	return strings.Contains(tail, "address already in use") || strings.Contains(tail, "could not create server tcp listening socket")
}
