// Package store keeps users and sessions in Redis or Valkey, on one node or on
// a cluster, over whatever client library a [Driver] speaks for. It is a
// reference: each rule stands where it is enforced, and this page has the
// design.
//
// # Keys
//
// All that concerns one user lies in one slot of a cluster, by hash tag; only
// the email, which must be unique among all users, lies elsewhere. No text of
// a caller stands in a key, so none can move it to another slot or make two
// keys meet.
//
//	PREFIX:{TAG}:u        string  the user record
//	PREFIX:{TAG}:s:HASH   string  a session record; ends with the session
//	PREFIX:{TAG}:i        zset    the user's sessions: HASH by end in ms; ends with the last
//	PREFIX:{TAG}:g:NONCE  zset    an index set aside while its sessions are swept; usually gone at once
//	PREFIX:{ETAG}:e       string  the claim to an email: "1 NONCE ID"
//	PREFIX:{TAG}:cu       string  a cached user          PREFIX:{TAG}:fu       its floor
//	PREFIX:{TAG}:cs:HASH  string  a cached session       PREFIX:{TAG}:fs:HASH  its floor
//	PREFIX:{schema}:v     string  the schema version
//
// TAG is the base64url of the first 9 bytes of the SHA-256 of the user's id,
// ETAG that of the first 16 bytes of the SHA-256 of the email, HASH that of the
// SHA-256 of the token's text. Two ids with the same TAG, which only somebody
// who looks for them finds, cannot both exist: the second creation is a
// conflict, and each record names its id in full.
//
// # Tokens
//
// A [Token] begins with the TAG of its user, so that one round trip to the
// right node finds session and user. The tag is no secret; 184 random bits
// follow it. Only its hash is stored.
//
// # Records
//
// A record is one line of fields that scripts read and replace, and a line of
// JSON that only Go reads. Times are milliseconds since 1970.
//
//	session  1 epoch expires updated LF json
//	user     1 state check nonce epoch created updated verified locked LF json [LF pending]
//
// # Sessions
//
// A session counts if its record exists, its user's record exists and is
// active, both bear the same epoch, and its end has not passed. To log a user
// out everywhere is to raise the epoch: one small script, whatever the number
// of sessions, and one that no concurrent creation or refresh slips through.
// The dead sessions are swept afterwards, page by page of the index that was
// set aside; a crash before the end leaves memory until they expire, or until
// Sessions.CleanupExpired, and nothing else. A new user's epoch is the server's
// time in microseconds, so that an id that is used again adopts no old session.
//
// # Emails
//
// User and email lie in different slots, and nothing is atomic across slots.
// A creation goes: pending record with a nonce, for ten seconds; claim to the
// email with the same nonce; record made active. A claim counts only while its
// record bears its nonce, and the email with it. So a crash anywhere leaves
// either a complete user or something that everybody may replace. Whoever meets
// a claim whose record is pending completes it instead of waiting. A change of
// email does the same with a pending change beside the old record. An update is
// refused unless the record still bears the time and the nonce that were read:
// an id that was deleted and created again within a millisecond has another
// nonce. What a crash may leave for good is a dead claim, a few dozen bytes,
// until somebody wants the email.
//
// # Round trips
//
// In the usual case, on the server side; the first use of a script on a
// connection's server costs one more.
//
//	Users.Create               3    pending record, claim, activation
//	Users.FindByID             1
//	Users.FindByEmail          2    claim, record
//	Users.FindOrCreateByEmail  2    found; 4 created
//	Users.Update               2    read, script; 5 with a change of email
//	Users.MarkEmailVerified    1
//	Users.Delete               3    record and index, claim, sessions; 2 without sessions;
//	                                1 for each 500 sessions more
//	Sessions.Create            1
//	Sessions.Find              1
//	Sessions.Authenticate      1
//	Sessions.Refresh           1
//	Sessions.Delete            1
//	Sessions.List              2    for each 500 sessions; 1 more when the index has dangling entries
//	Sessions.DeleteAllOfUser   2    epoch, sweep; 1 without sessions, 1 for each 500 more
//	Cache.User                 1    hit; 2 and the source when it misses, 2 more of
//	                                each when it is invalidated meanwhile
//	Cache.PutUser              1
//	Cache.InvalidateUser       1
//	Cache.PutSession           1
//	Cache.Session              1
//	Cache.InvalidateSession    1    by token or by hash
//
// # Time
//
// Scripts ask the server for the time; they decide what is written. Whether a
// session that was read has ended is decided by the clock of the reader, so
// that clocks that differ by a second let a session live a second too long or
// too short at most.
//
// # Where the time goes
//
// With WithTrace an operation tells how long its commands waited to be written
// and how long for their replies. RedisStorage.ClientRetries counts what the
// client library has sent again by itself: redirections, and reads as far as
// Config.ReadRetries allows.
//
// # What a server must offer
//
// Redis 7.0 or Valkey 8.0 and later, EVAL, and maxmemory-policy noeviction: an
// eviction policy may drop users. Replication is asynchronous: a failover may
// undo what was acknowledged shortly before, a log-out included. Reads go to
// the primary.
package store
