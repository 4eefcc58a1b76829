package runner

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/toriibench/toriibench/compose"
	"github.com/toriibench/toriibench/results"
)

// maxCommands bounds how many commands of a server a cell keeps: those that took
// the most processor time. Our own traffic uses a handful.
const maxCommands = 32

// tally is what the server and the client library have counted so far.
type tally struct {
	// commands are nil where the server does not tell.
	commands map[string]commandCount
	// latency holds percentiles since the server's start or its last reset.
	latency map[string]map[string]float64
	// clients is how many the server has, in its own words; empty where it does
	// not tell.
	clients string
	// retries is nil where the client library does not tell.
	retries *int64
}

// commandCount is a line of INFO commandstats.
type commandCount struct{ calls, micros, rejected, failed int64 }

// beginTally makes the first reading. On a server that the run has started, the
// server's counters begin anew, so that its percentiles are of the measured time.
func (c *cellRun) beginTally(ctx context.Context) {
	if c.topology.Provider != compose.External().Name() {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		c.statsReset = c.topology.ResetStats(ctx) == nil
	}
	c.counted = c.tally(ctx)
}

// tally reads the counters. What cannot be read is missing: it is no reason to
// break a run off.
func (c *cellRun) tally(ctx context.Context) tally {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var so tally
	if n, known := c.storage.ClientRetries(); known {
		so.retries = &n
	}
	info, err := c.topology.Info(ctx, "commandstats", "latencystats", "clients")
	if err == nil {
		so.clients = info["connected_clients"]
		so.commands, so.latency = commandCounts(info), commandLatencies(info)
	}
	return so
}

// addTally adds what was counted since the first reading.
func (c *cellRun) addTally(after tally) {
	if c.counted.retries != nil && after.retries != nil {
		c.cell.Retries = new(*after.retries - *c.counted.retries)
	}
	if after.clients != "" {
		c.cell.Settings["connected clients"] = after.clients + " of the server at the end, one of them to ask"
	}
	latency := after.latency
	if !c.statsReset {
		latency = nil // It is of somebody else's traffic too.
	}
	c.cell.ServerView = serverView(c.counted.commands, after.commands, latency)
}

// serverView subtracts two readings of a server's commands. It is nil when one is
// missing, when nothing was called, and when a counter went backwards: then
// somebody has reset them, or the server is another one.
func serverView(before, after map[string]commandCount, latency map[string]map[string]float64) *results.ServerView {
	if before == nil || after == nil {
		return nil
	}
	grown := map[string]commandCount{}
	for name, now := range after {
		was := before[name]
		d := commandCount{now.calls - was.calls, now.micros - was.micros, now.rejected - was.rejected, now.failed - was.failed}
		if min(d.calls, d.micros, d.rejected, d.failed) < 0 {
			return nil
		}
		if d != (commandCount{}) {
			grown[name] = d
		}
	}
	if len(grown) == 0 {
		return nil
	}
	view := &results.ServerView{Commands: map[string]results.Command{}}
	for _, name := range dearest(grown) {
		d := grown[name]
		view.Commands[name] = results.Command{
			Calls: d.calls, CPU: float64(d.micros) / float64(max(1, d.calls)),
			Rejected: d.rejected, Failed: d.failed, Latency: latency[name],
		}
	}
	return view
}

// dearest names the maxCommands commands with the most time, the first by name
// among equals.
func dearest(commands map[string]commandCount) []string {
	names := slices.Sorted(maps.Keys(commands))
	slices.SortStableFunc(names, func(a, b string) int {
		return int(min(1, max(-1, commands[b].micros-commands[a].micros)))
	})
	return names[:min(len(names), maxCommands)]
}

// commandCounts reads INFO commandstats, whose lines are
//
//	cmdstat_config|get:calls=2,usec=125,usec_per_call=62.50,rejected_calls=0,failed_calls=0
//
// Lines that are not like that are left out. It is nil when there is none.
func commandCounts(info map[string]string) map[string]commandCount {
	var counts map[string]commandCount
	for key, line := range info {
		name, ok := strings.CutPrefix(key, "cmdstat_")
		if !ok {
			continue
		}
		fields := pairs(line)
		count, ok := commandCount{}, true
		for field, to := range map[string]*int64{
			"calls": &count.calls, "usec": &count.micros, "rejected_calls": &count.rejected, "failed_calls": &count.failed,
		} {
			n, err := strconv.ParseInt(fields[field], 10, 64)
			ok = ok && err == nil && n >= 0
			*to = n
		}
		if ok {
			if counts == nil {
				counts = map[string]commandCount{}
			}
			counts[name] = count
		}
	}
	return counts
}

// commandLatencies reads INFO latencystats, whose lines are
//
//	latency_percentiles_usec_mget:p50=6.015,p99=6.015,p99.9=6.015
//
// Which percentiles there are is the server's configuration. What is not like
// that is left out.
func commandLatencies(info map[string]string) map[string]map[string]float64 {
	all := map[string]map[string]float64{}
	for key, line := range info {
		name, ok := strings.CutPrefix(key, "latency_percentiles_usec_")
		if !ok {
			continue
		}
		found := map[string]float64{}
		for percentile, value := range pairs(line) {
			us, err := strconv.ParseFloat(value, 64)
			if err == nil && results.CheckLatency(percentile, us) == nil {
				found[percentile] = us
			}
		}
		if len(found) > 0 {
			all[name] = found
		}
	}
	return all
}

// pairs reads "a=1,b=2".
func pairs(line string) map[string]string {
	found := map[string]string{}
	for field := range strings.SplitSeq(line, ",") {
		if name, value, ok := strings.Cut(field, "="); ok {
			found[name] = value
		}
	}
	return found
}
