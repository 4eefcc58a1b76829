package valkeygo

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/toriibench/toriibench/store/internal/wire"
)

// tap watches the connections from outside, because the library tells nobody
// when it writes a command: callers put theirs into a queue, and a goroutine of
// the connection writes whatever is in it, in one Write for many. Its hooks wrap
// the whole call. The tap lies above TLS and so sees plain bytes.
//
// To find a command again in a Write, a traced one is spelled in a way that no
// other has at the time: servers take "mGET" for MGET and count it as such. So
// neither another command with the same key nor a value with the same bytes is
// taken for it. While nothing is traced, a Write costs an atomic load more.
type tap struct {
	// connect is Config.DialContext.
	connect func(ctx context.Context, network, addr string) (net.Conn, error)
	// cluster lets redirections be counted.
	cluster   bool
	redirects atomic.Int64

	// pending is the length of marks.
	pending atomic.Int32
	mu      sync.Mutex
	marks   map[string]*mark // by the bytes to look for
}

// mark is one traced command.
type mark struct {
	bytes   []byte
	written time.Time // last; guarded by the tap's lock
}

// mark begins to look for c, and changes the spelling of its name. It returns nil
// when all spellings are taken: 15 for an MGET of one and the same key.
func (t *tap) mark(c *command) *mark {
	name := c.name
	t.mu.Lock()
	defer t.mu.Unlock()
	for variant := 1; variant < 1<<len(name); variant++ {
		c.name = spell(name, variant)
		looks := c.wire()
		if _, taken := t.marks[looks]; taken {
			continue
		}
		if t.marks == nil {
			t.marks = make(map[string]*mark)
		}
		m := &mark{bytes: []byte(looks)}
		t.marks[looks] = m
		t.pending.Add(1)
		return m
	}
	c.name = name
	return nil
}

// spell writes the letters of name small whose bit is set in variant.
func spell(name string, variant int) string {
	letters := []byte(name)
	for i := range letters {
		if variant>>i&1 == 1 {
			letters[i] |= 'a' - 'A'
		}
	}
	return string(letters)
}

// unmark ends the search and returns when the command was written last, or the
// zero time.
func (t *tap) unmark(m *mark) time.Time {
	if m == nil {
		return time.Time{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.marks, string(m.bytes))
	t.pending.Add(-1)
	return m.written
}

// sees notes the marks in what is being written. A command that two Writes share
// is missed: one in thousands, since the library writes half a MiB at a time.
func (t *tap) sees(b []byte) {
	if t.pending.Load() == 0 {
		return
	}
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.marks {
		if bytes.Contains(b, m.bytes) {
			m.written = now
		}
	}
}

// dial connects as the library would or by connect, guards the connection and taps it.
func (t *tap) dial(ctx context.Context, addr string, dialer *net.Dialer, secure *tls.Config) (net.Conn, error) {
	var conn net.Conn
	var err error
	if t.connect != nil {
		conn, err = wire.Dial(ctx, t.connect, unalias(addr), dialer.Timeout, secure)
	} else if secure != nil {
		conn, err = (&tls.Dialer{NetDialer: dialer, Config: secure}).DialContext(ctx, "tcp", addr)
	} else {
		conn, err = dialer.DialContext(ctx, "tcp", addr)
	}
	if err != nil {
		return nil, err
	}
	return newTapped(wire.Guard(conn), t), nil
}

// tapped is a connection that its tap sees. Reading and writing have a goroutine
// each, or share one.
type tapped struct {
	net.Conn
	tap *tap
	// read is what was read last, of which open bytes may be the beginning of a
	// redirection.
	read []byte
	open int
}

func newTapped(conn net.Conn, t *tap) *tapped {
	// The first line stands behind the end of none.
	return &tapped{Conn: conn, tap: t, read: []byte(lineEnd), open: len(lineEnd)}
}

// lineEnd ends the lines of RESP.
const lineEnd = "\r\n"

// manyCommands is from how many bytes on a Write is worth its system call: a
// dozen of reads.
const manyCommands = 1024

// Write is part of net.Conn. It lets other goroutines run first: those that are
// about to send a command then find its writer awake, and all their commands go
// into one Write, where each would have cost a system call of its own. With 50
// callers on one processor that halves the cost of a command; a single caller
// loses nothing.
func (c *tapped) Write(b []byte) (int, error) {
	if len(b) < manyCommands {
		runtime.Gosched()
	}
	c.tap.sees(b)
	return c.Conn.Write(b)
}

// Read is part of net.Conn.
func (c *tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.tap.cluster && n > 0 {
		c.count(b[:n])
	}
	return n, err
}

// count counts the redirections in what was read, each of which the library
// follows. Only a line that begins like one is taken for one: a value with such a
// line in it would be too, and what clients say of themselves has no lines.
func (c *tapped) count(b []byte) {
	c.read = append(c.read[:c.open], b...)
	begun := 0
	for _, word := range []string{lineEnd + "-MOVED ", lineEnd + "-ASK "} {
		if n := bytes.Count(c.read, []byte(word)); n > 0 {
			c.tap.redirects.Add(int64(n))
		}
		begun = max(begun, beginning(c.read, word))
	}
	c.open = copy(c.read, c.read[len(c.read)-begun:])
}

// beginning is how many bytes of word, but not all, stand at the end of b.
func beginning(b []byte, word string) int {
	n := len(word) - 1
	for n > 0 && !bytes.HasSuffix(b, []byte(word[:n])) {
		n--
	}
	return n
}

// repeats lets the library repeat reads, and counts them.
type repeats struct {
	most int
	done atomic.Int64
}

// delay is the library's question how long to wait before it sends a command
// again; attempts begin at 1. With no wait at all it always does.
func (r *repeats) delay(attempts int, _ valkey.Completed, _ error) time.Duration {
	if attempts > r.most {
		return -1
	}
	r.done.Add(1)
	return 0
}
