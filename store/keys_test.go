package store

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// slots is how many a cluster has.
const slots = 16384

// slotOf is the cluster specification's HASH_SLOT: CRC-16/XMODEM of what lies
// in the first pair of braces.
func slotOf(key string) int {
	if _, rest, found := strings.Cut(key, "{"); found {
		if tag, _, closed := strings.Cut(rest, "}"); closed && tag != "" {
			key = tag
		}
	}
	crc := uint16(0)
	for i := range len(key) {
		crc ^= uint16(key[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % slots
}

func TestSlotOfKnownKeys(t *testing.T) {
	// The specification gives 31C3 for the check string; the second is what
	// CLUSTER KEYSLOT answers.
	for key, slot := range map[string]int{"123456789": 0x31C3, "foo{bar}baz": 5061, "{bar}": 5061} {
		if got := slotOf(key); got != slot {
			t.Errorf("slot of %s is %d, want %d", key, got, slot)
		}
	}
}

func TestAllKeysOfAUserShareASlot(t *testing.T) {
	l := newLayout("a:b")
	for _, id := range []string{"usr_1", "", "{}", "}{", "a{b}c", "a:b", "日本", strings.Repeat("x", 10_000)} {
		token := NewToken(id)
		fromToken, _ := token.tag()
		tag, member := userTag(id), sessionMember(token)
		keys := []string{l.user(tag), l.index(tag), l.garbage(tag), l.session(fromToken, member)}
		keys = append(keys, l.cachedUser(tag)...)
		keys = append(keys, l.cachedSession(fromToken, member)...)
		for _, key := range keys {
			if slotOf(key) != slotOf(l.user(tag)) {
				t.Errorf("key %s lies in another slot than the user", key)
			}
			if !strings.HasPrefix(key, l.scope()) || l.hashTag(key) != tag {
				t.Errorf("key %s has the tag %s, want %s", key, l.hashTag(key), tag)
			}
			if len(key) > 80 || strings.ContainsAny(key, " \n") {
				t.Errorf("key %q is long or odd", key)
			}
		}
	}
}

func TestOnlyTheIndexIsAnIndex(t *testing.T) {
	l := newLayout("p")
	tag := userTag("usr_1")
	if !l.isIndex(l.index(tag)) {
		t.Error("the index is none")
	}
	for _, key := range []string{l.user(tag), l.session(tag, "}:i"[:2]), l.email("a"), l.schema(), newLayout("q").index(tag)} {
		if l.isIndex(key) {
			t.Errorf("%s is taken for an index", key)
		}
	}
}

// A chi-square of n degrees of freedom has the mean n and the variance 2n. The
// ids are fixed, so the test gives one answer for ever.
func TestUsersSpreadEvenlyOverSlots(t *testing.T) {
	const users = 10 * slots
	for _, form := range []string{"usr_%d", "%d", "user-%08d@example.org"} {
		var count [slots]int
		l := newLayout("torii")
		for i := range users {
			count[slotOf(l.user(userTag(fmt.Sprintf(form, i))))]++
		}
		chi := 0.0
		for _, n := range count {
			d := float64(n) - users/slots
			chi += d * d / (users / slots)
		}
		const freedom = slots - 1
		if z := (chi - freedom) / math.Sqrt(2*freedom); math.Abs(z) > 4 {
			t.Errorf("%s: chi-square is %.0f, %.1f standard deviations from %d", form, chi, z, freedom)
		}
	}
}

func TestHashForms(t *testing.T) {
	token := NewToken("usr_1")
	member := sessionMember(token)
	hash, ok := memberToHash(member)
	if !ok || hash != token.Hash() {
		t.Errorf("hash %s %t, want %s", hash, ok, token.Hash())
	}
	if back, ok := hashToMember(hash); !ok || back != member {
		t.Errorf("member %s %t, want %s", back, ok, member)
	}
	for _, text := range []string{"", "zz", hash[:62], hash + "00"} {
		if _, ok := hashToMember(text); ok {
			t.Errorf("%q is taken for a hash", text)
		}
	}
}
