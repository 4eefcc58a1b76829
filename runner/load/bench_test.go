package load

import (
	"context"
	"io"
	"net"
	"runtime"
	"testing"
	"time"
)

// noop is a traffic that does nothing.
type noop struct{ ops []string }

func (n noop) Operations() []string                    { return n.ops }
func (noop) Next(op *Op)                               { op.Subject++ }
func (noop) Do(_ context.Context, op *Op) (int, error) { return op.Kind, nil }

// BenchmarkEngineNoop drives nothing, as fast as it can be scheduled.
func BenchmarkEngineNoop(b *testing.B) {
	b.ReportAllocs()
	before := cpuTime(b)
	var sent, dropped, waits int64
	const chunk = 1 << 20
	b.ResetTimer()
	for left := b.N; left > 0; left -= chunk {
		n := min(left, chunk)
		span := time.Duration(float64(n) / MaxRate * float64(time.Second))
		r, err := Run(b.Context(), Config{Measure: Constant(MaxRate, max(span, 1)), Backlog: chunk}, noop{[]string{"noop"}})
		if err != nil {
			b.Fatal(err)
		}
		sent += r.Sent
		dropped += r.Dropped
		waits += r.RecorderWaits
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(dropped), "dropped")
	b.ReportMetric(float64(waits), "waits")
	if sent < int64(b.N) {
		b.Fatalf("sent %d of %d", sent, b.N)
	}
}

// BenchmarkEngineSteady drives nothing at a rate that leaves time to sleep.
func BenchmarkEngineSteady(b *testing.B) {
	for _, rate := range []float64{50e3, 500e3} {
		b.Run(formatRate(rate), func(b *testing.B) {
			before := cpuTime(b)
			r, err := Run(b.Context(), Config{Measure: Poisson(rate, time.Second)}, noop{[]string{"noop"}})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(cpuTime(b)-before)/float64(r.Sent), "cpu-ns/op")
			b.ReportMetric(float64(r.LagQuantile(.5))/1e3, "lag-p50-us")
			b.ReportMetric(float64(r.LagQuantile(.99))/1e3, "lag-p99-us")
		})
	}
}

// echo is a traffic of one-byte round trips over loopback connections.
type echo struct {
	conns chan *echoConn
}

type echoConn struct {
	net.Conn
	buf [1]byte
}

func newEcho(tb testing.TB, conns int) *echo {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go io.Copy(c, c)
		}
	}()
	e := &echo{conns: make(chan *echoConn, conns)}
	for range conns {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { c.Close() })
		e.conns <- &echoConn{Conn: c}
	}
	return e
}

func (*echo) Operations() []string { return []string{"echo"} }
func (*echo) Next(*Op)             {}
func (e *echo) Do(ctx context.Context, _ *Op) (int, error) {
	c := <-e.conns
	defer func() { e.conns <- c }()
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		return 0, err
	}
	if _, err := c.Write(c.buf[:]); err != nil {
		return 0, err
	}
	_, err := c.Read(c.buf[:])
	return 0, err
}

// BenchmarkEngineEcho reports how late operations start at 10 000 a second on
// real connections.
func BenchmarkEngineEcho(b *testing.B) {
	e := newEcho(b, 64)
	for _, w := range []Waiter{NewWaiter(), NewTimerWaiter()} {
		b.Run(w.String(), func(b *testing.B) {
			before := cpuTime(b)
			var gc0, gc1 runtime.MemStats
			runtime.ReadMemStats(&gc0)
			r, err := Run(b.Context(), Config{Waiter: w, Measure: Poisson(10_000, 3*time.Second)}, e)
			if err != nil {
				b.Fatal(err)
			}
			runtime.ReadMemStats(&gc1)
			cpu := cpuTime(b) - before
			v, reasons := Judge(r, Limits{})
			b.Log(v, reasons)
			us := func(d time.Duration) float64 { return float64(d) / 1e3 }
			op := r.Operations[0]
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(us(r.LagQuantile(.5)), "lag-p50-us")
			b.ReportMetric(us(r.LagQuantile(.99)), "lag-p99-us")
			b.ReportMetric(float64(op.Response.ValueAtQuantile(50))/1e3, "resp-p50-us")
			b.ReportMetric(float64(op.Response.ValueAtQuantile(99))/1e3, "resp-p99-us")
			b.ReportMetric(100*cpu.Seconds()/3, "cpu-%")
			b.ReportMetric(float64(gc1.Mallocs-gc0.Mallocs)/float64(r.Sent), "allocs/op-run")
		})
	}
}
