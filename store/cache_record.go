package store

import (
	"strconv"
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
//
// Instead of the entity an email's entry has the id of the user, and an entry
// that says that nobody is there has the rest of the hash of the id or email,
// of which the key has the beginning: it is as short however long that is.
type cachedJSON struct {
	Schema   int                `json:"schema"`
	CachedAt *int64             `json:"cached_at"`
	User     *cachedUserJSON    `json:"user,omitempty"`
	UserID   string             `json:"user_id,omitempty"`
	Absent   string             `json:"absent,omitempty"`
	Session  *cachedSessionJSON `json:"session,omitempty"`
	Metadata map[string]string  `json:"metadata,omitempty"`
	// EndsAt is when the entry ends by the clock of who wrote it, and Cost how
	// many microseconds its load took: for its early refresh.
	EndsAt *int64 `json:"ends_at,omitempty"`
	Cost   int64  `json:"cost_us,omitempty"`
}

// entry is what is stored of a user, of an email, or of nobody.
type entry struct {
	// user is complete in a user's entry; in an email's it has only the ID.
	user   CachedUser
	absent string
	ends   time.Time
	cost   time.Duration
}

// absentVersion is lower than any time of update: who looked before a creation
// replaces nothing that was written after it, and no floor lets it pass.
const absentVersion = -maxMillis - 1

// maxCost bounds what an entry may say of its load.
const maxCost = time.Hour

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

func encodeCachedUser(e entry) string {
	c := e.user
	return e.line(c.UpdatedAt.UnixMilli(), cachedJSON{User: &cachedUserJSON{
		userJSON:   userJSON{ID: c.ID, Email: c.Email, Name: c.Name},
		VerifiedAt: pointMillis(c.EmailVerifiedAt),
		LockedAt:   pointMillis(c.LockedAt),
		CreatedAt:  pointMillis(&c.CreatedAt),
		UpdatedAt:  pointMillis(&c.UpdatedAt),
	}})
}

// encodeCachedEmail makes the entry that leads from an email to the user, in the
// user's version.
func encodeCachedEmail(e entry) string {
	return e.line(e.user.UpdatedAt.UnixMilli(), cachedJSON{UserID: e.user.ID})
}

// encodeAbsent makes the entry that says that nobody is there.
func encodeAbsent(e entry) string {
	return e.line(absentVersion, cachedJSON{Absent: e.absent})
}

// line completes an entry.
func (e entry) line(version int64, j cachedJSON) string {
	j.Schema, j.CachedAt = cacheSchema, pointMillis(&e.user.CachedAt)
	if e.cost > 0 {
		j.EndsAt, j.Cost = pointMillis(&e.ends), e.cost.Microseconds()
	}
	return strconv.FormatInt(version, 10) + "\n" + encodeJSON(j)
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

// early reads what an early refresh needs to know. Without it there is none.
func (j cachedJSON) early() (ends time.Time, cost time.Duration) {
	if j.Cost <= 0 || !allTimes(j.EndsAt) {
		return time.Time{}, 0
	}
	return fromMillis(*j.EndsAt), time.Duration(min(j.Cost, maxCost.Microseconds())) * time.Microsecond
}

// decodeCachedUser reads a user's entry, or one that says that nobody is there.
func decodeCachedUser(raw string) (entry, bool) {
	j, ok := decodeCached(raw)
	if ok && j.Absent != "" && j.User == nil {
		return entry{absent: j.Absent}, true
	}
	if !ok || j.Absent != "" || j.User == nil || j.User.ID == "" || j.User.Email == "" || !allTimes(j.User.CreatedAt, j.User.UpdatedAt) ||
		!optionalTimes(j.User.VerifiedAt, j.User.LockedAt) {
		return entry{}, false
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
	e := entry{user: CachedUser{User: user, CachedAt: fromMillis(*j.CachedAt)}}
	e.ends, e.cost = j.early()
	return e, true
}

// decodeCachedEmail reads an email's entry, or one that says that nobody has it.
func decodeCachedEmail(raw string) (entry, bool) {
	j, ok := decodeCached(raw)
	if !ok || (j.UserID == "") == (j.Absent == "") {
		return entry{}, false
	}
	e := entry{user: CachedUser{User: User{ID: j.UserID}}, absent: j.Absent}
	e.ends, e.cost = j.early()
	return e, true
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

// optionalTimes reports whether times are in range where they are there.
func optionalTimes(times ...*int64) bool {
	for _, ms := range times {
		if ms != nil && !inRange(*ms) {
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
