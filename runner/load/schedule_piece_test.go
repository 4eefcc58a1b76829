package load

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestSineSwingsBetweenItsRates(t *testing.T) {
	s := Poisson(5, time.Second).Then(Sine(100, 300, 4*time.Second, 9*time.Second))
	for at, want := range map[time.Duration]float64{
		0: 5, 1: 100, 2: 200, 3: 300, 4: 200, 5: 100, 7: 300, 9: 100, 10: 0,
	} {
		if got := s.Rate(at * time.Second); math.Abs(got-want) > 1e-9 {
			t.Errorf("Rate(%d s) = %v, want %v", at, got, want)
		}
	}
	if got := Sine(300, 100, 4*time.Second, 9*time.Second).Rate(4 * time.Second); got != 300 {
		t.Errorf("a sine that begins high is at %v after a period, want 300", got)
	}
}

// integral sums a schedule's rate over [from, to) by Simpson's rule, whose error
// is of the fourth order in the width.
func integral(s Schedule, from, to time.Duration) float64 {
	const n = 20_000
	width := (to - from).Seconds() / n
	sum := 0.0
	for i := range n + 1 {
		weight := 2.0
		switch {
		case i == 0 || i == n:
			weight = 1
		case i%2 == 1:
			weight = 4
		}
		sum += weight * s.Rate(from+time.Duration(float64(to-from)*float64(i)/n))
	}
	return sum * width / 3
}

func TestExpectedIsTheIntegralOfTheRate(t *testing.T) {
	const s = time.Second
	tests := []struct {
		s        Schedule
		from, to time.Duration
	}{
		{Poisson(100, 10*s), s, 3 * s},
		{Ramp(10, 1000, 10*s), 2 * s, 9 * s},
		{Steps(3*s, 5, 50, 500), 4 * s, 5 * s},
		{Sine(100, 900, 4*s, 10*s), 0, 9*s + 999*time.Millisecond},
		{Sine(900, 100, 3*s, 10*s), s / 3, 8*s + 123*time.Millisecond},
		{Sine(900, 100, 7*time.Microsecond+s, 100*s), 93*s + 1, 97 * s},
		{Sine(1, 1e6, time.Hour, 10*time.Hour), 5 * time.Hour, 5*time.Hour + 7*s},
		{Sine(100, 900, 4*s, 10*s).With(InVisits(Visits{8, s})), s, 6 * s},
	}
	for _, tt := range tests {
		t.Run(tt.s.String(), func(t *testing.T) {
			got, want := tt.s.Expected(tt.from, tt.to), integral(tt.s, tt.from, tt.to)
			if math.Abs(got-want) > 1e-6*want {
				t.Errorf("Expected(%v, %v) = %v, and the rate sums up to %v", tt.from, tt.to, got, want)
			}
		})
	}
}

func TestExpectedOverTheEdges(t *testing.T) {
	const s = time.Second
	plan := Poisson(10, 2*s).Then(Steps(s, 1, 2, 3)).Then(Sine(4, 6, s, 2*s))
	tests := []struct {
		from, to time.Duration
		want     float64
	}{
		{0, 7 * s, 36},
		{math.MinInt64, math.MaxInt64, 36},
		{s, 4 * s, 13},
		{3 * s, 3*s + s/2, 1},
		{4 * s, 6 * s, 8},
		{5 * s, s, 0},
		{7 * s, 9 * s, 0},
		{s, s, 0},
	}
	for _, tt := range tests {
		if got := plan.Expected(tt.from, tt.to); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("Expected(%v, %v) = %v, want %v", tt.from, tt.to, got, tt.want)
		}
	}
	if got := Poisson(0, s).Expected(0, s); got != 0 {
		t.Errorf("an invalid schedule expects %v arrivals", got)
	}
}

func TestThePiecesInverseIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := schedules().Draw(t, "schedule")
		for _, g := range s.groups() {
			for i := range g.pieces {
				p := &g.pieces[i]
				m := rapid.Float64Range(0, 1).Draw(t, "share") * p.mass
				x := (p.at(m) - p.start).Seconds()
				// Half a nanosecond of rounding at the piece's highest rate.
				if d := math.Abs(p.sum(x) - m); d > 1e-9*max(p.from, p.to)+1e-12*m {
					t.Fatalf("%v: piece %d has %v arrivals at %v s, want %v", s, i, p.sum(x), x, m)
				}
			}
		}
	})
}

