package results

import "fmt"

// Failover is the scorecard of faults that were made on purpose.
type Failover struct {
	// Fault is what was done to primaries: "kill", "stop", "partition" or "manual".
	Fault string `json:"fault"`
	// ReplicationLag says how far the replicas were held back, in words, and
	// WaitReplicas how many a durable write waited for.
	ReplicationLag string  `json:"replication_lag"`
	WaitReplicas   int     `json:"wait_replicas"`
	Faults         []Fault `json:"faults"`
	// Created sessions, LoggedOut ones and TokensUsed were acknowledged, and looked
	// up at the end. Unexplained losses belong to none of the faults.
	Created     int   `json:"created"`
	LoggedOut   int   `json:"logged_out"`
	TokensUsed  int   `json:"tokens_used"`
	Unexplained int64 `json:"unexplained_losses"`
	// NotRun says why there were not more faults.
	NotRun string `json:"not_run,omitempty"`
}

// Fault is one fault and what came of it. Times are milliseconds after the fault;
// nil means that it was not seen before the next.
type Fault struct {
	// At is in seconds after the start of measuring.
	At     float64 `json:"at_s"`
	Shard  int     `json:"shard"`
	Server int     `json:"server"`
	// Detected is when the other servers agreed that the primary had failed,
	// Promoted when there was a new one.
	Detected *float64 `json:"detected_ms"`
	Promoted *float64 `json:"promoted_ms"`
	// WritesOut and ReadsOut are the longest time without an acknowledgement in the
	// shard; Back is when the 99th percentile of the response time was within twice
	// that before the fault again.
	WritesOut *float64 `json:"writes_out_ms"`
	ReadsOut  *float64 `json:"reads_out_ms"`
	Back      *float64 `json:"back_ms"`
	// Errors counts failed operations until all was well again, by class.
	Errors map[string]int64 `json:"errors"`
	// Lost sessions were acknowledged as created and are gone; Resurrected ones
	// were acknowledged as logged out and are valid; Twice counts one-time tokens
	// that were accepted twice.
	Lost        int64 `json:"lost"`
	Resurrected int64 `json:"resurrected"`
	Twice       int64 `json:"tokens_twice"`
	// Drift is the largest change of the end of a key, in milliseconds, of Compared
	// keys.
	Drift    float64 `json:"ttl_drift_ms"`
	Compared int     `json:"ttl_compared"`
	Trouble  string  `json:"trouble,omitempty"`
}

func checkFailover(c *Cell) error {
	if c.Failover == nil {
		return nil
	}
	f := c.Failover
	if err := counts(map[string]int64{
		"created": int64(f.Created), "logged_out": int64(f.LoggedOut), "tokens_used": int64(f.TokensUsed), "unexplained_losses": f.Unexplained,
	}); err != nil {
		return err
	}
	for i, one := range f.Faults {
		if err := checkFault(one); err != nil {
			return fmt.Errorf("fault %d: %w", i+1, err)
		}
	}
	return nil
}

func checkFault(f Fault) error {
	if !finite(f.At) || !finite(f.Drift) {
		return fmt.Errorf("it is at %v s with a drift of %v ms", f.At, f.Drift)
	}
	for name, v := range map[string]*float64{
		"detected_ms": f.Detected, "promoted_ms": f.Promoted, "writes_out_ms": f.WritesOut, "reads_out_ms": f.ReadsOut, "back_ms": f.Back,
	} {
		if err := optional(name, v); err != nil {
			return err
		}
	}
	if err := counts(f.Errors); err != nil {
		return err
	}
	return counts(map[string]int64{"lost": f.Lost, "resurrected": f.Resurrected, "tokens_twice": f.Twice})
}
