package drivertest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

// Secrets looks for what must stay secret: on the server, in whatever form, and in
// errors and what is logged.
func Secrets(t *testing.T, engine string, dial store.Dial) {
	t.Helper()
	s := setup{engine: engine, dial: dial}
	for _, format := range []store.SessionFormat{store.SessionCompact, store.SessionJSON} {
		t.Run(fmt.Sprintf("the server learns no secret, sessions are %s", format), func(t *testing.T) { hidesSecrets(t, s, format) })
	}
	t.Run("a planted secret is found", func(t *testing.T) { findsPlanted(t, s) })
	t.Run(errorsCase, func(t *testing.T) { errorsHide(t, s) })
	t.Run("nothing that is logged has a secret", func(t *testing.T) { logsHide(t) })
}

// lookout looks for secrets and notes where it has seen which kind.
type lookout struct {
	// kinds are those of all the spellings that are looked for.
	kinds map[string]string
	seen  map[string]bool
}

func newLookout() *lookout {
	return &lookout{kinds: map[string]string{}, seen: map[string]bool{}}
}

// hide adds a secret, as it is and in the ways in which it might be encoded.
func (l *lookout) hide(kind, secret string) {
	for _, spelling := range []string{
		secret, hex.EncodeToString([]byte(secret)),
		base64.RawStdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
	} {
		l.kinds[spelling] = kind
	}
}

// hideToken adds what is secret of a token: all but the tag of its user.
func (l *lookout) hideToken(kind string, token store.Token) {
	const tag = 9
	raw, err := base64.RawURLEncoding.DecodeString(string(token))
	if err != nil || len(raw) <= tag {
		panic("drivertest: no token")
	}
	l.hide(kind, string(token)[base64.RawURLEncoding.EncodedLen(tag):])
	l.hide(kind, string(raw[tag:]))
}

// look notes the secrets in a text.
func (l *lookout) look(place, text string) {
	for spelling, kind := range l.kinds {
		if strings.Contains(text, spelling) {
			l.seen[kind+" in "+place] = true
		}
	}
}

// command notes the secrets in the words of a command, and with which keys.
func (l *lookout) command(place string, words []string) {
	about := map[string]bool{}
	for _, word := range words {
		if kind := keyKind(word); kind != "" {
			about[kind] = true
		}
	}
	l.look(strings.TrimSpace(place+" about "+strings.Join(slices.Sorted(maps.Keys(about)), ",")), strings.Join(words, "\x00"))
}

// secretsPrefix is that of the keys.
const secretsPrefix = "hush"

// keyKind is the end of one of our keys, without the hash after it; "" if it is
// none.
func keyKind(key string) string {
	rest, ours := strings.CutPrefix(key, secretsPrefix+":{")
	_, kind, found := strings.Cut(rest, "}:")
	if !ours || !found {
		return ""
	}
	kind, _, _ = strings.Cut(kind, ":")
	return kind
}

// server looks at all that a server keeps and tells.
func (l *lookout) server(t *testing.T, server *testservers.Server) {
	t.Helper()
	names, _ := server.Do(t, "KEYS", "*").([]any)
	for _, name := range names {
		key, _ := name.(string)
		kind := keyKind(key)
		l.look(strings.TrimSpace("a key "+kind), key)
		l.look(strings.TrimSpace("a value "+kind), contentOf(t, server, key))
	}
	slow, _ := server.Do(t, "SLOWLOG", "GET", "-1").([]any)
	for _, entry := range slow {
		fields, _ := entry.([]any)
		words, _ := fields[3].([]any)
		l.command("SLOWLOG", texts(words))
	}
	l.look("CLIENT LIST", fmt.Sprint(server.Do(t, "CLIENT", "LIST")))
	l.look("INFO", fmt.Sprint(server.Do(t, "INFO", "everything")))
	l.look("ACL LOG", fmt.Sprint(server.Do(t, "ACL", "LOG")))
	server.Do(t, "SAVE")
	l.files(t, fmt.Sprint(server.Do(t, "CONFIG", "GET", "dir").([]any)[1]))
}

