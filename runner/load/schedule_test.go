package load

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// planned lists what a schedule plans.
func planned(s Schedule, seed uint64) []Op {
	var out []Op
	next := s.Arrivals(seeded(seed))
	for op := (Op{}); next(&op); {
		out = append(out, op)
	}
	return out
}

// collect lists all due times.
func collect(s Schedule, seed uint64) []time.Duration {
	var out []time.Duration
	for _, op := range planned(s, seed) {
		out = append(out, op.Due)
	}
	return out
}

func TestParseSchedule(t *testing.T) {
	const s = time.Second
	tests := []struct {
		text, canonical string
		want            Schedule
		duration        time.Duration
		count           float64
	}{
		{"10k", "poisson:10k/10s", Poisson(10_000, DefaultSpan), 10 * s, 100_000},
		{"10k/3s", "poisson:10k/3s", Poisson(10_000, 3*s), 3 * s, 30_000},
		{"poisson:10000/10s", "poisson:10k/10s", Poisson(10_000, 10*s), 10 * s, 100_000},
		{"constant:5k/3s", "constant:5k/3s", Constant(5000, 3*s), 3 * s, 15_000},
		{"constant:0.25/1m", "constant:0.25/1m0s", Constant(0.25, time.Minute), time.Minute, 15},
		{"ramp:1k-10k/30s", "ramp:1k-10k/30s", Ramp(1000, 10_000, 30*s), 30 * s, 165_000},
		{"steps:1k,2k,5k/10s", "steps:1k,2k,5k/10s", Steps(10*s, 1000, 2000, 5000), 30 * s, 80_000},
		{"constant+ramp:2.5k-1M/2s", "constant+ramp:2500-1M/2s", Ramp(2500, 1e6, 2*s).Evenly(), 2 * s, 1_002_500},
		{"poisson+steps:1,2/1s", "steps:1,2/1s", Steps(s, 1, 2), 2 * s, 3},
		{"constant+steps:1,2/1s", "constant+steps:1,2/1s", Steps(s, 1, 2).Evenly(), 2 * s, 3},
		{
			"ramp:1-3/2s,steps:3,4/1s,constant:5/1s", "ramp:1-3/2s,steps:3,4/1s,constant:5/1s",
			Ramp(1, 3, 2*s).Then(Steps(s, 3, 4)).Then(Constant(5, s)), 5 * s, 16,
		},
		{"sine:2k-8k@10s/60s", "sine:2k-8k@10s/1m0s", Sine(2000, 8000, 10*s, 60*s), 60 * s, 300_000},
		{"constant+sine:8k-2k@4s/10s", "constant+sine:8k-2k@4s/10s", Sine(8000, 2000, 4*s, 10*s).Evenly(), 10 * s, 50_000},
		{"visits:10k/60s", "visits=40x250ms:10k/1m0s", Poisson(10_000, 60*s).With(InVisits(DefaultVisits())), 60 * s, 600_000},
		{"visits=8x1s:10k/60s", "visits=8x1s:10k/1m0s", Poisson(10_000, 60*s).With(InVisits(Visits{8, s})), 60 * s, 600_000},
		{"visits=2.5x1ms+ramp:1-3/2s", "visits=2.5x1ms+ramp:1-3/2s", Ramp(1, 3, 2*s).With(InVisits(Visits{2.5, time.Millisecond})), 2 * s, 4},
		{"visits=1x1s+steps:1,2/1s,5/1s", "visits=1x1s+steps:1,2/1s,poisson:5/1s", Steps(s, 1, 2).With(InVisits(Visits{1, s})).Then(Poisson(5, s)), 3 * s, 8},
		{"visits=8x250ms+sine:1k-3k@2s/4s", "visits=8x250ms+sine:1k-3k@2s/4s", Sine(1000, 3000, 2*s, 4*s).With(InVisits(Visits{8, s / 4})), 4 * s, 8000},
		{"10M/24h", "poisson:10M/24h0m0s", Poisson(MaxRate, MaxSpan), MaxSpan, 10e6 * 86400},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := ParseSchedule(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("schedule differs (-want +got):\n%s", diff)
			}
			if got.String() != tt.canonical {
				t.Errorf("String = %q, want %q", got, tt.canonical)
			}
			if got.Duration() != tt.duration || math.Abs(got.Count()-tt.count) > 1e-9*tt.count {
				t.Errorf("lasts %v with %v arrivals, want %v with %v", got.Duration(), got.Count(), tt.duration, tt.count)
			}
		})
	}
}

