package runner

import "fmt"

// otherFiles is how many files the program may have open beside its connections:
// the loader's, logs, pictures, timers and servers under watch.
const otherFiles = 256

// checkConnections refuses a number of connections that makes no sense, or for
// which this process may not open enough files. A limit of 0 is unknown.
func checkConnections(n int, limit uint64) error {
	if n < 0 || n > maxConnections {
		return fmt.Errorf("--connections %d: give between 1 and %d", n, maxConnections)
	}
	if need := uint64(n) + otherFiles; n > 0 && limit > 0 && need > limit {
		return fmt.Errorf("--connections %d: this process may open %d files and needs %d; raise the limit (ulimit -n %d), or give fewer connections",
			n, limit, need, need)
	}
	return nil
}
