package store

import (
	_ "embed"
	"fmt"
)

// The Lua sources, one script a file.
var (
	//go:embed lua/prelude.lua
	luaPrelude string
	//go:embed lua/cache_drop.lua
	luaCacheDrop string
	//go:embed lua/cache_fill.lua
	luaCacheFill string
	//go:embed lua/email_claim.lua
	luaEmailClaim string
	//go:embed lua/email_release.lua
	luaEmailRelease string
	//go:embed lua/garbage_sweep.lua
	luaGarbageSweep string
	//go:embed lua/index_expire.lua
	luaIndexExpire string
	//go:embed lua/index_page.lua
	luaIndexPage string
	//go:embed lua/index_prune.lua
	luaIndexPrune string
	//go:embed lua/inspect.lua
	luaInspect string
	//go:embed lua/schema_mark.lua
	luaSchemaMark string
	//go:embed lua/session_create.lua
	luaSessionCreate string
	//go:embed lua/session_delete.lua
	luaSessionDelete string
	//go:embed lua/session_refresh.lua
	luaSessionRefresh string
	//go:embed lua/user_abort.lua
	luaUserAbort string
	//go:embed lua/user_change.lua
	luaUserChange string
	//go:embed lua/user_commit.lua
	luaUserCommit string
	//go:embed lua/user_create.lua
	luaUserCreate string
	//go:embed lua/user_delete.lua
	luaUserDelete string
	//go:embed lua/user_revoke.lua
	luaUserRevoke string
	//go:embed lua/user_update.lua
	luaUserUpdate string
	//go:embed lua/user_verify.lua
	luaUserVerify string
)

// schemaVersion is that of the keys and records that this package writes.
const schemaVersion = "1"

// scripts are all the scripts of the store.
type scripts struct {
	cacheDrop, cacheFill                           *Script
	emailClaim, emailRelease                       *Script
	garbageSweep                                   *Script
	indexExpire, indexPage, indexPrune             *Script
	inspect, schemaMark                            *Script
	sessionCreate, sessionDelete, sessionRefresh   *Script
	userAbort, userChange, userCommit, userCreate  *Script
	userDelete, userRevoke, userUpdate, userVerify *Script
}

func loadScripts() scripts {
	load := func(name, lua string) *Script { return &Script{Name: name, Lua: luaPrelude + lua} }
	return scripts{
		cacheDrop:      load("cache_drop", luaCacheDrop),
		cacheFill:      load("cache_fill", luaCacheFill),
		emailClaim:     load("email_claim", luaEmailClaim),
		emailRelease:   load("email_release", luaEmailRelease),
		garbageSweep:   load("garbage_sweep", luaGarbageSweep),
		indexExpire:    load("index_expire", luaIndexExpire),
		indexPage:      load("index_page", luaIndexPage),
		indexPrune:     load("index_prune", luaIndexPrune),
		inspect:        load("inspect", luaInspect),
		schemaMark:     load("schema_mark", luaSchemaMark),
		sessionCreate:  load("session_create", luaSessionCreate),
		sessionDelete:  load("session_delete", luaSessionDelete),
		sessionRefresh: load("session_refresh", luaSessionRefresh),
		userAbort:      load("user_abort", luaUserAbort),
		userChange:     load("user_change", luaUserChange),
		userCommit:     load("user_commit", luaUserCommit),
		userCreate:     load("user_create", luaUserCreate),
		userDelete:     load("user_delete", luaUserDelete),
		userRevoke:     load("user_revoke", luaUserRevoke),
		userUpdate:     load("user_update", luaUserUpdate),
		userVerify:     load("user_verify", luaUserVerify),
	}
}

// Scripts returns every script of the store, for drivers that load them ahead
// and for tests. Two calls give equal scripts at different addresses.
func Scripts() []*Script {
	s := loadScripts()
	return []*Script{
		s.cacheDrop, s.cacheFill, s.emailClaim, s.emailRelease, s.garbageSweep,
		s.indexExpire, s.indexPage, s.indexPrune, s.inspect, s.schemaMark,
		s.sessionCreate, s.sessionDelete, s.sessionRefresh,
		s.userAbort, s.userChange, s.userCommit, s.userCreate,
		s.userDelete, s.userRevoke, s.userUpdate, s.userVerify,
	}
}

// The words that a script's reply begins with.
const (
	replyOK       = "ok"
	replyAbsent   = "absent"
	replyConflict = "conflict"
	replyCorrupt  = "corrupt"
	replyGone     = "gone"
	replyPast     = "past"
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
	case replyCorrupt:
		return fmt.Errorf("%s: %w", op, corrupt(kind+" record"))
	default:
		return nil
	}
}
