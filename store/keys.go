package store

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
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

func (l layout) schema() string                    { return l.key("schema", "v") }
func (l layout) user(tag string) string            { return l.key(tag, "u") }
func (l layout) index(tag string) string           { return l.key(tag, "i") }
func (l layout) session(tag, member string) string { return l.prefix + ":{" + tag + "}:s:" + member }
func (l layout) email(email string) string         { return l.key(emailTag(email), "e") }

// garbage names the place where an index is set aside. Two of them never meet.
func (l layout) garbage(tag string) string { return l.key(tag, "g:"+newNonce()) }

// cachedUser returns the keys of a cached user: the entry and its floor.
func (l layout) cachedUser(tag string) []string {
	return []string{l.key(tag, "cu"), l.key(tag, "fu")}
}

// cachedSession returns the keys of a cached session: the entry and its floor.
func (l layout) cachedSession(tag, member string) []string {
	return []string{l.key(tag, "cs:"+member), l.key(tag, "fs:"+member)}
}

// isIndex reports whether key is the session index of a user.
func (l layout) isIndex(key string) bool {
	return strings.HasPrefix(key, l.scope()) && strings.HasSuffix(key, "}:i")
}

// isGarbage reports whether key is an index that was set aside.
func (l layout) isGarbage(key string) bool {
	return strings.HasPrefix(key, l.scope()) && strings.Contains(key, "}:g:")
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

// emailTag is the hash tag of an email: the first 128 bits of its hash.
func emailTag(email string) string {
	digest := sha256.Sum256([]byte(email))
	return base64.RawURLEncoding.EncodeToString(digest[:16])
}

// sessionMember is the hash of a token in the form that keys and the index
// use; the same bits as Token.Hash in fewer characters.
func sessionMember(t Token) string { return memberOf(t.digest()) }

func memberOf(digest [sha256.Size]byte) string {
	// One allocation; EncodeToString takes two, in every request.
	var text [(sha256.Size*8 + 5) / 6]byte
	base64.RawURLEncoding.Encode(text[:], digest[:])
	return string(text[:])
}

// memberToHash turns the form of keys into that of Session.TokenHash.
func memberToHash(member string) (string, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(member)
	return hex.EncodeToString(raw), err == nil && len(raw) == sha256.Size
}

// hashToMember turns Session.TokenHash into the form of keys.
func hashToMember(hash string) (string, bool) {
	raw, err := hex.DecodeString(hash)
	return base64.RawURLEncoding.EncodeToString(raw), err == nil && len(raw) == sha256.Size
}

// newNonce returns 128 random bits as 22 characters.
func newNonce() string {
	var raw [16]byte
	rand.Read(raw[:])
	return base64.RawURLEncoding.EncodeToString(raw[:])
}
