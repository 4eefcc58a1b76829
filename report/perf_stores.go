package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/toriibench/toriibench/results"
)

// PerfStores renders a comparison of session stores as text: what each reached,
// how many times as much ours did and whether that is more, and what sessions
// take in memory.
func PerfStores(r *results.PerfStores) string {
	var out strings.Builder
	s := r.Setup
	fmt.Fprintf(&out, "%s %s (%s) on CPU %d, every store on CPU %d · %s · %s\n"+
		"%d callers · sessions of %d users, %d bytes each as JSON · %d rounds of %g s for each operation, each in another order\n\n",
		clean(r.Server.Name), clean(r.Server.Version), clean(r.Origin), s.ServerCPU, s.ClientCPU, clean(r.Environment.CPU), clean(r.Environment.Go),
		s.Callers, s.Users, s.LoginBytes, s.Rounds, s.RoundSeconds)
	perfStoreRates(&out, r)
	perfStoreGoals(&out, r)
	perfStoreBytes(&out, r)
	for _, failed := range r.Failed {
		fmt.Fprintf(&out, "failed, and left out: %s\n", clean(failed))
	}
	if !r.Complete {
		fmt.Fprintf(&out, "The comparison was broken off: %s\n", clean(r.Reason))
	}
	return out.String()
}

// perfStoreRates sets the stores side by side for each operation.
func perfStoreRates(out *strings.Builder, r *results.PerfStores) {
	rows := [][]string{{"operation", "store", "conn", "ops/s", "ops per client CPU s", "client µs/op", "server µs/op"}}
	for _, operation := range operationsOf(r) {
		for _, s := range r.Stores {
			for _, o := range s.Operations {
				if o.Name != operation {
					continue
				}
				type sample = results.PerfSample
				rows = append(rows, []string{
					clean(operation), clean(s.Name), strconv.Itoa(s.Connections),
					sampleSpread(o.Samples, func(s sample) float64 { return s.PerSecond }),
					sampleSpread(o.Samples, func(s sample) float64 { return s.PerClientSecond }),
					sampleSpread(o.Samples, func(s sample) float64 { return s.ClientCPU }),
					sampleSpread(o.Samples, func(s sample) float64 { return s.ServerCPU }),
				})
			}
		}
	}
	perfTable(out, "Closed loop: throughput and cost, and no latency. Median of the rounds [least … most]", rows)
}

// operationsOf lists the operations that any store has, in their order.
func operationsOf(r *results.PerfStores) []string {
	var names []string
	seen := map[string]bool{}
	for _, s := range r.Stores {
		for _, o := range s.Operations {
			if !seen[o.Name] {
				seen[o.Name] = true
				names = append(names, o.Name)
			}
		}
	}
	return names
}

func perfStoreGoals(out *strings.Builder, r *results.PerfStores) {
	if len(r.Goals) == 0 {
		return
	}
	rows := [][]string{{"operation", "this store", "than", "measure", "times as many", "goal"}}
	met := 0
	for _, g := range r.Goals {
		rows = append(rows, []string{
			clean(g.Operation), clean(g.Of), clean(g.To), clean(g.Measure), spreadText(g.Spread), storeVerdict(g),
		})
		if g.Met {
			met++
		}
	}
	perfTable(out, fmt.Sprintf("Goal: faster than each at what they do. %d of %d met, by the median of ratios paired by round", met, len(r.Goals)), rows)
}

// storeVerdict says by how much a goal was met or missed. Where some rounds say
// the contrary, it says that too.
func storeVerdict(g results.PerfStoreGoal) string {
	by := strconv.FormatFloat(100*math.Abs(g.Median-1), 'f', 1, 64) + " %"
	word := "met, by " + by
	if !g.Met {
		word = "MISSED by " + by
	}
	if g.Met && g.Low <= 1 || !g.Met && g.High > 1 {
		word += "; some rounds say otherwise"
	}
	return word
}

func perfStoreBytes(out *strings.Builder, r *results.PerfStores) {
	rows := [][]string{{"store", "bytes per session", "and per user", "times as many in ours"}}
	for _, b := range r.Memory {
		type set = results.PerfStoreByteSet
		row := []string{clean(b.Name), sampleSpread(b.Samples, func(s set) float64 { return s.PerSession }), dash, dash}
		if b.Ours {
			row[2] = sampleSpread(b.Samples, func(s set) float64 { return s.PerUser })
		}
		if b.Ratio != nil {
			row[3] = spreadText(*b.Ratio)
		}
		rows = append(rows, row)
	}
	perfTable(out, "Memory: used_memory for each session, with its indexes, each of a user of its own. Median over numbers of sessions [least … most]", rows)
}
