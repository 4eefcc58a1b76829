package drivertest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

// Durable runs what needs replicas that must have a write: with one primary, and
// in a cluster.
func Durable(t *testing.T, engine string, dial store.Dial) {
	t.Helper()
	s := setup{engine: engine, dial: dial}
	t.Run("a primary", func(t *testing.T) {
		primary := testservers.Start(t, engine)
		waits(t, s, store.Config{URLs: []string{primary.URL()}}, primary, primary.Replica(t))
	})
	t.Run("a cluster", func(t *testing.T) {
		primary, replica := testservers.Shard(t, engine)
		waits(t, s, store.Config{URLs: []string{primary.URL()}, ClusterMode: true}, primary, replica)
	})
	t.Run("a slot that moves", func(t *testing.T) { waitsWhereSlotsMove(t, s) })
}

// waits does what must not be undone with a replica that follows, and with one
// that does not.
func waits(t *testing.T, s setup, cfg store.Config, primary, replica *testservers.Server) {
	cfg.WaitReplicas, cfg.WaitTimeout = 1, 300*time.Millisecond
	st := openStore(t, s.dial, cfg)
	primary.Followed(t, replica)
	tries := 0
	testservers.WaitFor(t, "the replica to acknowledge a write", func() bool {
		tries++
		_, err := st.Users.Create(t.Context(), store.NewUser{Email: fmt.Sprintf("probe%d@example.com", tries)})
		return err == nil
	})
	user, session := login(t, st, "ada@example.com")
	resetCalls(t, []*testservers.Server{primary})
	_, _, err := st.Sessions.Authenticate(t.Context(), session.Token)
	mustWork(t, "authenticate", err)
	_, err = st.Sessions.Refresh(t.Context(), session.Token, time.Hour)
	mustWork(t, "refresh", err)
	for range store.DefaultMaxAttempts {
		_, _, err = st.BruteForce.RecordFailure(t.Context(), store.NewAttempt{Email: user.Email})
		mustWork(t, "record a failure", err)
	}
	if n := primary.Calls(t)["wait"]; n != 0 {
		t.Errorf("%d waits for what a failover may undo", n)
	}
	mustWork(t, "log out", st.Sessions.Delete(t.Context(), session.Token))
	mustWork(t, "log out everywhere", st.Sessions.DeleteAllOfUser(t.Context(), user.ID))
	if n := primary.Calls(t)["wait"]; n < 2 {
		t.Errorf("%d waits for two log-outs", n)
	}
	again, err := st.Sessions.Create(t.Context(), store.NewSession{UserID: user.ID})
	mustWork(t, "create session", err)
	_, err = st.OAuth.Create(t.Context(), store.NewOAuthAccount{UserID: user.ID, Provider: "p", Subject: "1"})
	mustWork(t, "create account", err)
	_, err = st.Passkeys.Add(t.Context(), store.NewPasskey{UserID: user.ID, CredentialID: []byte("c"), PublicKey: []byte("k")})
	mustWork(t, "add passkey", err)
	replica.Stall(t)
	err = timed(t, 2*time.Second, func() error { return st.Sessions.Delete(t.Context(), again.Token) })
	mustBe(t, err, store.ErrNotReplicated, store.ErrUnavailable)
	reset, err := st.Tokens.Create(t.Context(), user.ID, store.PurposePasswordReset, 0)
	mustWork(t, "create token", err)
	whose, ok, err := st.Passwords.Reset(t.Context(), reset.Token, "hash")
	mustBe(t, err, store.ErrNotReplicated)
	if !ok || whose.ID != user.ID {
		t.Errorf("a reset that no replica has is reported as %t, of %q", ok, whose.ID)
	}
	if _, alive, err := st.Sessions.Find(t.Context(), again.Token); err != nil || alive {
		t.Errorf("after a log-out that no replica has: alive %t, %v", alive, err)
	}
	waitsForNobody(t, st, user)
	waitsForOthers(t, func() *store.RedisStorage { return openStore(t, s.dial, cfg) }, user, again.Token)
	replica.Resume(t)
	testservers.WaitFor(t, "the replica to follow again", func() bool {
		err := st.Sessions.Delete(t.Context(), again.Token)
		if err != nil && !errors.Is(err, store.ErrNotReplicated) {
			t.Fatal(err)
		}
		return err == nil
	})
}

// waitsForNobody does what works though no replica follows.
func waitsForNobody(t *testing.T, st *store.RedisStorage, user store.User) {
	t.Helper()
	_, err := st.Sessions.Create(t.Context(), store.NewSession{UserID: user.ID})
	mustWork(t, "create session", err)
	found, ok, err := st.OAuth.FindUser(t.Context(), "p", "1")
	if err != nil || !ok || found.ID != user.ID {
		t.Errorf("user by account: %v, %t, %v", found, ok, err)
	}
	if _, ok, err := st.Passkeys.Find(t.Context(), []byte("c")); err != nil || !ok {
		t.Errorf("passkey: %t, %v", ok, err)
	}
	if _, ok, err := st.Passkeys.Authenticate(t.Context(), []byte("c")); err != nil || !ok {
		t.Errorf("authenticate by passkey: %t, %v", ok, err)
	}
}

// waitsForOthers repeats what another storage has done and no replica has, each
// time through a storage whose connections have written nothing yet.
func waitsForOthers(t *testing.T, open func() *store.RedisStorage, user store.User, deleted store.Token) {
	t.Helper()
	for name, repeat := range map[string]func(own *store.RedisStorage) error{
		"a session":    func(own *store.RedisStorage) error { return own.Sessions.Delete(t.Context(), deleted) },
		"all sessions": func(own *store.RedisStorage) error { return own.Sessions.DeleteAllOfUser(t.Context(), user.ID) },
		"no user":      func(own *store.RedisStorage) error { return own.Users.Delete(t.Context(), "nobody") },
	} {
		if err := repeat(open()); !errors.Is(err, store.ErrNotReplicated) {
			t.Errorf("delete %s again: %v, want %v", name, err, store.ErrNotReplicated)
		}
	}
}
