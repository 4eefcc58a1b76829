package runner

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/results"
	"github.com/toriibench/toriibench/runner/load"
)

// gathered simulates seconds of operations, perSecond of each, every second at a
// level of its own, and gives their percentiles too.
func gathered(tb testing.TB, operations, seconds, perSecond int, level float64) (*uncertainty, results.Percentiles) {
	tb.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	second, all := hdrhistogram.New(1000, 60e9, 3), hdrhistogram.New(1000, 60e9, 3)
	u := new(uncertainty)
	for range seconds {
		second.Reset()
		shift := level * rng.NormFloat64()
		for range perSecond {
			if err := second.RecordValue(int64(150e3 * math.Exp(shift+0.8*rng.NormFloat64()))); err != nil {
				tb.Fatal(err)
			}
		}
		all.Merge(second)
		var ops []load.OpResult
		for i := range operations {
			ops = append(ops, load.OpResult{Name: fmt.Sprint("op", i), Response: second})
		}
		u.add(ops)
	}
	return u, results.Summarize(all)
}

func TestPercentilesThatAreGivenHaveAnInterval(t *testing.T) {
	u, p := gathered(t, 2, 10, 6000, 0)
	got := u.intervals("op1", p, 7)
	if p.P999 != nil || len(got) != 3 {
		t.Fatalf("of %d intervals, p99.9 %v: want those of p50, p90 and p99", len(got), p.P999)
	}
	for name, value := range map[string]*float64{"p50": p.P50, "p90": p.P90, "p99": p.P99} {
		b, ok := got[name]
		if !ok || b.Low == nil || b.High == nil || *b.Low > *value || *b.High < *value {
			t.Errorf("%s is %v, its interval %+v", name, *value, b)
		} else if *b.High > 1.1**b.Low || b.Correlation < 1 || b.Correlation > 2 {
			t.Errorf("%s of independent operations is between %v and %v, correlation %v", name, *b.Low, *b.High, b.Correlation)
		}
	}
	if diff := cmp.Diff(got, u.intervals("op1", p, 7)); diff != "" {
		t.Errorf("the same seed gives another interval: %s", diff)
	}
	if cmp.Equal(got, u.intervals("op1", p, 8)) {
		t.Error("the seed makes no difference")
	}
}

func TestSecondsThatDifferMakeTheIntervalWider(t *testing.T) {
	alike, p := gathered(t, 1, 20, 3000, 0)
	calm := alike.intervals("op0", p, 1)["p50"]
	apart, p := gathered(t, 1, 20, 3000, 0.2)
	rough := apart.intervals("op0", p, 1)["p50"]
	if rough.Correlation < 4 || *rough.High-*rough.Low < 3*(*calm.High-*calm.Low) {
		t.Errorf("calm %v to %v, rough %v to %v, correlation %v", *calm.Low, *calm.High, *rough.Low, *rough.High, rough.Correlation)
	}
}

func TestWhatWasNotMeasuredHasNoInterval(t *testing.T) {
	u, p := gathered(t, 1, 3, 100, 0)
	if got := u.intervals("other", p, 1); got != nil {
		t.Errorf("an operation that never was: %v", got)
	}
	if got := u.intervals("op0", results.Percentiles{}, 1); got != nil {
		t.Errorf("a closed loop, which has no response time: %v", got)
	}
	if got := new(uncertainty).intervals("op0", p, 1); got != nil {
		t.Errorf("a run that was broken off at once: %v", got)
	}
	// Three seconds do not show how operations hang together.
	if got := u.intervals("op0", p, 1); len(got) != 1 || got["p50"].Correlation != 0 {
		t.Errorf("three seconds: %+v", got)
	}
}

// Nine operations are as many as a scenario has.
func BenchmarkUncertaintyOfACell(b *testing.B) {
	for _, length := range []time.Duration{10 * time.Second, time.Hour} {
		b.Run(length.String(), func(b *testing.B) {
			u, p := gathered(b, 9, int(length.Seconds()), 3000, 0.1)
			for b.Loop() {
				for i := range 9 {
					u.intervals(fmt.Sprint("op", i), p, 1)
				}
			}
		})
	}
}
