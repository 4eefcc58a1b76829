package store

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// The Lua sources: one script a file, and the definitions that scripts share in
// the files whose names begin with prelude.
//
//go:embed lua/*.lua
var luaFiles embed.FS

// scriptName is the name of a file in lua, without its ending.
type scriptName string

// The scripts of the store.
const (
	scriptAttemptClean   scriptName = "attempt_clean"
	scriptAttemptClear   scriptName = "attempt_clear"
	scriptAttemptHold    scriptName = "attempt_hold"
	scriptAttemptRecord  scriptName = "attempt_record"
	scriptAttemptStats   scriptName = "attempt_stats"
	scriptAttemptStatus  scriptName = "attempt_status"
	scriptCacheDrop      scriptName = "cache_drop"
	scriptCacheFill      scriptName = "cache_fill"
	scriptClaimRelease   scriptName = "claim_release"
	scriptClaimTake      scriptName = "claim_take"
	scriptExpire         scriptName = "expire"
	scriptInspect        scriptName = "inspect"
	scriptLinkAbort      scriptName = "link_abort"
	scriptLinkBegin      scriptName = "link_begin"
	scriptLinkCommit     scriptName = "link_commit"
	scriptLinkList       scriptName = "link_list"
	scriptLinkRemove     scriptName = "link_remove"
	scriptLinkTouch      scriptName = "link_touch"
	scriptNoteStore      scriptName = "note_store"
	scriptNoteTake       scriptName = "note_take"
	scriptPasswordChange scriptName = "password_change"
	scriptPasswordRemove scriptName = "password_remove"
	scriptPasswordReset  scriptName = "password_reset"
	scriptPasswordSet    scriptName = "password_set"
	scriptSchemaMark     scriptName = "schema_mark"
	scriptSessionCreate  scriptName = "session_create"
	scriptSessionDelete  scriptName = "session_delete"
	scriptSessionPage    scriptName = "session_page"
	scriptSessionRefresh scriptName = "session_refresh"
	scriptTokenCreate    scriptName = "token_create"
	scriptTokenVerify    scriptName = "token_verify"
	scriptUnlink         scriptName = "unlink"
	scriptUserAbort      scriptName = "user_abort"
	scriptUserChange     scriptName = "user_change"
	scriptUserCommit     scriptName = "user_commit"
	scriptUserCreate     scriptName = "user_create"
	scriptUserDelete     scriptName = "user_delete"
	scriptUserLock       scriptName = "user_lock"
	scriptUserRevoke     scriptName = "user_revoke"
	scriptUserUpdate     scriptName = "user_update"
	scriptUserVerify     scriptName = "user_verify"
)

// schemaVersion is that of the keys and records that this package writes.
const schemaVersion = "2"

// loadScripts gives all the scripts of the store, which nobody may change, and
// loadWaitingScripts those for a storage that waits for replicas. They are
// assembled once: that takes a millisecond, and tests open storages by the
// thousand.
//
//nolint:gochecknoglobals // They are as constant as the embedded files.
var (
	loadScripts        = sync.OnceValue(func() map[scriptName]*Script { return assembleScripts(false) })
	loadWaitingScripts = sync.OnceValue(func() map[scriptName]*Script { return assembleScripts(true) })
)

// scripts gives the scripts that a storage of cfg runs.
func (cfg Config) scripts() map[scriptName]*Script {
	if cfg.WaitReplicas > 0 {
		return loadWaitingScripts()
	}
	return loadScripts()
}

func assembleScripts(waits bool) map[scriptName]*Script {
	files, err := luaFiles.ReadDir("lua")
	if err != nil {
		panic("store: read scripts: " + err.Error()) // They are part of the program.
	}
	var shared []definition
	all := make(map[scriptName]*Script, len(files))
	for _, file := range files {
		name := strings.TrimSuffix(file.Name(), ".lua")
		if strings.HasPrefix(name, "prelude") {
			shared = append(shared, definitions(readLua(file.Name()))...)
			continue
		}
		all[scriptName(name)] = &Script{Name: name, Lua: readLua(file.Name())}
	}
	for _, name := range durable() {
		all[name].Durable = true
	}
	for _, script := range all {
		if script.Durable && waits {
			script.Lua = alwaysWriting(script.Lua)
		}
		script.Lua = assemble(script.Lua, shared)
	}
	return all
}

