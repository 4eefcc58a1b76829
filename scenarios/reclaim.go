package scenarios

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// reclaim follows how the server gives back what has expired. Expiry has two
// clocks: from its end on a session must be refused (that is checked as an
// invariant), and some time later the server deletes it (that is measured here).
type reclaim struct {
	samples []reclaimSample
	base    int64
	failed  error
}

type reclaimSample struct {
	at      time.Time
	expired int64 // the server's expired_keys since measuring began
}

// sampleEvery is how often INFO is read; it looks at no key and so deletes none.
const sampleEvery = 100 * time.Millisecond

// watch samples the server's count of expired keys until ctx ends.
func (e *expiry) watch(ctx context.Context) {
	if e.env.Info == nil {
		return
	}
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for {
		if !e.sample(ctx) {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (e *expiry) sample(ctx context.Context) bool {
	info, err := e.env.Info(ctx, "stats")
	if err != nil {
		if ctx.Err() == nil {
			e.reclaim.failed = err
		}
		return false
	}
	expired, err := strconv.ParseInt(info["expired_keys"], 10, 64)
	if err != nil {
		e.reclaim.failed = fmt.Errorf("INFO has expired_keys %q", info["expired_keys"])
		return false
	}
	if len(e.reclaim.samples) == 0 {
		e.reclaim.base = expired
	}
	e.reclaim.samples = append(e.reclaim.samples, reclaimSample{time.Now(), expired - e.reclaim.base})
	return true
}

// measurements compares what the server has deleted with what had ended by then.
func (e *expiry) measurements(time.Time) map[string]Measurement {
	m := map[string]Measurement{
		"clock-doubt": {e.clockDoubt.Seconds() * 1000, "ms", "no reply is judged that is nearer to a session's end than this and one millisecond"},
	}
	if len(e.reclaim.samples) == 0 {
		return m
	}
	storm := e.timeline.at(stormAt)
	ends := e.ends()
	for _, percent := range []int{50, 90, 99} {
		if lag, ok := e.reclaimLag(ends, storm, percent); ok {
			m[fmt.Sprintf("reclaim-%d%%", percent)] = Measurement{
				lag.Seconds() * 1000, "ms",
				fmt.Sprintf("after the storm's deadline until the server had deleted as many keys as %d %% of those that had ended by then; more end later", percent),
			}
		}
	}
	last := e.reclaim.samples[len(e.reclaim.samples)-1]
	dead := endedBy(ends, last.at.Sub(e.timeline.start))
	m["dead-at-end"] = Measurement{float64(max(int64(dead)-last.expired, 0)), "keys", "keys past their end that the server still held when the measured time was over"}
	m["ended"] = Measurement{float64(dead), "keys", "keys (one for each session that dies) that ended in the measured time"}
	return m
}

// ends lists when the keys of the dying sessions end, in order: each is its
// user's only one, and the key goes with it.
func (e *expiry) ends() []time.Duration {
	ends := make([]time.Duration, len(e.dying))
	for i := range e.dying {
		ends[i] = e.dying[i].end
	}
	slices.Sort(ends)
	return ends
}

func endedBy(ends []time.Duration, t time.Duration) int {
	n, _ := slices.BinarySearch(ends, t)
	return n
}

// reclaimLag finds the first sample after the storm at which percent of all that
// had ended by the storm's deadline was deleted.
func (e *expiry) reclaimLag(ends []time.Duration, storm time.Time, percent int) (time.Duration, bool) {
	ended := endedBy(ends, storm.Sub(e.timeline.start)+time.Millisecond)
	for _, s := range e.reclaim.samples {
		if s.at.After(storm) && s.expired*100 >= int64(percent)*int64(ended) {
			return s.at.Sub(storm), true
		}
	}
	return 0, false
}

// checkSampling returns what ended the sampling early.
func (e *expiry) checkSampling(context.Context) error {
	if e.reclaim.failed != nil {
		return fmt.Errorf("sample the server's count of expired keys: %w", e.reclaim.failed)
	}
	return nil
}
