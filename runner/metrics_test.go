package runner

import (
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/toriibench/toriibench/runner/load"
)

// scrape reads the metrics as Prometheus does where native histograms are wanted.
func scrape(ctx context.Context, url string) (map[string]*dto.MetricFamily, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	families := map[string]*dto.MetricFamily{}
	decoder := expfmt.NewDecoder(response.Body, expfmt.ResponseFormat(response.Header))
	for {
		var family dto.MetricFamily
		switch err := decoder.Decode(&family); {
		case errors.Is(err, io.EOF):
			return families, nil
		case err != nil:
			return nil, err
		}
		families[family.GetName()] = &family
	}
}

// buckets undoes the deltas and spans: counts by index.
func buckets(h *dto.Histogram) map[int]int64 {
	counts := map[int]int64{}
	at, delta := 0, 0
	var count int64
	for _, span := range h.GetPositiveSpan() {
		at += int(span.GetOffset())
		for range span.GetLength() {
			count += h.GetPositiveDelta()[delta]
			delta++
			counts[at] = count
			at++
		}
	}
	return counts
}

// nativeQuantile is the upper edge of the bucket that holds the q-quantile.
func nativeQuantile(h *dto.Histogram, q float64) float64 {
	counts := buckets(h)
	rank := int64(math.Ceil(q * float64(h.GetSampleCount())))
	least, most := math.MaxInt, math.MinInt
	for i := range counts {
		least, most = min(least, i), max(most, i)
	}
	for i := least; i <= most; i++ {
		if rank -= counts[i]; rank <= 0 {
			return math.Exp2(math.Ldexp(float64(i), -int(h.GetSchema())))
		}
	}
	return math.Inf(1)
}