// contentOf is all that lies under a key.
func contentOf(t *testing.T, server *testservers.Server, key string) string {
	t.Helper()
	commands := map[string][]string{
		"string": {"GET", key}, "hash": {"HGETALL", key}, "zset": {"ZRANGE", key, "0", "-1"},
		"list": {"LRANGE", key, "0", "-1"}, "set": {"SMEMBERS", key}, "stream": {"XRANGE", key, "-", "+"},
	}
	kind := fmt.Sprint(server.Do(t, "TYPE", key))
	command, known := commands[kind]
	if !known {
		t.Fatalf("a key is a %s", kind)
	}
	return fmt.Sprint(server.Do(t, command...))
}

func texts(words []any) []string {
	all := make([]string, len(words))
	for i, word := range words {
		all[i] = fmt.Sprint(word)
	}
	return all
}

// files looks at the files of a server: the snapshot and the log of commands.
func (l *lookout) files(t *testing.T, dir string) {
	t.Helper()
	found := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if ext := filepath.Ext(path); ext == ".rdb" || ext == ".aof" {
			l.look("an "+ext+" file", string(text))
			found++
		} else {
			l.look("a file", string(text))
		}
		return err
	})
	mustWork(t, "read the server's files", err)
	if found < 2 {
		t.Errorf("%d files with data in %s", found, dir)
	}
}

// talkative starts a server that writes down all it can.
func talkative(t *testing.T, s setup) *testservers.Server {
	t.Helper()
	server := testservers.Start(t, s.engine, "--appendonly", "yes", "--rdbcompression", "no", "--aof-use-rdb-preamble", "no")
	server.Do(t, "CONFIG", "SET", "slowlog-log-slower-than", "0")
	server.Do(t, "CONFIG", "SET", "slowlog-max-len", "100000")
	return server
}

// hidesSecrets uses all that handles a secret, and compares where the server has
// seen which with where the documentation says that it does.
func hidesSecrets(t *testing.T, s setup, format store.SessionFormat) {
	server := talkative(t, s)
	st := openStore(t, s.dial, store.Config{URLs: []string{server.URL()}, KeyPrefix: secretsPrefix, SessionFormat: format})
	stop := server.Monitor(t)
	l := newLookout()
	useSecrets(t, st, l)
	for _, command := range stop() {
		l.command("MONITOR", command)
	}
	l.server(t, server)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(documented())), slices.Sorted(maps.Keys(l.seen))); diff != "" {
		t.Errorf("-documented +seen:\n%s", diff)
	}
}

// documented is where the documentation of package store says that something
// stands. There is nothing about tokens, states, ids of challenges, and emails of
// nobody.
func documented() map[string]bool {
	all := map[string]bool{}
	for _, at := range []struct{ kind, commands, value string }{
		{"email", "p,u", ""}, // Users.Create has both keys.
		{"email", "u", "u"},
		{"email", "cu,fu", "cu"},
		{"email", "cu", "cu"},
		{"verifier", "c", "c"},
		{"challenge", "w", "w"},
		{"password hash", "p", "p"},
		{"password hash", "p,u", "p"},
		{"password hash", "p,s,t,u", "p"}, // Passwords.Reset.
	} {
		all[at.kind+" in MONITOR about "+at.commands] = true
		all[at.kind+" in SLOWLOG about "+at.commands] = true
		if at.value != "" {
			all[at.kind+" in a value "+at.value] = true
		}
		all[at.kind+" in an .rdb file"] = true
		all[at.kind+" in an .aof file"] = true
	}
	return all
}

