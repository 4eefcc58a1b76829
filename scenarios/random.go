package scenarios

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"strings"
)

// zipf draws ranks 0..n-1 with probability proportional to 1/(rank+1)^s. Unlike
// math/rand/v2's Zipf it takes exponents of 1 and below, which is where session
// traffic lies (0.9 to 1.1). Drawing is a binary search and allocates nothing.
type zipf struct {
	s   float64
	cdf []float64
}

func newZipf(s float64, n int) *zipf {
	z := &zipf{s: s, cdf: make([]float64, n)}
	sum := 0.0
	for i := range z.cdf {
		sum += math.Pow(float64(i+1), -s)
		z.cdf[i] = sum
	}
	for i := range z.cdf {
		z.cdf[i] /= sum
	}
	return z
}

func (z *zipf) draw(rng *rand.Rand) int {
	return min(sort.SearchFloat64s(z.cdf, rng.Float64()), len(z.cdf)-1)
}

func (z *zipf) String() string { return fmt.Sprintf("zipf:%g over %d", z.s, len(z.cdf)) }

// sessionsPerUser draws how many sessions a user has open: one (60 %), 2-3
// (30 %), 4-10 (9 %), 11-100 (1 %).
func sessionsPerUser(rng *rand.Rand) int {
	switch p := rng.Float64(); {
	case p < 0.60:
		return 1
	case p < 0.90:
		return 2 + rng.IntN(2)
	case p < 0.99:
		return 4 + rng.IntN(7)
	default:
		return 11 + rng.IntN(90)
	}
}

// Sizes of a session's record as compact JSON: log-normal around 410 bytes,
// clipped to 290..900, and one in a thousand of 2 to 8 KB. A record without a
// user agent takes about 290 bytes; the agent makes up the rest.
const (
	bareRecord   = 290
	medianRecord = 410
	maxRecord    = 900
	sizeSigma    = 0.25
	sizeSpec     = "lognormal:410 sigma 0.25 in 290-900, 0.1 % in 2000-8000"
)

// agentLength draws the length of a user agent in bytes.
func agentLength(rng *rand.Rand) int {
	if rng.IntN(1000) == 0 {
		return 2000 + rng.IntN(6000) - bareRecord
	}
	size := int(medianRecord * math.Exp(sizeSigma*rng.NormFloat64()))
	return min(max(size, bareRecord), maxRecord) - bareRecord
}

// userAgent makes a header of n bytes that looks like a browser's and differs
// from the next one, so that neither the server nor a page cache sees a constant.
func userAgent(rng *rand.Rand, n int) string {
	var b strings.Builder
	b.Grow(n + 128)
	fmt.Fprintf(&b, "Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/%d.%d", 100+rng.IntN(60), 100+rng.IntN(60), rng.IntN(10))
	for b.Len() < n {
		fmt.Fprintf(&b, " Module%d/%x", rng.IntN(1000), rng.Uint64())
	}
	return b.String()[:n]
}

// ipv4 makes an address of the documentation and private ranges' shape.
func ipv4(rng *rand.Rand) string {
	return fmt.Sprintf("10.%d.%d.%d", rng.IntN(256), rng.IntN(256), rng.IntN(256))
}

// newRand returns the stream with this number of the run's seed. Streams of one
// seed are independent.
func newRand(seed, stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, stream))
}
