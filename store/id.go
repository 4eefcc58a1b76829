package store

import (
	"crypto/rand"
	"math/big"
	"strings"
)

// userIDPrefix begins every id that NewUserID makes.
const userIDPrefix = "usr_"

// userIDBytes is the randomness of a generated id.
const userIDBytes = 12

// base58 is Bitcoin's alphabet: no 0, O, I and l.
const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// NewUserID makes an id: "usr_" and 96 random bits in base58.
func NewUserID() string {
	var raw [userIDBytes]byte
	rand.Read(raw[:])
	return userIDPrefix + encodeBase58(raw[:])
}

// ValidUserID reports whether id has the form that NewUserID gives: the exact
// prefix and base58 of at least 12 bytes. Repositories accept any id; this is
// for those who want to know a generated one.
func ValidUserID(id string) bool {
	tail, found := strings.CutPrefix(id, userIDPrefix)
	size, valid := base58Len(tail)
	return found && valid && size >= userIDBytes
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

// base58Len returns how many bytes text stands for.
func base58Len(text string) (int, bool) {
	if len(text) > maxText {
		return 0, false
	}
	rest := strings.TrimLeft(text, base58[:1])
	n, radix := new(big.Int), big.NewInt(58)
	for _, r := range rest {
		digit := strings.IndexRune(base58, r)
		if digit < 0 {
			return 0, false
		}
		n.Add(n.Mul(n, radix), big.NewInt(int64(digit)))
	}
	return len(text) - len(rest) + (n.BitLen()+7)/8, true
}