// findsPlanted shows that a secret is found wherever it is, in errors too.
func findsPlanted(t *testing.T, s setup) {
	server := talkative(t, s)
	stop := server.Monitor(t)
	l := newLookout()
	token, raw := plainToken(t)
	l.hideToken("token", token)
	key := secretsPrefix + ":{tag}:"
	for _, command := range [][]string{
		{"SET", key + "u", string(token)},
		{"SET", key + string(token), "x"},
		{"SET", string(token), "x"},
		{"HSET", key + "s", "a", string(raw)},
		{"HSET", key + "t", hex.EncodeToString([]byte(token[12:])), "a"},
		{"ZADD", key + "f", "1", "a " + string(token)},
		{"RPUSH", key + "list", string(token)},
		{"SADD", key + "set", base64.StdEncoding.EncodeToString([]byte(token[12:]))},
		{"XADD", key + "stream", "*", "f", string(token)},
		{"EVAL", "return '" + string(token) + "'", "0"},
		{"ACL", "SETUSER", "default", "resetkeys", "~*"},
	} {
		server.Do(t, command...)
	}
	for _, command := range stop() {
		l.command("MONITOR", command)
	}
	l.server(t, server)
	want := []string{"a key", "a key " + string(token), "an .aof file", "an .rdb file", "MONITOR about", "SLOWLOG about"}
	for _, kind := range []string{"f", "list", "s", "set", "stream", "t", "u"} {
		want = append(want, "a value "+kind, "MONITOR about "+kind, "SLOWLOG about "+kind)
	}
	l.failure(fmt.Errorf("look up: %w", errors.Join(store.ErrUnavailable, errors.New(string(token)))))
	want = append(want, "an error by %v", "an error by %#v")
	for _, place := range want {
		if !l.seen["token in "+place] {
			t.Errorf("not found in %s", place)
		}
	}
}

// plainToken makes a token, and its bytes, of which none is a backslash or a quote:
// Valkey 8.1 does not escape those in MONITOR, so that what follows a backslash
// cannot be told from an escape. SLOWLOG has the same commands as they are.
func plainToken(t *testing.T) (store.Token, []byte) {
	t.Helper()
	for {
		token := store.NewToken("1")
		raw, err := base64.RawURLEncoding.DecodeString(string(token))
		mustWork(t, "decode token", err)
		if !bytes.ContainsAny(raw, `\"`) {
			return token, raw
		}
	}
}

// useSecrets uses what handles a secret, each thing so that some are used up and
// some stay, and tells the lookout.
func useSecrets(t *testing.T, st *store.RedisStorage, l *lookout) {
	t.Helper()
	const email, later, nobody = "ada.lovelace@example.org", "countess@example.org", "nobody@example.org"
	l.hide("email", email)
	l.hide("email", later)
	l.hide("email of nobody", nobody)
	user, err := st.Users.Register(t.Context(), store.NewUser{Email: email}, hashOf(l, 1))
	mustWork(t, "register", err)
	useSessions(t, st, l, user)
	useTokens(t, st, l, user)
	useNotes(t, st, l)
	useLocks(t, st, email, nobody)
	user, ok, err := st.Users.FindByEmail(t.Context(), email)
	if err != nil || !ok {
		t.Fatalf("find user: %t, %v", ok, err)
	}
	useCache(t, st, l, user)
	user.Email = later
	_, err = st.Users.Update(t.Context(), user)
	mustWork(t, "change email", err)
	_, err = st.Users.FindOrCreateByEmail(t.Context(), email)
	mustWork(t, "find or create", err)
	gone, err := st.Users.Create(t.Context(), store.NewUser{Email: "gone@example.org"})
	mustWork(t, "create", err)
	useSession(t, st, l, gone)
	mustWork(t, "delete user", st.Users.Delete(t.Context(), gone.ID))
	_, err = st.Sessions.CleanupExpired(t.Context())
	mustWork(t, "clean up", err)
	_, err = st.Tokens.CleanupExpired(t.Context())
	mustWork(t, "clean up", err)
}

// hashOf is the hash of a password.
func hashOf(l *lookout, n int) string {
	hash := fmt.Sprintf("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$%043d", n)
	l.hide("password hash", hash)
	return hash
}

