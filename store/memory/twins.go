package memory

import (
	"strings"
)

// twin is the Go version of a script: what the Lua file of the same name does,
// in the same order, with the same words.
type twin func(t *turn, keys, args []string) []string

// twins lists them by Script.Name.
func twins() map[string]twin {
	return map[string]twin{
		"attempt_clean":   attemptClean,
		"attempt_clear":   attemptClear,
		"attempt_hold":    attemptHold,
		"attempt_record":  attemptRecord,
		"attempt_stats":   attemptStats,
		"attempt_status":  attemptStatus,
		"cache_drop":      cacheDrop,
		"cache_fill":      cacheFill,
		"claim_release":   claimRelease,
		"claim_take":      claimTake,
		"inspect":         inspect,
		"link_abort":      linkAbort,
		"link_begin":      linkBegin,
		"link_commit":     linkCommit,
		"link_list":       linkList,
		"link_remove":     linkRemove,
		"link_touch":      linkTouch,
		"note_store":      noteStore,
		"note_take":       noteTake,
		"schema_mark":     schemaMark,
		"session_create":  sessionCreate,
		"session_delete":  sessionDelete,
		"expire":          expire,
		"token_create":    tokenCreate,
		"token_verify":    tokenVerify,
		"password_set":    passwordSet,
		"password_change": passwordChange,
		"password_reset":  passwordReset,
		"password_remove": passwordRemove,
		"session_page":    sessionPage,
		"session_refresh": sessionRefresh,
		"unlink":          unlink,
		"user_abort":      userAbort,
		"user_change":     userChange,
		"user_commit":     userCommit,
		"user_create":     userCreate,
		"user_delete":     userDelete,
		"user_lock":       userLock,
		"user_revoke":     userRevoke,
		"user_update":     userUpdate,
		"user_verify":     userVerify,
	}
}

func schemaMark(t *turn, keys, args []string) []string {
	if _, ok := t.find(keys[0]); !ok {
		t.set(keys[0], args[0], 0)
	}
	version, _ := t.get(keys[0])
	return []string{version}
}

func inspect(t *turn, keys, args []string) []string {
	e, ok := t.find(keys[0])
	ttl := int64(-1)
	if e.expires != 0 {
		ttl = e.expires - t.ms
	}
	switch {
	case !ok:
		return []string{"none", "-2"}
	case e.fields != nil:
		reply := []string{"hash", text(ttl)}
		for _, field := range head(t.hkeys(keys[0]), args[0]) {
			reply = append(reply, field, e.fields[field])
		}
		return reply
	case e.members == nil:
		return []string{"string", text(ttl), e.text}
	}
	reply := []string{"zset", text(ttl)}
	for _, member := range head(t.ranked(keys[0]), args[0]) {
		reply = append(reply, member, text(e.members[member]))
	}
	return reply
}

func unlink(t *turn, keys, _ []string) []string {
	var n int64
	for _, key := range keys {
		if t.unlink(key) {
			n++
		}
	}
	return []string{"ok", text(n)}
}

func claimTake(t *turn, keys, args []string) []string {
	current, ok := t.get(keys[0])
	if ok && current != args[0] && current != args[1] {
		return []string{"taken", current}
	}
	t.set(keys[0], args[0], 0)
	return []string{"ok"}
}

func claimRelease(t *turn, keys, args []string) []string {
	if current, _ := t.get(keys[0]); current == args[0] {
		t.unlink(keys[0])
	}
	return []string{"ok"}
}

func cacheFill(t *turn, keys, args []string) []string {
	version := number(args[0])
	if floor, ok := t.get(keys[1]); ok && version < number(floor) {
		return []string{"refused"}
	}
	if there, ok := t.version(keys[0]); ok && version < there {
		return []string{"refused"}
	}
	t.setFor(keys[0], args[1], number(args[2]))
	return []string{"ok"}
}

func cacheDrop(t *turn, keys, args []string) []string {
	version := number(args[0])
	if there, ok := t.version(keys[0]); !ok || there <= version {
		t.unlink(keys[0])
	}
	if floor, ok := t.get(keys[1]); ok {
		version = max(version, number(floor))
	}
	t.setFor(keys[1], text(version), number(args[1]))
	return []string{"ok"}
}

// version reads the first line of a cached copy.
func (t *turn) version(key string) (int64, bool) {
	raw, _ := t.get(key)
	line, _, found := strings.Cut(raw, "\n")
	if !found || !numbers(line) {
		return 0, false
	}
	return number(line), true
}
