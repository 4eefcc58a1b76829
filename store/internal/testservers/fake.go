package testservers

import (
	"bufio"
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

// Reply is what a Fake does with one command.
type Reply struct {
	// Wait holds the reply back until it is closed or gives something; nil does not.
	Wait <-chan struct{}
	// Bytes are written as they are.
	Bytes string
	// Close ends the connection after that.
	Close bool
}

// Fake is a server in this process that answers what a test tells it to, wrong
// answers included. It knows the handshake (HELLO, SELECT, PING, ASKING) and, as
// a cluster of one, CLUSTER SLOTS. It needs no engine and runs under -short.
type Fake struct {
	// Addr is its host:port.
	Addr string

	listener net.Listener
	answer   func(command []string) Reply
	serving  sync.WaitGroup

	mu struct {
		sync.Mutex
		conns    map[net.Conn]bool
		received []string // the commands' names, in capital letters
		gate     *gate
	}
}

// NewFake starts a server that answers by answer, which is called from many
// goroutines, and that ends with the test.
func NewFake(tb testing.TB, answer func(command []string) Reply) *Fake {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listen: %v", err)
	}
	f := &Fake{Addr: l.Addr().String(), listener: l, answer: answer}
	f.mu.conns = make(map[net.Conn]bool)
	f.serving.Go(f.accept)
	tb.Cleanup(func() {
		_ = l.Close() // It ends the accepting.
		f.Drop()
		f.serving.Wait()
	})
	return f
}

// URL is how a client reaches the server.
func (f *Fake) URL() string { return "redis://" + f.Addr }

// Received lists the names of the commands that have come, in capital letters,
// without the handshake.
func (f *Fake) Received() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.mu.received...)
}

// Drop closes all connections there are.
func (f *Fake) Drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for conn := range f.mu.conns {
		_ = conn.Close() // It is to be gone.
	}
}

// Clog makes the server stop reading after n more bytes of any one connection,
// until release is called. Clogged is closed when it has stopped.
func (f *Fake) Clog(n int) (clogged <-chan struct{}, release func()) {
	g := &gate{left: n, reached: make(chan struct{}), opened: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.gate = g
	return g.reached, sync.OnceFunc(func() { close(g.opened) })
}

// gate stops readers.
type gate struct {
	mu              sync.Mutex
	left            int
	reached, opened chan struct{}
}

// pass counts n bytes read and waits when there are too many.
func (g *gate) pass(n int) {
	g.mu.Lock()
	before := g.left
	g.left -= n
	if before > 0 && g.left <= 0 {
		close(g.reached)
	}
	stopped := g.left <= 0
	g.mu.Unlock()
	if stopped {
		<-g.opened
	}
}

// clogged reads a connection through the Fake's gate.
type clogged struct {
	fake *Fake
	conn net.Conn
}

// Read is part of io.Reader.
func (c clogged) Read(b []byte) (int, error) {
	n, err := c.conn.Read(b)
	c.fake.mu.Lock()
	g := c.fake.mu.gate
	c.fake.mu.Unlock()
	if g != nil {
		g.pass(n)
	}
	return n, err
}

func (f *Fake) accept() {
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		f.mu.conns[conn] = true
		f.mu.Unlock()
		f.serving.Go(func() { f.serve(conn) })
	}
}

// serve reads commands as they come and answers one after the other.
func (f *Fake) serve(conn net.Conn) {
	ctx, cancel := context.WithCancel(context.Background())
	replies := make(chan Reply, 1<<12)
	f.serving.Go(func() {
		defer close(replies)
		defer cancel()
		in := bufio.NewReader(clogged{f, conn})
		for {
			command, err := readCommand(in)
			if err != nil {
				return
			}
			replies <- f.reply(command)
		}
	})
	for r := range replies {
		if r.Wait != nil {
			select {
			case <-r.Wait:
			case <-ctx.Done():
			}
		}
		if _, err := io.WriteString(conn, r.Bytes); err != nil || r.Close {
			break
		}
	}
	_ = conn.Close() // The client has noticed, or is to.
	for range replies {
		continue // The reader must not wait for room.
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.mu.conns, conn)
}

// reply answers the handshake itself.
func (f *Fake) reply(command []string) Reply {
	switch name := strings.ToUpper(command[0]); name {
	case "HELLO":
		return Reply{Bytes: "%3\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.0.0\r\n$5\r\nproto\r\n:3\r\n"}
	case "PING":
		return Reply{Bytes: "+PONG\r\n"}
	case "SELECT", "ASKING":
		return Reply{Bytes: "+OK\r\n"}
	case "CLUSTER":
		host, port, _ := net.SplitHostPort(f.Addr)
		return Reply{Bytes: fmt.Sprintf("*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n%s:%s\r\n%s", Bulk(host), port, Bulk("an id"))}
	default:
		f.mu.Lock()
		f.mu.received = append(f.mu.received, name)
		f.mu.Unlock()
		return f.answer(command)
	}
}

// readCommand reads an array of bulk strings.
func readCommand(in *bufio.Reader) ([]string, error) {
	reply, err := read(in)
	if err != nil {
		return nil, err
	}
	words, _ := reply.([]any)
	command := make([]string, 0, len(words))
	for _, word := range words {
		text, _ := word.(string)
		command = append(command, text)
	}
	if len(command) == 0 {
		return nil, errors.New("an empty command")
	}
	return command, nil
}

// Bulk is text as a bulk string.
func Bulk(text string) string { return "$" + strconv.Itoa(len(text)) + "\r\n" + text + "\r\n" }

// Values is an array of bulk strings.
func Values(texts ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(texts))
	for _, text := range texts {
		b.WriteString(Bulk(text))
	}
	return b.String()
}
