// Package compose starts the servers that are measured: real Redis and Valkey,
// as plain processes, in containers, or wherever a URL points. Whatever it
// started it takes away again, also after an interrupt, a panic, or a kill: see
// [Sweep].
package compose

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/toriibench/toriibench/compose/links"
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
	// PublishedPorts puts containers behind published ports also where they could
	// have the host's network (docker only). It adds the latency of the engine's
	// proxy to each answer.
	PublishedPorts bool
	// Offline forbids to download a server that is not there yet.
	Offline bool
	// Rules are what the clients' user of a topology with ACL may do, in the words
	// of ACL SETUSER, without a password.
	Rules string
	// Links puts a fabric between the servers, and between them and their clients,
	// so that [Topology.SetLink] can cut and slow the links. It takes time on the
	// way and this program's CPU (Linux only).
	Links bool
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
	// URLs are how to reach it: the primary, the nodes of a cluster, or the
	// sentinels.
	URLs []string
	// Access is what a client needs besides.
	Access Access
	// Engine and Version are what the server said of itself, for example
	// "valkey" and "8.1.1".
	Engine, Version string
	// Origin says in a few words where the server came from, for example a
	// path or an image with its digest.
	Origin string

	nodes     []node
	members   []*member // the same servers; none where somebody else runs them
	sentinels int       // the last of nodes are sentinels
	fabric    *links.Fabric

	died    chan struct{} // closed by watch at the first death
	dead    sync.Once     // guards died
	closing chan struct{} // closed by Close, ends the watchers

	brokenMu sync.Mutex
	broken   map[int]bool // by Kill or Stop

	mu       sync.Mutex
	onClose  []func(context.Context) error
	closed   bool
	closeErr error
}

// Access is what a client needs beside the URLs. Zero fields are not needed.
type Access struct {
	// Username and Password are those of the client's user.
	Username, Password string
	// MasterName is what the sentinels call the primary; URLs are the sentinels
	// then, which have users of their own.
	MasterName                         string
	SentinelUsername, SentinelPassword string
	// Cluster says that the servers are nodes of a cluster.
	Cluster bool
	// Replicas are the addresses, host:port, of replicas that stay what they are.
	Replicas []string
	// TLS trusts the topology's own authority, and has a certificate for the
	// client where the servers want one.
	TLS *tls.Config
	// DialContext leads from the addresses that the servers tell clients of to
	// where this machine reaches them. It opens plain connections: TLS comes on
	// top. Other addresses it dials as they are.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
}

// GoString keeps the password out of %#v.
func (a Access) GoString() string { return "compose.Access(user " + a.Username + ")" }

// String does so for the rest.
func (a Access) String() string { return a.GoString() }

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
	errs := []error{closeAll(ctx, t.nodes)}
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

// Info asks the server for its INFO fields; no section means the server's
// default ones. Of a topology of several servers it asks those that are primaries
// now and that no fault holds, and see [sumInfo] for what becomes of their answers.
func (t *Topology) Info(ctx context.Context, sections ...string) (map[string]string, error) {
	if len(t.nodes) == 1 {
		return t.nodes[0].info(ctx, sections...)
	}
	var primaries []map[string]string
	for i, n := range t.data() {
		if t.isBroken(i) {
			continue
		}
		info, err := n.info(ctx, append([]string{"replication"}, sections...)...)
		if err != nil {
			return nil, err
		}
		if info["role"] == "master" {
			primaries = append(primaries, info)
		}
	}
	if len(primaries) == 0 {
		return nil, fmt.Errorf("ask %s for INFO: none of its servers is a primary", t.Target)
	}
	return sumInfo(primaries), nil
}

// ResetStats sets the counters of INFO back to 0 on every server (CONFIG
// RESETSTAT). A server that somebody else runs is left alone: that is an error.
func (t *Topology) ResetStats(ctx context.Context) error {
	var errs []error
	for _, n := range t.data() {
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

// data are the servers that are no sentinels.
func (t *Topology) data() []node { return t.nodes[:len(t.nodes)-t.sentinels] }

// node returns server i or says how many there are.
func (t *Topology) node(i int) (node, error) {
	if i < 0 || i >= len(t.nodes) {
		return nil, fmt.Errorf("find server %d: %s has %d of them, counted from 0", i, t.Target, len(t.nodes))
	}
	return t.nodes[i], nil
}
