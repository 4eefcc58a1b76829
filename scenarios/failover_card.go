package scenarios

import (
	"cmp"
	"slices"
	"time"
)

// Scorecard is what faults have done.
type Scorecard struct {
	// Kind is one of Faults, Lag says how far replicas were held back.
	Kind, Lag string
	Faults    []Fault
	// Created, LoggedOut and Used are how many of each were acknowledged and
	// looked up at the end; Unexplained losses belong to no fault.
	Created, LoggedOut, Used int
	Unexplained              int64
	// NotRun says why there were not more faults; empty when time was up.
	NotRun string
}

// Fault is one fault and what came of it. Durations count from the fault; nil
// means that it was never seen.
type Fault struct {
	At     time.Duration // after the start of measuring
	Shard  int
	Server int
	// Detected is when the others agreed that the server had failed, Promoted when
	// there was a new primary.
	Detected, Promoted *time.Duration
	// WritesOut and ReadsOut are the longest time between two acknowledgements of
	// the shard around the fault.
	WritesOut, ReadsOut *time.Duration
	// Back is when the 99th percentile of the response time was within twice
	// that before the fault again.
	Back *time.Duration
	// Errors are those of all shards, by class, from the fault until all was well.
	Errors map[string]int64
	// Lost creations and Resurrected sessions had been acknowledged, the latter as
	// logged out; Twice counts the tokens that were accepted twice.
	Lost, Resurrected, Twice int64
	// Drift is the largest change of a key's end, of Compared keys.
	Drift    time.Duration
	Compared int
	// Trouble says what did not go as planned.
	Trouble string
}

func (f *failover) scorecard(started time.Time) Scorecard {
	events := f.record.events
	slices.SortFunc(events, func(a, b event) int { return a.done.Compare(b.done) })
	card := Scorecard{
		Kind: f.env.Fault, Lag: lagText(f.env.Lag), NotRun: f.notRun, Unexplained: f.unexplained.Load(),
		Created: len(f.record.made), LoggedOut: len(f.record.left),
	}
	for _, m := range f.mails {
		if m.used.Load() != 0 {
			card.Used++
		}
	}
	for i, r := range f.rounds {
		next := started.Add(f.env.For)
		if i+1 < len(f.rounds) {
			next = f.rounds[i+1].began
		}
		card.Faults = append(card.Faults, Fault{
			At: r.began.Sub(started), Shard: r.shard, Server: r.server,
			Detected: since(r.began, r.detected), Promoted: since(r.began, r.promoted),
			WritesOut: gap(events, r, next, true), ReadsOut: gap(events, r, next, false),
			Back: back(events, r, started, next), Errors: failures(events, r),
			Lost: r.lost.Load(), Resurrected: r.resurrected.Load(), Twice: r.twice.Load(),
			Drift: r.drift, Compared: r.compared, Trouble: r.trouble,
		})
	}
	return card
}

// since is nil for what was never seen.
func since(began, at time.Time) *time.Duration {
	if at.IsZero() {
		return nil
	}
	return new(at.Sub(began))
}

// gapLead is how long before a fault acknowledgements are looked at: the last one
// may lie a little before it.
const gapLead = time.Second

// gap is the longest time between two acknowledgements of the round's shard, one
// kind of them, that ends after the fault and before the next. It is nil when
// there was none after it.
func gap(events []event, r *round, next time.Time, writes bool) *time.Duration {
	var last time.Time
	longest := time.Duration(-1)
	for _, e := range events {
		if e.shard != r.shard || e.write != writes || e.class != "" || e.done.Before(r.began.Add(-gapLead)) {
			continue
		}
		if e.done.After(next) {
			break
		}
		if !last.IsZero() && e.done.After(r.began) {
			longest = max(longest, e.done.Sub(last))
		}
		last = e.done
	}
	if longest < 0 {
		return nil
	}
	return &longest
}

// failures counts the errors of a round by class.
func failures(events []event, r *round) map[string]int64 {
	found := map[string]int64{}
	for _, e := range events {
		if e.class != "" && !e.done.Before(r.began) && e.done.Before(r.over) {
			found[e.class]++
		}
	}
	return found
}

const (
	// backWindow is the width of the windows whose percentiles are compared, by
	// when operations were due, and backWindows how many in a row have to be good.
	backWindow  = 500 * time.Millisecond
	backWindows = 3
	// backBefore is how long before a fault it is seen what is usual, and
	// backFloor the least that counts as slow: less is the machine's noise.
	backBefore = 2 * time.Second
	backFloor  = 2 * time.Millisecond
	// backLeast is the fewest operations of which a 99th percentile is one.
	backLeast = 100
)

// back finds from when on the response time is as before. It is nil when that was
// not seen before the next fault.
func back(events []event, r *round, started, next time.Time) *time.Duration {
	var before []time.Duration
	windows := make([][]time.Duration, max(0, int(next.Sub(r.began)/backWindow)))
	for _, e := range events {
		due := started.Add(e.due)
		response := e.done.Sub(due)
		if e.class != "" {
			response = max(response, time.Hour) // A failure is not fast.
		}
		switch at := due.Sub(r.began); {
		case at < 0 && at >= -backBefore-lagLead:
			before = append(before, response)
		case at >= 0 && int(at/backWindow) < len(windows):
			windows[at/backWindow] = append(windows[at/backWindow], response)
		}
	}
	if len(before) < backLeast {
		return nil
	}
	limit := max(2*p99(before), backFloor)
	good := 0
	for i, w := range windows {
		if len(w) < backLeast || p99(w) > limit {
			good = 0
			continue
		}
		if good++; good == backWindows {
			return new(time.Duration(i+1-backWindows) * backWindow)
		}
	}
	return nil
}

// p99 is the 99th percentile, which sorts its argument.
func p99(all []time.Duration) time.Duration {
	slices.SortFunc(all, cmp.Compare)
	return all[min(len(all)-1, len(all)*99/100)]
}
