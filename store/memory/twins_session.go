package memory

import (
	"maps"
	"slices"
	"strings"
)

// session is a stored session, taken apart.
type session struct {
	epoch            int64
	expires, updated int64
	json             string
}

func readSession(raw string) (session, bool) {
	line, json, found := strings.Cut(raw, "\n")
	f := strings.Split(line, " ")
	if !found || json == "" || len(f) != 4 || f[0] != "1" || !numbers(f[1:]...) || f[1][0] == '-' {
		return session{}, false
	}
	return session{epoch: number(f[1]), expires: number(f[2]), updated: number(f[3]), json: json}, true
}

func (s session) String() string {
	return strings.Join([]string{"1", text(s.epoch), text(s.expires), text(s.updated)}, " ") + "\n" + s.json
}

func sessionCreate(t *turn, keys, args []string) []string {
	u, why := t.activeUser(keys[0], args[0])
	if why != "" {
		return []string{why}
	}
	s := session{epoch: u.epoch, expires: number(args[2]), updated: number(args[3]), json: args[4]}
	if s.expires <= t.ms {
		return []string{"past"}
	}
	if _, taken := t.find(keys[2]); taken {
		return []string{"taken"}
	}
	t.set(keys[2], s.String(), s.expires)
	t.addToIndex(keys[1], args[1], s.expires)
	return []string{"ok"}
}

func sessionRefresh(t *turn, keys, args []string) []string {
	raw, ok := t.get(keys[2])
	if !ok {
		return []string{"absent"}
	}
	s, ok := readSession(raw)
	if !ok {
		return []string{"corrupt"}
	}
	u, why := t.readUser(keys[0])
	if why != "" {
		return []string{why}
	}
	if u.state != "a" || u.epoch != s.epoch || t.ms > s.expires {
		return []string{"absent"}
	}
	s.expires = t.ms + number(args[1])
	s.updated = max(t.ms, s.updated+1)
	t.set(keys[2], s.String(), s.expires)
	t.addToIndex(keys[1], args[0], s.expires)
	return []string{"ok", s.String()}
}

func sessionDelete(t *turn, keys, args []string) []string {
	t.unlink(keys[1])
	t.remove(keys[0], args[0])
	t.settle(keys[0])
	return []string{"ok"}
}

func garbageSweep(t *turn, keys, args []string) []string {
	u, why := t.readUser(keys[1])
	for _, key := range keys[2:] {
		raw, _ := t.get(key)
		if s, ok := readSession(raw); !ok || why != "" || s.epoch != u.epoch {
			t.unlink(key)
		}
	}
	t.remove(keys[0], args[1:]...)
	return t.appendPage(keys[0], args[0], []string{"ok"})
}

func indexExpire(t *turn, keys, args []string) []string {
	n := t.remove(keys[0], t.expired(keys[0], int(number(args[0])))...)
	return []string{"ok", text(int64(n))}
}

func indexPrune(t *turn, keys, args []string) []string {
	n := 0
	for i, member := range args {
		if _, there := t.find(keys[i+1]); !there {
			n += t.remove(keys[0], member)
		}
	}
	t.settle(keys[0])
	return []string{"ok", text(int64(n))}
}

// indexPage walks by member, so that its cursor is the last member of the page
// before.
func indexPage(t *turn, keys, args []string) []string {
	e, _ := t.find(keys[0])
	members := slices.Sorted(maps.Keys(e.members))
	if args[1] != "0" {
		from, there := slices.BinarySearch(members, args[1])
		if there {
			from++
		}
		members = members[from:]
	}
	page := head(members, args[0])
	cursor := "0"
	if len(page) < len(members) {
		cursor = page[len(page)-1]
	}
	return append([]string{"ok", cursor}, page...)
}
