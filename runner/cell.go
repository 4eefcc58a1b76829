package runner

import (
	"fmt"
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/toriibench/toriibench/results"
	"github.com/toriibench/toriibench/runner/load"
)

// newCell turns what the engine measured into the file's form.
func (c *cellRun) newCell(r *load.Result) results.Cell {
	verdict, reasons := load.Judge(r, load.Limits{Eventful: c.workload.Marks != nil, Faulty: c.workload.Faulty})
	return results.Cell{
		Scenario: c.scenario.Name,
		Target:   c.target.Name(),
		Server:   results.Server{Name: c.topology.Engine, Version: c.topology.Version},
		Client:   c.client.name,
		Provider: c.topology.Provider,
		Headline: c.scenario.Headline,
		Verdict:  results.Verdict(verdict),
		Reasons:  reasons,
		Loop:     loop(r),
		Schedule: c.schedule(r),
		Settings: c.settings(r.Workers),

		Offered:      r.Offered,
		Sent:         r.Sent,
		Dropped:      r.Dropped,
		Abandoned:    r.Abandoned,
		InTime:       r.InTime,
		Drained:      r.Drained.Seconds(),
		Errors:       r.Errors,
		Timeouts:     r.Timeouts,
		Seconds:      r.Elapsed.Seconds(),
		Operations:   operations(r),
		Series:       series(r),
		ErrorSamples: r.ErrorSamples,
	}
}

// schedule is how operations came about.
func (c *cellRun) schedule(r *load.Result) string {
	if r.Closed {
		return fmt.Sprintf("closed:%d/%s", c.bench.options.closed, c.bench.options.lengthOf(c.scenario))
	}
	return c.workload.Measure.String()
}

// The words of results.Cell.Loop.
const (
	loopOpen   = "open"
	loopClosed = "closed"
)

func loop(r *load.Result) string {
	if r.Closed {
		return loopClosed
	}
	return loopOpen
}

// operations are without response time and lag in a closed loop: there an
// operation is due when it is sent, so that neither means anything.
func operations(r *load.Result) map[string]results.Operation {
	ops := map[string]results.Operation{}
	for _, op := range r.Operations {
		if op.Count == 0 {
			continue
		}
		found := results.Operation{
			Count: op.Count, Errors: op.Errors, Timeouts: op.Timeouts, Clamped: op.Clamped,
			Service: summarize(op.Service, op.MaxService), Parts: parts(op.Parts),
		}
		if !r.Closed {
			found.Response, found.Lag = summarize(op.Response, op.MaxResponse), summarize(op.Lag, op.MaxLag)
		}
		ops[op.Name] = found
	}
	return ops
}

// summarize takes the maximum as it was: a histogram knows its bucket's edge.
func summarize(h *hdrhistogram.Histogram, exact time.Duration) results.Percentiles {
	p := results.Summarize(h)
	if p.Max != nil {
		p.Max = new(float64(exact) / float64(time.Microsecond))
	}
	return p
}

// series is empty in a closed loop: it is of response times.
func series(r *load.Result) results.Series {
	if r.Closed {
		return results.Series{}
	}
	s := results.Series{BinMS: float64(r.BinWidth) / float64(time.Millisecond)}
	for _, bin := range r.Bins {
		s.Count = append(s.Count, bin.Count)
		s.P50 = append(s.P50, microseconds(bin, bin.P50))
		s.P99 = append(s.P99, microseconds(bin, bin.P99))
		s.Max = append(s.Max, microseconds(bin, bin.Max))
	}
	return s
}

// microseconds is nil for a bin in which nothing was due.
func microseconds(bin load.Bin, d time.Duration) *float64 {
	if bin.Count == 0 {
		return nil
	}
	us := float64(d) / float64(time.Microsecond)
	return &us
}

// addMemory adds what a session takes on the server, its index and its share of
// a user included. What the connections take meanwhile is not the sessions'.
func (c *cellRun) addMemory(before, loaded map[string]string) {
	if c.workload.Sessions == 0 {
		return
	}
	from, ok1 := dataBytes(before)
	to, ok2 := dataBytes(loaded)
	if !ok1 || !ok2 || to <= from {
		return
	}
	bytes := float64(to-from) / float64(c.workload.Sessions)
	c.cell.BytesPerSession = &bytes
}

// dataBytes is used_memory without the buffers of the clients.
func dataBytes(info map[string]string) (int64, bool) {
	used, err1 := strconv.ParseInt(info["used_memory"], 10, 64)
	clients, err2 := strconv.ParseInt(info["mem_clients_normal"], 10, 64)
	return used - clients, err1 == nil && err2 == nil
}

// addFindings adds what the scenario itself found out.
func (c *cellRun) addFindings(started time.Time) {
	c.cell.Invariants = map[string]results.Invariant{}
	for _, inv := range c.workload.Invariants.All() {
		checked, violated, example := inv.Count()
		c.cell.Invariants[inv.Name] = results.Invariant{Checked: checked, Violated: violated, Example: example}
		if checked == 0 {
			c.disprove("the invariant " + inv.Name + " was never checked: measure longer, or at a higher rate.")
		}
		if violated > 0 {
			c.disprove(fmt.Sprintf("the invariant %s was violated in %d of %d checks.", inv.Name, violated, checked))
		}
	}
	if c.workload.Measurements != nil {
		c.cell.Measurements = map[string]results.Measurement{}
		for name, v := range c.workload.Measurements(started) {
			c.cell.Measurements[name] = results.Measurement{Value: v.Value, Unit: v.Unit, About: v.About}
		}
	}
	c.addScorecard(started)
	if c.workload.Marks != nil {
		for _, mark := range c.workload.Marks(started) {
			c.cell.Marks = append(c.cell.Marks, results.Mark{At: mark.At.Seconds(), Label: mark.Label})
		}
	}
}

// disprove makes the cell invalid.
func (c *cellRun) disprove(reason string) {
	c.cell.Verdict = results.Invalid
	c.cell.Reasons = append(c.cell.Reasons, reason)
}
