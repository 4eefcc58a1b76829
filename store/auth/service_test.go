package auth_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/auth"
	"github.com/toriibench/toriibench/store/memory"
)

const email, secret, other = "ada@example.org", "correct horse", "battery staple"

// tapped is a driver that shows each command before it is done.
type tapped struct {
	store.Driver

	before func(ctx context.Context, command string) error
}

func (d tapped) Get(ctx context.Context, keys ...string) ([]string, error) {
	if err := d.before(ctx, "get"); err != nil {
		return nil, err
	}
	return d.Driver.Get(ctx, keys...)
}

func (d tapped) Lookup(ctx context.Context, key, hash, field string) (string, string, error) {
	if err := d.before(ctx, "lookup"); err != nil {
		return "", "", err
	}
	return d.Driver.Lookup(ctx, key, hash, field)
}

func (d tapped) Eval(ctx context.Context, script *store.Script, keys []string, args ...string) ([]string, error) {
	if err := d.before(ctx, script.Name); err != nil {
		return nil, err
	}
	return d.Driver.Eval(ctx, script, keys, args...)
}

// open opens a storage whose commands tap sees, and a service on it.
func open(t *testing.T, opts auth.Options, tap func(ctx context.Context, command string) error) (*store.RedisStorage, *auth.Service) {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{URLs: []string{"memory"}}, func(ctx context.Context, cfg store.Config) (store.Driver, error) {
		d, err := memory.Dial(ctx, cfg)
		return tapped{d, tap}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	opts.Hashing = auth.Argon2id{Memory: 8, Passes: 1, Lanes: 1}
	s, err := auth.New(st, opts)
	if err != nil {
		t.Fatal(err)
	}
	return st, s
}

func register(t *testing.T, s *auth.Service) store.User {
	t.Helper()
	u, err := s.Register(t.Context(), auth.NewAccount{Email: email, Password: secret})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// A stranger cannot tell by the number of round trips who has an account.
func TestFailuresCostTheSame(t *testing.T) {
	for _, strict := range []bool{false, true} {
		var seen []string
		st, s := open(t, auth.Options{Strict: strict}, func(ctx context.Context, command string) error {
			seen = append(seen, fmt.Sprintf("%s %t", command, store.PrimaryReads(ctx)))
			return nil
		})
		register(t, s)
		if _, err := st.Users.Create(t.Context(), store.NewUser{Email: "bare@example.org"}); err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= store.DefaultMaxAttempts+1; n++ {
			want, least := auth.ErrCredentials, 4
			if n > store.DefaultMaxAttempts {
				want, least = store.ErrLocked, 1
			}
			var first []string
			for _, who := range []string{email, "bare@example.org", "nobody@example.org"} {
				seen = nil
				if _, err := s.Login(t.Context(), who, other, auth.Client{}); !errors.Is(err, want) {
					t.Errorf("failure %d, %s: %v", n, who, err)
				}
				if first == nil {
					first = seen
				}
				if diff := cmp.Diff(first, seen); diff != "" || len(seen) < least {
					t.Errorf("failure %d, %s (-user with a password +this one):\n%s", n, who, diff)
				}
				for _, command := range seen {
					if strings.HasSuffix(command, "false") {
						t.Errorf("%s may be read from a replica", command)
					}
				}
			}
		}
	}
}

// atAnyStep calls test again and again. What test passes to meanwhile is done just
// before the first command that follows, in the next call before the second, and
// so on until there are not so many, which must be at least.
func atAnyStep(t *testing.T, least int, test func(st *store.RedisStorage, s *auth.Service, meanwhile func(func()))) {
	t.Helper()
	for step := 1; ; step++ {
		var commands atomic.Int64
		act, called := func() {}, false
		st, s := open(t, auth.Options{}, func(context.Context, string) error {
			if commands.Add(1) == int64(step) {
				called = true
				act()
			}
			return nil
		})
		arm := func(f func()) {
			commands.Store(0)
			act, called = f, false
		}
		test(st, s, arm)
		if !called {
			if step <= least {
				t.Errorf("it is over after %d commands, want at least %d", step-1, least)
			}
			return
		}
		if t.Failed() {
			t.Fatalf("at step %d", step)
		}
	}
}

// A login that has seen the old password begins its session just before, just
// after, or in the midst of a change: no session is left.
func TestChangeAtAnyStepOfALogin(t *testing.T) {
	atAnyStep(t, 5, func(_ *store.RedisStorage, s *auth.Service, meanwhile func(func())) {
		u, changed := register(t, s), false
		meanwhile(func() {
			changed = true
			if err := s.ChangePassword(context.Background(), u.ID, secret, other); err != nil {
				t.Error(err)
			}
		})
		id, err := s.Login(t.Context(), email, secret, auth.Client{})
		if err != nil && (!changed || !errors.Is(err, auth.ErrCredentials)) {
			t.Error(err)
		}
		if !changed {
			return
		}
		if list, err := s.Sessions.List(t.Context(), u.ID); err != nil || len(list) > 0 {
			t.Errorf("%d sessions are left, %v", len(list), err)
		}
		if _, ok, err := s.Authenticate(t.Context(), id.Session.Token); err != nil || ok {
			t.Errorf("the session is alive, %v", err)
		}
	})
}

// Two browsers of one person come back from the provider for the first time.
func TestFirstLoginAtAnyStepOfAnother(t *testing.T) {
	p := auth.ProviderIdentity{Provider: "github", Subject: "1", Email: email, EmailVerified: true}
	atAnyStep(t, 5, func(_ *store.RedisStorage, s *auth.Service, meanwhile func(func())) {
		var second store.Identity
		meanwhile(func() {
			var err error
			if second, err = s.LoginByOAuth(context.Background(), p, auth.Client{}); err != nil {
				t.Error(err)
			}
		})
		id, err := s.LoginByOAuth(t.Context(), p, auth.Client{})
		if err != nil {
			t.Error(err)
		}
		if second.User.ID != "" && second.User.ID != id.User.ID {
			t.Errorf("logged in as %s and as %s", id.User.ID, second.User.ID)
		}
	})
}

// Whatever fails, nobody is let in, and nothing looks like a wrong password.
func TestOutageAtAnyStep(t *testing.T) {
	for name, run := range map[string]func(ctx context.Context, s *auth.Service, u store.User, reset store.Token) (any, error){
		"login": func(ctx context.Context, s *auth.Service, _ store.User, _ store.Token) (any, error) {
			return first(s.Login(ctx, email, secret, auth.Client{}))
		},
		"wrong login": func(ctx context.Context, s *auth.Service, _ store.User, _ store.Token) (any, error) {
			return first(s.Login(ctx, email, other, auth.Client{}))
		},
		"change": func(ctx context.Context, s *auth.Service, u store.User, _ store.Token) (any, error) {
			return nil, s.ChangePassword(ctx, u.ID, secret, other)
		},
		"reset": func(ctx context.Context, s *auth.Service, _ store.User, reset store.Token) (any, error) {
			return first(s.ResetPassword(ctx, reset, other))
		},
		"magic link": func(ctx context.Context, s *auth.Service, _ store.User, _ store.Token) (any, error) {
			return first(s.RequestMagicLink(ctx, "new@example.org"))
		},
		"verification": func(ctx context.Context, s *auth.Service, _ store.User, reset store.Token) (any, error) {
			return first(s.VerifyEmail(ctx, reset))
		},
		"handshake": func(ctx context.Context, s *auth.Service, _ store.User, _ store.Token) (any, error) {
			return first(s.BeginOAuth(ctx))
		},
		"first login by OAuth": func(ctx context.Context, s *auth.Service, _ store.User, _ store.Token) (any, error) {
			p := auth.ProviderIdentity{Provider: "github", Subject: "1", Email: "new@example.org", EmailVerified: true}
			return first(s.LoginByOAuth(ctx, p, auth.Client{}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			for step := int64(1); breakAt(t, step, name == "reset", run); step++ {
				if step > 20 {
					t.Fatal("it does not end")
				}
			}
		})
	}
}

func first[T any](got T, err error) (any, error) { return got, err }

// breakAt has the storage gone from a command on. It reports whether there were
// so many. With late, a user may come with the error: all but the end was done.
func breakAt(t *testing.T, step int64, late bool,
	run func(ctx context.Context, s *auth.Service, u store.User, reset store.Token) (any, error),
) bool {
	t.Helper()
	var commands, broken atomic.Int64
	_, s := open(t, auth.Options{}, func(context.Context, string) error {
		if n := broken.Load(); commands.Add(1) >= n && n > 0 {
			return store.Unavailable("driver", errors.New("gone"))
		}
		return nil
	})
	u := register(t, s)
	reset, _, err := s.RequestReset(t.Context(), email)
	if err != nil {
		t.Fatal(err)
	}
	commands.Store(0)
	broken.Store(step)
	got, err := run(t.Context(), s, u, reset.Token)
	if commands.Load() < step {
		return false
	}
	if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, auth.ErrCredentials) || errors.Is(err, auth.ErrInvalidToken) {
		t.Errorf("step %d: %v", step, err)
	}
	if got != nil && !reflect.ValueOf(got).IsZero() && !late {
		t.Errorf("step %d gave %+v", step, got)
	}
	return true
}

// Hanging up while the password is checked does not spare the failure.
func TestHangingUpCounts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	st, s := open(t, auth.Options{}, func(_ context.Context, command string) error {
		if command == "attempt_record" {
			cancel()
		}
		return nil
	})
	register(t, s)
	if _, err := s.Login(ctx, email, other, auth.Client{}); !errors.Is(err, auth.ErrCredentials) {
		t.Error(err)
	}
	if status, err := st.BruteForce.Status(t.Context(), email); err != nil || status.FailedAttempts != 1 {
		t.Errorf("%d failures, %v", status.FailedAttempts, err)
	}
}

// The lock has an end that a page can show, and nothing secret is in the errors.
func TestErrorsAreForPeople(t *testing.T) {
	_, s := open(t, auth.Options{}, func(context.Context, string) error { return nil })
	register(t, s)
	for range store.DefaultMaxAttempts {
		if _, err := s.Login(t.Context(), email, other, auth.Client{}); fmt.Sprint(err) != "log in: wrong email or password" {
			t.Error(err)
		}
	}
	_, err := s.Login(t.Context(), email, secret, auth.Client{})
	var locked *store.LockedError
	if !errors.As(err, &locked) || !strings.Contains(err.Error(), "try again in") {
		t.Errorf("error is %v", err)
	}
	_, err = s.Register(t.Context(), auth.NewAccount{Email: email, Password: "short"})
	if want := "register: invalid: password has 5 bytes, want 8 to 128"; fmt.Sprint(err) != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	st, _ := open(t, auth.Options{}, func(context.Context, string) error { return nil })
	j, err := auth.NewHS256(make([]byte, auth.MinHMACKey), "")
	if err != nil {
		t.Fatal(err)
	}
	for field, opts := range map[string]auth.Options{
		"Hashing":         {Hashing: auth.Argon2id{Memory: 1}},
		"HashesAtOnce":    {HashesAtOnce: -1},
		"SessionLifetime": {SessionLifetime: -1},
		"Lifetime":        {SessionLifetime: time.Millisecond, JWT: j},
	} {
		if _, err := auth.New(st, opts); !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestKeysThatCannotBe(t *testing.T) {
	for name, key := range map[string]*rsa.PrivateKey{
		"none":  nil,
		"empty": {},
		"short": {PublicKey: rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}},
	} {
		if _, err := auth.NewRS256(key, ""); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a JWT cannot carry is refused, and its key is neither shown nor shared.
func TestJWTs(t *testing.T) {
	key := []byte(strings.Repeat("k3y!", 8))
	j, err := auth.NewHS256(key, "us")
	if err != nil {
		t.Fatal(err)
	}
	signed, err := j.Sign(store.NewSession{UserID: "usr_1"})
	if err != nil {
		t.Fatal(err)
	}
	key[0]++
	if _, err := j.Verify(signed.Token); err != nil {
		t.Errorf("a change of the caller's key counts: %v", err)
	}
	key[0]--
	shown := fmt.Sprintf("%v %+v %#v %s %x %v", j, j, j, *j, j, struct{ *auth.JWT }{j})
	if strings.Contains(shown, "k3y!") || strings.Contains(shown, hex.EncodeToString(key)) || strings.Contains(shown, "[107 51") {
		t.Errorf("the key is printed: %s", shown)
	}
	bad, long := "\xff", strings.Repeat("x", 16<<10)
	for name, n := range map[string]store.NewSession{
		"nobody":       {},
		"chosen token": {UserID: "usr_1", Token: signed.Token},
		"not UTF-8":    {UserID: "usr_1", UserAgent: &bad},
		"too long":     {UserID: "usr_1", UserAgent: &long},
		"before 1970":  {UserID: "usr_1", ExpiresAt: time.Unix(-1, 0)},
		"too far":      {UserID: "usr_1", ExpiresAt: time.Now().Add(store.MaxSessionLifetime + time.Hour)},
	} {
		if s, err := j.Sign(n); !errors.Is(err, store.ErrInvalid) || s.Token != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A token that is signed with our key, but not by us, is looked at all the same.
func TestForeignClaims(t *testing.T) {
	key := []byte(strings.Repeat("k3y!", 8))
	j, err := auth.NewHS256(key, "us")
	if err != nil {
		t.Fatal(err)
	}
	future := time.Now().Add(time.Hour).Unix()
	for name, c := range map[string]struct {
		method jwt.SigningMethod
		claims jwt.MapClaims
		want   error
	}{
		"good":            {jwt.SigningMethodHS256, jwt.MapClaims{"sub": "a", "iss": "us", "iat": 1, "exp": future, "x": 1}, nil},
		"expired":         {jwt.SigningMethodHS256, jwt.MapClaims{"sub": "a", "iss": "us", "iat": 1, "exp": 2}, auth.ErrExpired},
		"no end":          {jwt.SigningMethodHS256, jwt.MapClaims{"sub": "a", "iss": "us", "iat": 1}, auth.ErrInvalidToken},
		"no beginning":    {jwt.SigningMethodHS256, jwt.MapClaims{"sub": "a", "iss": "us", "exp": future}, auth.ErrInvalidToken},
		"nobody":          {jwt.SigningMethodHS256, jwt.MapClaims{"iss": "us", "iat": 1, "exp": future}, auth.ErrInvalidToken},
		"no issuer":       {jwt.SigningMethodHS256, jwt.MapClaims{"sub": "a", "iat": 1, "exp": future}, auth.ErrInvalidToken},
		"not yet":         {jwt.SigningMethodHS256, jwt.MapClaims{"sub": "a", "iss": "us", "iat": 1, "exp": future, "nbf": future}, auth.ErrInvalidToken},
		"other kinds":     {jwt.SigningMethodHS256, jwt.MapClaims{"sub": 1, "iss": "us", "iat": "1", "exp": future}, auth.ErrInvalidToken},
		"other algorithm": {jwt.SigningMethodHS384, jwt.MapClaims{"sub": "a", "iss": "us", "iat": 1, "exp": future}, auth.ErrInvalidToken},
	} {
		text, err := jwt.NewWithClaims(c.method, c.claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := j.Verify(store.Token(text)); !errors.Is(err, c.want) || (err == nil) != (s.UserID == "a") {
			t.Errorf("%s: %+v, %v, want %v", name, s, err, c.want)
		}
	}
}

// With the public key for a secret nobody gets in: the oldest trick with RS256.
func TestPublicKeyIsNoSecret(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	j, err := auth.NewRS256(key, "")
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	claims := jwt.MapClaims{"sub": "usr_1", "iat": 1, "exp": time.Now().Add(time.Hour).Unix()}
	for _, public := range [][]byte{der, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), key.N.Bytes()} {
		text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(public)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := j.Verify(store.Token(text)); !errors.Is(err, auth.ErrInvalidToken) {
			t.Error(err)
		}
	}
	none, err := jwt.NewWithClaims(jwt.SigningMethodNone, claims).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Verify(store.Token(none)); !errors.Is(err, auth.ErrInvalidToken) {
		t.Error(err)
	}
}
