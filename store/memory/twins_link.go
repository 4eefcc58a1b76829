package memory

import (
	"slices"
	"strings"
)

// link is what links a user to something, taken apart.
type link struct {
	raw               string // as it was read or saved
	state, nonce      string
	deadline, created int64
	used, group       string
	json              string
}

func readLink(raw string) (link, bool) {
	line, json, found := strings.Cut(raw, "\n")
	f := strings.Split(line, " ")
	if !found || json == "" || len(f) != 7 || slices.Contains(f, "") ||
		f[0] != "1" || f[1] != "p" && f[1] != "a" || f[3][0] == '-' || !numbers(f[3:5]...) {
		return link{}, false
	}
	return link{
		raw: raw, state: f[1], nonce: f[2], deadline: number(f[3]), created: number(f[4]), used: f[5], group: f[6], json: json,
	}, true
}

func (t *turn) saveLink(key, field string, l link) link {
	l.raw = strings.Join([]string{"1", l.state, l.nonce, text(l.deadline), text(l.created), l.used, l.group}, " ") + "\n" + l.json
	t.hset(key, field, l.raw)
	return l
}

// claimedLink is claimed_link of the Lua prelude.
func (t *turn) claimedLink(userKey, key, who, field, nonce string) (l link, u user, why string) {
	u, why = t.activeUser(userKey, who)
	if why == "absent" {
		why = "gone"
	}
	if why != "" {
		return link{}, user{}, why
	}
	raw, there := t.hget(key, field)
	if !there {
		return link{}, user{}, "gone"
	}
	l, ok := readLink(raw)
	switch {
	case !ok:
		return link{}, user{}, "corrupt"
	case l.nonce != nonce:
		return link{}, user{}, "gone"
	default:
		return l, u, ""
	}
}

// hasLink is has_link of the Lua prelude.
func (t *turn) hasLink(key string) bool {
	for _, field := range t.hkeys(key) {
		raw, _ := t.hget(key, field)
		if l, ok := readLink(raw); ok && l.state == "a" {
			return true
		}
	}
	return false
}

// appendDropped is append_dropped of the Lua prelude.
func (t *turn) appendDropped(key string, reply []string) []string {
	var dropped []string
	for _, field := range t.hkeys(key) {
		raw, _ := t.hget(key, field)
		if l, ok := readLink(raw); ok {
			dropped = append(dropped, field+l.nonce)
		}
	}
	return append(append(reply, text(int64(len(dropped)))), dropped...)
}

func linkBegin(t *turn, keys, args []string) []string {
	if _, why := t.activeUser(keys[0], args[0]); why != "" {
		return []string{why}
	}
	var over []string
	own := ""
	fields := t.hkeys(keys[1])
	for _, field := range fields {
		raw, _ := t.hget(keys[1], field)
		l, ok := readLink(raw)
		switch {
		case !ok:
			return []string{"corrupt"}
		case l.state == "p" && t.ms > l.deadline:
			over = append(over, field)
		case field == args[1]:
			own = raw
		}
	}
	if l, ok := readLink(own); ok {
		return []string{map[string]string{"a": "taken", "p": "pending"}[l.state], l.nonce, l.raw}
	}
	if int64(len(fields)-len(over)) >= number(args[4]) {
		return []string{"full"}
	}
	t.hdel(keys[1], over...)
	t.saveLink(keys[1], args[1], link{
		state: "p", nonce: args[2], deadline: t.ms + number(args[3]), created: t.ms, used: "-", group: args[5], json: args[6],
	})
	return []string{"ok"}
}

func linkCommit(t *turn, keys, args []string) []string {
	l, u, why := t.claimedLink(keys[0], keys[1], args[0], args[1], args[2])
	switch {
	case why != "":
		return []string{why}
	case l.state == "p" && t.ms > l.deadline:
		t.hdel(keys[1], args[1])
		return []string{"gone"}
	case l.state == "p":
		l.state = "a"
		l = t.saveLink(keys[1], args[1], l)
	}
	return []string{"ok", l.raw, u.raw}
}

func linkTouch(t *turn, keys, args []string) []string {
	l, u, why := t.claimedLink(keys[0], keys[1], args[0], args[1], args[2])
	if why != "" {
		return []string{why}
	}
	if l.state == "p" {
		return []string{"pending"}
	}
	used := t.ms
	if numbers(l.used) {
		used = max(used, number(l.used))
	}
	l.used = text(used)
	return []string{"ok", t.saveLink(keys[1], args[1], l).raw, u.raw}
}

func linkAbort(t *turn, keys, args []string) []string {
	raw, _ := t.hget(keys[0], args[0])
	if l, ok := readLink(raw); ok && l.state == "p" && l.nonce == args[1] {
		t.hdel(keys[0], args[0])
	}
	return []string{"ok"}
}

func linkList(t *turn, keys, args []string) []string {
	if _, why := t.activeUser(keys[0], args[0]); why != "" {
		return []string{why}
	}
	reply := []string{"ok"}
	for _, field := range t.hkeys(keys[1]) {
		raw, _ := t.hget(keys[1], field)
		l, ok := readLink(raw)
		if !ok {
			return []string{"corrupt"}
		}
		if l.state == "a" {
			reply = append(reply, raw)
		}
	}
	return reply
}

func linkRemove(t *turn, keys, args []string) []string {
	if _, why := t.activeUser(keys[0], args[0]); why != "" {
		return []string{why}
	}
	var doomed []string
	reply := []string{"ok"}
	loses, keeps := false, false
	for _, field := range t.hkeys(keys[1]) {
		raw, _ := t.hget(keys[1], field)
		l, ok := readLink(raw)
		if !ok {
			return []string{"corrupt"}
		}
		if !l.chosen(field, args[2:]) {
			keeps = keeps || l.state == "a"
			continue
		}
		doomed = append(doomed, field)
		reply = append(reply, field+l.nonce)
		loses = loses || l.state == "a"
	}
	_, password := t.find(keys[3])
	if args[1] == "1" && loses && !keeps && !t.hasLink(keys[2]) && !password {
		return []string{"last"}
	}
	t.hdel(keys[1], doomed...)
	return reply
}

// chosen reports whether link_remove is to remove the link: by says group,
// field and nonce.
func (l link) chosen(field string, by []string) bool {
	return (by[0] == "" || by[0] == l.group) && (by[1] == "" || by[1] == field && by[2] == l.nonce)
}

func noteStore(t *turn, keys, args []string) []string {
	expires := t.ms + number(args[0])
	t.set(keys[0], "1 "+text(expires)+"\n"+args[1], expires)
	return []string{"ok"}
}

func noteTake(t *turn, keys, _ []string) []string {
	raw, ok := t.get(keys[0])
	if !ok {
		return []string{"absent"}
	}
	line, _, found := strings.Cut(raw, "\n")
	digits, head := strings.CutPrefix(line, "1 ")
	if !found || !head || !numbers(digits) || digits[0] == '-' {
		return []string{"corrupt"}
	}
	t.unlink(keys[0])
	if number(digits) <= t.ms {
		return []string{"absent"}
	}
	return []string{"ok", raw}
}
