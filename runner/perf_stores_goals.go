package runner

import "github.com/toriibench/toriibench/results"

// concludeStores computes how many times as much our store reached as each other
// one, and whether that is more.
func concludeStores(r *results.PerfStores) {
	r.Goals = nil
	for _, operation := range storeOperations() {
		for i := range r.Stores {
			for j := range r.Stores {
				if of, to := &r.Stores[i], &r.Stores[j]; of.Ours && !to.Ours {
					r.Goals = appendStoreGoals(r.Goals, of, to, operation)
				}
			}
		}
	}
	for i := range r.Memory {
		r.Memory[i].Ratio = ratioOfOurs(r.Memory, &r.Memory[i])
	}
}

// appendStoreGoals compares two stores in an operation, round by round: what the
// machine did to both of a round falls out.
func appendStoreGoals(all []results.PerfStoreGoal, of, to *results.PerfStore, operation string) []results.PerfStoreGoal {
	for _, measure := range []string{measureRate, measureCPU} {
		ratios := paired(samplesOf(of, operation), samplesOf(to, operation), measure)
		if len(ratios) == 0 {
			continue
		}
		s := spreadOf(ratios)
		all = append(all, results.PerfStoreGoal{
			Of: of.Name, To: to.Name, Operation: operation, Measure: measure, Spread: s, Met: s.Median > 1,
		})
	}
	return all
}

func samplesOf(s *results.PerfStore, operation string) []results.PerfSample {
	for _, o := range s.Operations {
		if o.Name == operation {
			return o.Samples
		}
	}
	return nil
}

// ratioOfOurs is how many times as many bytes ours takes for as many sessions.
func ratioOfOurs(all []results.PerfStoreBytes, than *results.PerfStoreBytes) *results.Spread {
	var ratios []float64
	for _, b := range all {
		for _, ours := range b.Samples {
			for _, its := range than.Samples {
				if b.Ours && !than.Ours && ours.Sessions == its.Sessions && its.PerSession > 0 {
					ratios = append(ratios, ours.PerSession/its.PerSession)
				}
			}
		}
	}
	if len(ratios) == 0 {
		return nil
	}
	s := spreadOf(ratios)
	return &s
}
