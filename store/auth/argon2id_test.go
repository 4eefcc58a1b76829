package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/toriibench/toriibench/store"
)

// cheap is the least that a hash can cost.
func cheap() Argon2id { return Argon2id{Memory: 8, Passes: 1, Lanes: 1} }

func TestHashesVerify(t *testing.T) {
	for _, cost := range []Argon2id{cheap(), {Memory: 64, Passes: 3, Lanes: 2}, {}} {
		for _, password := range []string{"", "correct horse", "\x00\xff", strings.Repeat("x", 1<<16)} {
			hash, err := cost.Hash(password)
			if err != nil {
				t.Fatal(err)
			}
			again, _ := cost.Hash(password)
			if again == hash {
				t.Error("two hashes have the same salt")
			}
			right, err1 := Verify(hash, password)
			wrong, err2 := Verify(hash, password+" ")
			if !right || wrong || errors.Join(err1, err2) != nil {
				t.Errorf("%s: right %t, wrong %t, %v %v", hash, right, wrong, err1, err2)
			}
		}
	}
}

// The form is that of other libraries. These hashes are from the tests of the
// reference implementation, https://github.com/P-H-C/phc-winner-argon2.
func TestHashesOfOthersVerify(t *testing.T) {
	hash, err := Argon2id{}.Hash("password")
	if err != nil || len(hash) != 97 || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash is %s (%d characters), %v", hash, len(hash), err)
	}
	for _, foreign := range []string{
		"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
	} {
		if same, err := Verify(foreign, "password"); !same || err != nil {
			t.Errorf("%s: %t, %v", foreign, same, err)
		}
		if same, err := Verify(foreign, "Password"); same || err != nil {
			t.Errorf("%s verifies another password: %v", foreign, err)
		}
	}
}

func TestHostileHashesAreCorrupt(t *testing.T) {
	const salt, key = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for _, hash := range []string{
		"", "$", "$$$$$", "plain text", "$2b$12$" + salt,
		"$argon2i$v=19$m=8,t=1,p=1$" + salt + "$" + key,
		"$argon2id$v=16$m=8,t=1,p=1$" + salt + "$" + key,
		"$argon2id$m=8,t=1,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=4194304,t=1,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=4294967296,t=1,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=8,t=4294967295,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=4096,t=1,p=255$" + salt + "$" + key,
		"$argon2id$v=19$m=8,t=1,p=257$" + salt + "$" + key,
		"$argon2id$v=19$m=8,t=0,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=8,t=1,p=0$" + salt + "$" + key,
		"$argon2id$v=19$m=0,t=1,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=8,t=1,p=2$" + salt + "$" + key,
		"$argon2id$v=19$m=-8,t=1,p=1$" + salt + "$" + key,
		"$argon2id$v=19$t=1,m=8,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=8,t=1,p=1,x=1$" + salt + "$" + key,
		"$argon2id$v=19$m=8,t=1,p=1$" + salt + "$" + key + "$",
		"$argon2id$v=19$m=8,t=1,p=1$" + salt + "$",
		"$argon2id$v=19$m=8,t=1,p=1$$" + key,
		"$argon2id$v=19$m=8,t=1,p=1$" + salt + "$" + strings.Repeat(key[:40], 100),
		"$argon2id$v=19$m=8,t=1,p=1$" + salt + "$" + key + "=",
		"$argon2id$v=19$m=8,t=1,p=1$!" + salt + "$" + key,
	} {
		same, err := Verify(hash, "password")
		if same || !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%.60q: %t, %v", hash, same, err)
		}
		if err != nil && strings.Contains(err.Error(), key[:10]) {
			t.Errorf("error quotes the hash: %v", err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	for _, password := range []string{"", "password"} {
		hash, err := cheap().Hash(password)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(hash)
	}
	f.Fuzz(func(t *testing.T, hash string) {
		h, err := parsePHC(hash)
		if err != nil {
			if !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%q: %v", hash, err)
			}
			return
		}
		again, err := parsePHC(h.String())
		if err != nil || again.String() != h.String() {
			t.Errorf("%q is read as %s, and that as %s, %v", hash, h, again, err)
		}
	})
}

func TestCostsThatCannotBe(t *testing.T) {
	for _, cost := range []Argon2id{
		{Memory: 7}, {Memory: 31, Lanes: 4}, {Memory: MaxArgon2idMemory + 1}, {Passes: MaxArgon2idPasses + 1}, {Lanes: MaxArgon2idLanes + 1},
	} {
		if hash, err := cost.Hash("password"); !errors.Is(err, store.ErrInvalid) || hash != "" {
			t.Errorf("%+v: %q, %v", cost, hash, err)
		}
	}
}

// Hashing waits for a turn no longer than its caller does.
func TestHashesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := newHasher(cheap(), 1)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan error, 2)
		hash := func(ctx context.Context) (string, error) { return h.hash(ctx, "password") }
		_, err = inTurn(t.Context(), h, func() (string, error) {
			for range 2 {
				go func() { _, err := hash(ctx); results <- err }()
			}
			synctest.Wait()
			if len(results) > 0 {
				t.Error("two hash at once")
			}
			cancel()
			for range 2 {
				if err := <-results; !errors.Is(err, context.Canceled) {
					t.Errorf("error is %v", err)
				}
			}
			return "", nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if text, err := hash(t.Context()); text == "" || err != nil {
			t.Errorf("with its turn: %q, %v", text, err)
		}
		if same, err := verify(h.dummy, ""); same || err != nil {
			t.Errorf("a dummy verifies: %t, %v", same, err)
		}
	})
}

func BenchmarkHash(b *testing.B) {
	for _, cost := range []Argon2id{cheap(), {}} {
		b.Run(fmt.Sprintf("%d KiB", cost.withDefaults().Memory), func(b *testing.B) {
			for b.Loop() {
				if _, err := cost.Hash("correct horse"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
