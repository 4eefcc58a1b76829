//go:build unix

package compose

import (
	"io/fs"
	"os"
	"syscall"
)

// ownedByUs says whether a file belongs to this user.
func ownedByUs(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Getuid()
}