func TestTheInverseOfASineStaysExactAtItsExtremes(t *testing.T) {
	for _, s := range []Schedule{
		Sine(MinRate, MaxRate, MaxSpan, MaxSpan), Sine(MaxRate, MinRate, MaxSpan, MaxSpan), Sine(5, 5, time.Second, time.Second),
		Sine(MinRate, MaxRate, MinPeriod, time.Millisecond),
	} {
		for _, p := range s.groups()[0].pieces {
			for _, share := range []float64{0, 1e-12, 1e-6, .1, .5, .9, 1 - 1e-9, 1} {
				m := share * p.mass
				x := (p.at(m) - p.start).Seconds()
				near := max(p.rate(max(x-1e-9, 0)), p.rate(min(x+1e-9, p.way)))
				if d := math.Abs(p.sum(x) - m); d > 1e-9*near+1e-12*p.mass {
					t.Fatalf("%v: %v arrivals at %v s, want %v", s, p.sum(x), x, m)
				}
			}
		}
	}
}

func TestConstantSineFollowsTheSum(t *testing.T) {
	s := Sine(50, 150, 2*time.Second, 5*time.Second).Evenly()
	due := collect(s, 1)
	if float64(len(due)) != 500 {
		t.Fatalf("%d arrivals, want 500", len(due))
	}
	for i, at := range due {
		if got := s.Expected(0, at); math.Abs(got-float64(i)) > 1e-6 {
			t.Fatalf("arrival %d comes at %v, when %v are expected", i, at, got)
		}
	}
}

func TestWarmUpLeadsUpToASchedule(t *testing.T) {
	const s = time.Second
	recorded, err := ReadRecorded(strings.NewReader("0\n1\n1.999"), "x")
	if err != nil {
		t.Fatal(err)
	}
	rare, err := ReadRecorded(strings.NewReader("0\n86000"), "x")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		s    Schedule
		span time.Duration
		want Schedule
	}{
		{rare, s, Poisson(MinRate, s)},
		{Poisson(5, s), 2 * s, Poisson(5, 2*s)},
		{Ramp(5, 9, s).Evenly(), 2 * s, Constant(5, 2*s)},
		{Sine(5, 9, s, s).With(InVisits(DefaultVisits())), 2 * s, Poisson(5, 2*s).With(InVisits(DefaultVisits()))},
		{recorded, s, Poisson(1.5, s)},
		{Poisson(5, s), 0, Schedule{}},
		{Poisson(5, s), -1, Schedule{}},
		{Poisson(0, s), s, Schedule{}},
		{Schedule{}, s, Schedule{}},
	}
	for _, tt := range tests {
		if got := tt.s.WarmUp(tt.span); !got.Equal(tt.want) {
			t.Errorf("%v for %v is led up to by %v, want %v", tt.s, tt.span, got, tt.want)
		}
	}
}

func TestIndependent(t *testing.T) {
	recorded, err := ReadRecorded(strings.NewReader("0"), "x")
	if err != nil {
		t.Fatal(err)
	}
	plain := Poisson(5, time.Second)
	in := plain.With(InVisits(DefaultVisits()))
	for _, s := range []Schedule{plain, Ramp(1, 2, 1), plain.Then(Sine(1, 2, 1e9, 1e9))} {
		if !s.Independent() {
			t.Errorf("the arrivals of %v are not taken for independent", s)
		}
	}
	for _, s := range []Schedule{{}, plain.Evenly(), in, recorded, plain.Then(in), plain.Then(recorded)} {
		if s.Independent() {
			t.Errorf("the arrivals of %v are taken for independent", s)
		}
	}
}

func TestVeryManySwingsAreWalkedOnce(t *testing.T) {
	s := Sine(1, 2, 10*time.Microsecond, 900*time.Millisecond)
	pieces := s.groups()[0].pieces
	if len(pieces) != 180_000 || pieces[len(pieces)-1].end != s.Duration() {
		t.Errorf("%d pieces until %v", len(pieces), pieces[len(pieces)-1].end)
	}
	if !slices.IsSortedFunc(pieces, func(a, b piece) int { return int(a.start - b.start) }) {
		t.Error("the pieces are out of order")
	}
}
