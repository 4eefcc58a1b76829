//go:build !race

package drivertest

// racing says that the race detector is on.
const racing = false
