package memory

import (
	"slices"
	"strings"
)

// user is a stored user, taken apart.
type user struct {
	raw               string // as it was read
	state, who, nonce string
	created, updated  int64
	verified, locked  string
	json              string
	pending           string
}

// pending is a change of email that is not in force yet.
type pending struct {
	nonce            string
	deadline         int64
	verified, locked string
	json             string
}

// readUser returns the record, or why there is none: "absent" or "corrupt".
func (t *turn) readUser(key string) (u user, why string) {
	raw, ok := t.get(key)
	if !ok {
		return user{}, "absent"
	}
	lines := strings.SplitN(raw, "\n", 3)
	f := strings.Split(lines[0], " ")
	if len(lines) < 2 || lines[1] == "" || len(f) != 8 || slices.Contains(f, "") ||
		f[0] != "1" || f[1] != "p" && f[1] != "a" || !numbers(f[4:6]...) {
		return user{}, "corrupt"
	}
	u = user{
		raw: raw, state: f[1], who: f[2], nonce: f[3], created: number(f[4]), updated: number(f[5]),
		verified: f[6], locked: f[7], json: lines[1],
	}
	if len(lines) == 3 {
		u.pending = lines[2]
	}
	return u, ""
}

// activeUser is readUser for a finished record of the given user.
func (t *turn) activeUser(key, who string) (user, string) {
	u, why := t.readUser(key)
	if why == "" && (u.state != "a" || u.who != who) {
		return user{}, "absent"
	}
	return u, why
}

// whyAbsent is why_absent of the Lua prelude: "" for a user who is there.
func (t *turn) whyAbsent(key, who string) string {
	if raw, _ := t.get(key); strings.HasPrefix(raw, "1 a "+who+" ") {
		return ""
	}
	_, why := t.activeUser(key, who)
	return why
}

func (u user) String() string {
	line := strings.Join([]string{
		"1", u.state, u.who, u.nonce, text(u.created), text(u.updated), u.verified, u.locked,
	}, " ")
	if u.pending != "" {
		return line + "\n" + u.json + "\n" + u.pending
	}
	return line + "\n" + u.json
}

// change reads the pending part.
func (u user) change() (pending, bool) {
	f := strings.SplitN(u.pending, " ", 5)
	if len(f) != 5 || slices.Contains(f, "") || !numbers(f[1]) {
		return pending{}, false
	}
	return pending{nonce: f[0], deadline: number(f[1]), verified: f[2], locked: f[3], json: f[4]}, true
}

// save stores a record that has changed, without what was pending.
func (t *turn) save(key string, u user) []string {
	u.updated = max(t.ms, u.updated+1)
	u.pending = ""
	t.set(key, u.String(), 0)
	return []string{"ok", u.String()}
}

func userCreate(t *turn, keys, args []string) []string {
	there, why := t.readUser(keys[0])
	if why == "" && there.nonce == args[1] {
		return []string{"ok", there.raw}
	}
	if why != "absent" {
		return []string{"taken"}
	}
	u := user{
		state: "p", who: args[0], nonce: args[1], created: t.ms, updated: t.ms,
		verified: args[3], locked: "-", json: args[4],
	}
	t.setFor(keys[0], u.String(), number(args[2]))
	if args[5] != "" {
		t.setFor(keys[1], args[5], number(args[2]))
	}
	return []string{"ok", u.String()}
}

func userCommit(t *turn, keys, args []string) []string {
	u, why := t.readUser(keys[0])
	switch {
	case why == "absent":
		return []string{"gone"}
	case why != "":
		return []string{why}
	case u.nonce == args[0] && u.state == "a":
		return []string{"ok", u.raw}
	case u.nonce == args[0]:
		u.state, u.pending = "a", ""
		t.set(keys[0], u.String(), 0)
		t.persist(keys[1])
		return []string{"ok", u.String()}
	case u.state != "a" || u.pending == "":
		return []string{"gone"}
	}
	c, ok := u.change()
	if !ok {
		return []string{"corrupt"}
	}
	if c.nonce != args[0] {
		return []string{"gone"}
	}
	if t.ms > c.deadline {
		u.pending = ""
		t.set(keys[0], u.String(), 0)
		return []string{"gone"}
	}
	u.nonce, u.verified, u.locked, u.json = c.nonce, c.verified, c.locked, c.json
	return t.save(keys[0], u)
}

func userAbort(t *turn, keys, args []string) []string {
	u, why := t.readUser(keys[0])
	if why != "" {
		return []string{why}
	}
	if u.state == "p" {
		if u.nonce == args[0] {
			t.unlink(keys[0])
			t.unlink(keys[1])
		}
		return []string{"ok"}
	}
	if c, ok := u.change(); ok && c.nonce == args[0] {
		u.pending = ""
		t.set(keys[0], u.String(), 0)
	}
	return []string{"ok"}
}

func userChange(t *turn, keys, args []string) []string {
	u, why := t.activeUser(keys[0], args[0])
	if why != "" {
		return []string{why}
	}
	if text(u.updated) != args[1] || u.nonce != args[2] {
		return []string{"conflict"}
	}
	if c, ok := u.change(); ok && c.deadline >= t.ms {
		return []string{"conflict"}
	}
	u.pending = strings.Join([]string{args[3], text(t.ms + number(args[4])), args[5], args[6], args[7]}, " ")
	t.set(keys[0], u.String(), 0)
	return []string{"ok"}
}

func userUpdate(t *turn, keys, args []string) []string {
	u, why := t.activeUser(keys[0], args[0])
	if why != "" {
		return []string{why}
	}
	if text(u.updated) != args[1] || u.nonce != args[2] {
		return []string{"conflict"}
	}
	u.verified, u.locked, u.json = args[3], args[4], args[5]
	return t.save(keys[0], u)
}

func userLock(t *turn, keys, args []string) []string {
	u, why := t.activeUser(keys[0], args[0])
	switch {
	case why != "":
		return []string{why}
	case u.nonce != args[1]:
		return []string{"gone"}
	case u.locked == args[2]:
		return []string{"ok"}
	}
	u.locked = args[2]
	return t.save(keys[0], u)[:1]
}

func userVerify(t *turn, keys, args []string) []string {
	u, why := t.activeUser(keys[0], args[0])
	if why != "" {
		return []string{why}
	}
	u.verified = text(t.ms)
	return t.save(keys[0], u)
}

func userRevoke(t *turn, keys, args []string) []string {
	if why := t.whyAbsent(keys[0], args[0]); why != "" {
		return []string{why}
	}
	t.unlink(keys[1])
	return []string{"ok"}
}

func userDelete(t *turn, keys, args []string) []string {
	u, why := t.readUser(keys[0])
	switch {
	case why != "":
		return []string{why}
	case u.who != args[0]:
		return []string{"absent"}
	}
	reply := t.appendDropped(keys[2], t.appendDropped(keys[1], []string{"ok", u.raw}))
	for _, key := range keys {
		t.unlink(key)
	}
	return reply
}
