package runner

import (
	"strconv"
	"time"

	"github.com/toriibench/toriibench/results"
	"github.com/toriibench/toriibench/runner/load"
)

// newCell turns what the engine measured into the file's form.
func (m *measurement) newCell(r *load.Result) results.Cell {
	verdict, reasons := load.Judge(r, load.Limits{})
	return results.Cell{
		Scenario: m.scenario.Name,
		Target:   m.target.String(),
		Server:   results.Server{Name: m.topology.Engine, Version: m.topology.Version},
		Client:   m.client.name,
		Provider: m.topology.Provider,
		Headline: m.scenario.Headline,
		Verdict:  results.Verdict(verdict),
		Reasons:  reasons,
		Schedule: m.workload.Measure.String(),
		Settings: m.settings(),

		Offered:      r.Offered,
		Sent:         r.Sent,
		Dropped:      r.Dropped,
		Errors:       r.Errors,
		Timeouts:     r.Timeouts,
		Seconds:      r.Elapsed.Seconds(),
		Operations:   operations(r),
		Series:       series(r),
		ErrorSamples: r.ErrorSamples,
	}
}

func operations(r *load.Result) map[string]results.Operation {
	ops := map[string]results.Operation{}
	for _, op := range r.Operations {
		if op.Count == 0 {
			continue
		}
		ops[op.Name] = results.Operation{
			Count: op.Count, Errors: op.Errors, Timeouts: op.Timeouts, Clamped: op.Clamped,
			Response: results.Summarize(op.Response),
			Service:  results.Summarize(op.Service),
			Lag:      results.Summarize(op.Lag),
		}
	}
	return ops
}

func series(r *load.Result) results.Series {
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

// addCost adds the processor time for one operation, where both sides told it.
func (m *measurement) addCost(r *load.Result, spent cost) {
	if r.Sent == 0 {
		return
	}
	perOp := func(d time.Duration) *float64 {
		if d <= 0 {
			return nil
		}
		us := float64(d) / float64(time.Microsecond) / float64(r.Sent)
		return &us
	}
	m.cell.ClientCPUPerOp = perOp(spent.client)
	m.cell.ServerCPUPerOp = perOp(spent.server)
}

// addMemory adds what a session takes on the server, its index and its share of
// a user included. What the connections take meanwhile is not the sessions'.
func (m *measurement) addMemory(before, loaded map[string]string) {
	if m.workload.Sessions == 0 {
		return
	}
	from, ok1 := dataBytes(before)
	to, ok2 := dataBytes(loaded)
	if !ok1 || !ok2 || to <= from {
		return
	}
	bytes := float64(to-from) / float64(m.workload.Sessions)
	m.cell.BytesPerSession = &bytes
}

// dataBytes is used_memory without the buffers of the clients.
func dataBytes(info map[string]string) (int64, bool) {
	used, err1 := strconv.ParseInt(info["used_memory"], 10, 64)
	clients, err2 := strconv.ParseInt(info["mem_clients_normal"], 10, 64)
	return used - clients, err1 == nil && err2 == nil
}

// addFindings adds what the scenario itself found out.
func (m *measurement) addFindings() {
	m.cell.Invariants = map[string]results.Invariant{}
	for _, inv := range m.workload.Invariants.All() {
		checked, violated, example := inv.Count()
		m.cell.Invariants[inv.Name] = results.Invariant{Checked: checked, Violated: violated, Example: example}
		if checked == 0 {
			m.cell.Verdict = results.Invalid
			m.cell.Reasons = append(m.cell.Reasons, "the invariant "+inv.Name+" was never checked: measure longer, or at a higher rate.")
		}
	}
	if m.workload.Measurements != nil {
		m.cell.Measurements = map[string]results.Measurement{}
		for name, v := range m.workload.Measurements() {
			m.cell.Measurements[name] = results.Measurement{Value: v.Value, Unit: v.Unit, About: v.About}
		}
	}
	if m.workload.Marks != nil {
		for _, mark := range m.workload.Marks() {
			m.cell.Marks = append(m.cell.Marks, results.Mark{At: mark.At.Seconds(), Label: mark.Label})
		}
	}
}
