package debian

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

var (
	// ErrSignature says that an archive's signature could not be verified.
	// Nothing of it is used.
	ErrSignature = errors.New("signature of the package archive could not be verified")
	// ErrNetwork says that the archive could not be reached.
	ErrNetwork = errors.New("package archive could not be reached")
	// ErrDiskFull says that the cache folder's disk is full.
	ErrDiskFull = errors.New("no space left for the server cache")
	// ErrUnknownVersion says that no suite offers the wanted version.
	ErrUnknownVersion = errors.New("version cannot be fetched here")
)

// explain sorts a failure of apt by what it says and adds what to do.
func explain(err error, remarks string) error {
	detail := complaints(remarks)
	says := func(phrases ...string) bool {
		for _, phrase := range phrases {
			if strings.Contains(remarks, phrase) {
				return true
			}
		}
		return false
	}
	switch {
	case says("No space left on device", "don't have enough free space", "Disk quota exceeded"):
		return fmt.Errorf("%w; make room, or let XDG_CACHE_HOME name another place: %w%s", ErrDiskFull, err, detail)
	case says("does not have a Release file", "no longer has a Release file"):
		return fmt.Errorf("%w: the package archive does not have this suite: %w%s", ErrUnknownVersion, err, detail)
	case says("GPG error", "NO_PUBKEY", "BADSIG", "EXPKEYSIG", "is not signed", "not signed by", "OpenPGP signature", "Clearsigned file"):
		return fmt.Errorf("%w; nothing was taken from it: %w%s", ErrSignature, err, detail)
	case says("Temporary failure resolving", "Could not resolve", "Could not connect", "Unable to connect", "Connection failed",
		"Connection timed out", "connection timed out", "Network is unreachable", "Connection refused"):
		return fmt.Errorf("%w; check the network and apt's proxy settings, or install the server and put it on PATH: %w%s", ErrNetwork, err, detail)
	}
	return fmt.Errorf("%w%s", err, detail)
}

// complaints are the lines of apt's errors and warnings, at most ten.
func complaints(remarks string) string {
	var text strings.Builder
	count := 0
	for line := range strings.Lines(remarks) {
		prefix, _, _ := strings.Cut(line, ":") // newer releases of apt spell it out
		if slices.Contains([]string{"E", "W", "Error", "Warning"}, prefix) && count < 10 {
			text.WriteString("\n  " + strings.TrimSpace(line))
			count++
		}
	}
	return text.String()
}