func useSession(t *testing.T, st *store.RedisStorage, l *lookout, user store.User) store.Session {
	t.Helper()
	agent, ip := "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "192.0.2.7"
	session, err := st.Sessions.Create(t.Context(), store.NewSession{UserID: user.ID, UserAgent: &agent, IPAddress: &ip})
	mustWork(t, "create session", err)
	l.hideToken("session token", session.Token)
	return session
}

func useSessions(t *testing.T, st *store.RedisStorage, l *lookout, user store.User) {
	t.Helper()
	for range 2 {
		useSession(t, st, l, user)
		mustWork(t, "log out everywhere", st.Sessions.DeleteAllOfUser(t.Context(), user.ID))
	}
	session, ended := useSession(t, st, l, user), useSession(t, st, l, user)
	unknown := store.NewToken(user.ID)
	l.hideToken("session token", unknown)
	for _, token := range []store.Token{session.Token, ended.Token, unknown} {
		_, _, err1 := st.Sessions.Find(t.Context(), token)
		_, _, err2 := st.Sessions.Authenticate(t.Context(), token)
		_, _, err3 := st.Sessions.TTL(t.Context(), token)
		if err1 != nil || err2 != nil || err3 != nil {
			t.Errorf("find session: %v, %v, %v", err1, err2, err3)
		}
	}
	_, err := st.Sessions.Refresh(t.Context(), session.Token, time.Hour)
	mustWork(t, "refresh", err)
	mustWork(t, "delete session", st.Sessions.Delete(t.Context(), ended.Token))
	list, err := st.Sessions.List(t.Context(), user.ID)
	if err != nil || len(list) != 1 {
		t.Errorf("%d sessions, %v", len(list), err)
	}
}

func useTokens(t *testing.T, st *store.RedisStorage, l *lookout, user store.User) {
	t.Helper()
	for _, purpose := range []store.TokenPurpose{store.PurposeMagicLink, store.PurposePasswordReset, store.PurposeEmailVerification} {
		for _, use := range []bool{false, true} {
			created, err := st.Tokens.Create(t.Context(), user.ID, purpose, time.Hour)
			mustWork(t, "create token", err)
			l.hideToken("secure token", created.Token)
			ok, err := st.Tokens.Check(t.Context(), created.Token, purpose)
			if use && err == nil && ok {
				_, ok, err = st.Tokens.Verify(t.Context(), created.Token, purpose)
			}
			if err != nil || !ok {
				t.Errorf("token for %s: %t, %v", purpose, ok, err)
			}
		}
	}
	reset, err := st.Tokens.Create(t.Context(), user.ID, store.PurposePasswordReset, 0)
	mustWork(t, "create token", err)
	l.hideToken("secure token", reset.Token)
	useSession(t, st, l, user)
	_, ok, err := st.Passwords.Reset(t.Context(), reset.Token, hashOf(l, 2))
	if err != nil || !ok {
		t.Errorf("reset password: %t, %v", ok, err)
	}
	mustWork(t, "set password", st.Passwords.Set(t.Context(), user.ID, hashOf(l, 3)))
	useSession(t, st, l, user)
}

