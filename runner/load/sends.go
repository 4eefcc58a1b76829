package load

import (
	"slices"
	"time"

	"github.com/toriibench/toriibench/runner/stats"
)

// How the intervals between sends are sampled. The test sees smaller differences
// in longer samples, so that there is a most.
const (
	sendWindows = 10
	windowSends = 200
	fewestGaps  = 100
)

// sends samples when operations were sent, in windows that are spread evenly over
// the schedule, to compare what was offered with what the schedule says.
type sends struct {
	schedule Schedule
	every    time.Duration
	windows  []sendWindow
}

// sendWindow takes the operations that are due in a stretch of the schedule.
type sendWindow struct {
	from, to time.Duration
	at       []time.Duration
}

// newSends takes nothing of a schedule whose arrivals depend on each other: there
// the gaps between them have no known distribution.
func newSends(s Schedule) *sends {
	if !s.Independent() || s.Count() < fewestGaps {
		return &sends{}
	}
	every := s.Duration() / sendWindows
	all := &sends{schedule: s, every: every}
	for i := range sendWindows {
		from := time.Duration(i) * every
		expected := s.Expected(from, from+every)
		share := min(1, windowSends/max(expected, 1))
		all.windows = append(all.windows, sendWindow{
			from: from, to: from + time.Duration(share*float64(every)),
			at: make([]time.Duration, 0, 2*windowSends),
		})
	}
	return all
}

func (a *sends) add(s *sample) {
	if a.every == 0 {
		return
	}
	w := &a.windows[min(int(time.Duration(s.due)/a.every), sendWindows-1)]
	if due := time.Duration(s.due); due < w.to && len(w.at) < cap(w.at) {
		w.at = append(w.at, time.Duration(s.sent))
	}
}

// bunching compares the gaps between sends, in expected arrivals, with the
// exponential distribution that they were drawn from. It returns false when there
// are too few.
func (a *sends) bunching() (a2 float64, ok bool) {
	var gaps []float64
	for _, w := range a.windows {
		slices.Sort(w.at)
		for i := range w.at {
			if i > 0 {
				gaps = append(gaps, a.schedule.Expected(w.at[i-1], w.at[i]))
			}
		}
	}
	if len(gaps) < fewestGaps {
		return 0, false
	}
	return stats.AndersonDarlingExponential(gaps)
}
