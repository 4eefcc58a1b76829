package store

import (
	"strings"
	"time"
)

// cacheSchema is the version of the JSON of cached copies. An entry of another
// one is a miss.
const cacheSchema = 1

// A cached copy is stored as
//
//	version LF {"schema":1,"cached_at":ms,"user":{...}}
//
// The version is UpdatedAt, for scripts. The entity is nested, so that none of
// its fields can ever collide with those of the wrapper. All times are
// milliseconds since 1970. Unknown fields are ignored.
type cachedJSON struct {
	Schema   int                `json:"schema"`
	CachedAt *int64             `json:"cached_at"`
	User     *cachedUserJSON    `json:"user,omitempty"`
	Session  *cachedSessionJSON `json:"session,omitempty"`
	Metadata map[string]string  `json:"metadata,omitempty"`
}

type cachedUserJSON struct {
	userJSON

	VerifiedAt *int64 `json:"email_verified_at,omitempty"`
	LockedAt   *int64 `json:"locked_at,omitempty"`
	CreatedAt  *int64 `json:"created_at"`
	UpdatedAt  *int64 `json:"updated_at"`
}

type cachedSessionJSON struct {
	sessionJSON

	TokenHash string `json:"token_hash"`
	UpdatedAt *int64 `json:"updated_at"`
	ExpiresAt *int64 `json:"expires_at"`
}

func encodeCachedUser(c CachedUser) string {
	return millis(c.UpdatedAt) + "\n" + encodeJSON(cachedJSON{
		Schema:   cacheSchema,
		CachedAt: pointMillis(&c.CachedAt),
		User: &cachedUserJSON{
			userJSON:   userJSON{ID: c.ID, Email: c.Email, Name: c.Name},
			VerifiedAt: pointMillis(c.EmailVerifiedAt),
			LockedAt:   pointMillis(c.LockedAt),
			CreatedAt:  pointMillis(&c.CreatedAt),
			UpdatedAt:  pointMillis(&c.UpdatedAt),
		},
	})
}

func encodeCachedSession(c CachedSession) string {
	return millis(c.UpdatedAt) + "\n" + encodeJSON(cachedJSON{
		Schema:   cacheSchema,
		CachedAt: pointMillis(&c.CachedAt),
		Metadata: c.Metadata,
		Session: &cachedSessionJSON{
			sessionJSON: sessionJSON{
				UserID: c.UserID, UserAgent: c.UserAgent, IPAddress: c.IPAddress, CreatedAt: pointMillis(&c.CreatedAt),
			},
			TokenHash: c.TokenHash,
			UpdatedAt: pointMillis(&c.UpdatedAt),
			ExpiresAt: pointMillis(&c.ExpiresAt),
		},
	})
}

// decodeCached reads the wrapper. It reports false for everything that this
// version did not write.
func decodeCached(raw string) (cachedJSON, bool) {
	_, body, found := strings.Cut(raw, "\n")
	var j cachedJSON
	if !found || !decodeJSON(body, &j) || j.Schema != cacheSchema || !allTimes(j.CachedAt) {
		return cachedJSON{}, false
	}
	return j, true
}

func decodeCachedUser(raw string) (CachedUser, bool) {
	j, ok := decodeCached(raw)
	if !ok || j.User == nil || j.User.ID == "" || j.User.Email == "" || !allTimes(j.User.CreatedAt, j.User.UpdatedAt) {
		return CachedUser{}, false
	}
	user := User{
		ID:              j.User.ID,
		Email:           j.User.Email,
		Name:            j.User.Name,
		EmailVerifiedAt: pointTime(j.User.VerifiedAt),
		LockedAt:        pointTime(j.User.LockedAt),
		CreatedAt:       fromMillis(*j.User.CreatedAt),
		UpdatedAt:       fromMillis(*j.User.UpdatedAt),
	}
	return CachedUser{User: user, CachedAt: fromMillis(*j.CachedAt)}, true
}

func decodeCachedSession(raw string) (CachedSession, bool) {
	j, ok := decodeCached(raw)
	if !ok || j.Session == nil || j.Session.UserID == "" ||
		!allTimes(j.Session.CreatedAt, j.Session.UpdatedAt, j.Session.ExpiresAt) {
		return CachedSession{}, false
	}
	session := Session{
		TokenHash: j.Session.TokenHash,
		UserID:    j.Session.UserID,
		UserAgent: j.Session.UserAgent,
		IPAddress: j.Session.IPAddress,
		CreatedAt: fromMillis(*j.Session.CreatedAt),
		UpdatedAt: fromMillis(*j.Session.UpdatedAt),
		ExpiresAt: fromMillis(*j.Session.ExpiresAt),
	}
	return CachedSession{Session: session, Metadata: j.Metadata, CachedAt: fromMillis(*j.CachedAt)}, true
}

// allTimes reports whether required times are there and in range.
func allTimes(times ...*int64) bool {
	for _, ms := range times {
		if ms == nil || !inRange(*ms) {
			return false
		}
	}
	return true
}

func pointMillis(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}

func pointTime(ms *int64) *time.Time {
	if ms == nil {
		return nil
	}
	t := fromMillis(*ms)
	return &t
}

// Age is how old the copy is, never negative: clocks differ.
func (c CachedUser) Age(now time.Time) time.Duration { return max(0, now.Sub(c.CachedAt)) }

// Age is how old the copy is, never negative: clocks differ.
func (c CachedSession) Age(now time.Time) time.Duration { return max(0, now.Sub(c.CachedAt)) }
