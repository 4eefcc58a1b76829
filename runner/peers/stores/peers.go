package main

import (
	"crypto/rand"
	"encoding/base64"
	"runtime/debug"
	"strings"
	"time"

	"github.com/toriibench/toriibench/runner"
)

// peers lists the stores of others.
func peers() []runner.StorePeer {
	return []runner.StorePeer{
		{Name: "scs", Version: versions("github.com/alexedwards/scs/v2", "github.com/alexedwards/scs/goredisstore"), Open: openSCS},
		{Name: "redistore", Version: versions("github.com/boj/redistore", "github.com/gorilla/sessions"), Open: openRedistore},
		{Name: "fiber storage", Version: versions("github.com/gofiber/storage/redis/v3"), Open: openFiber},
	}
}

// versions tells which versions of modules this program is built with.
func versions(modules ...string) string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	var found []string
	for _, module := range modules {
		for _, dep := range build.Deps {
			if dep.Path == module {
				found = append(found, strings.TrimPrefix(module, "github.com/")+" "+dep.Version)
			}
		}
	}
	return strings.Join(found, ", ")
}

// newToken makes a token as scs and fiber do: 32 random bytes in base64url.
func newToken() string {
	var raw [32]byte
	rand.Read(raw[:]) // It never fails; it ends the program instead.
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// What the stores that keep a map have in it. Times are numbers, because gob
// takes no time.Time in a map before the program has registered it.
const (
	keyUser    = "user_id"
	keyAgent   = "user_agent"
	keyAddress = "ip_address"
	keyCreated = "created_at"
	keyUpdated = "updated_at"
	keyExpires = "expires_at"
)

// loginOf reads a map. What is missing stays empty.
func loginOf(get func(key string) any) runner.Login {
	text := func(key string) string { s, _ := get(key).(string); return s }
	at := func(key string) time.Time { ms, _ := get(key).(int64); return time.UnixMilli(ms).UTC() }
	return runner.Login{
		UserID: text(keyUser), UserAgent: text(keyAgent), IPAddress: text(keyAddress),
		CreatedAt: at(keyCreated), UpdatedAt: at(keyUpdated), ExpiresAt: at(keyExpires),
	}
}
