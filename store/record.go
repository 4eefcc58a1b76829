package store

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// recordFormat is the first field of a record's first line.
const recordFormat = "1"

// none stands for an absent time in a record's first line.
const none = "-"

// States of a user record.
const (
	statePending = "p"
	stateActive  = "a"
)

// maxMillis is the end of the year 9999, the last that JSON times can write.
const maxMillis = 253402300799999

// A userRecord is a stored user:
//
//	1 state check nonce created updated verified locked LF json [LF pending]
//
// The first line is what scripts read and replace. The JSON is written by Go
// only. The pending part notes a change of email until it is committed.
type userRecord struct {
	user    User
	state   string
	check   string
	nonce   string
	pending bool
}

// userJSON is the part of a user that only Go reads.
type userJSON struct {
	ID    string  `json:"id"`
	Email string  `json:"email"`
	Name  *string `json:"name,omitempty"`
}

// sessionJSON is the part of a cached session that never changes.
type sessionJSON struct {
	UserID    string  `json:"user_id"`
	UserAgent *string `json:"user_agent,omitempty"`
	IPAddress *string `json:"ip_address,omitempty"`
	CreatedAt *int64  `json:"created_at"`
}

func encodeUserJSON(u User) string {
	return encodeJSON(userJSON{ID: u.ID, Email: u.Email, Name: u.Name})
}

// encodeJSON writes v on one line: JSON escapes line feeds in strings.
func encodeJSON(v any) string {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("store: encode record: " + err.Error()) // Strings and numbers always encode.
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// decodeUser reads a stored user. Every fault is the same ErrCorrupt.
func decodeUser(raw string) (userRecord, error) {
	head, body, found := strings.Cut(raw, "\n")
	f := fields{rest: head}
	f.expect(recordFormat)
	r := userRecord{state: f.word(), check: f.word(), nonce: f.word()}
	r.user.CreatedAt, r.user.UpdatedAt = f.time(), f.time()
	r.user.EmailVerifiedAt, r.user.LockedAt = f.optionalTime(), f.optionalTime()
	line, _, pending := strings.Cut(body, "\n")
	r.pending = pending
	var j userJSON
	if !found || !f.done() || (r.state != statePending && r.state != stateActive) || !(j.plain(line) || decodeJSON(line, &j)) {
		return userRecord{}, corrupt("user record")
	}
	r.user.ID, r.user.Email, r.user.Name = j.ID, j.Email, j.Name
	if j.ID == "" || j.Email == "" || !isUserCheck(r.check, j.ID) {
		return userRecord{}, corrupt("user record")
	}
	return r, nil
}

func decodeJSON(text string, into any) bool {
	return utf8.ValidString(text) && json.Unmarshal([]byte(text), into) == nil
}

// fields reads a record's first line: words between single spaces. After the
// first fault it stays faulty.
type fields struct {
	rest string
	bad  bool
	end  bool
}

func (f *fields) word() string {
	word, rest, more := strings.Cut(f.rest, " ")
	f.bad = f.bad || f.end || word == ""
	f.rest, f.end = rest, !more
	return word
}

func (f *fields) expect(word string) { f.bad = f.word() != word || f.bad }

// number reads an unsigned number that scripts compare as text.
func (f *fields) number() string {
	word := f.word()
	_, err := strconv.ParseUint(word, 10, 63)
	f.bad = f.bad || err != nil
	return word
}

func (f *fields) time() time.Time {
	word := f.word()
	ms, err := strconv.ParseInt(word, 10, 64)
	f.bad = f.bad || err != nil || word[0] == '+' || !inRange(ms)
	return fromMillis(ms)
}

func (f *fields) optionalTime() *time.Time {
	if f.rest == none || strings.HasPrefix(f.rest, none+" ") {
		f.word()
		return nil
	}
	t := f.time()
	return &t
}

func (f *fields) done() bool { return f.end && !f.bad }

func inRange(ms int64) bool { return -maxMillis <= ms && ms <= maxMillis }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// truncate gives t the precision and the zone that storage keeps.
func truncate(t time.Time) time.Time { return fromMillis(t.UnixMilli()) }

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

func optionalMillis(t *time.Time) string {
	if t == nil {
		return none
	}
	return millis(*t)
}
