//go:build unix

package runner

import "golang.org/x/sys/unix"

// fileLimit is how many files this process may open; 0 where that is unknown. Go
// has raised it as far as it may when the program began.
func fileLimit() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return uint64(limit.Cur) //nolint:unconvert // It is signed on some systems.
}
