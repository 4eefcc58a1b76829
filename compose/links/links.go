// Package links stands between servers, and between them and their clients, so
// that each link can be slowed or cut. It carries bytes and understands none of
// them; TLS goes through unopened. What it does to a link are toxiproxy's toxics.
package links

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/rs/zerolog"
)

// Clients is who connects from the loopback's usual address: all that is no
// server of the fabric.
const Clients = -1

// MaxServers bounds the number of servers of a fabric.
const MaxServers = 200

// dialTimeout bounds the connection to a server.
const dialTimeout = 5 * time.Second

// State is what becomes of the bytes on a link. The zero value lets them pass.
type State struct {
	// Cut swallows what is sent either way: connections stay open and silent, and
	// end when the link is mended. New ones are accepted and silent too, as those
	// to a host behind a broken switch.
	Cut bool
	// Delay holds each byte back for so long, in whole milliseconds, each way.
	Delay time.Duration
}

// Fabric is the network between the servers of one topology and its clients.
// Its methods may be called from any goroutine.
type Fabric struct {
	api *toxiproxy.ApiServer

	mu     sync.Mutex
	fronts []*front
	links  map[link]*toxiproxy.Proxy
	states map[link]State
	conns  map[net.Conn]bool
	number int // of connections so far
	closed bool
	done   sync.WaitGroup
}

// link is one way to connect: who connects, and to whom.
type link struct{ from, to int }

// New makes a fabric without servers.
func New() *Fabric {
	return &Fabric{
		api:   toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()),
		links: map[link]*toxiproxy.Proxy{}, states: map[link]State{}, conns: map[net.Conn]bool{},
	}
}

// Source is the address from which server i has to connect (bind-source-addr),
// so that the fabric knows it. The whole of 127.0.0.0/8 is the loopback's on
// Linux, and only there.
func Source(i int) string { return "127.0.1." + strconv.Itoa(i+1) }

// sourceOf is who connects from an address.
func sourceOf(addr net.Addr) int {
	host, _, _ := net.SplitHostPort(addr.String())
	last, known := strings.CutPrefix(host, "127.0.1.")
	if i, err := strconv.Atoi(last); known && err == nil {
		return i - 1
	}
	return Clients
}

// front is where connections to a server arrive.
type front struct {
	server   int
	listener net.Listener
	target   string
}

// Front opens a port on loopback for connections to server i, which go on to
// target once Direct has named it.
func (f *Fabric) Front(ctx context.Context, i int) (*Front, error) {
	if i < 0 || i >= MaxServers {
		return nil, fmt.Errorf("open a port before server %d: a fabric has up to %d", i, MaxServers)
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open a port before server %d: %w", i, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, errors.Join(net.ErrClosed, l.Close())
	}
	one := &front{server: i, listener: l}
	f.fronts = append(f.fronts, one)
	f.done.Go(func() { f.accept(one) }) //nolint:contextcheck // a front outlives the call, until Close
	return &Front{fabric: f, front: one}, nil
}

// Front is the open port before a server.
type Front struct {
	fabric *Fabric
	front  *front
}

// Port is its number.
func (f *Front) Port() int { return f.front.listener.Addr().(*net.TCPAddr).Port }

// Direct names the host:port of the server itself.
func (f *Front) Direct(target string) {
	f.fabric.mu.Lock()
	defer f.fabric.mu.Unlock()
	f.front.target = target
}

// accept carries connections until the fabric is closed.
func (f *Fabric) accept(one *front) {
	for {
		conn, err := one.listener.Accept()
		if err != nil {
			return
		}
		f.done.Go(func() { f.carry(one, conn) })
	}
}

// carry connects to the server and lets toxiproxy pass the bytes.
func (f *Fabric) carry(one *front, conn net.Conn) {
	f.mu.Lock()
	target := one.target
	f.mu.Unlock()
	dialer := net.Dialer{Timeout: dialTimeout}
	server, err := dialer.DialContext(context.Background(), "tcp4", target)
	if err != nil {
		_ = conn.Close() // the peer sees that there is no server
		return
	}
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		_, _ = conn.Close(), server.Close()
		return
	}
	f.number++
	name := strconv.Itoa(f.number)
	toxics := f.proxy(link{sourceOf(conn.RemoteAddr()), one.server}).Toxics
	f.conns[conn], f.conns[server] = true, true
	f.mu.Unlock()
	toxics.StartLink(f.api, name+"up", conn, &tracked{server, f}, stream.Upstream)
	toxics.StartLink(f.api, name+"down", server, &tracked{conn, f}, stream.Downstream)
}

// tracked is a connection that the fabric forgets when it ends.
type tracked struct {
	net.Conn
	fabric *Fabric
}

// Close ends the connection.
func (t *tracked) Close() error {
	t.fabric.mu.Lock()
	delete(t.fabric.conns, t.Conn)
	t.fabric.mu.Unlock()
	return t.Conn.Close()
}

// proxy is toxiproxy's handle for a link. It is not started: connections are
// accepted here, where it is known from whom they are.
func (f *Fabric) proxy(l link) *toxiproxy.Proxy {
	if f.links[l] == nil {
		f.links[l] = toxiproxy.NewProxy(f.api, fmt.Sprintf("%d-%d", l.from, l.to), "", "")
	}
	return f.links[l]
}

// Set changes the link over which server from, or Clients, connects to server
// to. The connections that to opens to from are another link.
func (f *Fabric) Set(from, to int, state State) error {
	f.mu.Lock()
	l := link{from, to}
	toxics := f.proxy(l).Toxics
	was := f.states[l]
	f.states[l] = state
	f.mu.Unlock()
	if was == state {
		return nil
	}
	toxics.ResetToxics(context.Background())
	for _, direction := range []string{"upstream", "downstream"} {
		if state.Cut {
			if err := add(toxics, "timeout", direction, map[string]int64{"timeout": 0}); err != nil {
				return err
			}
		}
		if state.Delay > 0 {
			if err := add(toxics, "latency", direction, map[string]int64{"latency": state.Delay.Milliseconds()}); err != nil {
				return err
			}
		}
	}
	return nil
}

// add puts a toxic on a link.
func add(toxics *toxiproxy.ToxicCollection, kind, direction string, attributes map[string]int64) error {
	words, err := json.Marshal(map[string]any{"type": kind, "stream": direction, "attributes": attributes})
	if err != nil {
		return fmt.Errorf("change a link: %w", err)
	}
	if _, err := toxics.AddToxicJson(strings.NewReader(string(words))); err != nil {
		return fmt.Errorf("change a link: %w", err)
	}
	return nil
}

// Close ends all connections and closes the ports.
func (f *Fabric) Close() error {
	f.mu.Lock()
	f.closed = true
	var errs []error
	for _, one := range f.fronts {
		errs = append(errs, one.listener.Close())
	}
	var open []net.Conn
	for conn := range f.conns {
		open = append(open, conn)
	}
	f.mu.Unlock()
	for _, conn := range open {
		_ = conn.Close() // it may have ended meanwhile
	}
	f.done.Wait()
	return errors.Join(errs...)
}