func TestParseScheduleRefuses(t *testing.T) {
	tests := []struct{ text, says string }{
		{"", specForms},
		{"fast", specForms},
		{"0", "a rate is from 0.001 to 10M"},
		{"0/1s", "a rate is from 0.001 to 10M"},
		{"-5/1s", "write a number from 0.001 to 10M"},
		{"NaN/1s", "write a number"},
		{"Inf/1s", "write a number"},
		{"0x1p4/1s", "write a number"},
		{"1e3/1s", "write a number"},
		{"1..5/1s", "write a number"},
		{"k/1s", "write a number"},
		{"11M/1s", "a rate is from 0.001 to 10M"},
		{"1k/0s", "more than 0 and at most 24h"},
		{"1k/-3s", "more than 0 and at most 24h"},
		{"1k/25h", "more than 0 and at most 24h"},
		{"1k/ten", "write 500ms, 10s or 1m30s"},
		{"1k/1s,", specForms},
		{"1k/20h,1k/20h", "more than 24h0m0s in all"},
		{"steps:1,2,3/10h", "at most 24h"},
		{"steps:1,,3/1s", "write a number"},
		{"ramp:1k/1s", "FROM-TO"},
		{"ramp:0-10/1s", "a rate is from 0.001"},
		{"ramp:-5-10/1s", "FROM-TO"},
		{"wave:1-2/1s", specForms},
		{"constant+:1/1s", specForms},
		{"constant+poisson:1/1s", specForms},
		{"ramp+constant:1-2/1s", specForms},
		{"sine:1-2/1s", "FROM-TO@PERIOD"},
		{"sine:1@1s/1s", "FROM-TO"},
		{"sine:0-1@1s/1s", "a rate is from 0.001"},
		{"sine:1-2@0s/1s", "a period lasts from 1µs"},
		{"sine:1-2@-1s/1s", "a period lasts from 1µs"},
		{"sine:1-2@1500ns/1s", "in whole microseconds"},
		{"sine:1-2@25h/1s", "a period lasts from 1µs to 24h"},
		{"sine:1-2@1us/24h", "fewer than 100000"},
		{"ramp:1-2@1s/1s", "write a number"},
		{"visits=:1/1s", "visits=8x250ms"},
		{"visits=8:1/1s", "visits=8x250ms"},
		{"visits=8xsoon:1/1s", "visits=8x250ms"},
		{"visits=x1s:1/1s", "visits=8x250ms"},
		{"visits=0.5x1s:1/1s", "from 1 to 1000000 operations"},
		{"visits=1e3x1s:1/1s", "visits=8x250ms"},
		{"visits=NaNx1s:1/1s", "visits=8x250ms"},
		{"visits=8x0s:1/1s", "a think time of 1µs"},
		{"visits=8x-1s:1/1s", "a think time of 1µs"},
		{"visits=8x25h:1/1s", "to 24h"},
		{"visits=8x1h:10k/1s", "31500000 under way at once; at most 4000000"},
		{"visits=8x1h+ramp:1-10k/1s", "at most 4000000"},
		{"poisson=8x1s:1/1s", specForms},
		{"recorded:\"x\" (1 in 0s, sha256 00)", "read from its file"},
		{"1k/1s,recorded:\"x\" (1 in 0s, sha256 00)", "read from its file"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			s, err := ParseSchedule(tt.text)
			if err == nil {
				t.Fatalf("accepted as %v", s)
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %q does not say %q", err, tt.says)
			}
		})
	}
}

