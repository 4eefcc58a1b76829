package links_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/toriibench/toriibench/compose/links"
)

// echo is a server that says back what it hears, until the test ends.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return l.Addr().String()
}

// peer is a connection to a front.
type peer struct {
	net.Conn
	lines *bufio.Reader
}

// connect opens a connection from server from, or from Clients.
func connect(t *testing.T, front *links.Front, from int) peer {
	t.Helper()
	var dialer net.Dialer
	if from != links.Clients {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(links.Source(from))}
	}
	conn, err := dialer.DialContext(t.Context(), "tcp4", (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: front.Port()}).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return peer{conn, bufio.NewReader(conn)}
}

// says sends a line and waits for it to come back.
func (p peer) says(word string, limit time.Duration) (took time.Duration, err error) {
	began := time.Now()
	if err := p.SetDeadline(began.Add(limit)); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(p, word+"\n"); err != nil {
		return 0, err
	}
	line, err := p.lines.ReadString('\n')
	if err == nil && strings.TrimSpace(line) != word {
		err = errors.New("got " + line)
	}
	return time.Since(began), err
}

func open(t *testing.T) (*links.Fabric, *links.Front) {
	t.Helper()
	fabric := links.New()
	t.Cleanup(func() {
		if err := fabric.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	front, err := fabric.Front(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	front.Direct(echo(t))
	return fabric, front
}

func TestOneLinkIsCutAndMended(t *testing.T) {
	fabric, front := open(t)
	cut, other := connect(t, front, 1), connect(t, front, links.Clients)
	for _, p := range []peer{cut, other} {
		if _, err := p.says("before", 5*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if err := fabric.Set(1, 0, links.State{Cut: true}); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]peer{"old": cut, "new": connect(t, front, 1)} {
		if _, err := p.says("cut", 100*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the %s connection over the cut link gave %v, want silence", name, err)
		}
	}
	if _, err := other.says("meanwhile", 5*time.Second); err != nil {
		t.Errorf("another link: %v", err)
	}
	if err := fabric.Set(1, 0, links.State{}); err != nil {
		t.Fatal(err)
	}
	if _, err := cut.says("after", 5*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection that was cut gave %v, want its end", err)
	}
	if _, err := connect(t, front, 1).says("after", 5*time.Second); err != nil {
		t.Errorf("a new connection over the mended link: %v", err)
	}
}

func TestALinkIsSlowed(t *testing.T) {
	fabric, front := open(t)
	if err := fabric.Set(links.Clients, 0, links.State{Delay: 60 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	p := connect(t, front, links.Clients)
	took, err := p.says("slow", 5*time.Second)
	if err != nil || took < 120*time.Millisecond {
		t.Errorf("there and back took %s (%v), want twice the delay at least", took, err)
	}
	if err := fabric.Set(links.Clients, 0, links.State{}); err != nil {
		t.Fatal(err)
	}
	if took, err := p.says("fast", 5*time.Second); err != nil || took > 60*time.Millisecond {
		t.Errorf("there and back took %s (%v) on the mended link", took, err)
	}
}

func TestACloseEndsEverything(t *testing.T) {
	fabric, front := open(t)
	p := connect(t, front, links.Clients)
	if _, err := p.says("hello", 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := fabric.Set(3, 0, links.State{Cut: true}); err != nil {
		t.Fatal(err)
	}
	silent := connect(t, front, 3)
	_, _ = silent.says("nobody hears", 10*time.Millisecond)
	if err := fabric.Close(); err != nil {
		t.Fatal(err)
	}
	for _, p := range []peer{p, silent} {
		if _, err := p.says("still", 5*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a connection outlived its fabric: %v", err)
		}
	}
	if _, err := fabric.Front(t.Context(), 1); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed fabric opened a port: %v", err)
	}
}

func TestAServerThatIsNotThereEndsTheConnection(t *testing.T) {
	_, front := open(t)
	front.Direct("127.0.0.1:1")
	if _, err := connect(t, front, links.Clients).says("hello", 5*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want an end", err)
	}
}

func TestAFabricHasItsBounds(t *testing.T) {
	fabric := links.New()
	for _, i := range []int{-1, links.MaxServers} {
		if _, err := fabric.Front(t.Context(), i); err == nil {
			t.Errorf("server %d got a port", i)
		}
	}
	if err := fabric.Close(); err != nil {
		t.Error(err)
	}
}
