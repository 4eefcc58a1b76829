package runner

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/toriibench/toriibench/runner/load"
)

// metrics shows a run to Prometheus while it goes on. What is of record is in the
// run's files: these histograms are coarser, and their buckets may widen. A nil
// metrics is one that nobody asked for: it does nothing.
type metrics struct {
	server  *http.Server
	serving sync.WaitGroup
	url     string
	live    *liveRun
}

// checkMetricsAddress wants a host and a port. An empty host, which would open the
// port to every network, has to be said in words.
func checkMetricsAddress(address string) error {
	if address == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("--metrics-listen %q: give an address and a port, such as 127.0.0.1:9464", address)
	}
	if host == "" {
		return fmt.Errorf("--metrics-listen %q would open the port to every network: name an address, such as 127.0.0.1%[1]s, or 0.0.0.0%[1]s if that is meant", address)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("--metrics-listen %q: give a port from 0 to 65535; 0 takes a free one", address)
	}
	return nil
}

// listenMetrics answers at address until close, with what the loop measures. An
// empty address gives nil.
func listenMetrics(ctx context.Context, address string, loop liveTime) (*metrics, error) {
	if address == "" {
		return nil, nil //nolint:nilnil // Nil is one that does nothing.
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("--metrics-listen %s: another program has this port; choose another one, or 0 for a free one", address)
	}
	if err != nil {
		return nil, fmt.Errorf("--metrics-listen %s: %w", address, err)
	}
	m := &metrics{live: newLiveRun(time.Now(), loop), url: "http://" + listener.Addr().String() + "/metrics"}
	registry := prometheus.NewRegistry()
	if err := registry.Register(m.live); err != nil {
		return nil, errors.Join(fmt.Errorf("register metrics: %w", err), listener.Close())
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	m.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	m.serving.Go(func() {
		// It ends when it is closed; before that, with the listener's own error,
		// of which a scrape that fails tells enough.
		_ = m.server.Serve(listener)
	})
	return m, nil
}

// observe adds a second of a cell.
func (m *metrics) observe(cell cellLabels, i load.Interval) {
	if m != nil {
		m.live.add(cell, i)
	}
}

// close lets a scrape that is under way end, and waits until nothing is left.
func (m *metrics) close() {
	if m == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if m.server.Shutdown(ctx) != nil {
		_ = m.server.Close() // What is left are connections to nobody.
	}
	m.serving.Wait()
}

// cellLabels name a cell.
type cellLabels struct{ scenario, target, client string }

// liveTime is what a loop measures of an operation.
type liveTime struct {
	name, help string
	of         func(load.OpResult) *hdrhistogram.Histogram
}

// openLoop measures response times.
func openLoop() liveTime {
	return liveTime{
		"toriibench_response_seconds", "Response time of operations, from when they were due.",
		func(o load.OpResult) *hdrhistogram.Histogram { return o.Response },
	}
}

// closedLoop measures no latency, and so has a name of its own.
func closedLoop() liveTime {
	return liveTime{
		"toriibench_closed_loop_service_seconds", "Service time of operations in a closed loop: not a latency.",
		func(o load.OpResult) *hdrhistogram.Histogram { return o.Service },
	}
}

// liveRun is what has been measured so far. It is safe for concurrent use.
type liveRun struct {
	created  time.Time
	loop     liveTime
	times    *prometheus.Desc
	counters []counter

	mu struct {
		sync.Mutex
		cells map[cellLabels]*liveCell
	}
}

// liveCell is a cell's totals and its operations' times.
type liveCell struct {
	totals load.Totals
	times  map[string]*nativeHistogram
}

// counter is one of a cell's totals.
type counter struct {
	desc *prometheus.Desc
	of   func(load.Totals) int64
}

func newLiveRun(created time.Time, loop liveTime) *liveRun {
	cell := []string{"scenario", "target", "client"}
	count := func(what, help string, of func(load.Totals) int64) counter {
		return counter{prometheus.NewDesc("toriibench_operations_"+what+"_total", help, cell, nil), of}
	}
	l := &liveRun{
		created: created,
		loop:    loop,
		times:   prometheus.NewDesc(loop.name, loop.help, append(cell, "operation"), nil),
		counters: []counter{
			count("offered", "Operations that became due.", func(t load.Totals) int64 { return t.Offered }),
			count("sent", "Operations that were started.", func(t load.Totals) int64 { return t.Sent }),
			count("dropped", "Operations that found the backlog full.", func(t load.Totals) int64 { return t.Dropped }),
			count("errors", "Operations that did not succeed.", func(t load.Totals) int64 { return t.Errors }),
			count("timeouts", "Operations that ran into their deadline, among the errors.", func(t load.Totals) int64 { return t.Timeouts }),
		},
	}
	l.mu.cells = map[cellLabels]*liveCell{}
	return l
}

// add counts an interval: what it costs depends on how many different values it
// holds, and not on how many operations.
func (l *liveRun) add(labels cellLabels, i load.Interval) {
	l.mu.Lock()
	defer l.mu.Unlock()
	cell := l.mu.cells[labels]
	if cell == nil {
		cell = &liveCell{times: map[string]*nativeHistogram{}}
		l.mu.cells[labels] = cell
	}
	cell.totals.Offered += i.Offered
	cell.totals.Sent += i.Sent
	cell.totals.Dropped += i.Dropped
	cell.totals.Errors += i.Errors
	cell.totals.Timeouts += i.Timeouts
	for _, op := range i.Operations {
		h := cell.times[op.Name]
		if h == nil {
			h = newNativeHistogram()
			cell.times[op.Name] = h
		}
		h.add(l.loop.of(op))
	}
}

// Describe implements prometheus.Collector.
func (l *liveRun) Describe(out chan<- *prometheus.Desc) {
	out <- l.times
	for _, c := range l.counters {
		out <- c.desc
	}
}

// Collect implements prometheus.Collector.
func (l *liveRun) Collect(out chan<- prometheus.Metric) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for labels, cell := range l.mu.cells {
		for _, c := range l.counters {
			out <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, float64(c.of(cell.totals)),
				labels.scenario, labels.target, labels.client)
		}
		for operation, h := range cell.times {
			m, err := h.metric(l.times, l.created, labels.scenario, labels.target, labels.client, operation)
			if err != nil {
				m = prometheus.NewInvalidMetric(l.times, err)
			}
			out <- m
		}
	}
}