func TestScheduleValidate(t *testing.T) {
	inf := math.Inf(1)
	for _, s := range []Schedule{
		Poisson(math.NaN(), 1), Poisson(inf, 1), Poisson(-inf, 1), Poisson(0, 1), Constant(1, -1), Constant(1, 0),
		Ramp(1, 2*MaxRate, 1), Steps(time.Second), Steps(math.MaxInt64, 1, 2), Poisson(1, math.MaxInt64),
		Poisson(1, MaxSpan).Then(Poisson(1, 1)), Sine(1, 2, 0, 1), Sine(1, math.NaN(), time.Second, 1), Sine(1, 2, 1, time.Hour),
		Poisson(1, 1).With(InVisits(Visits{})), Poisson(1, 1).With(InVisits(Visits{math.NaN(), time.Second})),
		Poisson(1, 1).With(InVisits(Visits{inf, time.Second})), Poisson(1, 1).With(InVisits(Visits{8, 0})),
		Poisson(MaxRate, time.Second).With(InVisits(Visits{8, time.Second})),
	} {
		if s.Validate() == nil {
			t.Errorf("%v is accepted", s)
		}
		if n := len(collect(s, 1)); n != 0 || s.Duration() != 0 || s.Count() != 0 {
			t.Errorf("%v, which is invalid, lasts %v and has %d arrivals", s, s.Duration(), n)
		}
	}
}

func TestZeroScheduleIsEmpty(t *testing.T) {
	var s Schedule
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	if got := collect(s, 1); got != nil || s.Duration() != 0 || s.Count() != 0 || s.Rate(0) != 0 || s.String() != "" {
		t.Errorf("the zero schedule is not empty: %v", got)
	}
	if one := Constant(1, time.Second); !s.Then(one).Equal(one) || !one.Then(s).Equal(one) {
		t.Error("the zero schedule is not neutral")
	}
}

func TestScheduleRate(t *testing.T) {
	s := Ramp(100, 200, 10*time.Second).Then(Steps(time.Second, 5, 7))
	for at, want := range map[time.Duration]float64{
		-1: 0, 0: 100, 5 * time.Second: 150, 10 * time.Second: 5, 11 * time.Second: 7, 12*time.Second - 1: 7, 12 * time.Second: 0,
	} {
		if got := s.Rate(at); got != want {
			t.Errorf("Rate(%v) = %v, want %v", at, got, want)
		}
	}
}

func TestConstantArrivals(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name string
		s    Schedule
		want []time.Duration
	}{
		{"from the start, the end excluded", Constant(100, 40*ms), []time.Duration{0, 10 * ms, 20 * ms, 30 * ms}},
		{"shorter than a gap", Constant(1, ms), []time.Duration{0}},
		{"a gap goes on into the next step", Steps(30*ms, 50, 100).Evenly(), []time.Duration{0, 20 * ms, 35 * ms, 45 * ms, 55 * ms}},
		// The sum 1000 x²/2 is a whole number at sqrt(k/500).
		{"a ramp", Ramp(MinRate, 999, 999*ms).Evenly(), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := collect(tt.s, 1)
			if tt.want == nil {
				for k := range 500 {
					x := math.Sqrt(float64(k) / 500)
					tt.want = append(tt.want, time.Duration(x*float64(time.Second)))
				}
			}
			if len(got) != len(tt.want) {
				t.Fatalf("%d arrivals, want %d: %v", len(got), len(tt.want), got)
			}
			for i := range got {
				// MinRate in place of 0 shifts the ramp by microseconds.
				if d := (got[i] - tt.want[i]).Abs(); d > 3*time.Microsecond {
					t.Errorf("arrival %d at %v, want %v", i, got[i], tt.want[i])
				}
			}
		})
	}
}

func TestConstantStartsAnewAfterPoisson(t *testing.T) {
	got := collect(Poisson(1000, time.Second).Then(Constant(2, time.Second)), 3)
	if diff := cmp.Diff([]time.Duration{time.Second, 1500 * time.Millisecond}, got[len(got)-2:]); diff != "" {
		t.Errorf("the constant stage differs (-want +got):\n%s", diff)
	}
}

// andersonDarling is A² of gaps against the exponential distribution of a known
// rate; above 3.857 it rejects at 1 % (M. Stephens, "EDF Statistics for Goodness
// of Fit", JASA 69, 1974).
func andersonDarling(due []time.Duration, rate float64) float64 {
	u := make([]float64, len(due)-1)
	for i := range u {
		u[i] = -math.Expm1(-rate * (due[i+1] - due[i]).Seconds())
	}
	slices.Sort(u)
	n := float64(len(u))
	sum := 0.0
	for i := range u {
		low, high := max(u[i], 1e-300), max(1-u[len(u)-1-i], 1e-300)
		sum += float64(2*i+1) * (math.Log(low) + math.Log(high))
	}
	return -n - sum/n
}

