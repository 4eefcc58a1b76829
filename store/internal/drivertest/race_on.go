//go:build race

package drivertest

// racing says that the race detector is on, which makes everything ten times as
// slow and looks at each round anew all the same.
const racing = true
