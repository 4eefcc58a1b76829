package store

import (
	"crypto/sha1" //nolint:gosec // The servers name scripts by SHA-1; nothing is secured by it.
	"encoding/hex"
	"strings"
	"sync"
)

// ScriptDigests computes the name of each script for EVALSHA once and keeps
// it. The zero value is empty and ready; it is safe for concurrent use. It
// keeps every Script that it was asked for, so scripts should be few and live
// as long as the program.
type ScriptDigests struct {
	known sync.Map // *Script -> *string
}

// Of returns the lower-case hexadecimal SHA-1 of the script's text. It is a
// pointer, which must not be written through, because a pointer travels in an
// interface without an allocation.
func (d *ScriptDigests) Of(s *Script) *string {
	if digest, ok := d.known.Load(s); ok {
		return digest.(*string) //nolint:forcetypeassert // Only *string is stored.
	}
	sum := sha1.Sum([]byte(s.Lua)) //nolint:gosec // See above.
	digest := hex.EncodeToString(sum[:])
	kept, _ := d.known.LoadOrStore(s, &digest)
	return kept.(*string) //nolint:forcetypeassert // Only *string is stored.
}

// MatchPrefix is the SCAN pattern for keys that begin with prefix, taken
// literally.
func MatchPrefix(prefix string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(prefix) + "*"
}