func TestPoissonGapsAreExponential(t *testing.T) {
	const rate, critical = 1000, 3.857
	due := collect(Poisson(rate, 3*time.Second), 7)[:2001]
	if a := andersonDarling(due, rate); a > critical {
		t.Errorf("A² = %.2f, want at most %v", a, critical)
	}
	bunched := slices.Clone(due)
	for i := range bunched {
		bunched[i] = bunched[i].Round(time.Millisecond)
	}
	if a := andersonDarling(bunched, rate); a < critical {
		t.Errorf("gaps in whole milliseconds pass with A² = %.2f", a)
	}
	if a := andersonDarling(collect(Constant(rate, 2*time.Second), 7), rate); a < critical {
		t.Errorf("even gaps pass with A² = %.2f", a)
	}
}

func TestPoissonFollowsTheRate(t *testing.T) {
	s := Ramp(1000, 9000, 10*time.Second).Then(Steps(2*time.Second, 500, 4000)).Then(Ramp(8000, 10, 4*time.Second))
	counts := make([]float64, 18)
	for _, due := range collect(s, 11) {
		counts[due/time.Second]++
	}
	for i, got := range counts {
		// The rate is linear within each second.
		want := s.Rate(time.Duration(i)*time.Second + 500*time.Millisecond)
		if math.Abs(got-want) > 5*math.Sqrt(want) {
			t.Errorf("second %d has %v arrivals, want %v within 5 standard deviations", i, got, want)
		}
	}
}

func TestArrivalsDependOnTheSeedAlone(t *testing.T) {
	s := Poisson(1000, time.Second)
	if !slices.Equal(collect(s, 1), collect(s, 1)) {
		t.Error("one seed gave two streams")
	}
	if slices.Equal(collect(s, 1), collect(s, 2)) {
		t.Error("two seeds gave one stream")
	}
}

func TestArrivalsAllocateNothing(t *testing.T) {
	ramp, wave := Ramp(1e6, 2e6, time.Hour), Sine(1e5, 2e5, time.Second, time.Hour)
	for _, s := range []Schedule{ramp, wave, ramp.Evenly(), wave.With(InVisits(DefaultVisits()))} {
		t.Run(s.String(), func(t *testing.T) {
			next := s.Arrivals(seeded(1))
			var op Op
			if n := testing.AllocsPerRun(100_000, func() { next(&op) }); n != 0 {
				t.Errorf("a call allocates %v times", n)
			}
		})
	}
}

// schedules draws valid schedules with arrivals spread in one of these ways, or,
// without any, in one of all.
func schedules(spreads ...Spread) *rapid.Generator[Schedule] {
	if len(spreads) == 0 {
		spreads = []Spread{{}, {kind: constant}, InVisits(Visits{3, time.Millisecond})}
	}
	rate := rapid.Float64Range(MinRate, 20_000)
	return rapid.Custom(func(t *rapid.T) Schedule {
		var s Schedule
		for range rapid.IntRange(1, 3).Draw(t, "stages") {
			span := time.Duration(rapid.Int64Range(1, int64(100*time.Millisecond)).Draw(t, "span"))
			stages := []Schedule{
				Poisson(rate.Draw(t, "rate"), span),
				Ramp(rate.Draw(t, "from"), rate.Draw(t, "to"), span),
				Steps(span, rapid.SliceOfN(rate, 1, 4).Draw(t, "rates")...),
				Sine(rate.Draw(t, "from"), rate.Draw(t, "to"), time.Duration(rapid.Int64Range(20, 1_000_000).Draw(t, "period"))*time.Microsecond, span),
			}
			next := rapid.SampledFrom(stages).Draw(t, "stage")
			s = s.Then(next.With(rapid.SampledFrom(spreads).Draw(t, "spread")))
		}
		return s
	})
}

func TestScheduleProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := schedules().Draw(t, "schedule")
		back, err := ParseSchedule(s.String())
		if err != nil || !back.Equal(s) {
			t.Fatalf("%v is read back as %v, %v", s, back, err)
		}
		due := collect(s, rapid.Uint64().Draw(t, "seed"))
		if !slices.IsSorted(due) || len(due) > 0 && (due[0] < 0 || due[len(due)-1] >= s.Duration()) {
			t.Fatalf("%v: due times are out of order or out of range", s)
		}
		even := float64(len(collect(s.Evenly(), 0)))
		if d := even - s.Count(); d < -1e-6 || d > 1+1e-6 {
			t.Fatalf("%v: %v even arrivals, want from Count, %v, to one more", s, even, s.Count())
		}
		// Operations in visits come in clusters, which widens the spread.
		if d := math.Abs(float64(len(due)) - s.Count()); d > 8*math.Sqrt(6*s.Count())+40 {
			t.Fatalf("%v: %d arrivals, want about %v", s, len(due), s.Count())
		}
	})
}

func FuzzParseSchedule(f *testing.F) {
	for _, s := range []string{
		"10k", "poisson:10000/10s", "constant:5k/3s", "ramp:1k-10k/30s", "steps:1k,2k,5k/10s",
		"sine:1-2@1s/3s", "visits=8x250ms:1k/1s", "visits+sine:2k-1k@1ms/1s", "visits=1.5x1us+ramp:1-2/1s", "recorded:x/1s",
		"constant+ramp:1-2/1s,steps:1,2/1s,3/1ms", "0.001/1ns", ".5k/1h", "1.M/1us", "1k/1s,",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSchedule(text)
		if err != nil {
			return
		}
		if err := s.Validate(); err != nil || s.Duration() <= 0 || s.Duration() > MaxSpan {
			t.Errorf("%q was accepted, lasts %v, and is invalid: %v", text, s.Duration(), err)
		}
		back, err := ParseSchedule(s.String())
		if err != nil || !back.Equal(s) || back.String() != s.String() {
			t.Errorf("%q is written %q and read back as %q: %v", text, s, back, err)
		}
	})
}

func TestVeryManyStepsDoNotOverflow(t *testing.T) {
	rates := make([]float64, 106_752)
	for i := range rates {
		rates[i] = 1
	}
	if s := Steps(24*time.Hour, rates...); s.Validate() == nil {
		t.Errorf("a schedule of %v passes for valid", s.Duration())
	}
}

func TestRunRefusesRatesThatMakeNoSense(t *testing.T) {
	ok := Poisson(1, time.Second)
	for _, rate := range []float64{0, -1, math.NaN(), math.Inf(1), 1e12} {
		for _, s := range []Schedule{
			Poisson(rate, time.Second), Ramp(1, rate, time.Second), Steps(time.Second, 1, rate), Sine(rate, 1, time.Second, time.Second),
			Poisson(rate, time.Second).With(InVisits(DefaultVisits())),
		} {
			for where, cfg := range map[string]Config{"check measurement": {Measure: s}, "check warm-up": {Measure: ok, Warmup: s}} {
				traffic := &script{}
				_, err := Run(t.Context(), cfg, traffic)
				if err == nil || !strings.Contains(err.Error(), where) || !strings.Contains(err.Error(), "a rate is from 0.001 to 10M") {
					t.Errorf("%v: %v", s, err)
				}
				if len(traffic.planned) > 0 {
					t.Errorf("%v: operations were planned all the same", s)
				}
			}
		}
	}
}

func TestAScheduleMayBeShorterThanItsWarmUp(t *testing.T) {
	for _, spread := range []Spread{{}, {kind: constant}, InVisits(DefaultVisits())} {
		synctest.Test(t, func(t *testing.T) {
			s := Poisson(1000, 20*time.Millisecond).With(spread)
			traffic := &script{}
			r := mustRun(t, Config{Warmup: s.WarmUp(3 * time.Second), Measure: s}, traffic)
			if n := int64(len(traffic.planned)); r.Sent == 0 || r.Sent > 200 || n < 1000 {
				t.Errorf("%v: %d operations measured of %d planned", s, r.Sent, n)
			}
		})
	}
}
