// Package compose starts the servers that are measured: real Redis and Valkey,
// as plain processes, in containers, or wherever a URL points. Whatever it
// started it takes away again, also after an interrupt, a panic, or a kill: see
// [Sweep].
package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Provider is where servers come from.
type Provider interface {
	// Name is "native", "docker" or "external".
	Name() string
	// Check says whether the provider can serve t at once, with nothing to
	// download. The error tells why not and what to do.
	Check(ctx context.Context, t Target) error
	// Start starts t and returns when it answers. On an error nothing stays
	// behind.
	Start(ctx context.Context, t Target, opts Options) (*Topology, error)
}

// Options say how to start a topology. The zero value works.
type Options struct {
	// Log receives one line for each thing worth telling a person (a fetch, a
	// warning); nil discards them.
	Log io.Writer
	// Args are extra server options in redis.conf's words, for example
	// "--maxmemory", "1gb".
	Args []string
	// Binary is a server executable to use instead of looking for one
	// (native only).
	Binary string
	// Image overrides the container image (docker only).
	Image string
	// Offline forbids to download a server that is not there yet.
	Offline bool
	// CPUs are the processors, numbered as the system does, that the server may
	// run on; empty means all that this program may (native on Linux, docker).
	CPUs []int
	// NeedBytes is the memory that the load will take in the server; 0 when it
	// is not known (external only: less free room is refused).
	NeedBytes int64
}

// log is where to write lines for people, never nil.
func (o Options) log() io.Writer {
	if o.Log == nil {
		return io.Discard
	}
	return o.Log
}

// Topology is a set of running servers that serves one target. Its methods may
// be called from any goroutine.
type Topology struct {
	Target   Target
	Provider string
	// URLs are how to reach it: one for standalone, seeds for a cluster.
	URLs []string
	// Engine and Version are what the server said of itself, for example
	// "valkey" and "8.1.1".
	Engine, Version string
	// Origin says in a few words where the server came from, for example a
	// path or an image with its digest.
	Origin string

	nodes []node

	died    chan struct{} // closed by watch at the first death
	dead    sync.Once     // guards died
	closing chan struct{} // closed by Close, ends the watchers

	mu       sync.Mutex
	onClose  []func(context.Context) error
	closed   bool
	closeErr error
}

// node is one server of a topology.
type node interface {
	// info asks the server for INFO fields; no section means the default ones.
	info(ctx context.Context, sections ...string) (map[string]string, error)
	// resetStats sets the server's counters back to 0.
	resetStats(ctx context.Context) error
	// died is closed when the server ends without close; nil when the provider
	// cannot tell.
	died() <-chan struct{}
	// err says why the server died; nil while it lives.
	err() error
	// kill ends the server at once, as a fault: died follows.
	kill(ctx context.Context) error
	// close ends the server and removes what was made for it; it is called
	// once.
	close(ctx context.Context) error
}

// newTopology joins running nodes and watches over them until Close.
func newTopology(t Target, provider string, urls []string, nodes ...node) *Topology {
	topo := &Topology{
		Target: t, Provider: provider, URLs: urls, nodes: nodes,
		died: make(chan struct{}), closing: make(chan struct{}),
	}
	for _, n := range nodes {
		go topo.watch(n)
	}
	return topo
}

// watch reports the death of n once, and ends with the topology.
func (t *Topology) watch(n node) {
	select {
	case <-n.died():
		t.dead.Do(func() { close(t.died) })
	case <-t.closing:
	}
}

// onCloseDo adds what Close has to do after the servers have ended.
func (t *Topology) onCloseDo(f func(context.Context) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.onClose = append(t.onClose, f)
}

// Close stops every server and removes what was made for them. Further calls
// wait for the first one and return its error.
func (t *Topology) Close(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return t.closeErr
	}
	t.closed = true
	close(t.closing)
	errs := make([]error, 0, len(t.nodes)+len(t.onClose))
	for _, n := range t.nodes {
		errs = append(errs, n.close(ctx))
	}
	for _, f := range t.onClose {
		errs = append(errs, f(ctx))
	}
	t.closeErr = errors.Join(errs...)
	return t.closeErr
}

// Died is closed when a server ends without being asked to by Close. It stays
// open for servers that somebody else runs.
func (t *Topology) Died() <-chan struct{} { return t.died }

// Err says why servers died, with the last lines of their own log; nil while
// all live, and after an orderly Close.
func (t *Topology) Err() error {
	var errs []error
	for i, n := range t.nodes {
		if err := n.err(); err != nil {
			errs = append(errs, fmt.Errorf("server %d of %s: %w", i, t.Target, err))
		}
	}
	return errors.Join(errs...)
}

// Info asks server 0 for its INFO fields; no section means the server's
// default ones.
func (t *Topology) Info(ctx context.Context, sections ...string) (map[string]string, error) {
	n, err := t.node(0)
	if err != nil {
		return nil, err
	}
	return n.info(ctx, sections...)
}

// ResetStats sets the counters of INFO back to 0 on every server (CONFIG
// RESETSTAT). A server that somebody else runs is left alone: that is an error.
func (t *Topology) ResetStats(ctx context.Context) error {
	var errs []error
	for _, n := range t.nodes {
		errs = append(errs, n.resetStats(ctx))
	}
	return errors.Join(errs...)
}

// KillNode ends server i at once, with no chance to tidy up, as a crash would.
// Died and Err report it.
func (t *Topology) KillNode(ctx context.Context, i int) error {
	n, err := t.node(i)
	if err != nil {
		return err
	}
	return n.kill(ctx)
}

// node returns server i or says how many there are.
func (t *Topology) node(i int) (node, error) {
	if i < 0 || i >= len(t.nodes) {
		return nil, fmt.Errorf("find server %d: %s has %d of them, counted from 0", i, t.Target, len(t.nodes))
	}
	return t.nodes[i], nil
}
