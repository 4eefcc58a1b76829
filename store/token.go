package store

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
)

// Sizes of a token, in bytes: the tag of its user and randomness.
const (
	tagBytes    = 9
	randomBytes = 23
	tokenBytes  = tagBytes + randomBytes
)

// redacted is what a token prints as.
const redacted = "[redacted]"

// Token is the secret that a browser keeps: 43 characters of base64url, made
// of the 9-byte tag of its user, which is no secret, and 23 random bytes. The
// 184 random bits put it beyond any guessing; the tag tells in which slot of a
// cluster the session lies, so that one round trip finds it.
//
// A token hides itself from printing, logging and encoding: string(token) gives
// its text. What asks no methods shows it all the same: encoding/json where a
// token is the key of a map, fmt where it lies in an unexported field of a
// struct, encoding/gob, and printers that go by reflection.
type Token string

// NewToken makes a token for a session of the user.
func NewToken(userID string) Token {
	raw := make([]byte, 0, tokenBytes)
	digest := sha256.Sum256([]byte(userID))
	raw = append(raw, digest[:tagBytes]...)
	raw = raw[:tokenBytes]
	rand.Read(raw[tagBytes:]) // It never fails; it ends the program instead.
	return Token(base64.RawURLEncoding.EncodeToString(raw))
}

// Hash returns the lower-case hexadecimal SHA-256 of the token's text, 64
// characters: the form that is stored.
func (t Token) Hash() string { return hashOf(t.digest()) }

func (t Token) digest() [sha256.Size]byte {
	var text [64]byte // Spares an allocation in every request.
	return sha256.Sum256(append(text[:0], t...))
}

func hashOf(digest [sha256.Size]byte) string {
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], digest[:])
	return string(text[:])
}

// Equal reports whether two tokens are the same, in a time that does not
// depend on where they differ.
func (t Token) Equal(other Token) bool {
	return subtle.ConstantTimeCompare([]byte(t), []byte(other)) == 1
}

// Matches reports whether hash is that of the token, in a time that does not
// depend on where they differ.
func (t Token) Matches(hash string) bool {
	return subtle.ConstantTimeCompare([]byte(t.Hash()), []byte(hash)) == 1
}

// TokenKind is what a token looks like.
type TokenKind int

const (
	// OpaqueToken is a token that is looked up, such as those of NewToken.
	OpaqueToken TokenKind = iota
	// JWTToken is a JSON Web Token, which carries what it says itself. Nothing in
	// storage belongs to it.
	JWTToken
)

// String names the kind.
func (k TokenKind) String() string {
	switch k {
	case OpaqueToken:
		return "opaque"
	case JWTToken:
		return "JWT"
	default:
		return fmt.Sprintf("TokenKind(%d)", int(k))
	}
}

// Kind tells the kind of a token that somebody presents: a text with exactly two
// dots is a JWT, and any other is opaque. It says nothing about whether the token
// is good.
func (t Token) Kind() TokenKind {
	if strings.Count(string(t), ".") == 2 {
		return JWTToken
	}
	return OpaqueToken
}

// tag returns the hash tag of the token's user. It reports false when the text
// was never made by NewToken.
func (t Token) tag() (string, bool) {
	if len(t) != base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return "", false
	}
	var raw [tokenBytes]byte
	if n, err := base64.RawURLEncoding.Strict().Decode(raw[:], []byte(t)); err != nil || n != tokenBytes {
		return "", false
	}
	return string(t[:base64.RawURLEncoding.EncodedLen(tagBytes)]), true
}

// String hides the token.
func (Token) String() string { return redacted }

// GoString hides the token from %#v.
func (Token) GoString() string { return redacted }

// Format hides the token from every verb, %x and %q included.
func (Token) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// MarshalText hides the token from encoders.
func (Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON hides the token from JSON.
func (Token) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue hides the token from log/slog.
func (Token) LogValue() slog.Value { return slog.StringValue(redacted) }
