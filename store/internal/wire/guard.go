// Package wire looks at the bytes between a client library and a server. It keeps
// from the library what would make it panic or ask for more memory than there is:
// both libraries believe a reply's declared lengths, and one of them panics, in a
// goroutine of its own, at a reply that nobody has asked for. A load generator
// meets such servers: a wrong port, a proxy, a server that is being broken.
package wire

import (
	"errors"
	"net"
	"sync/atomic"
	"syscall"
)

// errUnasked is a reply too many.
var errUnasked = errors.New("a reply came that no command had asked for")

// Guard returns conn, whose Read fails at the first byte of what is not RESP, at
// lengths beyond reason, and at the end of a reply too many. What came before
// is delivered. What is written must be complete commands. One goroutine may
// read while another writes.
func Guard(conn net.Conn) net.Conn {
	g := &guarded{Conn: conn}
	if socket, ok := conn.(syscall.Conn); ok {
		return &guardedSocket{g, socket}
	}
	return g
}

// guarded is a connection under guard.
type guarded struct {
	net.Conn
	written frames
	asked   atomic.Int64

	read     frames
	answered int64
	err      error // for the next Read
}

// NetConn is the connection beneath, as with a tls.Conn.
func (g *guarded) NetConn() net.Conn { return g.Conn }

// Write is part of net.Conn.
func (g *guarded) Write(b []byte) (int, error) {
	commands, _, err := g.written.feed(b, -1)
	if err != nil {
		return 0, err
	}
	if commands > 0 {
		g.asked.Add(int64(commands))
	}
	return g.Conn.Write(b)
}

// Read is part of net.Conn.
func (g *guarded) Read(b []byte) (int, error) {
	if g.err != nil {
		return 0, g.err
	}
	n, err := g.Conn.Read(b)
	if n == 0 {
		return 0, err
	}
	good, bad := g.check(b[:n])
	if bad == nil {
		return n, err
	}
	g.err = bad
	if good == 0 {
		return 0, bad
	}
	return good, nil
}

// check returns how much of b may be delivered, and why no more.
func (g *guarded) check(b []byte) (int, error) {
	allowed := g.asked.Load() - g.answered
	replies, good, err := g.read.feed(b, int(allowed))
	g.answered += int64(replies)
	if err == nil && good < len(b) {
		err = errUnasked
	}
	return good, err
}

// guardedSocket lets a library look at the socket itself, to learn whether the
// other side has closed it.
type guardedSocket struct {
	*guarded
	socket syscall.Conn
}

// SyscallConn is part of syscall.Conn.
func (g *guardedSocket) SyscallConn() (syscall.RawConn, error) { return g.socket.SyscallConn() }
