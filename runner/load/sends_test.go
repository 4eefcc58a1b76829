package load

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/toriibench/toriibench/runner/stats"
)

// bunching sends a schedule's operations with a lag and returns what is said of
// their gaps.
func bunching(s Schedule, lag func(due time.Duration) time.Duration) (a2 float64, ok bool) {
	all := newSends(s)
	next := s.Arrivals(rand.New(rand.NewPCG(1, 2)))
	for op := new(Op); next(op); {
		all.add(&sample{due: int64(op.Due), sent: int64(op.Due + lag(op.Due))})
	}
	return all.bunching()
}

func TestGapsOfPunctualSendsAreExponential(t *testing.T) {
	for _, spec := range []string{"poisson:10k/10s", "ramp:100-20k/10s", "steps:1k,9k,2k/3s", "poisson:50/10s"} {
		t.Run(spec, func(t *testing.T) {
			s, err := ParseSchedule(spec)
			if err != nil {
				t.Fatal(err)
			}
			for name, lag := range map[string]time.Duration{"none": 0, "always the same": 30 * time.Microsecond} {
				a2, ok := bunching(s, func(time.Duration) time.Duration { return lag })
				if !ok || a2 > stats.ExponentialCritical {
					t.Errorf("lag %s: A² = %.2f, %t", name, a2, ok)
				}
			}
		})
	}
}

func TestBunchedSendsAreFound(t *testing.T) {
	s := Poisson(10_000, 10*time.Second)
	a2, ok := bunching(s, func(due time.Duration) time.Duration { return due.Truncate(time.Millisecond) + time.Millisecond - due })
	if !ok || a2 < 100 {
		t.Errorf("sends once a millisecond: A² = %.2f, %t", a2, ok)
	}
	a2, ok = bunching(s, func(due time.Duration) time.Duration { return max(0, 5*time.Second-due) })
	if !ok || a2 < 100 {
		t.Errorf("a stall of five seconds: A² = %.2f, %t", a2, ok)
	}
}

func TestGapsWithoutAKnownDistributionAreNotJudged(t *testing.T) {
	for name, s := range map[string]Schedule{"evenly spaced": Constant(1000, time.Second), "too few": Poisson(10, time.Second), "empty": {}} {
		if a2, ok := bunching(s, func(time.Duration) time.Duration { return 0 }); ok {
			t.Errorf("%s: A² = %.2f", name, a2)
		}
	}
}

func TestARunTellsHowItsSendsWereSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := Run(t.Context(), Config{Measure: Poisson(2000, 2*time.Second), Waiter: NewTimerWaiter(), Seed: 3}, &script{})
		if err != nil {
			t.Fatal(err)
		}
		if !r.Bunched || r.Bunching <= 0 || r.Bunching > stats.ExponentialCritical {
			t.Errorf("A² = %.2f, %t", r.Bunching, r.Bunched)
		}
	})
}
