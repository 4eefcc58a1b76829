package runner

import (
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/toriibench/toriibench/runner/load"
)

func TestASpoolGivesBackWhatItTook(t *testing.T) {
	hist := func(values ...int64) *hdrhistogram.Histogram {
		h := hdrhistogram.New(int64(load.MinLatency), int64(load.MaxLatency), 3)
		for _, v := range values {
			if err := h.RecordValue(v); err != nil {
				t.Fatal(err)
			}
		}
		return h
	}
	start := time.Unix(1_700_000_000, 0)
	var took []load.Interval
	pauses := 0
	var s spool
	for i := range 3 {
		from := start.Add(time.Duration(i) * time.Second)
		second := load.Interval{Start: from, End: from.Add(time.Second), Pause: func() { pauses++ }, Operations: []load.OpResult{
			{Name: "validate", Response: hist(1e5, 1e5, 5e7+int64(i)), Service: hist(9e4), Lag: hist(2e4, 6e10)},
			{Name: "login", Response: hist(), Service: hist(), Lag: hist()},
		}}
		took = append(took, second)
		s.add(second)
	}
	if pauses != 9 {
		t.Errorf("paused %d times for 9 histograms that are not empty", pauses)
	}
	given := 0
	err := s.empty(func(i load.Interval) error {
		want := took[given]
		given++
		if !i.Start.Equal(want.Start) || !i.End.Equal(want.End) || len(i.Operations) != 2 {
			t.Errorf("second %d: %v to %v with %d operations", given, i.Start, i.End, len(i.Operations))
		}
		for o, op := range i.Operations {
			same := op.Response.Equals(want.Operations[o].Response) && op.Service.Equals(want.Operations[o].Service) && op.Lag.Equals(want.Operations[o].Lag)
			if op.Name != want.Operations[o].Name || !same {
				t.Errorf("second %d: %s is not what it was", given, op.Name)
			}
		}
		return nil
	})
	if err != nil || given != 3 || s.bytes != 0 || s.full() {
		t.Errorf("gave %d seconds, %v, and keeps %d bytes", given, err, s.bytes)
	}
}

func TestASpoolHasABound(t *testing.T) {
	h := hdrhistogram.New(int64(load.MinLatency), int64(load.MaxLatency), 3)
	for v := int64(load.MinLatency); v < int64(load.MaxLatency); v += v/1000 + 1 {
		if err := h.RecordValue(v); err != nil {
			t.Fatal(err)
		}
	}
	var s spool
	i := load.Interval{Pause: func() {}, Operations: []load.OpResult{{Name: "x", Response: h, Service: h, Lag: h}}}
	for n := 0; !s.full(); n++ {
		if s.add(i); n > 1000 {
			t.Fatal("it is never full")
		}
	}
}