// alwaysWriting makes a script write something in any case: prelude_durable.lua
// says why.
func alwaysWriting(lua string) string {
	return "local before = redis.call('PEXPIRETIME', KEYS[1])\n" +
		"local function script()\n" + lua + "end\n" +
		"local reply = script()\nwrite_again(KEYS[1], before)\nreturn reply\n"
}

// durable are the scripts whose writes would do harm if a failover undid them:
// it would bring back what was logged out, deleted or used up, or give away what
// was claimed.
func durable() []scriptName {
	return []scriptName{
		scriptClaimTake, scriptLinkCommit, scriptLinkRemove, scriptNoteTake,
		scriptPasswordChange, scriptPasswordRemove, scriptPasswordReset, scriptPasswordSet,
		scriptSessionDelete, scriptTokenVerify, scriptUserCommit, scriptUserDelete, scriptUserRevoke,
	}
}

func readLua(file string) string {
	text, err := luaFiles.ReadFile("lua/" + file)
	if err != nil {
		panic("store: read scripts: " + err.Error()) // They are part of the program.
	}
	return string(text)
}

// definition is a paragraph of a prelude: what it defines, and its text.
type definition struct {
	names []string
	text  string
}

// definitions takes a prelude apart at its empty lines. What defines nothing is
// a comment on the file.
func definitions(prelude string) []definition {
	var all []definition
	for text := range strings.SplitSeq(prelude, "\n\n") {
		d := definition{text: strings.TrimSpace(text) + "\n"}
		for line := range strings.Lines(text) {
			if rest, found := strings.CutPrefix(line, "local "); found {
				name := strings.TrimPrefix(rest, "function ")
				d.names = append(d.names, name[:strings.IndexAny(name, "( ")])
			}
		}
		if len(d.names) > 0 {
			all = append(all, d)
		}
	}
	return all
}

// assemble puts in front of a script what it mentions of the shared
// definitions, and what those mention, which stands before them. A server makes
// each of them anew whenever the script runs.
func assemble(lua string, shared []definition) string {
	for _, d := range slices.Backward(shared) {
		if slices.ContainsFunc(d.names, func(name string) bool { return strings.Contains(lua, name) }) {
			lua = d.text + lua
		}
	}
	return lua
}

// Scripts returns every script, by name, that a storage of cfg runs, for drivers
// that load them ahead and for tests. They may not be changed. Of cfg only
// WaitReplicas matters.
func Scripts(cfg Config) []*Script {
	loaded := cfg.scripts()
	all := make([]*Script, 0, len(loaded))
	for _, name := range slices.Sorted(maps.Keys(loaded)) {
		all = append(all, loaded[name])
	}
	return all
}

// The words that a script's reply begins with.
const (
	replyOK       = "ok"
	replyAbsent   = "absent"
	replyConflict = "conflict"
	replyCorrupt  = "corrupt"
	replyFull     = "full"
	replyGone     = "gone"
	replyLast     = "last"
	replyLocked   = "locked"
	replyPast     = "past"
	replyPending  = "pending"
	replyRefused  = "refused"
	replyTaken    = "taken"
)

// reply is what a script gave: a word, then values.
type reply []string

// value returns the first value after the word, or "".
func (r reply) value() string {
	if len(r) < 2 {
		return ""
	}
	return r[1]
}

// err turns the word into what a caller of op may be told about kind. It is
// nil for the words that it does not know as failures.
func (r reply) err(op, kind string) error {
	switch r[0] {
	case replyAbsent:
		return fmt.Errorf("%s: %s %w", op, kind, ErrNotFound)
	case replyConflict:
		return fmt.Errorf("%s: %s was changed meanwhile: %w", op, kind, ErrConflict)
	case replyTaken:
		return fmt.Errorf("%s: %s is taken: %w", op, kind, ErrConflict)
	case replyFull:
		return fmt.Errorf("%s: user has %w of this kind: remove one first", op, ErrTooMany)
	case replyLast:
		return fmt.Errorf("%s: %s is the user's %w", op, kind, ErrLastMethod)
	case replyCorrupt:
		return fmt.Errorf("%s: %w", op, corrupt(kind+" record"))
	default:
		return nil
	}
}
