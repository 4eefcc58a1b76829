package store

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"strings"
)

// userIDPrefix begins every id that NewUserID makes.
const userIDPrefix = "usr_"

// userIDBytes is the randomness of a generated id.
const userIDBytes = MinIDBytes

// Bounds of the randomness of an id, in bytes. With 12 of them a million ids a
// second for a year have a chance of 1 in 160 that any two of them are the same.
const (
	MinIDBytes = 12
	MaxIDBytes = 64
)

// base58 is Bitcoin's alphabet: no 0, O, I and l.
const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// NewUserID makes an id: "usr_" and 96 random bits in base58.
func NewUserID() string { return newID(userIDPrefix, userIDBytes) }

// NewID makes an id for a kind of things of the caller: the prefix, such as
// "org_", and size random bytes in base58. It returns ErrInvalid when the prefix
// is not 1 to 32 letters, digits, "-" and "_" of ASCII, none of which a URL
// escapes, or when size is not between MinIDBytes and MaxIDBytes.
func NewID(prefix string, size int) (string, error) {
	const op = "make id"
	if size < MinIDBytes || size > MaxIDBytes {
		return "", fmt.Errorf("%s: %w", op, invalid("%d random bytes, want %d to %d", size, MinIDBytes, MaxIDBytes))
	}
	if len(prefix) == 0 || len(prefix) > 32 {
		return "", fmt.Errorf("%s: %w", op, invalid("prefix has %d bytes, want 1 to 32", len(prefix)))
	}
	for _, r := range prefix {
		if r != '-' && r != '_' && !isAlphanumeric(r) {
			return "", fmt.Errorf("%s: %w", op, invalid("prefix has the character %q", r))
		}
	}
	return newID(prefix, size), nil
}

func newID(prefix string, size int) string {
	raw := make([]byte, size)
	rand.Read(raw) // It never fails; it ends the program instead.
	return prefix + encodeBase58(raw)
}

// DecodeID returns the bytes of an id that NewID has made with the prefix. It
// reports false for another prefix, whose case counts, for what is not base58,
// and for fewer than MinIDBytes.
func DecodeID(prefix, id string) ([]byte, bool) {
	tail, found := strings.CutPrefix(id, prefix)
	if !found {
		return nil, false
	}
	raw, valid := decodeBase58(tail)
	if !valid || len(raw) < MinIDBytes {
		return nil, false
	}
	return raw, true
}

// ValidUserID reports whether id has the form that NewUserID gives: the exact
// prefix and base58 of at least 12 bytes. Repositories accept any id; this is
// for those who want to know a generated one.
func ValidUserID(id string) bool {
	_, valid := DecodeID(userIDPrefix, id)
	return valid
}

// encodeBase58 writes every leading zero byte as a "1", so that the length
// survives.
func encodeBase58(raw []byte) string {
	var digits []byte
	n, radix, digit := new(big.Int).SetBytes(raw), big.NewInt(58), new(big.Int)
	for n.Sign() > 0 {
		n.DivMod(n, radix, digit)
		digits = append(digits, base58[digit.Int64()])
	}
	for i := 0; i < len(raw) && raw[i] == 0; i++ {
		digits = append(digits, base58[0])
	}
	for i, j := 0, len(digits)-1; i < j; i, j = i+1, j-1 {
		digits[i], digits[j] = digits[j], digits[i]
	}
	return string(digits)
}

// decodeBase58 is the inverse of encodeBase58.
func decodeBase58(text string) ([]byte, bool) {
	if len(text) > maxText {
		return nil, false
	}
	rest := strings.TrimLeft(text, base58[:1])
	n, radix := new(big.Int), big.NewInt(58)
	for _, r := range rest {
		digit := strings.IndexRune(base58, r)
		if digit < 0 {
			return nil, false
		}
		n.Add(n.Mul(n, radix), big.NewInt(int64(digit)))
	}
	return append(make([]byte, len(text)-len(rest)), n.Bytes()...), true
}
