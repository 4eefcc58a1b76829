package store

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

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
		tag := userTag(id)
		keys := append(l.all(tag), l.sessions(fromToken))
		keys = append(keys, l.cachedUser(tag)...)
		keys = append(keys, l.cachedSession(fromToken, sessionName(token))...)
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

func TestAllKeysOfAnEmailShareASlot(t *testing.T) {
	l := newLayout("a:b")
	for _, email := range []string{"a@example.org", "", "{}", "{x}", "}:e{", "a\x00b", "日本", strings.Repeat("x", 10_000)} {
		tag := textTag(email)
		for _, key := range l.attempts(tag) {
			if slotOf(key) != slotOf(l.email(email)) || l.hashTag(key) != tag {
				t.Errorf("key %s lies in another slot than the claim to %.20q", key, email)
			}
			if len(key) > 80 || strings.ContainsAny(key, " \n\x00") {
				t.Errorf("key %q is long or odd", key)
			}
		}
		if claim := l.attempts(tag)[3]; claim != l.email(email) {
			t.Errorf("the claim is looked for under %s, want %s", claim, l.email(email))
		}
	}
}

func TestOnlySessionsAreSessions(t *testing.T) {
	l := newLayout("p")
	tag := userTag("usr_1")
	if !l.isSessions(l.sessions(tag)) {
		t.Error("the sessions are none")
	}
	others := []string{l.user(tag), l.email("a"), l.schema(), newLayout("q").sessions(tag)}
	for _, key := range append(others, l.cachedSession(tag, sessionName(NewToken("usr_1")))...) {
		if l.isSessions(key) {
			t.Errorf("%s is taken for sessions", key)
		}
	}
}

// The names are such that a layout without hashes or lengths would mix them up.
func TestKeysOfDifferentNamesDiffer(t *testing.T) {
	l := newLayout("p")
	names := map[string]string{}
	add := func(name, key string) {
		t.Helper()
		if other, twice := names[key]; twice {
			t.Errorf("%s and %s have the key %s", name, other, key)
		}
		if len(key) > 80 || strings.Count(key, "{") != 1 || strings.Count(key, "}") != 1 {
			t.Errorf("%s has the odd key %q", name, key)
		}
		names[key] = name
	}
	for _, pair := range [][2]string{{"a", "bc"}, {"ab", "c"}, {"1", "1:1"}, {"1:1", "1"}, {"a", "3:bc"}, {"{a}", "{b}"}, {"", "abc"}} {
		add(fmt.Sprintf("account %q", pair), l.account(accountID(pair[0], pair[1])))
	}
	for _, name := range []string{"", "\x00", "\x00\x00", "{a}", "{b}", "a}:c", "a"} {
		add(fmt.Sprintf("credential %q", name), l.credential(credentialID([]byte(name))))
		add(fmt.Sprintf("state %q", name), l.pkce(name))
		add(fmt.Sprintf("challenge %q", name), l.challenge(name))
		add(fmt.Sprintf("email %q", name), l.email(name))
	}
}

// A chi-square of n degrees of freedom has the mean n and the variance 2n. The
// ids are fixed, so the test gives one answer for ever.
func TestUsersSpreadEvenlyOverSlots(t *testing.T) {
	const users = 10 * clusterSlots
	for _, form := range []string{"usr_%d", "%d", "user-%08d@example.org"} {
		var count [clusterSlots]int
		l := newLayout("torii")
		for i := range users {
			count[slotOf(l.user(userTag(fmt.Sprintf(form, i))))]++
		}
		chi := 0.0
		for _, n := range count {
			d := float64(n) - users/clusterSlots
			chi += d * d / (users / clusterSlots)
		}
		const freedom = clusterSlots - 1
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
	if name, ok := hashToName(hash); !ok || name != sessionName(token) {
		t.Errorf("name %s %t, want %s", name, ok, sessionName(token))
	}
	for _, text := range []string{"", "zz", hash[:62], hash + "00"} {
		if _, ok := hashToName(text); ok {
			t.Errorf("%q is taken for a hash", text)
		}
	}
}
