package scenarios

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"testing"
)

// later adds to a time in milliseconds.
func later(ms string, by int64) string {
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		panic(err) // The script's arguments are not what this test thinks.
	}
	return strconv.FormatInt(n+by, 10)
}

// endingLater moves the end that stands in the record of a session.
func endingLater(record string, by int64) string {
	end := binary.BigEndian.Uint64([]byte("\x00\x00"+record[1:7])) + uint64(by)
	return record[:1] + string(binary.BigEndian.AppendUint64(nil, end)[2:]) + record[7:]
}

func TestZipfDrawsEachRankByItsShare(t *testing.T) {
	const n, draws = 100, 400_000
	for _, s := range []float64{0.8, 0.99, 1.2} {
		z := newZipf(s, n)
		rng := newRand(1, 1)
		var count [n]int
		for range draws {
			count[z.draw(rng)]++
		}
		norm := 0.0
		for r := range n {
			norm += math.Pow(float64(r+1), -s)
		}
		for r := range n {
			want := draws * math.Pow(float64(r+1), -s) / norm
			if got := float64(count[r]); math.Abs(got-want) > 5*math.Sqrt(want) {
				t.Errorf("s=%g: rank %d came %g times, want about %.0f", s, r, got, want)
			}
		}
	}
}

func TestRecordSizesFollowTheirDistribution(t *testing.T) {
	rng := newRand(1, 1)
	var sizes []int
	large := 0
	for range 100_000 {
		n := agentLength(rng)
		if got := len(userAgent(rng, n)); got != n {
			t.Fatalf("an agent of %d bytes was asked for, %d came", n, got)
		}
		size := n + bareRecord
		if size > maxRecord {
			large++
			continue
		}
		sizes = append(sizes, size)
	}
	slices.Sort(sizes)
	if median := sizes[len(sizes)/2]; median < 400 || median > 420 {
		t.Errorf("the median record has %d bytes, want about 410", median)
	}
	if sizes[0] < bareRecord || sizes[len(sizes)-1] > maxRecord {
		t.Errorf("records from %d to %d bytes, want 290 to 900", sizes[0], sizes[len(sizes)-1])
	}
	if large < 60 || large > 150 {
		t.Errorf("%d of 100000 records are large, want about 100", large)
	}
}

func TestSessionsPerUserFollowTheirDistribution(t *testing.T) {
	rng := newRand(1, 1)
	var one, few, many, most int
	for range 100_000 {
		switch n := sessionsPerUser(rng); {
		case n == 1:
			one++
		case n <= 3:
			few++
		case n <= 10:
			many++
		case n <= 100:
			most++
		default:
			t.Fatalf("%d sessions", n)
		}
	}
	within := func(what string, got, want int) {
		if got < want*9/10 || got > want*11/10 {
			t.Errorf("%s: %d of 100000 users, want about %d", what, got, want)
		}
	}
	within("one session", one, 60_000)
	within("2-3", few, 30_000)
	within("4-10", many, 9_000)
	within("11-100", most, 1_000)
}