func useNotes(t *testing.T, st *store.RedisStorage, l *lookout) {
	t.Helper()
	for _, fate := range []string{"stays", "is deleted", "is consumed"} {
		state, verifier, id, text := "state that "+fate, "verifier that "+fate, "id that "+fate, "text that "+fate
		l.hide("state", state)
		l.hide("verifier", verifier)
		l.hide("challenge id", id)
		l.hide("challenge", text)
		mustWork(t, "store verifier", st.OAuth.StorePKCE(t.Context(), state, verifier, time.Hour))
		mustWork(t, "set challenge", st.Passkeys.SetChallenge(t.Context(), id, text, time.Hour))
		_, ok1, err1 := st.OAuth.PKCE(t.Context(), state)
		_, ok2, err2 := st.Passkeys.Challenge(t.Context(), id)
		if err1 != nil || err2 != nil || !ok1 || !ok2 {
			t.Errorf("notes: %t, %v, %t, %v", ok1, err1, ok2, err2)
		}
		switch fate {
		case "is deleted":
			mustWork(t, "delete verifier", st.OAuth.DeletePKCE(t.Context(), state))
		case "is consumed":
			_, ok1, err1 = st.OAuth.ConsumePKCE(t.Context(), state)
			_, ok2, err2 = st.Passkeys.ConsumeChallenge(t.Context(), id)
			if err1 != nil || err2 != nil || !ok1 || !ok2 {
				t.Errorf("consume: %t, %v, %t, %v", ok1, err1, ok2, err2)
			}
		}
	}
}

// useLocks leaves attempts for both emails, of which one is nobody's.
func useLocks(t *testing.T, st *store.RedisStorage, emails ...string) {
	t.Helper()
	ip, at := "192.0.2.7", time.Now()
	for _, email := range emails {
		for range store.DefaultMaxAttempts {
			_, _, err := st.BruteForce.RecordFailure(t.Context(), store.NewAttempt{Email: email, IPAddress: &ip})
			mustWork(t, "record failure", err)
		}
		_, err := st.BruteForce.Unlock(t.Context(), email)
		mustWork(t, "unlock", err)
		_, err = st.BruteForce.Admit(t.Context(), store.NewAttempt{Email: email})
		mustWork(t, "admit", err)
		_, err = st.BruteForce.Clear(t.Context(), email)
		mustWork(t, "clear", err)
		for range store.DefaultMaxAttempts {
			_, _, err := st.BruteForce.RecordFailure(t.Context(), store.NewAttempt{Email: email, IPAddress: &ip})
			mustWork(t, "record failure", err)
		}
		_, err1 := st.BruteForce.Status(t.Context(), email)
		_, err2 := st.BruteForce.Stats(t.Context(), email, at)
		_, _, err3 := st.BruteForce.LockedAt(t.Context(), email)
		if err1 != nil || err2 != nil || err3 != nil {
			t.Errorf("look up lock: %v, %v, %v", err1, err2, err3)
		}
		mustWork(t, "set time of locking", st.BruteForce.SetLockedAt(t.Context(), email, &at))
	}
	_, err := st.BruteForce.CleanupOld(t.Context(), at.Add(-time.Hour))
	mustWork(t, "clean up", err)
}

// useCache leaves copies of the user, and of one session of two.
func useCache(t *testing.T, st *store.RedisStorage, l *lookout, user store.User) {
	t.Helper()
	cache := st.NewCache(row{user}, store.CacheOptions{NegativeTTL: time.Minute})
	mustWork(t, "put user", cache.PutUser(t.Context(), user, time.Minute))
	mustWork(t, "invalidate user", cache.InvalidateUser(t.Context(), user, "nobody@example.org"))
	for _, email := range []string{user.Email, "nobody@example.org"} {
		_, _, err := cache.UserByEmail(t.Context(), email)
		mustWork(t, "cached user by email", err)
	}
	_, _, err := cache.User(t.Context(), user.ID)
	mustWork(t, "cached user", err)
	// What is stored now must be newer than the invalidation.
	user.UpdatedAt = user.UpdatedAt.Add(time.Second)
	mustWork(t, "put user", cache.PutUser(t.Context(), user, time.Minute))
	for _, stays := range []bool{false, true} {
		session := useSession(t, st, l, user)
		mustWork(t, "put session", cache.PutSession(t.Context(), session, map[string]string{"a": "b"}))
		_, ok, err := cache.Session(t.Context(), session.Token)
		if err != nil || !ok {
			t.Errorf("cached session: %t, %v", ok, err)
		}
		if !stays {
			mustWork(t, "invalidate session", cache.InvalidateSession(t.Context(), session.Token))
		}
	}
}
