package load

import (
	"errors"
	"time"
)

// The recorder's rhythm.
const (
	drainEvery    = 20 * time.Millisecond
	intervalEvery = time.Second
)

// The bounds of the rings' sizes. All rings together hold ringBudget samples,
// 5 MiB, unless there are very many.
const (
	ringBudget = 1 << 17
	minRing    = 64
	maxRing    = 1 << 14
)

// settled is how long after the schedule's end an operation may end and still
// count as done in time: at the end of a run some are always under way.
const settled = 100 * time.Millisecond

// recorder gathers the workers' samples. It alone owns the histograms, so that
// recording needs no lock.
type recorder struct {
	phase      *phase
	rings      []*ring
	onInterval func(Interval)
	nudge      chan struct{}
	stop, done chan struct{}

	// totals lacks what second has counted since the last interval.
	totals, second []OpResult
	bins           *bins
	sends          *sends
	// deadline is the latest end that counts as in time.
	deadline int64
	inTime   int64
	// recorded counts the samples taken so far.
	recorded int64
	last     time.Duration

	// over tells that nothing becomes due any more.
	over bool
	// from is when the current interval began, before its totals so far.
	from   time.Duration
	before Totals
	err    error
}

// newRecorder gives each of the phase's workers a ring.
func newRecorder(p *phase, cfg Config) *recorder {
	r := &recorder{
		phase:      p,
		onInterval: cfg.OnInterval,
		nudge:      make(chan struct{}, 1),
		stop:       make(chan struct{}),
		done:       make(chan struct{}),
		bins:       newBins(cfg.Measure.Duration()),
		sends:      &sends{},
		deadline:   int64(cfg.Measure.Duration() + settled),
	}
	if !cfg.Closed {
		r.sends = newSends(cfg.Measure)
	}
	for _, name := range p.traffic.Operations() {
		r.totals = append(r.totals, newOpResult(name))
		r.second = append(r.second, newOpResult(name))
	}
	for _, w := range p.workers {
		w.ring = newRing(ringSize(len(p.workers)), r.nudge)
		r.rings = append(r.rings, w.ring)
	}
	return r
}

// ringSize is a power of two.
func ringSize(workers int) int {
	size := maxRing
	for size > minRing && size*workers > ringBudget {
		size /= 2
	}
	return size
}

// run records until stop is closed and all samples up to then are in.
func (r *recorder) run() {
	defer close(r.done)
	tick := time.NewTicker(drainEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.stop:
			r.over = true
			r.drain()
			r.interval(r.phase.now())
			return
		case <-tick.C:
		case <-r.nudge:
		}
		r.drain()
		if now := r.phase.now(); now-r.from >= intervalEvery {
			r.interval(now)
		}
	}
}

// finish stops the recorder and waits until it is done.
func (r *recorder) finish() {
	close(r.stop)
	<-r.done
}

func (r *recorder) drain() {
	for _, ring := range r.rings {
		ring.drain(r.take)
	}
}

func (r *recorder) take(s *sample) {
	r.second[s.kind].add(s)
	r.bins.add(s)
	r.sends.add(s)
	r.recorded++
	r.last = max(r.last, time.Duration(s.done))
	if s.done <= r.deadline {
		r.inTime++
	}
}

// interval hands over what was counted since the last one and adds it to the
// totals.
func (r *recorder) interval(now time.Duration) {
	counted := r.phase.totals()
	counted.count(r.second)
	if r.onInterval != nil {
		r.onInterval(Interval{
			Start:      r.phase.start.Add(r.from),
			End:        r.phase.start.Add(now),
			Elapsed:    now,
			Operations: r.second,
			Totals:     counted.since(r.before),
			InFlight:   max(0, counted.Offered-counted.Dropped-r.recorded),
			Pause:      r.giveWay,
		})
	}
	for i := range r.totals {
		r.err = errors.Join(r.err, r.totals[i].merge(&r.second[i]))
		r.giveWay()
	}
	r.from, r.before = now, counted
	r.before.Errors, r.before.Timeouts = 0, 0
}

// count adds the operations' errors.
func (t *Totals) count(ops []OpResult) {
	for i := range ops {
		t.Errors += ops[i].Errors
		t.Timeouts += ops[i].Timeouts
	}
}

func (t Totals) since(before Totals) Totals {
	return Totals{
		Offered:  t.Offered - before.Offered,
		Sent:     t.Sent - before.Sent,
		Dropped:  t.Dropped - before.Dropped,
		Errors:   t.Errors - before.Errors,
		Timeouts: t.Timeouts - before.Timeouts,
	}
}

// waits counts how often workers waited for the recorder.
func (r *recorder) waits() int64 {
	var n int64
	for _, ring := range r.rings {
		n += ring.waits.Load()
	}
	return n
}

// giveWay blocks for the shortest time that there is. To yield is not enough: with
// one processor the runtime looks whether a timer or a connection is ready only
// when nothing else can run.
func (r *recorder) giveWay() {
	if !r.over {
		<-time.After(time.Microsecond)
	}
}
