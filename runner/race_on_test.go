//go:build race

package runner

// racing says that the race detector is on, which makes everything several times
// as slow.
const racing = true
