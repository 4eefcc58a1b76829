package runner

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/prometheus/client_golang/prometheus"
)

// The resolution of a native histogram. A bucket of schema n is 2^(2^-n) times as
// wide as the one below it: 4 gives 1.044, the widest under 1.05. Beyond
// maxNativeBuckets the schema falls by one, which halves the resolution: a
// scraper pays for each bucket.
const (
	nativeSchema     = 4
	leastSchema      = -4
	maxNativeBuckets = 160
)

// nativeHistogram is a Prometheus native histogram of seconds (the exponential
// buckets of prometheus.io/docs/specs/native_histograms). Bucket i of schema n
// holds the values v with 2^((i-1)*2^-n) < v <= 2^(i*2^-n).
type nativeHistogram struct {
	schema  int32
	buckets map[int]int64
	count   uint64
	sum     float64
}

func newNativeHistogram() *nativeHistogram {
	return &nativeHistogram{schema: nativeSchema, buckets: map[int]int64{}}
}

// add counts what h (nanoseconds) recorded, bucket by bucket. Those of h are a
// thousandth wide, or half a microsecond: the upper edge stands for all values of
// one, as it does in a percentile, and the middle in the sum.
func (n *nativeHistogram) add(h *hdrhistogram.Histogram) {
	if h == nil {
		return
	}
	for _, bar := range h.Distribution() {
		if bar.Count == 0 {
			continue
		}
		n.buckets[nativeIndex(float64(max(1, bar.To))/1e9, n.schema)] += bar.Count
		n.count += uint64(bar.Count)
		n.sum += float64(bar.From+bar.To) / 2e9 * float64(bar.Count)
	}
	for len(n.buckets) > maxNativeBuckets && n.schema > leastSchema {
		n.coarsen()
	}
}

// nativeIndex is the bucket of v > 0.
func nativeIndex(v float64, schema int32) int {
	return int(math.Ceil(math.Ldexp(math.Log2(v), int(schema))))
}

// coarsen puts each two buckets together: bucket i of a schema is in bucket
// ceil(i/2) of the one below.
func (n *nativeHistogram) coarsen() {
	n.schema--
	merged := make(map[int]int64, len(n.buckets)/2+1)
	for i, count := range n.buckets {
		merged[(i+1)>>1] += count
	}
	n.buckets = merged
}

func (n *nativeHistogram) metric(desc *prometheus.Desc, created time.Time, labels ...string) (prometheus.Metric, error) {
	return prometheus.NewConstNativeHistogram(desc, n.count, n.sum, n.buckets, nil, 0, n.schema, 0, created, labels...)
}
