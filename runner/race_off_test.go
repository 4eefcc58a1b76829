//go:build !race

package runner

// racing says that the race detector is on.
const racing = false
