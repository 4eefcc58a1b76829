package valkeygo

import (
	"io"
	"net"
	"strings"
	"testing"
)

// Redirections are replies of their own, and what a value says is none. They may
// be cut anywhere.
func TestTapCountsRedirections(t *testing.T) {
	const stream = "-MOVED 1 h:1\r\n$24\r\nagent -MOVED 1 -ASK 2 abc\r\n-ASK 2 h:2\r\n+OK\r\n-MOVED 3 h:1\r\n-ERR -MOVED 3\r\n"
	for size := 1; size <= len(stream); size++ {
		near, far := net.Pipe()
		tap := &tap{cluster: true}
		c := newTapped(near, tap)
		go func() {
			defer far.Close()
			for rest := stream; rest != ""; {
				n := min(size, len(rest))
				if _, err := io.WriteString(far, rest[:n]); err != nil {
					t.Error(err)
					return
				}
				rest = rest[n:]
			}
		}()
		var got strings.Builder
		if _, err := io.Copy(&got, c); err != nil || got.String() != stream {
			t.Errorf("in pieces of %d bytes: %v, read %q", size, err, got.String())
		}
		if n := tap.redirects.Load(); n != 3 {
			t.Errorf("in pieces of %d bytes: %d redirections, want 3", size, n)
		}
	}
}
