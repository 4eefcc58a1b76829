//go:build !unix

package runner

import "time"

// ownCPU is not known on this system; the cost per operation is then left out.
func ownCPU() time.Duration { return 0 }
