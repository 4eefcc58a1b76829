package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/toriibench/toriibench/runner/load"
)

// echoConns is how many round trips can be under way.
const echoConns = 64

// echo is a traffic of round trips of one byte over loopback. The end that
// answers is in this process: as near as a server can be.
type echo struct {
	listener net.Listener
	free     chan *echoConn
	all      []net.Conn
	serving  sync.WaitGroup
}

type echoConn struct {
	net.Conn
	buf [1]byte
}

// newEcho opens the connections.
func newEcho(ctx context.Context) (*echo, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen on loopback: %w", err)
	}
	e := &echo{listener: l, free: make(chan *echoConn, echoConns)}
	e.serving.Go(e.serve)
	for range echoConns {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", l.Addr().String())
		if err != nil {
			e.close()
			return nil, fmt.Errorf("connect over loopback: %w", err)
		}
		e.all = append(e.all, conn)
		e.free <- &echoConn{Conn: conn}
	}
	return e, nil
}

// serve answers until the listener is closed.
func (e *echo) serve() {
	for {
		conn, err := e.listener.Accept()
		if err != nil {
			return
		}
		e.serving.Go(func() {
			defer func() { _ = conn.Close() }() // The other end closed it.
			var buf [1]byte
			for {
				if _, err := conn.Read(buf[:]); err != nil {
					return
				}
				if _, err := conn.Write(buf[:]); err != nil {
					return
				}
			}
		})
	}
}

// close ends all connections and waits until nobody serves them.
func (e *echo) close() {
	_ = e.listener.Close()
	for _, conn := range e.all {
		_ = conn.Close() // Nothing of worth is under way.
	}
	e.serving.Wait()
}

// Operations implements load.Traffic.
func (*echo) Operations() []string { return []string{"echo"} }

// Next implements load.Traffic.
func (*echo) Next(*load.Op) {}

// Do implements load.Traffic.
func (e *echo) Do(context.Context, *load.Op) (int, error) {
	conn := <-e.free
	err := conn.roundTrip()
	e.free <- conn
	return 0, err
}

func (c *echoConn) roundTrip() error {
	if _, err := c.Write(c.buf[:]); err != nil {
		return err
	}
	_, err := io.ReadFull(c, c.buf[:])
	return err
}

// roundTrip is the median of round trips that follow one another for so long.
func (e *echo) roundTrip(ctx context.Context, length time.Duration) (time.Duration, error) {
	h := hdrhistogram.New(1, int64(load.MaxLatency), 3)
	conn := <-e.free
	defer func() { e.free <- conn }()
	for end := time.Now().Add(length); ; {
		began := time.Now()
		if began.After(end) {
			return time.Duration(h.ValueAtQuantile(50)), nil
		}
		err := conn.roundTrip()
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		if err = errors.Join(err, h.RecordValue(int64(time.Since(began)))); err != nil {
			return 0, fmt.Errorf("send a byte over loopback: %w", err)
		}
	}
}
