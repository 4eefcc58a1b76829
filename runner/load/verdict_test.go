package load

import (
	"strings"
	"testing"
	"time"
)

// perfect is a result that breaks no rule.
func perfect() *Result {
	op := newOpResult("operation")
	for range 10_000 {
		op.add(&sample{sent: int64(20 * time.Microsecond), done: int64(time.Millisecond)})
	}
	return &Result{Totals: Totals{Offered: 10_000, Sent: 10_000}, Operations: []OpResult{op}, InTime: 10_000}
}

// fill gives r ten seconds of bins.
func (r *Result) fill(bin func(i int) Bin) {
	r.BinWidth = 100 * time.Millisecond
	for i := range 100 {
		r.Bins = append(r.Bins, bin(i))
	}
}

func inFlight(of func(i int) int64) func(i int) Bin {
	return func(i int) Bin { return Bin{Count: 100, InFlight: of(i), P95: 1} }
}

func latency(of func(i int) float64) func(i int) Bin {
	return func(i int) Bin { return Bin{Count: 100, P95: time.Duration(of(i) * 1e3)} }
}

func TestJudge(t *testing.T) {
	tests := []struct {
		name   string
		spoil  func(*Result)
		limits Limits
		want   Verdict
		says   []string
	}{
		{"nothing wrong", func(*Result) {}, Limits{}, Valid, nil},
		{"nothing measured", func(r *Result) { *r = Result{} }, Limits{}, Invalid, []string{"no operation was due"}},
		{"at the bounds", func(r *Result) { r.InTime, r.Errors, r.Drained = 9900, 10, time.Second }, Limits{}, Valid, nil},
		{"too slow", func(r *Result) { r.InTime = 9899 }, Limits{}, Invalid, []string{"0.9899 of the 10000", "0.99 to 1.01"}},
		{"too fast", func(r *Result) { r.InTime = 10_101 }, Limits{}, Invalid, []string{"1.0101 of the 10000"}},
		{"one drop", func(r *Result) { r.Dropped = 1 }, Limits{}, Invalid, []string{"1 operations were dropped", "none may be"}},
		{"errors", func(r *Result) { r.Errors = 11 }, Limits{}, Invalid, []string{"11 operations failed, 0.1100 %", "at most 0.1 %"}},
		{"errors in a large budget", func(r *Result) { r.Errors = 100 }, Limits{ErrorBudget: 0.01}, Valid, nil},
		{"one error where none may be", func(r *Result) { r.Errors = 1 }, Limits{ErrorBudget: -1}, Invalid, []string{"at most 0 %"}},
		{"none where none may be", func(*Result) {}, Limits{ErrorBudget: -1}, Valid, nil},
		{"abandoned", func(r *Result) { r.Abandoned = 2 }, Limits{}, Invalid, []string{"2 operations never came back"}},
		{"a warm-up that goes on", func(r *Result) { r.Unsettled = true }, Limits{}, Invalid, []string{"warm-up were still under way"}},
		{"a long drain", func(r *Result) { r.Drained = time.Second + 1 }, Limits{}, Invalid, []string{"1.000000001s", "at most 1s"}},
		{"late", func(*Result) {}, Limits{Lag: 10 * time.Microsecond}, Degraded, []string{"lag p99 was 20", "at most 10µs"}},
		{
			"kept waiting", func(r *Result) { r.Queued, r.Workers = 101, 64 },
			Limits{Lag: 10 * time.Microsecond},
			Degraded,
			[]string{"101 of 10000 became due while all 64 workers were waiting", "lag p99 was 20"},
		},
		{"recorder too slow", func(r *Result) { r.RecorderWaits = 3 }, Limits{}, Degraded, []string{"waited 3 times"}},
		{"bunched", func(r *Result) { r.Bunching, r.Bunched = 7.8, true }, Limits{}, Degraded, []string{"Anderson-Darling", "7.8", "at most 7.7"}},
		{"hardly bunched", func(r *Result) { r.Bunching, r.Bunched = 7.7, true }, Limits{}, Valid, nil},
		{"more and more in flight", func(r *Result) { r.fill(inFlight(func(i int) int64 { return int64(10 * i) })) }, Limits{}, Invalid, []string{"grew by 100 a second"}},
		{"much in flight", func(r *Result) { r.fill(inFlight(func(i int) int64 { return 500 + int64(i%7) })) }, Limits{}, Valid, nil},
		{"a drift", func(r *Result) {
			r.fill(latency(func(i int) float64 { return 100 + 2*float64(max(0, i-40)) + 20*float64(i*7919%13) }))
		}, Limits{}, Degraded, []string{"latency drifted", "Mann-Kendall p = 0.00"}},
		{"a drift where things happen", func(r *Result) { r.fill(latency(func(i int) float64 { return 100 + float64(i) })) }, Limits{Eventful: true}, Valid, nil},
		{"a long start", func(r *Result) { r.fill(latency(func(i int) float64 { return 100 + 900*float64(max(0, 70-i)) })) }, Limits{}, Degraded, []string{"MSER-5 of the p95 of each 100ms"}},
		{"noise", func(r *Result) { r.fill(latency(func(i int) float64 { return 100 + float64(i*7919%13) })) }, Limits{}, Valid, nil},
		{
			"a closed loop", func(r *Result) {
				r.Closed, r.Bunched, r.Bunching = true, true, 99
				r.fill(latency(func(i int) float64 { return 100 + float64(i) }))
				r.fill(inFlight(func(i int) int64 { return int64(10 * i) }))
			},
			Limits{Lag: 10 * time.Microsecond},
			Valid,
			nil,
		},
		{
			"late and dropped", func(r *Result) { r.Dropped = 7 },
			Limits{Lag: time.Microsecond},
			Invalid,
			[]string{"7 operations were dropped", "lag p99"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := perfect()
			tt.spoil(r)
			got, reasons := Judge(r, tt.limits)
			if got != tt.want || (got == Valid) != (len(reasons) == 0) {
				t.Errorf("judged %v for %q, want %v", got, reasons, tt.want)
			}
			for _, s := range tt.says {
				if !strings.Contains(strings.Join(reasons, "\n"), s) {
					t.Errorf("reasons %q do not say %q", reasons, s)
				}
			}
		})
	}
}

func TestLagQuantileMergesTheOperations(t *testing.T) {
	// The mean of both p50 would be 500 µs, where hardly any operation was.
	quick, slow := newOpResult("quick"), newOpResult("slow")
	for range 99 {
		quick.add(&sample{sent: int64(10 * time.Microsecond)})
	}
	slow.add(&sample{sent: int64(time.Millisecond)})
	r := &Result{Operations: []OpResult{quick, slow}}
	if got := r.LagQuantile(0.5); got < 9*time.Microsecond || got > 11*time.Microsecond {
		t.Errorf("p50 = %v, want 10µs", got)
	}
	if got := r.LagQuantile(1); got < 999*time.Microsecond || got > 1001*time.Microsecond {
		t.Errorf("maximum = %v, want 1ms", got)
	}
}
