package memory

import (
	"slices"
	"strings"
)

// token is a stored secure token, taken apart.
type token struct {
	expires, created     int64
	used, purpose, nonce string
	user                 user
}

func readToken(raw string) (token, bool) {
	f := strings.Split(raw, " ")
	if len(f) != 6 || slices.Contains(f, "") || f[0] != "1" || !numbers(f[1:3]...) || f[1][0] == '-' || f[2][0] == '-' ||
		strings.ContainsAny(f[3]+f[4]+f[5], "\n\t") {
		return token{}, false
	}
	return token{expires: number(f[1]), created: number(f[2]), used: f[3], purpose: f[4], nonce: f[5]}, true
}

func (k token) String() string {
	return strings.Join([]string{"1", text(k.expires), text(k.created), k.used, k.purpose, k.nonce}, " ")
}

// recordEnd is record_end of the Lua prelude.
func recordEnd(raw string) (int64, bool) {
	if expires, _, ok := sessionTimes(raw); ok {
		return expires, true
	}
	k, ok := readToken(raw)
	return k.expires, ok
}

// liveToken is live_token of the Lua prelude.
func (t *turn) liveToken(userKey, key, member, purpose string) (token, string) {
	raw, ok := t.hget(key, member)
	if !ok {
		return token{}, "absent"
	}
	k, ok := readToken(raw)
	if !ok || !slices.Contains([]string{"magic_link", "password_reset", "email_verification"}, k.purpose) {
		return token{}, "corrupt"
	}
	u, why := t.readUser(userKey)
	if why != "" {
		return token{}, why
	}
	k.user = u
	if u.state != "a" || u.nonce != k.nonce || k.used != "-" || k.purpose != purpose || k.expires <= t.ms {
		return token{}, "absent"
	}
	return k, ""
}

// useToken is use_token of the Lua prelude.
func (t *turn) useToken(key, member string, k token) string {
	k.used = text(t.ms)
	t.hset(key, member, k.String())
	return k.String()
}

// dropEnded is drop_ended of token_create.lua.
func (t *turn) dropEnded(key string) {
	for _, field := range t.hkeys(key) {
		raw, _ := t.hget(key, field)
		if ends, ok := recordEnd(raw); ok && ends < t.ms {
			t.hdel(key, field)
		}
	}
}

func tokenCreate(t *turn, keys, args []string) []string {
	u, why := t.activeUser(keys[0], args[0])
	if why != "" {
		return []string{why}
	}
	if most := int(number(args[4])); len(t.hkeys(keys[1])) >= most {
		t.dropEnded(keys[1])
		if len(t.hkeys(keys[1])) >= most {
			return []string{"full"}
		}
	}
	k := token{expires: t.ms + number(args[2]), created: t.ms, used: "-", purpose: args[3], nonce: u.nonce}
	if _, there := t.hget(keys[1], args[1]); there {
		return []string{"taken"}
	}
	t.hset(keys[1], args[1], k.String())
	t.tidy(keys[1], k.expires)
	return []string{"ok", k.String(), u.raw}
}

func tokenVerify(t *turn, keys, args []string) []string {
	k, why := t.liveToken(keys[0], keys[1], args[0], args[1])
	if why != "" {
		return []string{why}
	}
	return []string{"ok", t.useToken(keys[1], args[0], k), k.user.raw}
}

// isPassword is is_password of the Lua prelude.
func (t *turn) isPassword(key, hash string) bool {
	there, _ := t.get(key)
	return hash == "" || there == hash
}

// replacePassword is replace_password of the Lua prelude.
func (t *turn) replacePassword(key, hash, sessions, tokens string) {
	t.set(key, hash, 0)
	t.unlink(sessions)
	for _, field := range t.hkeys(tokens) {
		raw, _ := t.hget(tokens, field)
		if k, ok := readToken(raw); ok && k.used == "-" && k.purpose != "email_verification" {
			t.hdel(tokens, field)
		}
	}
}

func passwordSet(t *turn, keys, args []string) []string {
	if why := t.whyAbsent(keys[0], args[0]); why != "" {
		return []string{why}
	}
	if !t.isPassword(keys[1], args[2]) {
		return []string{"conflict"}
	}
	t.set(keys[1], args[1], 0)
	return []string{"ok"}
}

func passwordChange(t *turn, keys, args []string) []string {
	if why := t.whyAbsent(keys[0], args[0]); why != "" {
		return []string{why}
	}
	if !t.isPassword(keys[1], args[2]) {
		return []string{"conflict"}
	}
	t.replacePassword(keys[1], args[1], keys[2], keys[3])
	return []string{"ok"}
}

func passwordReset(t *turn, keys, args []string) []string {
	k, why := t.liveToken(keys[0], keys[3], args[0], args[1])
	if why != "" {
		return []string{why}
	}
	t.useToken(keys[3], args[0], k)
	t.replacePassword(keys[1], args[2], keys[2], keys[3])
	return []string{"ok", k.user.raw}
}

func passwordRemove(t *turn, keys, args []string) []string {
	if why := t.whyAbsent(keys[0], args[0]); why != "" {
		return []string{why}
	}
	_, has := t.get(keys[1])
	if args[1] == "1" && has && !t.hasLink(keys[2]) && !t.hasLink(keys[3]) {
		return []string{"last"}
	}
	t.unlink(keys[1])
	return []string{"ok"}
}
