package drivertest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

// errorsCase is the name of the case that logsHide runs again.
const errorsCase = "no error has a secret"

// secretsFile names the file for the secrets of errorsCase, one on a line, when it
// runs for logsHide.
const secretsFile = "STORE_TEST_SECRETS"

// holder has a secret of each kind.
type holder struct {
	user                      store.User
	session, token            store.Token
	state, verifier, id, text string
	password, email           string
}

func newHolder() *holder {
	return &holder{
		state: "state-that-is-secret", verifier: "verifier-that-is-secret", id: "challenge-id-that-is-secret",
		text: "challenge-text-that-is-secret", password: "$argon2id$hash-that-is-secret", email: "secret@example.org",
	}
}

// enter brings the secrets into a storage.
func (h *holder) enter(t *testing.T, st *store.RedisStorage) {
	t.Helper()
	var err error
	h.user, err = st.Users.Register(t.Context(), store.NewUser{Email: h.email}, h.password)
	mustWork(t, "register", err)
	session, err := st.Sessions.Create(t.Context(), store.NewSession{UserID: h.user.ID})
	mustWork(t, "create session", err)
	token, err := st.Tokens.Create(t.Context(), h.user.ID, store.PurposePasswordReset, 0)
	mustWork(t, "create token", err)
	h.session, h.token = session.Token, token.Token
	mustWork(t, "store verifier", st.OAuth.StorePKCE(t.Context(), h.state, h.verifier, time.Hour))
	mustWork(t, "set challenge", st.Passkeys.SetChallenge(t.Context(), h.id, h.text, time.Hour))
	_, _, err = st.BruteForce.RecordFailure(t.Context(), store.NewAttempt{Email: h.email})
	mustWork(t, "record failure", err)
	cache := st.NewCache(row{h.user}, store.CacheOptions{})
	mustWork(t, "put user", cache.PutUser(t.Context(), h.user, time.Minute))
	mustWork(t, "put session", cache.PutSession(t.Context(), session, nil))
}

// imagine gives the holder secrets that no server has.
func (h *holder) imagine() {
	h.user = store.User{ID: "1", Email: h.email, CreatedAt: time.UnixMilli(1), UpdatedAt: time.UnixMilli(1)}
	h.session, h.token = store.NewToken("1"), store.NewToken("1")
}

// secrets are all that no error may have.
func (h *holder) secrets(l *lookout) {
	l.hideToken("session token", h.session)
	l.hideToken("secure token", h.token)
	for kind, secret := range map[string]string{
		"state": h.state, "verifier": h.verifier, "challenge id": h.id, "challenge": h.text, "password hash": h.password, "email": h.email,
	} {
		l.hide(kind, secret)
	}
}

