//go:build !unix

package machine

import "time"

// OwnCPU returns the processor time that this process has used, user and
// system, and whether this system tells. It is safe for concurrent use.
func OwnCPU() (time.Duration, bool) { return 0, false }
