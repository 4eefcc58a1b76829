package machine

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// quiet is a second at half of every bound.
func quiet() Second {
	return Second{
		Elapsed: time.Second, CPU: new(37.5), Pressure: new(25.0), Steal: new(0.5),
		GCs: 2, GCPause: 500 * time.Microsecond, Sched: 125 * time.Microsecond,
	}
}

// seconds makes ten quiet ones and changes the first n.
func seconds(n int, change func(*Second)) []Second {
	var all []Second
	for i := range 10 {
		s := quiet()
		if i < n {
			change(&s)
		}
		all = append(all, s)
	}
	return all
}

func TestDoubtsNameWhatBrokeARule(t *testing.T) {
	tests := map[string]struct {
		seconds []Second
		limits  Limits
		want    []string
	}{
		"a quiet machine":  {seconds(0, nil), Limits{}, nil},
		"nothing measured": {nil, Limits{}, nil},
		"nothing known": {
			seconds(10, func(s *Second) { *s = Second{Elapsed: time.Second} }), Limits{}, nil,
		},
		"a busy generator": {
			seconds(10, func(s *Second) { *s.CPU = 75 }),
			Limits{},
			[]string{"the generator used 75 % of its cores' time; it must stay under 75 %."},
		},
		"a generator that was busy for a second": {
			seconds(1, func(s *Second) { *s.CPU = 100 }), Limits{}, nil,
		},
		"a short busy second counts little": {
			append(seconds(0, nil), Second{Elapsed: 100 * time.Millisecond, CPU: new(1000.0)}), Limits{}, nil,
		},
		"steal": {
			seconds(4, func(s *Second) { *s.Steal = 5 }),
			Limits{},
			[]string{"the hypervisor took 2.3 % of the processors' time (steal); it must stay under 1 %."},
		},
		"steal that is known of one second alone": {
			append(seconds(10, func(s *Second) { s.Steal = nil }), Second{Elapsed: time.Second, Steal: new(1.0)}),
			Limits{},
			[]string{"the hypervisor took 1.0 % of the processors' time (steal); it must stay under 1 %."},
		},
		"pressure": {
			seconds(10, func(s *Second) { *s.Pressure = 60 }),
			Limits{},
			[]string{"tasks of this machine waited for a processor 60 % of the time (CPU pressure); it must stay under 50 %."},
		},
		"one long pause": {
			seconds(1, func(s *Second) { s.GCPause = 1100 * time.Microsecond }),
			Limits{},
			[]string{"the garbage collector paused the generator for 1.1ms at worst, and for over 1ms in 1 of 10 seconds; it must in none."},
		},
		"pauses and waits at their bounds": {
			seconds(10, func(s *Second) { s.GCPause, s.Sched = time.Millisecond, 250*time.Microsecond }), Limits{}, nil,
		},
		"waiting goroutines in one second of ten": {
			seconds(1, func(s *Second) { s.Sched = time.Second }), Limits{}, nil,
		},
		"waiting goroutines in two seconds of ten": {
			seconds(2, func(s *Second) { s.Sched = 12345678 * time.Nanosecond }),
			Limits{},
			[]string{"the generator's goroutines waited for a processor: their p99 was over 250µs in 2 of 10 seconds, and 12.3ms at worst; it may be in at most 10 % of them."},
		},
		"bounds of one's own": {
			seconds(0, nil),
			Limits{CPU: 30, Steal: 0.4, Pressure: 10, GCPause: 400 * time.Microsecond, Sched: 100 * time.Microsecond, SchedSeconds: 0.5},
			[]string{
				"the generator used 38 % of its cores' time; it must stay under 30 %.",
				"the hypervisor took 0.5 % of the processors' time (steal); it must stay under 0.4 %.",
				"tasks of this machine waited for a processor 25 % of the time (CPU pressure); it must stay under 10 %.",
				"the garbage collector paused the generator for 500µs at worst, and for over 400µs in 10 of 10 seconds; it must in none.",
				"the generator's goroutines waited for a processor: their p99 was over 100µs in 10 of 10 seconds, and 125µs at worst; it may be in at most 50 % of them.",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Doubts(test.seconds, test.limits)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
