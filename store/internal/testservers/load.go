package testservers

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"net"
	"testing"
	"time"
)

// loadBatch is how many commands are under way at once.
const loadBatch = 500

// Load sends many commands on one connection, whose replies nobody looks at
// unless one is an error: then the test fails.
func (s *Server) Load(tb testing.TB, commands iter.Seq[[]string]) {
	tb.Helper()
	conn, err := new(net.Dialer).DialContext(tb.Context(), "tcp", s.Addr)
	if err != nil {
		tb.Fatalf("load %s: %v", s.Addr, err)
	}
	defer conn.Close() //nolint:errcheck // The replies have been read or given up.
	l := loader{conn: conn, in: bufio.NewReader(conn), out: bufio.NewWriterSize(conn, 1<<16)}
	if s.Password != "" {
		l.send([]string{"AUTH", s.Password})
	}
	for command := range commands {
		l.send(command)
	}
	if l.flush(); l.err != nil {
		tb.Fatalf("load %s: %v", s.Addr, l.err)
	}
}

// loader keeps its first error and does nothing after it.
type loader struct {
	conn    net.Conn
	in      *bufio.Reader
	out     *bufio.Writer
	waiting int
	err     error
}

func (l *loader) send(command []string) {
	if l.err != nil {
		return
	}
	if _, err := io.WriteString(l.out, Values(command...)); err != nil {
		l.err = fmt.Errorf("send %s: %w", command[0], err)
		return
	}
	if l.waiting++; l.waiting == loadBatch {
		l.flush()
	}
}

// flush waits for the replies to all that was sent.
func (l *loader) flush() {
	if l.err != nil {
		return
	}
	if l.err = l.conn.SetDeadline(time.Now().Add(askTimeout)); l.err != nil {
		return
	}
	if l.err = l.out.Flush(); l.err != nil {
		return
	}
	for ; l.waiting > 0 && l.err == nil; l.waiting-- {
		_, l.err = read(l.in)
	}
}
