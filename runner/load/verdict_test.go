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
