package layouts

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strconv"
	"testing"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

// layout is a way to keep sessions.
type layout struct {
	name string
	// options are the server's, beside those of every weighing.
	options []string
	// engines are the servers that can do it; none means all.
	engines []string
	// of is what is weighed, "session" unless it says otherwise.
	of string
	// load stores everybody's sessions, and returns what the server used before.
	load func(tb testing.TB, s *testservers.Server, p people) int64
}

// unit is what is weighed.
func (l layout) unit() string { return cmp.Or(l.of, "session") }

// runsOn tells whether a server can keep sessions so.
func (l layout) runsOn(engine string) bool {
	return len(l.engines) == 0 || slices.Contains(l.engines, engine)
}

// layouts are the candidates, from what suggests itself to what was taken.
func layouts() []layout {
	fieldTTL := []string{"redis:8.0", "valkey:9.1"}
	return []layout{
		{name: "key each, JSON, no index", load: commands(jsonKeys)},
		{name: "key each, JSON, and sorted set", load: commands(indexedJSONKeys)},
		{name: "key each, plain agents, and sorted set", load: commands(indexedKeys((*records).plain))},
		{name: "key each, compact, and sorted set", load: commands(indexedKeys((*records).compact))},
		{name: "hash, JSON", load: commands(jsonHash)},
		{name: "hash, plain agents", load: commands(hash((*records).plain))},
		{name: "hash, plain agents, listpack 128", options: listpack(128), load: commands(hash((*records).plain))},
		{name: "hash, plain agents, listpack 256", options: listpack(256), load: commands(hash((*records).plain))},
		{name: "hash, compact", load: commands(hash((*records).compact))},
		{name: "hash, compact, listpack 128", options: listpack(128), load: commands(hash((*records).compact))},
		{name: "hash, compact, TTL of fields", engines: fieldTTL, load: commands(expiringHash)},
		{name: "the store, JSON", load: through(store.SessionJSON)},
		{name: "the store", load: through(store.SessionCompact)},
	}
}

// listpack lets the small encoding of hashes take values of up to n bytes.
func listpack(n int) []string { return []string{"--hash-max-listpack-value", strconv.Itoa(n)} }

// sender sends a command.
type sender func(words ...string)

// commands loads sessions by what write sends for each.
func commands(write func(r *records, s store.Session, send sender)) func(testing.TB, *testservers.Server, people) int64 {
	return func(tb testing.TB, s *testservers.Server, p people) int64 {
		tb.Helper()
		before := used(tb, s)
		r := newRecords(tb)
		s.Load(tb, func(yield func([]string) bool) {
			for _, login := range p.logins {
				write(r, login, func(words ...string) { yield(words) })
			}
		})
		return before
	}
}

func jsonKeys(r *records, s store.Session, send sender) {
	send("SET", "torii:session:"+s.TokenHash, asJSON(r.tb, s), "PXAT", end(s))
}

func indexedJSONKeys(r *records, s store.Session, send sender) {
	jsonKeys(r, s, send)
	send("ZADD", "torii:user_sessions:"+s.UserID, end(s), s.TokenHash)
	send("PEXPIREAT", "torii:user_sessions:"+s.UserID, end(s))
}

// form makes the name and the record of a session.
type form func(*records, store.Session) (member, record string)

// indexedKeys is a key for each session, in the slot of its user, and a sorted set
// of raw hashes.
func indexedKeys(f form) func(*records, store.Session, sender) {
	return func(r *records, s store.Session, send sender) {
		member, record := f(r, s)
		send("SET", key(s)+":"+base64.RawURLEncoding.EncodeToString([]byte(member)), record, "PXAT", end(s))
		send("ZADD", key(s), end(s), member)
		send("PEXPIREAT", key(s), end(s))
	}
}

func jsonHash(r *records, s store.Session, send sender) {
	member, _ := r.compact(s)
	send("HSET", key(s), member, asJSON(r.tb, s))
	send("PEXPIREAT", key(s), end(s))
}

// hash is one for each user. With which session it ends does not matter here.
func hash(f form) func(*records, store.Session, sender) {
	return func(r *records, s store.Session, send sender) {
		member, record := f(r, s)
		send("HSET", key(s), member, record)
		send("PEXPIREAT", key(s), end(s))
	}
}

// expiringHash lets each field end by itself, and the hash with the last of them.
func expiringHash(r *records, s store.Session, send sender) {
	member, record := r.compact(s)
	send("HSET", key(s), member, record)
	send("HPEXPIREAT", key(s), end(s), "FIELDS", "1", member)
}

// key is that of the store.
func key(s store.Session) string { return "torii:{" + string(s.Token)[:12] + "}:s" }

func end(s store.Session) string { return strconv.FormatInt(s.ExpiresAt.UnixMilli(), 10) }