func latencies(t *testing.T, seed uint64, n int, sigma float64) *hdrhistogram.Histogram {
	t.Helper()
	h := hdrhistogram.New(int64(load.MinLatency), int64(load.MaxLatency), 3)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range n {
		v := 150e3 * math.Exp(sigma*rng.NormFloat64())
		if err := h.RecordValue(int64(min(max(v, float64(load.MinLatency)), float64(load.MaxLatency)))); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func interval(h *hdrhistogram.Histogram) load.Interval {
	n := h.TotalCount()
	return load.Interval{
		Operations: []load.OpResult{{Name: "validate", Count: n, Response: h}, {Name: "never", Response: hdrhistogram.New(1000, 1e9, 3)}},
		Totals:     load.Totals{Offered: n + 5, Sent: n, Dropped: 5, Errors: 3, Timeouts: 2},
	}
}

func TestPrometheusSeesWhatTheHistogramsHold(t *testing.T) {
	m, err := listenMetrics(t.Context(), "127.0.0.1:0", openLoop())
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	all := hdrhistogram.New(int64(load.MinLatency), int64(load.MaxLatency), 3)
	cell := cellLabels{"session-churn", "redis:8.0@standalone", "go-redis"}
	for seed := range uint64(3) {
		h := latencies(t, seed, 20_000, 0.5)
		m.observe(cell, interval(h))
		all.Merge(h)
	}
	families, err := scrape(t.Context(), m.url)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{
		"toriibench_operations_offered_total": 60_015, "toriibench_operations_sent_total": 60_000,
		"toriibench_operations_dropped_total": 15, "toriibench_operations_errors_total": 9, "toriibench_operations_timeouts_total": 6,
	} {
		metric := families[name].GetMetric()
		if len(metric) != 1 || metric[0].GetCounter().GetValue() != want {
			t.Errorf("%s is %v, want %v", name, metric, want)
		}
	}
	found := false
	for _, metric := range families["toriibench_response_seconds"].GetMetric() {
		labels := map[string]string{}
		for _, l := range metric.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		if labels["operation"] != "validate" {
			continue
		}
		found = true
		if labels["scenario"] != cell.scenario || labels["target"] != cell.target || labels["client"] != cell.client {
			t.Errorf("labels %v", labels)
		}
		assertLike(t, metric.GetHistogram(), all)
	}
	if !found {
		t.Errorf("no response times of validate in %v", families["toriibench_response_seconds"])
	}
}

// assertLike wants the same count, sum and quantiles, as exact as the buckets are.
func assertLike(t *testing.T, got *dto.Histogram, want *hdrhistogram.Histogram) {
	t.Helper()
	if got.GetSampleCount() != uint64(want.TotalCount()) {
		t.Errorf("%d operations, want %d", got.GetSampleCount(), want.TotalCount())
	}
	if sum := want.Mean() * float64(want.TotalCount()) / 1e9; math.Abs(got.GetSampleSum()-sum) > 0.002*sum {
		t.Errorf("they took %v s, want %v", got.GetSampleSum(), sum)
	}
	factor := math.Exp2(math.Ldexp(1, -int(got.GetSchema())))
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 0.999} {
		exact := float64(want.ValueAtQuantile(100*q)) / 1e9
		if edge := nativeQuantile(got, q); edge < exact*0.998 || edge > exact*factor*1.002 {
			t.Errorf("the %v-quantile lies in the bucket up to %v s, and was %v s", q, edge, exact)
		}
	}
}

// What a closed loop measures must not be taken for a response time.
func TestClosedLoopIsNoResponseTimeForPrometheusEither(t *testing.T) {
	m, err := listenMetrics(t.Context(), "127.0.0.1:0", closedLoop())
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	service := latencies(t, 1, 1000, 0.5)
	m.observe(cellLabels{"s", "t", "c"}, load.Interval{Operations: []load.OpResult{{Name: "get", Service: service}}})
	families, err := scrape(t.Context(), m.url)
	if err != nil {
		t.Fatal(err)
	}
	if families["toriibench_response_seconds"] != nil {
		t.Error("it has a response time")
	}
	metrics := families["toriibench_closed_loop_service_seconds"].GetMetric()
	if len(metrics) != 1 {
		t.Fatalf("%d service times", len(metrics))
	}
	assertLike(t, metrics[0].GetHistogram(), service)
}

func TestNativeHistogramCoarsensInsteadOfGrowing(t *testing.T) {
	if f := math.Exp2(math.Exp2(-nativeSchema)); f > 1.05 || f*f < 1.05 {
		t.Errorf("buckets grow by %v, want the most under 1.05", f)
	}
	n := newNativeHistogram()
	h := latencies(t, 1, 200_000, 3) // From a microsecond to a minute.
	n.add(h)
	if len(n.buckets) > maxNativeBuckets || n.schema >= nativeSchema {
		t.Errorf("%d buckets with schema %d", len(n.buckets), n.schema)
	}
	m, err := n.metric(newLiveRun(time.Now(), openLoop()).times, time.Now(), "s", "t", "c", "o")
	if err != nil {
		t.Fatal(err)
	}
	var written dto.Metric
	if err := m.Write(&written); err != nil {
		t.Fatal(err)
	}
	assertLike(t, written.GetHistogram(), h)
}

// A coarser bucket holds exactly the two that became it.
func TestCoarseBucketsHoldWhatTheFineOnesHeld(t *testing.T) {
	for v := 1e-6; v < 60; v *= 1.003 {
		n := newNativeHistogram()
		n.buckets[nativeIndex(v, nativeSchema)] = 1
		n.coarsen()
		if want := nativeIndex(v, nativeSchema-1); n.buckets[want] != 1 {
			t.Fatalf("%v s is in %v, want bucket %d", v, n.buckets, want)
		}
	}
}

func TestMetricsAddressIsSaidInWords(t *testing.T) {
	for address, want := range map[string]string{
		":9464": "0.0.0.0:9464", "9464": "an address and a port", "127.0.0.1:http3": "65535", "127.0.0.1:70000": "65535",
		"": "", "127.0.0.1:9464": "", "0.0.0.0:9464": "", "[::1]:0": "", "localhost:9464": "",
	} {
		err := checkMetricsAddress(address)
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", address, err, want)
		}
	}
}