// operations are those to which a secret is given, or from which one comes.
func (h *holder) operations(st *store.RedisStorage) map[string]func(ctx context.Context) error {
	cache := st.NewCache(row{h.user}, store.CacheOptions{LoadTimeout: 100 * time.Millisecond})
	session := store.Session{Token: h.session, UserID: h.user.ID, CreatedAt: time.Now(), UpdatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
	attempt := store.NewAttempt{Email: h.email}
	all := map[string]func(ctx context.Context) error{
		"create session": func(ctx context.Context) error {
			_, err := st.Sessions.Create(ctx, store.NewSession{UserID: h.user.ID, Token: h.session})
			return err
		},
		"find session":      func(ctx context.Context) error { _, _, err := st.Sessions.Find(ctx, h.session); return err },
		"authenticate":      func(ctx context.Context) error { _, _, err := st.Sessions.Authenticate(ctx, h.session); return err },
		"refresh":           func(ctx context.Context) error { _, err := st.Sessions.Refresh(ctx, h.session, time.Hour); return err },
		"life of a session": func(ctx context.Context) error { _, _, err := st.Sessions.TTL(ctx, h.session); return err },
		"list sessions":     func(ctx context.Context) error { _, err := st.Sessions.List(ctx, h.user.ID); return err },
		"delete session":    func(ctx context.Context) error { return st.Sessions.Delete(ctx, h.session) },
		"check token": func(ctx context.Context) error {
			_, err := st.Tokens.Check(ctx, h.token, store.PurposePasswordReset)
			return err
		},
		"verify token": func(ctx context.Context) error {
			_, _, err := st.Tokens.Verify(ctx, h.token, store.PurposeMagicLink)
			return err
		},
		"reset password":  func(ctx context.Context) error { _, _, err := st.Passwords.Reset(ctx, h.token, h.password); return err },
		"set password":    func(ctx context.Context) error { return st.Passwords.Set(ctx, h.user.ID, h.password) },
		"change password": func(ctx context.Context) error { return st.Passwords.Change(ctx, h.user.ID, h.password) },
		"replace password": func(ctx context.Context) error {
			return st.Passwords.Replace(ctx, h.user.ID, h.password, h.password)
		},
		"rehash password": func(ctx context.Context) error {
			_, err := st.Passwords.Rehash(ctx, h.user.ID, h.password, h.password)
			return err
		},
		"get password":       func(ctx context.Context) error { _, _, err := st.Passwords.Get(ctx, h.user.ID); return err },
		"store verifier":     func(ctx context.Context) error { return st.OAuth.StorePKCE(ctx, h.state, h.verifier, time.Hour) },
		"get verifier":       func(ctx context.Context) error { _, _, err := st.OAuth.PKCE(ctx, h.state); return err },
		"consume verifier":   func(ctx context.Context) error { _, _, err := st.OAuth.ConsumePKCE(ctx, h.state); return err },
		"delete verifier":    func(ctx context.Context) error { return st.OAuth.DeletePKCE(ctx, h.state) },
		"set challenge":      func(ctx context.Context) error { return st.Passkeys.SetChallenge(ctx, h.id, h.text, time.Hour) },
		"get challenge":      func(ctx context.Context) error { _, _, err := st.Passkeys.Challenge(ctx, h.id); return err },
		"consume challenge":  func(ctx context.Context) error { _, _, err := st.Passkeys.ConsumeChallenge(ctx, h.id); return err },
		"put session":        func(ctx context.Context) error { return cache.PutSession(ctx, session, nil) },
		"cached session":     func(ctx context.Context) error { _, _, err := cache.Session(ctx, h.session); return err },
		"invalidate session": func(ctx context.Context) error { return cache.InvalidateSession(ctx, h.session) },
	}
	maps.Copy(all, map[string]func(ctx context.Context) error{
		"register": func(ctx context.Context) error {
			_, err := st.Users.Register(ctx, store.NewUser{Email: h.email}, h.password)
			return err
		},
		"find by email":      func(ctx context.Context) error { _, _, err := st.Users.FindByEmail(ctx, h.email); return err },
		"find or create":     func(ctx context.Context) error { _, err := st.Users.FindOrCreateByEmail(ctx, h.email); return err },
		"cached by email":    func(ctx context.Context) error { _, _, err := cache.UserByEmail(ctx, h.email); return err },
		"put user":           func(ctx context.Context) error { return cache.PutUser(ctx, h.user, time.Minute) },
		"invalidate user":    func(ctx context.Context) error { return cache.InvalidateUser(ctx, h.user) },
		"status":             func(ctx context.Context) error { _, err := st.BruteForce.Status(ctx, h.email); return err },
		"record failure":     func(ctx context.Context) error { _, _, err := st.BruteForce.RecordFailure(ctx, attempt); return err },
		"admit":              func(ctx context.Context) error { _, err := st.BruteForce.Admit(ctx, attempt); return err },
		"clear":              func(ctx context.Context) error { _, err := st.BruteForce.Clear(ctx, h.email); return err },
		"unlock":             func(ctx context.Context) error { _, err := st.BruteForce.Unlock(ctx, h.email); return err },
		"set locked at":      func(ctx context.Context) error { return st.BruteForce.SetLockedAt(ctx, h.email, nil) },
		"look up the moment": func(ctx context.Context) error { _, _, err := st.BruteForce.LockedAt(ctx, h.email); return err },
	})
	return all
}

// errorsHide makes all that handles a secret fail in all ways, and reads the
// errors.
func errorsHide(t *testing.T, s setup) {
	l := newLookout()
	for name, fail := range map[string]func(t *testing.T, s setup, h *holder) (*store.RedisStorage, time.Duration){
		"values of other types": failTypes, "records that are none": failRecords, "a full server": failMemory,
		"a server that stalls": failStalled, "a server that died": failKilled, "a closed storage": failClosed,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHolder()
			st, limit := fail(t, s, h)
			h.secrets(l)
			l.failures(t, h.operations(st), limit)
		})
	}
	for name, reply := range echoes() {
		t.Run("a server that replies with "+name, func(t *testing.T) {
			h := newHolder()
			h.imagine()
			h.secrets(l)
			l.failures(t, h.operations(openStore(t, s.dial, store.Config{URLs: []string{echoing(t, h, reply).URL()}})), time.Second)
		})
	}
	t.Run("arguments that are none", func(t *testing.T) {
		h := newHolder()
		server := testservers.Start(t, s.engine)
		st := openStore(t, s.dial, store.Config{URLs: []string{server.URL()}})
		h.enter(t, st)
		h.secrets(l)
		l.failures(t, h.mistakes(st), time.Second)
	})
	if path := os.Getenv(secretsFile); path != "" {
		mustWork(t, "write the secrets down", os.WriteFile(path, []byte(strings.Join(slices.Collect(maps.Keys(l.kinds)), "\n")), 0o600))
	}
}

