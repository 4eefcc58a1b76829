// Package store keeps users, their sessions, their ways to log in and their
// failures to, in Redis or Valkey, on one node or on a cluster, over whatever
// client library a [Driver] speaks for. It is a reference: each rule stands
// where it is enforced, and this page has the design.
//
// # Keys
//
// All that concerns one user lies in one slot of a cluster, by hash tag; only
// claims to what must be unique among all users, like the email, lie elsewhere,
// and what is kept before the user is known. No text of a caller stands in a
// key, so none can move it to another slot or make two keys meet.
//
//	PREFIX:{TAG}:u        string  the user record
//	PREFIX:{TAG}:s        hash    the user's sessions, by the SHA-256 of the token; ends with the last
//	PREFIX:{TAG}:p        string  the hash of the user's password
//	PREFIX:{TAG}:t        hash    the user's secure tokens, by the SHA-256 of the token; ends with the last
//	PREFIX:{TAG}:o        hash    the user's accounts at providers: by the hash of their name
//	PREFIX:{TAG}:k        hash    the user's passkeys: by the hash of their credential
//	PREFIX:{ETAG}:e       string  the claim to an email: "1 NONCE ID"
//	PREFIX:{OTAG}:a       string  the claim to an account: likewise
//	PREFIX:{DTAG}:d       string  the claim to a passkey's credential: likewise
//	PREFIX:{CTAG}:c       string  the PKCE verifier of a state; ends by itself
//	PREFIX:{WTAG}:w       string  the challenge of an id; ends by itself
//	PREFIX:{ETAG}:f       zset    failed attempts: "ID -" or "ID =ADDRESS" by time in ms
//	PREFIX:{ETAG}:l       string  a sticky lock: its end in ms; ends with it
//	PREFIX:{ETAG}:h       string  "1": the user who has the email may bear LockedAt
//	PREFIX:{TAG}:cu       string  a cached user          PREFIX:{TAG}:fu       its floor
//	PREFIX:{ETAG}:ce      string  whose an email is      PREFIX:{ETAG}:fe      its floor
//	PREFIX:{TAG}:cs:HASH  string  a cached session       PREFIX:{TAG}:fs:HASH  its floor
//	PREFIX:{schema}:v     string  the schema version
//
// TAG is the base64url of the first 9 bytes of the SHA-256 of the user's id,
// HASH that of the SHA-256 of the token's text, and the other tags that of the
// first 16 bytes of the SHA-256 of what is looked up: the email, the credential,
// the state, the challenge's id, and for an account its provider and subject,
// after the length of the first. Two ids with the same TAG, which only somebody
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
// A user's record is one line of fields that scripts read and replace, and a
// line of JSON that only Go reads. Times are milliseconds since 1970.
//
//	user     1 state check nonce created updated verified locked LF json [LF pending]
//	token    1 expires created used purpose nonce
//	link     1 state nonce deadline created used group LF json    (an account, a passkey)
//	note     1 expires LF text                                    (a verifier, a challenge)
//
// A session's record is binary, about 40 bytes for a browser's, or JSON: see
// Config.SessionFormat and session_record.go.
//
// # Sessions
//
// The sessions of a user are one hash. So the index of a user's sessions is the
// sessions themselves: none can be missing in it, and to log a user out
// everywhere is to remove one key, whatever the number of sessions, which no
// concurrent creation or refresh slips through. Next to a key for each session
// and an index beside them it takes about half of the memory.
//
// A session counts if its record is there, its end has not passed, and its user
// is there. The server forgets the hash when the last session of the user ends.
// A session that ends while others go on is refused from then on, and its memory
// comes back with the user's next login, shortening or log-out, or with
// Sessions.CleanupExpired: 80 bytes or so wait for that. docs/storage.md has the numbers.
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
// # Accounts and passkeys
//
// An account at a provider, and the credential of a passkey, belong to one user
// at most. They are claimed as emails are; what is pending is an entry in the
// user's hash, with a nonce and a deadline. It counts for nothing until it is
// active, and for ever nothing once somebody has found it past its deadline,
// because it is then removed. Since the entries lie beside the user, one script
// both asks whether the last way to log in would go and removes it, so that two
// removals at once cannot each spare the other; and the script that deletes a
// user takes the entries along. What a crash may leave is a dead claim, and an
// entry that counts for nothing, which the user's next link clears away.
//
// PKCE verifiers and challenges are stored as they are, for their consumers need
// the text; they live for MaxHandshakeLifetime at most, usually minutes. Consuming
// one is a script: of many at once one gets it.
//
// # Failed attempts
//
// To record a failure, to count those in the window and to decide whether they
// lock is one script on the slot of the email, which may belong to nobody. An
// attempt is a member of its own by its random id, so that failures of one
// millisecond do not collapse and a call can be repeated. The attempts live for
// the retention after the last one, so that emails that somebody makes up fill
// memory no longer than that. User.LockedAt lies in another slot and is written
// after: a crash loses this hint and never the lock. It may also stay when it
// is written while somebody unlocks; Unlock takes it away.
//
// # Cached copies
//
// An entry begins with a version, the user's or session's time of update, and a
// line feed; JSON follows. A floor is the lowest version that may be stored, for
// the ten seconds after an invalidation in which a load that began before it may
// still be under way. Under cu and ce may also stand that nobody is there, in
// the lowest version, where CacheOptions.NegativeTTL asks for it. What stands
// under ce is the id of the user, whose copy must have that email to count.
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
//	Users.Delete               2    everything, claim; 1 more for each account and each passkey
//	Sessions.Create            1
//	Sessions.Find              1
//	Sessions.Authenticate      1
//	Sessions.Refresh           1
//	Sessions.Delete            1
//	Sessions.List              1    for each 500 sessions
//	Sessions.DeleteAllOfUser   1
//	Users.Register             3    as Create
//	RedisStorage.Login         1    two commands at once; 3 when the user may bear LockedAt
//	Passwords.Set, Get, Change, Replace, Rehash, Reset, Remove, RemoveUnlessLast
//	                           1
//	Tokens.Create, Verify, Check
//	                           1
//	OAuth.Create, Link         3    pending entry, claim, activation; 1 when the user has it
//	OAuth.FindUser             2    claim, entry; likewise FindAccount
//	OAuth.List                 1
//	OAuth.Unlink               1    and 1 for each account; likewise UnlinkUnlessLast
//	OAuth.StorePKCE            1    likewise PKCE, ConsumePKCE, DeletePKCE
//	Passkeys.Add               3    pending entry, claim, activation
//	Passkeys.Find              2    claim, entry; likewise Touch and Authenticate
//	Passkeys.List              1
//	Passkeys.Delete            3    claim, entry, claim; 1 when there is none; likewise
//	                                DeleteUnlessLast
//	Passkeys.DeleteAll         1    and 1 for each passkey; likewise DeleteAllUnlessLast
//	Passkeys.SetChallenge      1    likewise Challenge, ConsumeChallenge
//	BruteForce.RecordFailure   1    2 when it locks, whether a user has the email or not
//	BruteForce.Admit           1    2 when it is the last that is admitted
//	BruteForce.Status          1
//	BruteForce.Stats           1
//	BruteForce.Clear           1    3 when the user may bear LockedAt
//	BruteForce.Unlock          3    2 for a user who was not locked, 1 for nobody
//	BruteForce.SetLockedAt     2    3 when it takes LockedAt away
//	BruteForce.LockedAt        2
//	BruteForce.CleanupOld      1    for each email; 2 more when it is a user's
//	Cache.User                 1    hit; 2 and the source when it misses, 2 more of
//	                                each when it is invalidated meanwhile
//	Cache.UserByEmail          2    hit; 3 or 4 and the source when it misses, and so on
//	Cache.Fresh                1    and the source
//	Cache.FreshByEmail         2    and the source
//	Cache.PutUser              1    2 with an EmailSource
//	Cache.InvalidateUser       2    1 more for each email that the user had before
//	Cache.ForgetUser           1    1 more for each email
//	                                Config.ClientCacheSize makes hits 0, and each
//	                                write of a user's or an email's entry 2
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
// undo what was acknowledged shortly before, a log-out included; and until
// sentinels have told the old primary, it accepts writes that are lost.
//
// Reads go to the primary unless Config.ReadFrom says otherwise, which has what a
// stale read means. It never leads to a wrong write: scripts decide at the primary,
// and what a script is not given to compare is read there too (WithPrimaryReads).
package store
