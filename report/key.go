package report

import (
	"slices"
	"strings"

	"github.com/toriibench/toriibench/results"
)

// key explains the columns and marks that a run's tables have.
func key(run *results.Run) string {
	if len(run.Cells) == 0 {
		return ""
	}
	has := func(is func(*results.Cell) bool) bool {
		return slices.ContainsFunc(run.Cells, func(c results.Cell) bool { return is(&c) })
	}
	open := has(func(c *results.Cell) bool { return !closed(c) })
	var words []string
	if open {
		words = append(words, "Response time counts from when an operation was due.")
	}
	if has(closed) {
		words = append(words, "In a closed loop each worker sends its next operation when its last has ended: it tells throughput and cost, and no latency. "+
			"server, client: the processor time of each, for each operation.")
	}
	words = append(words, "ops/s: sent. fail: errors / timeouts (among the errors) / drops, of all operations.")
	if open {
		words = append(words, "CPU: the server's, for each operation.")
	}
	words = append(words, "memory: the server's, for each session. B: bytes.")
	if open {
		words = append(words, "lag: late in the generator.")
	}
	if has(hasParts) {
		words = append(words, "queue: waiting for a connection and in the client library. wire: network and server. "+
			"rest: decoding, for the most part. Percentiles of parts do not add up to those of the whole.")
	} else if open {
		words = append(words, "service: from when an operation was sent.")
	}
	if has(func(c *results.Cell) bool { return c.Verdict == results.Degraded }) {
		words = append(words, "~: a time from a disturbed machine, to compare and not to quote. ×: no time but a ratio: the tail of a degraded cell, "+
			"as a multiple of that of the same client on the first target that is not invalid.")
	}
	if has(func(c *results.Cell) bool { return c.Verdict == results.Invalid }) {
		words = append(words, "In brackets: of an invalid cell, which proves nothing.")
	}
	return strings.Join(words, " ")
}
