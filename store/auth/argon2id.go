package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/toriibench/toriibench/store"
)

// Argon2id says what a password hash costs, RFC 9106. The zero value is OWASP's
// recommendation: 19 MiB, two passes, one lane,
// https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
type Argon2id struct {
	// Memory is in KiB: 8 for each lane to MaxArgon2idMemory; 0 means 19456.
	Memory uint32
	// Passes over the memory: 1 to MaxArgon2idPasses; 0 means 2.
	Passes uint32
	// Lanes is how many goroutines share the work: 1 to MaxArgon2idLanes; 0 means 1.
	Lanes uint8
}

// Bounds of the cost of a hash. They hold for those that are read too: whoever
// could write one must not make each login take gigabytes or minutes.
const (
	MaxArgon2idMemory = 256 << 10
	MaxArgon2idPasses = 16
	MaxArgon2idLanes  = 16
)

// Sizes of the parts of a hash, in bytes. Those that are made have 16 and 32, as
// RFC 9106 section 4 recommends.
const (
	saltBytes, minSalt, maxSalt = 16, 8, 64
	keyBytes, minKey, maxKey    = 32, 16, 64
)

// Hash returns the hash of a password with a salt of its own, in the PHC form: 97
// characters with the default cost. It returns ErrInvalid for a cost out of
// bounds. It takes the memory and the time that the cost says; a Service bounds
// how many do so at once.
func (a Argon2id) Hash(password string) (string, error) {
	h := phc{cost: a.withDefaults(), salt: make([]byte, saltBytes)}
	if err := h.cost.check(); err != nil {
		return "", during("hash password", err)
	}
	rand.Read(h.salt) // It never fails; it ends the program instead.
	h.key = h.derive(password, keyBytes)
	return h.String(), nil
}

// Verify reports whether hash, in the PHC form, is that of the password. What it
// costs stands in the hash. It compares in a time that does not depend on where
// keys differ, and returns store.ErrCorrupt for what is no hash of Argon2id
// version 1.3, or one beyond the bounds.
func Verify(hash, password string) (bool, error) {
	h, err := parsePHC(hash)
	if err != nil {
		return false, during("verify password", err)
	}
	return subtle.ConstantTimeCompare(h.key, h.derive(password, len(h.key))) == 1, nil
}

func (a Argon2id) withDefaults() Argon2id {
	if a.Memory == 0 {
		a.Memory = 19456
	}
	if a.Passes == 0 {
		a.Passes = 2
	}
	if a.Lanes == 0 {
		a.Lanes = 1
	}
	return a
}

func (a Argon2id) check() error {
	switch {
	case a.Lanes < 1 || a.Lanes > MaxArgon2idLanes:
		return invalid("Argon2id of %d lanes, want 1 to %d", a.Lanes, MaxArgon2idLanes)
	case a.Passes < 1 || a.Passes > MaxArgon2idPasses:
		return invalid("Argon2id of %d passes, want 1 to %d", a.Passes, MaxArgon2idPasses)
	case a.Memory < 8*uint32(a.Lanes) || a.Memory > MaxArgon2idMemory:
		return invalid("Argon2id of %d KiB, want %d to %d", a.Memory, 8*uint32(a.Lanes), MaxArgon2idMemory)
	default:
		return nil
	}
}

// phc is a hash with what it takes to make it again,
// https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md
type phc struct {
	cost      Argon2id
	salt, key []byte
}

func (h phc) derive(password string, size int) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.cost.Passes, h.cost.Memory, h.cost.Lanes, uint32(size))
}

func (h phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.cost.Memory, h.cost.Passes, h.cost.Lanes,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

func parsePHC(text string) (phc, error) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return phc{}, corrupt("is not Argon2id 1.3 in the PHC form")
	}
	cost, ok := parseCost(parts[3])
	salt, err1 := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	key, err2 := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if !ok || err1 != nil || err2 != nil {
		return phc{}, corrupt("is not in the PHC form")
	}
	if err := cost.check(); err != nil {
		return phc{}, fmt.Errorf("password hash: %w: %w", store.ErrCorrupt, err)
	}
	if len(salt) < minSalt || len(salt) > maxSalt || len(key) < minKey || len(key) > maxKey {
		return phc{}, corrupt(fmt.Sprintf("has %d bytes of salt and %d of key", len(salt), len(key)))
	}
	return phc{cost: cost, salt: salt, key: key}, nil
}

// parseCost reads "m=19456,t=2,p=1".
func parseCost(text string) (Argon2id, bool) {
	parts := strings.Split(text, ",")
	if len(parts) != 3 {
		return Argon2id{}, false
	}
	var numbers [3]uint32
	for i, name := range []string{"m=", "t=", "p="} {
		digits, found := strings.CutPrefix(parts[i], name)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !found || err != nil {
			return Argon2id{}, false
		}
		numbers[i] = uint32(n)
	}
	lanes := min(numbers[2], MaxArgon2idLanes+1) // What is more is refused all the same.
	return Argon2id{Memory: numbers[0], Passes: numbers[1], Lanes: uint8(lanes)}, true
}

func corrupt(what string) error {
	return fmt.Errorf("password hash %s: %w", what, store.ErrCorrupt)
}

// hasher lets a bounded number of callers hash at once, since each takes the
// memory that the cost says.
type hasher struct {
	cost  Argon2id
	turns chan struct{}
	// dummy is a hash of no password, which costs as much as any.
	dummy string
}

func newHasher(cost Argon2id, atOnce int) (*hasher, error) {
	cost = cost.withDefaults()
	if err := cost.check(); err != nil {
		return nil, fmt.Errorf("option Hashing: %w", err)
	}
	if atOnce < 0 {
		return nil, fmt.Errorf("option HashesAtOnce: %w", invalid("%d is negative", atOnce))
	}
	if atOnce == 0 {
		atOnce = runtime.GOMAXPROCS(0)
	}
	dummy := phc{cost: cost, salt: make([]byte, saltBytes), key: make([]byte, keyBytes)}
	return &hasher{cost: cost, turns: make(chan struct{}, atOnce), dummy: dummy.String()}, nil
}

func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	return inTurn(ctx, h, func() (string, error) { return h.cost.Hash(password) })
}

// verify is Verify, but no longer password than may be set is hashed, as who sends
// megabytes could else hold up everybody. It belongs into a turn.
func verify(hash, password string) (bool, error) {
	if len(password) <= MaxPassword {
		return Verify(hash, password)
	}
	_, err := Verify(hash, "too long")
	return false, err
}

// inTurn does work that hashes a password, once fewer than the bound do.
func inTurn[T any](ctx context.Context, h *hasher, work func() (T, error)) (T, error) {
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
		return work()
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("wait to hash a password: %w", ctx.Err())
	}
}
