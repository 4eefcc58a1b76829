package report

import (
	"strings"
	"testing"

	"github.com/toriibench/toriibench/results"
)

func TestOperationsOfWhichThereAreTooFewTakeNoRows(t *testing.T) {
	value := 100.0
	times := results.Percentiles{P50: &value, P90: &value, P99: &value, P999: &value, Max: &value, Mean: &value}
	rare := results.Operation{Count: 7, Response: results.Percentiles{Max: &value, Mean: &value}}
	failed := rare
	failed.Errors = 1
	run := &results.Run{Complete: true, Cells: []results.Cell{{
		Scenario: "session-churn", Target: "redis:8.0@standalone", Client: "go-redis", Headline: "validate",
		Verdict: results.Valid, Seconds: 1, Sent: 100,
		Operations: map[string]results.Operation{
			"validate": {Count: 1000, Response: times}, "refresh": {Count: 1000, Response: times},
			"list": rare, "revoke-all": failed,
		},
	}}}
	var b strings.Builder
	if err := Terminal(&b, run, 100, false); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	if !strings.Contains(out, "too few to say anything of their times, in a cell at the most: list (7)") {
		t.Errorf("it does not say that there are too few:\n%s", out)
	}
	if strings.Contains(out, "\nlist ") {
		t.Errorf("a row without a number:\n%s", out)
	}
	if !strings.Contains(out, "\nrevoke-all ") {
		t.Errorf("what failed is not shown:\n%s", out)
	}
}
