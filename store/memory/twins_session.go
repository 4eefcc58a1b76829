package memory

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A session's record is binary or JSON; scripts know when it ends, in both.

// compactHead is what they read of a binary one: the format and two times.
const compactHead = 13

// documentForm is what they read of JSON.
var documentForm = regexp.MustCompile(`^\{"times":\[(\d+),(\d+),(-?\d+)\],"expires_at":"[^"]*","updated_at":"[^"]*"(,(?s:.+))$`)

// sessionTimes is session_times of the Lua prelude.
func sessionTimes(raw string) (expires, updated int64, ok bool) {
	if strings.HasPrefix(raw, "\x02") && len(raw) > compactHead {
		return time48(raw[1:]), time48(raw[7:]), true
	}
	parts := documentForm.FindStringSubmatch(raw)
	if parts == nil {
		return 0, 0, false
	}
	return number(parts[1]), number(parts[2]), true
}

func time48(raw string) int64 {
	return int64(binary.BigEndian.Uint64([]byte("\x00\x00" + raw[:6])))
}

// sessionMoved is session_moved of the Lua prelude.
func sessionMoved(raw string, expires, updated int64) string {
	if raw[0] == 2 {
		head := binary.BigEndian.AppendUint64(nil, uint64(expires))[2:]
		head = append(head, binary.BigEndian.AppendUint64(nil, uint64(updated))[2:]...)
		return raw[:1] + string(head) + raw[compactHead:]
	}
	parts := documentForm.FindStringSubmatch(raw)
	return fmt.Sprintf(`{"times":[%d,%d,%s],"expires_at":"%s","updated_at":"%s"%s`,
		expires, updated, parts[3], rfc3339(expires), rfc3339(updated), parts[4])
}

func rfc3339(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}

// How much tidy and makeRoom look at.
const (
	smallHash = 128
	someOf    = 16
	roomOf    = 64
)

// tidy is tidy of the Lua prelude. Of a large hash it picks the first where a
// server picks any.
func (t *turn) tidy(key string, least int64) (left int) {
	e, ok := t.find(key)
	if !ok {
		return 0
	}
	if len(e.fields) == 1 && least != 0 {
		t.expireAt(key, least)
		return 1
	}
	left = len(e.fields)
	fields := slices.Collect(maps.Keys(e.fields))
	large := len(fields) > smallHash
	if large {
		fields = fields[:someOf]
	}
	last, old := least, []string{}
	for _, field := range fields {
		ends, readable := recordEnd(e.fields[field])
		if readable && ends < t.ms {
			old = append(old, field)
		}
		if readable {
			last = max(last, ends)
		}
	}
	left -= t.hdel(key, old...)
	if large {
		t.prolong(key, last)
	} else {
		t.expireAt(key, last)
	}
	return left
}

// prolong is PEXPIREAT with GT, which has no effect on a key that never ends.
func (t *turn) prolong(key string, at int64) {
	if e, _ := t.find(key); e.expires != 0 && e.expires < at {
		t.expireAt(key, at)
	}
}

func sessionCreate(t *turn, keys, args []string) []string {
	if why := t.whyAbsent(keys[0], args[0]); why != "" {
		return []string{why}
	}
	expires := number(args[2])
	if expires <= t.ms {
		return []string{"past"}
	}
	if there, ok := t.hget(keys[1], args[1]); ok {
		if ends, _, readable := sessionTimes(there); !readable || t.ms <= ends {
			return []string{"taken"}
		}
	}
	t.hset(keys[1], args[1], args[3])
	if surplus := t.tidy(keys[1], expires) - int(number(args[4])); surplus > 0 {
		t.makeRoom(keys[1], args[1], surplus)
	}
	return []string{"ok"}
}

// makeRoom ends the sessions that would end first, but not the new one. Of a large
// hash it picks the first where a server picks any.
func (t *turn) makeRoom(key, newest string, surplus int) {
	fields := t.hkeys(key)
	if len(fields) > smallHash {
		fields = fields[:roomOf]
	}
	fields = slices.DeleteFunc(fields, func(field string) bool { return field == newest })
	ends := map[string]int64{}
	for _, field := range fields {
		record, _ := t.hget(key, field)
		at, _, ok := sessionTimes(record)
		if !ok {
			at = math.MaxInt64
		}
		ends[field] = at
	}
	slices.SortStableFunc(fields, func(a, b string) int { return cmp.Compare(ends[a], ends[b]) })
	t.hdel(key, fields[:min(surplus, len(fields))]...)
}

func sessionRefresh(t *turn, keys, args []string) []string {
	raw, ok := t.hget(keys[1], args[0])
	if !ok {
		return []string{"absent"}
	}
	expires, updated, ok := sessionTimes(raw)
	if !ok {
		return []string{"corrupt"}
	}
	u, why := t.readUser(keys[0])
	if why != "" {
		return []string{why}
	}
	if u.state != "a" || t.ms > expires {
		return []string{"absent"}
	}
	moved := t.ms + number(args[1])
	raw = sessionMoved(raw, moved, max(t.ms, updated+1))
	t.hset(keys[1], args[0], raw)
	if moved < expires {
		t.tidy(keys[1], 0)
	} else {
		t.prolong(keys[1], moved)
	}
	return []string{"ok", raw, u.raw}
}

func sessionDelete(t *turn, keys, args []string) []string {
	if t.hdel(keys[0], args[0]) == 1 {
		t.tidy(keys[0], 0)
	}
	return []string{"ok"}
}

// sessionPage walks by member, so that its cursor is the last member of the page
// before. A server gives all of a small hash at once.
func sessionPage(t *turn, keys, args []string) []string {
	user, _ := t.get(keys[0])
	cursor, page := t.pageOf(keys[1], args)
	reply := []string{"ok", cursor, user}
	for _, field := range page {
		record, _ := t.hget(keys[1], field)
		reply = append(reply, field, record)
	}
	return reply
}

func expire(t *turn, keys, args []string) []string {
	cursor, page := t.pageOf(keys[0], args)
	var old []string
	for _, field := range page {
		record, _ := t.hget(keys[0], field)
		if ends, ok := recordEnd(record); ok && ends < t.ms {
			old = append(old, field)
		}
	}
	return []string{"ok", cursor, text(int64(t.hdel(keys[0], old...)))}
}

// pageOf returns fields of a hash after a cursor, and the next one.
func (t *turn) pageOf(key string, args []string) (cursor string, page []string) {
	fields := t.hkeys(key)
	if args[1] != "0" {
		from, there := slices.BinarySearch(fields, args[1])
		if there {
			from++
		}
		fields = fields[from:]
	}
	page = fields
	if limit := number(args[0]); limit < math.MaxInt32 {
		page = fields[:min(len(fields), max(int(limit), smallHash))]
	}
	if len(page) < len(fields) {
		return page[len(page)-1], page
	}
	return "0", page
}
