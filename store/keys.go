package store

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
)

// layout builds keys. What a caller passes never stands in a key: only hashes
// do, so that no text can move a key to another slot or make two keys meet.
type layout struct{ prefix string }

func newLayout(prefix string) layout { return layout{prefix} }

func (l layout) key(tag, rest string) string {
	return l.prefix + ":{" + tag + "}:" + rest
}

// scope is the prefix of every key, marker and cached copies included.
func (l layout) scope() string { return l.prefix + ":{" }

func (l layout) schema() string              { return l.key("schema", "v") }
func (l layout) user(tag string) string      { return l.key(tag, "u") }
func (l layout) sessions(tag string) string  { return l.key(tag, "s") }
func (l layout) accounts(tag string) string  { return l.key(tag, "o") }
func (l layout) passkeys(tag string) string  { return l.key(tag, "k") }
func (l layout) password(tag string) string  { return l.key(tag, "p") }
func (l layout) tokens(tag string) string    { return l.key(tag, "t") }
func (l layout) email(email string) string   { return l.key(textTag(email), "e") }
func (l layout) account(id linkID) string    { return l.key(id.tag(), "a") }
func (l layout) credential(id linkID) string { return l.key(id.tag(), "d") }
func (l layout) pkce(state string) string    { return l.key(textTag(state), "c") }
func (l layout) challenge(id string) string  { return l.key(textTag(id), "w") }

// birth are the keys that a creation writes in the slot of a user.
func (l layout) birth(id string) []string {
	tag := userTag(id)
	return []string{l.user(tag), l.password(tag)}
}

// all are the keys of what the storage knows of a user, the record first. Cached
// copies have another system of record.
func (l layout) all(tag string) []string {
	return []string{l.user(tag), l.accounts(tag), l.passkeys(tag), l.sessions(tag), l.tokens(tag), l.password(tag)}
}

// cachedUser returns the keys of a cached user: the entry and its floor.
func (l layout) cachedUser(tag string) []string {
	return []string{l.key(tag, "cu"), l.key(tag, "fu")}
}

// cachedEmail returns the keys of what leads from an email to a cached user: the
// entry and its floor.
func (l layout) cachedEmail(email string) []string {
	tag := textTag(email)
	return []string{l.key(tag, "ce"), l.key(tag, "fe")}
}

// cachedSession returns the keys of a cached session: the entry and its floor.
func (l layout) cachedSession(tag, member string) []string {
	return []string{l.key(tag, "cs:"+member), l.key(tag, "fs:"+member)}
}

// attempts returns the keys of an email's failed attempts: the attempts, the
// sticky lock, the hold, and the claim to the email, which says who is concerned.
func (l layout) attempts(tag string) []string {
	return []string{l.key(tag, "f"), l.key(tag, "l"), l.key(tag, "h"), l.key(tag, "e")}
}

// isAttempts reports whether key holds the failed attempts of an email.
func (l layout) isAttempts(key string) bool {
	return strings.HasPrefix(key, l.scope()) && strings.HasSuffix(key, "}:f")
}

// isSessions reports whether key is the sessions of a user.
func (l layout) isSessions(key string) bool {
	return strings.HasPrefix(key, l.scope()) && strings.HasSuffix(key, "}:s")
}

// isTokens reports whether key is the secure tokens of a user.
func (l layout) isTokens(key string) bool {
	return strings.HasPrefix(key, l.scope()) && strings.HasSuffix(key, "}:t")
}

// hashTag returns what decides about the slot of a key of this layout.
func (l layout) hashTag(key string) string {
	tag, _, _ := strings.Cut(strings.TrimPrefix(key, l.scope()), "}")
	return tag
}

// userTag is the hash tag of a user: the first 72 bits of the hash of its id.
func userTag(id string) string {
	digest := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(digest[:tagBytes])
}

// userCheck is the next 128 bits of the hash. It stands in the record, where
// scripts compare it: two ids with one tag are never mixed up.
func userCheck(id string) string {
	digest := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(digest[tagBytes : tagBytes+16])
}

// isUserCheck compares without an allocation.
func isUserCheck(check, id string) bool {
	digest := sha256.Sum256([]byte(id))
	var want [22]byte
	base64.RawURLEncoding.Encode(want[:], digest[tagBytes:tagBytes+16])
	return check == string(want[:])
}

// textTag is the hash tag of what is found by a text of its own, like an email:
// the first 128 bits of the text's hash.
func textTag(text string) string { return linkID(sha256.Sum256([]byte(text))).tag() }

// linkID is the hash of what is linked to a user. Its bytes are the field in the
// user's hash.
type linkID [sha256.Size]byte

// accountID is that of an account at a provider. The length tells where the
// provider's name ends.
func accountID(provider, subject string) linkID {
	return sha256.Sum256([]byte(strconv.Itoa(len(provider)) + ":" + provider + subject))
}

// credentialID is that of a passkey.
func credentialID(credential []byte) linkID { return sha256.Sum256(credential) }

// tag is the hash tag of the claim: the first 128 bits.
func (id linkID) tag() string { return base64.RawURLEncoding.EncodeToString(id[:16]) }

// field is the name of the link's field.
func (id linkID) field() string { return string(id[:]) }

// emailCheck is the rest of the hash of an email.
func emailCheck(email string) string {
	digest := sha256.Sum256([]byte(email))
	return base64.RawURLEncoding.EncodeToString(digest[16:])
}

// sessionMember is the hash of a token as the field of a hash: 32 bytes, the same
// bits as Token.Hash.
func sessionMember(t Token) string { return memberOf(t.digest()) }

func memberOf(digest [sha256.Size]byte) string { return string(digest[:]) }

// memberToHash turns the field of a hash into Session.TokenHash.
func memberToHash(member string) (string, bool) {
	return hex.EncodeToString([]byte(member)), len(member) == sha256.Size
}

// hashToName turns Session.TokenHash into a part of a key.
func hashToName(hash string) (string, bool) {
	raw, err := hex.DecodeString(hash)
	return base64.RawURLEncoding.EncodeToString(raw), err == nil && len(raw) == sha256.Size
}

// sessionName is the hash of a token as a part of a key.
func sessionName(t Token) string {
	digest := t.digest()
	return base64.RawURLEncoding.EncodeToString(digest[:])
}

// newNonce returns 128 random bits as 22 characters.
func newNonce() string {
	var raw [16]byte
	rand.Read(raw[:])
	return base64.RawURLEncoding.EncodeToString(raw[:])
}
