package runner

import (
	"slices"

	"github.com/toriibench/toriibench/results"
)

// The measures of a closed loop that are compared. There is one client core, so
// that the first is a rate per client core.
const (
	measureRate = "ops/s"
	measureCPU  = "ops per client CPU second"
)

// measureOf is one measure of a sample.
func measureOf(measure string, s results.PerfSample) float64 {
	if measure == measureCPU {
		return s.PerClientSecond
	}
	return s.PerSecond
}

// conclude computes the ratios and goals of what was measured.
func conclude(r *results.Perf) {
	r.Ratios, r.Goals = nil, nil
	for _, measure := range []string{measureRate, measureCPU} {
		best := bestPeer(r.Generators, measure)
		if best == nil {
			continue
		}
		for i := range r.Generators {
			if g := &r.Generators[i]; g.Ours {
				r.Ratios = appendRatio(r.Ratios, g, best, measure)
			}
		}
	}
	r.Goals = slices.Concat(throughputGoals(r), openGoals(r.Open), noopGoals(r.Noop))
}

// bestPeer is the other generator with the highest median; nil without any.
func bestPeer(all []results.PerfGenerator, measure string) *results.PerfGenerator {
	var best *results.PerfGenerator
	var most float64
	for i := range all {
		g := &all[i]
		if g.Ours || len(g.Samples) == 0 {
			continue
		}
		if m := spreadOf(measures(g, measure)).Median; best == nil || m > most {
			best, most = g, m
		}
	}
	return best
}

// measures are a measure of all samples.
func measures(g *results.PerfGenerator, measure string) []float64 {
	var all []float64
	for _, s := range g.Samples {
		all = append(all, measureOf(measure, s))
	}
	return all
}

// appendRatio compares two generators round by round: what the machine did to
// both of a round falls out.
func appendRatio(all []results.PerfRatio, of, to *results.PerfGenerator, measure string) []results.PerfRatio {
	ratios := paired(of.Samples, to.Samples, measure)
	if len(ratios) == 0 {
		return all
	}
	return append(all, results.PerfRatio{Of: of.Name, To: to.Name, Measure: measure, Spread: spreadOf(ratios)})
}

// paired are the ratios of a measure, one for each round that both have.
func paired(of, to []results.PerfSample, measure string) []float64 {
	var ratios []float64
	for _, a := range of {
		for _, b := range to {
			if under := measureOf(measure, b); a.Round == b.Round && under > 0 {
				ratios = append(ratios, measureOf(measure, a)/under)
			}
		}
	}
	return ratios
}

// spreadOf is the median of values, with the least and the most.
func spreadOf(values []float64) results.Spread {
	if len(values) == 0 {
		return results.Spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return results.Spread{Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Low: sorted[0], High: sorted[n-1], Rounds: n}
}

// throughputGoals are about the store and the library with their own
// connections, the first that there are of each operation.
func throughputGoals(r *results.Perf) []results.PerfGoal {
	bound := map[string]float64{operationGet: 1.3, operationAuthenticate: 0.9}
	name := map[string]string{
		operationGet:          "bare GET through valkey-go, by the best other generator's, per client core",
		operationAuthenticate: "authenticate through valkey-go, by the best other generator's bare GET, per client core",
	}
	var goals []results.PerfGoal
	for _, operation := range []string{operationGet, operationAuthenticate} {
		g := results.PerfGoal{Name: name[operation], Bound: bound[operation], AtLeast: true, Unit: "×"}
		i := slices.IndexFunc(r.Generators, func(g results.PerfGenerator) bool { return g.Ours && g.Operation == operation })
		for _, ratio := range r.Ratios {
			if i >= 0 && ratio.Of == r.Generators[i].Name && ratio.Measure == measureRate {
				g.Got, g.Met = &ratio.Spread, ratio.Median >= g.Bound
			}
		}
		goals = append(goals, g)
	}
	return goals
}

// openGoals are about punctuality and what it costs at the first rate, and
// completeness at the second.
func openGoals(open []results.PerfOpen) []results.PerfGoal {
	values := func(rate float64, of func(results.PerfOpenSample) float64) []float64 {
		var all []float64
		for _, o := range open {
			for _, s := range o.Samples {
				if o.Rate == rate {
					all = append(all, of(s))
				}
			}
		}
		return all
	}
	type sample = results.PerfOpenSample
	drops := goal("40 k/s: dropped operations", 0, false, "", values(briskRate, func(s sample) float64 { return float64(s.Dropped) }))
	if drops.Got != nil {
		drops.Met = drops.Got.High <= drops.Bound // of all rounds, and not of most
	}
	return []results.PerfGoal{
		goal("10 k/s: lag p50", 30, false, "µs", values(steadyRate, func(s sample) float64 { return s.LagP50 })),
		goal("10 k/s: lag p99", 100, false, "µs", values(steadyRate, func(s sample) float64 { return s.LagP99 })),
		goal("10 k/s: processor time of the client", 35, false, "% of a core", values(steadyRate, func(s sample) float64 { return 100 * s.ClientShare })),
		goal("40 k/s: operations that ended in time", 99, true, "% of those offered", values(briskRate, func(s sample) float64 { return 100 * s.Achieved })),
		drops,
	}
}

// few is how many allocations an operation may have that has none: those of a
// run, which has a million operations.
const few = 0.001

// noopGoals are about what an operation costs that does nothing.
func noopGoals(all []results.PerfNoop) []results.PerfGoal {
	var rates, allocations []float64
	for _, n := range all {
		rates, allocations = append(rates, n.PerClientSecond/1e6), append(allocations, n.Allocations)
	}
	return []results.PerfGoal{
		goal("operations that do nothing, per core", 2, true, "million/s", rates),
		goal("allocations of one that does nothing", few, false, "", allocations),
	}
}

// goal makes a goal of what was measured, which may be nothing.
func goal(name string, bound float64, atLeast bool, unit string, values []float64) results.PerfGoal {
	g := results.PerfGoal{Name: name, Bound: bound, AtLeast: atLeast, Unit: unit}
	if len(values) > 0 {
		got := spreadOf(values)
		g.Got = &got
		g.Met = atLeast && got.Median >= bound || !atLeast && got.Median <= bound
	}
	return g
}