// failures reads the errors of the operations, of which there must be some.
func (l *lookout) failures(t *testing.T, operations map[string]func(ctx context.Context) error, limit time.Duration) {
	t.Helper()
	failed := 0
	for name, run := range operations {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		err := run(ctx)
		cancel()
		if err == nil {
			continue
		}
		failed++
		t.Logf("%s: %v", name, err)
		clear(l.seen)
		l.failure(err)
		for seen := range l.seen {
			t.Errorf("%s: %s", name, seen)
		}
	}
	if failed == 0 {
		t.Error("nothing has failed")
	}
}

// failure reads an error and those within.
func (l *lookout) failure(err error) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
		l.look("an error by "+verb, fmt.Sprintf(verb, err))
	}
	switch wrapped := err.(type) { //nolint:errorlint // It is to look at each level by itself.
	case interface{ Unwrap() error }:
		if inner := wrapped.Unwrap(); inner != nil {
			l.failure(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range wrapped.Unwrap() {
			l.failure(inner)
		}
	}
}

// begin starts a server that has the secrets.
func (h *holder) begin(t *testing.T, s setup) (*testservers.Server, *store.RedisStorage) {
	t.Helper()
	server := testservers.Start(t, s.engine)
	st := openStore(t, s.dial, store.Config{URLs: []string{server.URL()}, KeyPrefix: secretsPrefix})
	h.enter(t, st)
	return server, st
}

func failTypes(t *testing.T, s setup, h *holder) (*store.RedisStorage, time.Duration) {
	server, st := h.begin(t, s)
	for _, key := range texts(server.Do(t, "KEYS", "*").([]any)) {
		server.Do(t, "DEL", key)
		server.Do(t, "RPUSH", key, string(h.session), string(h.token), h.state)
	}
	return st, time.Second
}

func failRecords(t *testing.T, s setup, h *holder) (*store.RedisStorage, time.Duration) {
	server, st := h.begin(t, s)
	garbage := fmt.Sprintf("1 a %s %s %s\n{\"id\":%q", string(h.session), string(h.token), h.state, h.email)
	for _, key := range texts(server.Do(t, "KEYS", "*").([]any)) {
		switch kind := server.Do(t, "TYPE", key); kind {
		case "hash":
			for _, field := range texts(server.Do(t, "HKEYS", key).([]any)) {
				server.Do(t, "HSET", key, field, garbage)
			}
		case "string":
			server.Do(t, "SET", key, garbage)
		case "zset":
			server.Do(t, "ZADD", key, "1", garbage)
		default:
			t.Fatalf("a key is a %v", kind)
		}
	}
	return st, time.Second
}

func failMemory(t *testing.T, s setup, h *holder) (*store.RedisStorage, time.Duration) {
	server, st := h.begin(t, s)
	server.Do(t, "CONFIG", "SET", "maxmemory", "1mb")
	return st, time.Second
}

func failStalled(t *testing.T, s setup, h *holder) (*store.RedisStorage, time.Duration) {
	server, st := h.begin(t, s)
	server.Stall(t)
	return st, 20 * time.Millisecond
}

func failKilled(t *testing.T, s setup, h *holder) (*store.RedisStorage, time.Duration) {
	server, st := h.begin(t, s)
	server.Kill(t)
	return st, time.Second
}

func failClosed(t *testing.T, s setup, h *holder) (*store.RedisStorage, time.Duration) {
	_, st := h.begin(t, s)
	mustWork(t, "close", st.Close())
	return st, time.Second
}

// echoes are replies that repeat what a server was asked, and more.
func echoes() map[string]func(text string) string {
	return map[string]func(text string) string{
		"an error":            func(text string) string { return "-ERR " + text + "\r\n" },
		"an error of its own": func(text string) string { return "-" + text + "\r\n" },
		"an error in a script": func(text string) string {
			return "-ERR user_script:7: " + text + " script: f_1, on @user_script:7.\r\n"
		},
		"a wrong type":     func(text string) string { return "-WRONGTYPE " + text + "\r\n" },
		"a lack of memory": func(text string) string { return "-OOM " + text + "\r\n" },
		"a lack of rights": func(text string) string { return "-NOPERM " + text + "\r\n" },
		"an unknown word":  func(text string) string { return "-ERR unknown command '" + text + "'\r\n" },
		"a status":         func(text string) string { return "+" + text + "\r\n" },
		"a text":           testservers.Bulk,
		"a list":           func(text string) string { return testservers.Values(text, text, text) },
		"a list of lists":  func(text string) string { return "*1\r\n" + testservers.Values(text) },
		"success":          func(text string) string { return testservers.Values("ok", text, text) },
		"a lock":           func(text string) string { return testservers.Values("locked", text, text, text, text) },
		"garbage":          func(text string) string { return text + "\r\n" },
		"a wrong number":   func(text string) string { return ":" + text + "\r\n" },
	}
}

// echoing is a server that replies with the secrets and what it was asked.
func echoing(t *testing.T, h *holder, reply func(text string) string) *testservers.Fake {
	t.Helper()
	return testservers.NewFake(t, func(command []string) testservers.Reply {
		words := append([]string{string(h.session), string(h.token), h.state, h.verifier, h.id, h.text, h.password, h.email}, command...)
		text := strings.NewReplacer("\r", " ", "\n", " ").Replace(strings.Join(words, " "))
		return testservers.Reply{Bytes: reply(text)}
	})
}

// mistakes are calls with something wrong beside a secret, or in it.
func (h *holder) mistakes(st *store.RedisStorage) map[string]func(ctx context.Context) error {
	long := strings.Repeat("x", 1<<20)
	cache := st.NewCache(row{h.user}, store.CacheOptions{})
	return map[string]func(ctx context.Context) error{
		"create session twice": func(ctx context.Context) error {
			_, err := st.Sessions.Create(ctx, store.NewSession{UserID: h.user.ID, Token: h.session})
			return err
		},
		"a token of another user": func(ctx context.Context) error {
			_, err := st.Sessions.Create(ctx, store.NewSession{UserID: "2", Token: h.session})
			return err
		},
		"no token":    func(ctx context.Context) error { return create(ctx, st, h, h.session+"?") },
		"long token":  func(ctx context.Context) error { return create(ctx, st, h, h.session+store.Token(long)) },
		"no lifetime": func(ctx context.Context) error { _, err := st.Sessions.Refresh(ctx, h.session, -1); return err },
		"unknown": func(ctx context.Context) error {
			_, err := st.Sessions.Refresh(ctx, h.session+"?", time.Hour)
			return err
		},
		"no purpose": func(ctx context.Context) error {
			_, _, err := st.Tokens.Verify(ctx, h.token, store.TokenPurpose(h.token))
			return err
		},
		"check": func(ctx context.Context) error {
			_, err := st.Tokens.Check(ctx, h.token, store.TokenPurpose(h.token))
			return err
		},
		"no hash":        func(ctx context.Context) error { _, _, err := st.Passwords.Reset(ctx, h.token, ""); return err },
		"long hash":      func(ctx context.Context) error { return st.Passwords.Set(ctx, h.user.ID, h.password+long) },
		"bytes":          func(ctx context.Context) error { return st.Passwords.Set(ctx, h.user.ID, h.password+"\xff") },
		"no time":        func(ctx context.Context) error { return st.OAuth.StorePKCE(ctx, h.state, h.verifier, -1) },
		"no verifier":    func(ctx context.Context) error { return st.OAuth.StorePKCE(ctx, h.state, h.verifier+"\xff", time.Hour) },
		"long state":     func(ctx context.Context) error { return st.OAuth.StorePKCE(ctx, h.state+long, h.verifier, time.Hour) },
		"odd state":      func(ctx context.Context) error { return st.OAuth.StorePKCE(ctx, h.state+"\xff", h.verifier, time.Hour) },
		"long verifier":  func(ctx context.Context) error { return st.OAuth.StorePKCE(ctx, h.state, h.verifier+long, time.Hour) },
		"long id":        func(ctx context.Context) error { return st.Passkeys.SetChallenge(ctx, h.id+long, h.text, time.Hour) },
		"no life":        func(ctx context.Context) error { return st.Passkeys.SetChallenge(ctx, h.id, h.text, 0) },
		"long challenge": func(ctx context.Context) error { return st.Passkeys.SetChallenge(ctx, h.id, h.text+long, time.Hour) },
		"taken email": func(ctx context.Context) error {
			_, err := st.Users.Register(ctx, store.NewUser{Email: h.email}, h.password)
			return err
		},
		"long email": func(ctx context.Context) error { _, err := st.BruteForce.Status(ctx, h.email+long); return err },
		"odd email":  func(ctx context.Context) error { _, err := st.BruteForce.Status(ctx, h.email+"\xff"); return err },
		"no session": func(ctx context.Context) error {
			return cache.PutSession(ctx, store.Session{Token: h.session, TokenHash: string(h.session)}, nil)
		},
	}
}

func create(ctx context.Context, st *store.RedisStorage, h *holder, token store.Token) error {
	_, err := st.Sessions.Create(ctx, store.NewSession{UserID: h.user.ID, Token: token})
	return err
}

// logsHide runs the case of the errors in a process of its own and looks for the
// secrets in all that it writes: the errors, and what the client library logs.
func logsHide(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	names := strings.Split(t.Name(), "/")
	names[len(names)-1] = strings.ReplaceAll(errorsCase, " ", "_")
	for i, name := range names {
		names[i] = "^" + regexp.QuoteMeta(name) + "$"
	}
	file := filepath.Join(t.TempDir(), "secrets")
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run="+strings.Join(names, "/"))
	again.Env = append(os.Environ(), secretsFile+"="+file)
	output, err := again.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "storage unavailable") {
		t.Fatalf("run the case again: %v\n%s", err, output)
	}
	secrets, err := os.ReadFile(file)
	mustWork(t, "read the secrets", err)
	all := strings.Split(string(secrets), "\n")
	if len(all) < 10 {
		t.Fatal("the case has told no secrets")
	}
	for _, secret := range all {
		// Short pieces, between the line feeds that raw bytes may have, prove nothing.
		if len(secret) >= 16 && strings.Contains(string(output), secret) {
			t.Errorf("what is logged has %q", secret)
		}
	}
}
