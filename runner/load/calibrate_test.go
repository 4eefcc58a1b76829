package load

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestCalibrateMeasuresEveryPacing(t *testing.T) {
	spent := func() time.Duration { return cpuTime(t) }
	c, err := Calibrate(t.Context(), spent)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Tried) != len(Pacings()) {
		t.Fatalf("tried %d pacings of %d", len(c.Tried), len(Pacings()))
	}
	for _, one := range c.Tried {
		if one.Pacing == PacingNanosleep && runtime.GOMAXPROCS(0) == 1 {
			if one.Err == nil {
				t.Error("nanosleep took the only processor")
			}
			continue
		}
		if one.Err != nil || one.P50 <= 0 || one.P99 < one.P50 || one.CPU <= 0 || one.Lead < 0 || one.Lead > maxLead {
			t.Errorf("implausible: %+v", one)
		}
	}
	w := c.NewWaiter()
	defer closing(t, w)
	if !strings.HasPrefix(w.String(), string(c.Pacing)) || !strings.Contains(c.Why, string(c.Pacing)) {
		t.Errorf("chose %s because %q and made %s", c.Pacing, c.Why, w)
	}
}

func TestCalibrateEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("interrupted")
	cancel(cause)
	if _, err := Calibrate(ctx, nil); !errors.Is(err, cause) {
		t.Errorf("error %v, want %v", err, cause)
	}
}

func TestTheDefaultPacingStaysUnlessAnotherIsEnoughBetter(t *testing.T) {
	us := func(n int) time.Duration { return time.Duration(n) * time.Microsecond }
	for name, test := range map[string]struct {
		tried []Lateness
		want  Pacing
		says  string
	}{
		"a tenth better is not enough":   {[]Lateness{{Pacing: "a", P99: us(100)}, {Pacing: "b", P99: us(90)}}, "a", "b 90µs"},
		"not at the median's cost":       {[]Lateness{{Pacing: "a", P50: us(20), P99: us(2000)}, {Pacing: "b", P50: us(500), P99: us(1000)}}, "a", "b 1ms"},
		"half is":                        {[]Lateness{{Pacing: "a", P99: us(100)}, {Pacing: "b", P99: us(50), Lead: 7}}, "b", "a 100µs"},
		"the best of several":            {[]Lateness{{Pacing: "a", P99: us(100)}, {Pacing: "b", P99: us(50)}, {Pacing: "c", P99: us(20)}}, "c", "b 50µs"},
		"what failed is never chosen":    {[]Lateness{{Pacing: "a", P99: us(100)}, {Pacing: "b", Err: errors.New("no")}}, "a", "b failed (no)"},
		"anything is better than failed": {[]Lateness{{Pacing: "a", Err: errors.New("no")}, {Pacing: "b", P99: us(900)}}, "b", "a failed (no)"},
		"there is one":                   {[]Lateness{{Pacing: "a", P99: us(100)}}, "a", "no other"},
	} {
		t.Run(name, func(t *testing.T) {
			c := Calibration{Tried: test.tried}
			c.choose()
			if c.Pacing != test.want || !strings.Contains(c.Why, test.says) {
				t.Errorf("chose %s because %q, want %s because of %q", c.Pacing, c.Why, test.want, test.says)
			}
		})
	}
}

func TestWaitingAheadIsNeverEarly(t *testing.T) {
	early := &sleepless{}
	w := ahead(early, 50*time.Microsecond)
	for range 100 {
		until := time.Now().Add(60 * time.Microsecond)
		if err := w.Wait(t.Context(), until); err != nil {
			t.Fatal(err)
		}
		if d := time.Until(until); d > 0 {
			t.Fatalf("it ended %v early", d)
		}
		if want := until.Add(-50 * time.Microsecond); !early.until.Equal(want) {
			t.Fatalf("it asked for %v, want %v", early.until, want)
		}
	}
}

// sleepless is a waiter that wakes at once.
type sleepless struct{ until time.Time }

func (w *sleepless) Wait(_ context.Context, until time.Time) error {
	w.until = until
	return nil
}
func (*sleepless) Close() error   { return nil }
func (*sleepless) String() string { return "sleepless" }
