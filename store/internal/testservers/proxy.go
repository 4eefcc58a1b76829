package testservers

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Proxy stands between clients and a server and cuts the connection at a given
// command: there its clients die, as the server sees it, or the server, as they
// see it. Commands of the handshake do not count.
type Proxy struct {
	// Addr is its host:port.
	Addr string

	server   string
	listener net.Listener
	serving  sync.WaitGroup

	mu struct {
		sync.Mutex
		conns map[net.Conn]bool
		// left are the commands until the cut, 0 when none is wanted.
		left    int
		reaches bool
		strike  func()
		cut     bool
	}
}

// NewProxy starts a proxy before the server that ends with the test.
func NewProxy(tb testing.TB, server *Server) *Proxy {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listen: %v", err)
	}
	p := &Proxy{Addr: l.Addr().String(), server: server.Addr, listener: l}
	p.mu.conns = make(map[net.Conn]bool)
	p.serving.Go(p.accept)
	tb.Cleanup(func() {
		_ = l.Close() // It ends the accepting.
		p.CutAt(0, false, nil)
		p.sever()
		p.serving.Wait()
	})
	return p
}

// URL is how a client reaches the server through the proxy.
func (p *Proxy) URL() string { return "redis://" + p.Addr }

// CutAt cuts all connections at the n-th command from now on, and refuses new
// ones until Heal. The command is lost, or, if it reaches the server, its
// reply is, which the server has written. Strike is called at the cut, before
// clients can notice; nil does nothing.
func (p *Proxy) CutAt(n int, reaches bool, strike func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.left, p.mu.reaches, p.mu.strike, p.mu.cut = n, reaches, strike, false
}

// Heal ends what CutAt began and tells whether the command has come.
func (p *Proxy) Heal() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.mu.cut
	p.mu.left, p.mu.cut = 0, false
	return was
}

// drop closes all connections.
func (p *Proxy) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.mu.conns {
		_ = conn.Close() // It is to be gone.
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.serving.Go(func() { p.serve(client) })
	}
}

// keep notes a connection, unless there are to be none.
func (p *Proxy) keep(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.mu.cut {
		p.mu.conns[conn] = true
	}
	return !p.mu.cut
}

func (p *Proxy) forget(conn net.Conn) {
	_ = conn.Close() // It has ended, or is to.
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.mu.conns, conn)
}

// serve carries commands one way and replies the other until the cut.
func (p *Proxy) serve(client net.Conn) {
	defer p.forget(client)
	server, err := new(net.Dialer).DialContext(context.Background(), "tcp", p.server)
	if err != nil {
		return // The client sees a connection that ends.
	}
	defer p.forget(server)
	if !p.keep(client) || !p.keep(server) {
		return
	}
	last := make(chan bool, 1<<12) // For each command on its way: is its reply lost?
	p.serving.Go(func() {
		defer client.Close() //nolint:errcheck // Whoever closes it first.
		p.answer(client, bufio.NewReader(server), last)
	})
	in := bufio.NewReader(client)
	for {
		command, err := readCommand(in)
		if err != nil {
			return
		}
		fatal, reaches := p.count(command[0])
		if fatal && !reaches {
			p.sever()
			return
		}
		last <- fatal
		if _, err := io.WriteString(server, Values(command...)); err != nil {
			return
		}
	}
}

// answer carries replies to the client.
func (p *Proxy) answer(client net.Conn, in *bufio.Reader, last <-chan bool) {
	for {
		var reply bytes.Buffer
		if err := copyReply(&reply, in); err != nil {
			return
		}
		if reply.Bytes()[0] != '>' && <-last { // Nobody has asked for what begins with it.
			p.sever()
			return
		}
		if _, err := client.Write(reply.Bytes()); err != nil {
			return
		}
	}
}

// count tells whether a command is the one to cut at.
func (p *Proxy) count(name string) (fatal, reaches bool) {
	switch strings.ToUpper(name) {
	case "HELLO", "AUTH", "SELECT", "PING", "CLIENT":
		return false, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.left == 0 {
		return false, false
	}
	p.mu.left--
	return p.mu.left == 0, p.mu.reaches
}

// sever strikes and cuts.
func (p *Proxy) sever() {
	p.mu.Lock()
	p.mu.cut = true
	strike := p.mu.strike
	p.mu.Unlock()
	if strike != nil {
		strike()
	}
	p.drop()
}

// copyReply copies one reply of RESP2 or RESP3 as it is.
func copyReply(out *bytes.Buffer, in *bufio.Reader) error {
	line, err := in.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read reply: %w", err)
	}
	if len(line) < 3 {
		return errors.New("read reply: empty line")
	}
	out.Write(line)
	n, err := strconv.Atoi(strings.TrimSpace(string(line[1:])))
	switch line[0] {
	case '$', '=', '!':
		if err != nil || n < 0 {
			return err
		}
		_, err := io.CopyN(out, in, int64(n)+2)
		return err
	case '%':
		n *= 2
	case '|':
		n = 2*n + 1 // The value that it tells about follows.
	case '*', '~', '>':
	default:
		return nil
	}
	for range n {
		if err := copyReply(out, in); err != nil {
			return err
		}
	}
	return nil
}
