package machine

import (
	"fmt"
	"time"
)

// Limits bound what [Doubts] accepts. The zero value of each means its default.
type Limits struct {
	// CPU bounds the generator's share of its cores over the whole time, in
	// percent. 0 means 75: above, what becomes due finds no core free too often.
	CPU float64
	// Steal bounds what the hypervisor took over the whole time, in percent. 0
	// means 1.
	Steal float64
	// Pressure bounds the share of the whole time in which a task waited for a
	// processor, in percent. 0 means 50. A generator and a server that share two
	// cores with nobody else were seen to make 8 % at 1000 operations a second
	// and 32 % at 8000; with others on them it was 45 to 100 %.
	Pressure float64
	// GCPause bounds a single pause of the garbage collector. 0 means 1 ms.
	GCPause time.Duration
	// Sched bounds the 99th percentile of a second's waits of goroutines; it
	// may be above in a share SchedSeconds of the seconds. 0 means 250 µs, and
	// 0.1. Undisturbed it was seen to be 50 to 110 µs; every operation has
	// several such waits in it.
	Sched        time.Duration
	SchedSeconds float64
}

func (l Limits) withDefaults() Limits {
	return Limits{
		CPU:          orDefault(l.CPU, 75),
		Steal:        orDefault(l.Steal, 1),
		Pressure:     orDefault(l.Pressure, 50),
		GCPause:      orDefault(l.GCPause, time.Millisecond),
		Sched:        orDefault(l.Sched, 250*time.Microsecond),
		SchedSeconds: orDefault(l.SchedSeconds, 0.1),
	}
}

func orDefault[T float64 | time.Duration](v, fallback T) T {
	if v == 0 {
		return fallback
	}
	return v
}

// Doubts says why latencies that were measured in these seconds are not to be
// taken at face value: one sentence for each rule that was broken, with the
// number that broke it and the bound. What is not known breaks no rule.
func Doubts(seconds []Second, limits Limits) (reasons []string) {
	limits = limits.withDefaults()
	for _, reason := range []string{
		busy(seconds, limits), stolen(seconds, limits), pressed(seconds, limits), paused(seconds, limits), waited(seconds, limits),
	} {
		if reason != "" {
			reasons = append(reasons, reason)
		}
	}
	return reasons
}

func busy(seconds []Second, limits Limits) string {
	share := mean(seconds, func(s *Second) *float64 { return s.CPU })
	if share < limits.CPU {
		return ""
	}
	return fmt.Sprintf("the generator used %.0f %% of its cores' time; it must stay under %g %%.", share, limits.CPU)
}

func stolen(seconds []Second, limits Limits) string {
	share := mean(seconds, func(s *Second) *float64 { return s.Steal })
	if share < limits.Steal {
		return ""
	}
	return fmt.Sprintf("the hypervisor took %.1f %% of the processors' time (steal); it must stay under %g %%.", share, limits.Steal)
}

func pressed(seconds []Second, limits Limits) string {
	share := mean(seconds, func(s *Second) *float64 { return s.Pressure })
	if share < limits.Pressure {
		return ""
	}
	return fmt.Sprintf("tasks of this machine waited for a processor %.0f %% of the time (CPU pressure); it must stay under %g %%.", share, limits.Pressure)
}

func paused(seconds []Second, limits Limits) string {
	n, worst := above(seconds, limits.GCPause, func(s *Second) time.Duration { return s.GCPause })
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("the garbage collector paused the generator for %v at worst, and for over %v in %d of %d seconds; it must in none.",
		brief(worst), limits.GCPause, n, len(seconds))
}

func waited(seconds []Second, limits Limits) string {
	n, worst := above(seconds, limits.Sched, func(s *Second) time.Duration { return s.Sched })
	if float64(n) <= limits.SchedSeconds*float64(len(seconds)) {
		return ""
	}
	return fmt.Sprintf("the generator's goroutines waited for a processor: their p99 was over %v in %d of %d seconds, and %v at worst; it may be in at most %g %% of them.",
		limits.Sched, n, len(seconds), brief(worst), 100*limits.SchedSeconds)
}

// mean weighs each second by its length. It is 0 when nothing is known.
func mean(seconds []Second, of func(*Second) *float64) float64 {
	var sum, length float64
	for i := range seconds {
		if share := of(&seconds[i]); share != nil {
			sum += *share * seconds[i].Elapsed.Seconds()
			length += seconds[i].Elapsed.Seconds()
		}
	}
	if length == 0 {
		return 0
	}
	return sum / length
}

// above counts the seconds over a bound, and gives the highest value of all.
func above(seconds []Second, bound time.Duration, of func(*Second) time.Duration) (n int, worst time.Duration) {
	for i := range seconds {
		v := of(&seconds[i])
		worst = max(worst, v)
		if v > bound {
			n++
		}
	}
	return n, worst
}

// brief rounds to what a person reads.
func brief(d time.Duration) time.Duration {
	if d > 10*time.Millisecond {
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(time.Microsecond)
}