func TestTakenPortIsToldBeforeAnythingStarts(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	out := t.TempDir()
	got := call(t.Context(), "bench", "--metrics-listen", listener.Addr().String(), "--out", out)
	if got.code != exitUsage || !strings.Contains(got.stderr, "another program has this port") || strings.Contains(got.stderr, "servers:") {
		t.Errorf("exit code %d:\n%s", got.code, got.stderr)
	}
	if left, _ := filepath.Glob(filepath.Join(out, "*")); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
}

func TestMetricsThatNobodyAskedForDoNothing(t *testing.T) {
	m, err := listenMetrics(t.Context(), "", openLoop())
	if err != nil || m != nil {
		t.Fatal(m, err)
	}
	m.observe(cellLabels{}, load.Interval{})
	m.close()
}

func TestClosedMetricsLeaveNothing(t *testing.T) {
	m, err := listenMetrics(t.Context(), "127.0.0.1:0", openLoop())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := scrape(t.Context(), m.url); err != nil {
		t.Fatal(err)
	}
	m.close()
	if _, err := scrape(t.Context(), m.url); err == nil {
		t.Error("it still answers")
	}
	deadline := time.After(10 * time.Second)
	for {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		if !strings.Contains(string(stacks), "net/http.(*conn).serve") && !strings.Contains(string(stacks), "net/http.(*Server).Serve") {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("goroutines are left:\n%s", stacks)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// watchedOutput keeps what a program says, and can be read meanwhile.
type watchedOutput struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *watchedOutput) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *watchedOutput) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func TestARunIsSeenByPrometheusWhileItGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	out := t.TempDir()
	var stderr watchedOutput
	ctx, interrupt := context.WithCancelCause(t.Context())
	done, ended := make(chan int, 1), make(chan struct{})
	go func() {
		defer close(ended)
		args := quick(out, "--scenario", "session-churn", "--target", "valkey", "--client", "go-redis", "--metrics-listen", "127.0.0.1:0", "--for", "1m")
		done <- Main(ctx, args, strings.NewReader(""), io.Discard, &stderr)
	}()
	t.Cleanup(func() { <-ended })
	defer interrupt(nil)
	var sent float64
	var seen uint64
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	deadline := time.After(midRunPatience)
	for seen == 0 {
		select {
		case <-look.C:
		case code := <-done:
			t.Fatalf("the run ended with %d before its metrics were seen:\n%s", code, stderr.String())
		case <-deadline:
			t.Fatalf("no metrics within %v", midRunPatience)
		}
		url := regexp.MustCompile(`metrics: (\S+)`).FindStringSubmatch(stderr.String())
		if url == nil {
			continue
		}
		families, err := scrape(t.Context(), url[1])
		if err != nil {
			continue
		}
		for _, m := range families["toriibench_response_seconds"].GetMetric() {
			seen += m.GetHistogram().GetSampleCount()
		}
		if seen > 0 {
			sent = families["toriibench_operations_sent_total"].GetMetric()[0].GetCounter().GetValue()
		}
	}
	interrupt(errInterrupted) // Its minute is only there so that a busy machine has time to look.
	<-done
	run := readRun(t, onlyRun(t, out))
	if total := float64(run.Cells[0].Sent); sent <= 0 || sent > total || float64(seen) > total {
		t.Errorf("in mid-run %v were sent and %d had come back, of %v in all", sent, seen, total)
	}
	for _, word := range run.Command {
		if strings.Contains(word, "metrics-listen") {
			t.Errorf("the run's command has %s", word)
		}
	}
}

// BenchmarkMetricsSecond is what a second of a cell with nine operations costs the
// engine's recorder.
func BenchmarkMetricsSecond(b *testing.B) {
	h := hdrhistogram.New(int64(load.MinLatency), int64(load.MaxLatency), 3)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 10_000 {
		if err := h.RecordValue(int64(150e3 * math.Exp(0.5*rng.NormFloat64()))); err != nil {
			b.Fatal(err)
		}
	}
	var i load.Interval
	for n := range 9 {
		i.Operations = append(i.Operations, load.OpResult{Name: string(rune('a' + n)), Response: h})
	}
	l := newLiveRun(time.Now(), openLoop())
	for b.Loop() {
		l.add(cellLabels{"s", "t", "c"}, i)
	}
}
