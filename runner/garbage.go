package runner

import (
	"os"
	"runtime/debug"
)

// While it measures, the program collects garbage a quarter as often as Go does by
// itself: each collection takes processor time from the generator and shows as
// a latency that is not the server's. Memory has its bound: near half of the
// machine's, it collects as often as it must.
const (
	gcPercent   = 400
	memoryShare = 2 // one half
)

// easeGC sets that, unless GOGC or GOMEMLIMIT say otherwise, until restore is
// called.
func easeGC() (restore func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(gcPercent)
	limit := debug.SetMemoryLimit(-1)
	if mb := memoryMB(); mb > 0 {
		debug.SetMemoryLimit(mb << 20 / memoryShare)
	}
	return func() {
		debug.SetGCPercent(before)
		debug.SetMemoryLimit(limit)
	}
}

// gcInForce is how much the heap may grow between collections, in percent; -1 is
// for ever. It can only be read by setting it.
func gcInForce() int {
	percent := debug.SetGCPercent(gcPercent)
	debug.SetGCPercent(percent)
	return percent
}
