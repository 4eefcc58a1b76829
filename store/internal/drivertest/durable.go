package drivertest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
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
	// Most of the time they wait, each for servers of its own.
	for name, run := range map[string]func(t *testing.T, s setup){
		"a primary":                 waitsForReplica,
		"a primary that is demoted": waitsThroughDemotion,
		"a cluster":                 waitsInCluster,
		"a caller who gives up":     givesUpWaiting,
		"many at once":              waitsTogether,
		"a slot that moves":         waitsWhereSlotsMove,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, s)
		})
	}
}

func waitsForReplica(t *testing.T, s setup) {
	primary := testservers.Start(t, s.engine)
	waits(t, s, store.Config{URLs: []string{primary.URL()}}, primary, primary.Replica(t))
}

func waitsInCluster(t *testing.T, s setup) {
	primary, replica := testservers.Shard(t, s.engine)
	waits(t, s, store.Config{URLs: []string{primary.URL()}, ClusterMode: true}, primary, replica)
}

// givesUpWaiting has callers whose time ends while they wait for a replica, or for
// a server that has stalled.
func givesUpWaiting(t *testing.T, s setup) {
	const patience, limit = 100 * time.Millisecond, 3 * time.Second
	type deployment struct {
		cfg              store.Config
		primary, replica *testservers.Server
	}
	deployments := map[string]deployment{}
	primary := testservers.Start(t, s.engine)
	deployments["a primary"] = deployment{store.Config{URLs: []string{primary.URL()}}, primary, primary.Replica(t)}
	primary, replica := testservers.Shard(t, s.engine)
	deployments["a cluster"] = deployment{store.Config{URLs: []string{primary.URL()}, ClusterMode: true}, primary, replica}
	for name, d := range deployments {
		d.cfg.Timeout, d.cfg.WaitReplicas, d.cfg.WaitTimeout = 20*time.Second, 1, 15*time.Second
		st := openStore(t, s.dial, d.cfg)
		user, session := login(t, st, "ada@example.com")
		for _, stalled := range []*testservers.Server{d.replica, d.primary} {
			stalled.Stall(t)
			err := timed(t, limit, func() error {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				return st.Sessions.Delete(ctx, session.Token)
			})
			stalled.Resume(t)
			if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: the caller was told %v", name, err)
			}
		}
		_, _, err := st.Users.FindByID(t.Context(), user.ID)
		mustWork(t, name+": afterwards find user", err)
	}
}

// waitsTogether logs out many users at once, and counts the connections.
func waitsTogether(t *testing.T, s setup) {
	primary := testservers.Start(t, s.engine)
	primary.Followed(t, primary.Replica(t))
	st := openStore(t, s.dial, store.Config{URLs: []string{primary.URL()}, PoolSize: 4, WaitReplicas: 1, WaitTimeout: 4 * time.Second})
	user, _ := login(t, st, "ada@example.com")
	var all sync.WaitGroup
	for range 60 {
		session, err := st.Sessions.Create(t.Context(), store.NewSession{UserID: user.ID})
		mustWork(t, "create session", err)
		all.Go(func() {
			if err := st.Sessions.Delete(t.Context(), session.Token); err != nil {
				t.Errorf("log out: %v", err)
			}
		})
	}
	all.Wait()
	// A multiplexing driver has up to as many connections for all else.
	if n, _ := strconv.Atoi(primary.Info(t, "clients")["connected_clients"]); n > 2*4+1 {
		t.Errorf("%d connections, want at most 4 that wait, 4 others, and this one", n)
	}
}

// waits does what must not be undone with a replica that follows, and with one
// that does not.
func waits(t *testing.T, s setup, cfg store.Config, primary, replica *testservers.Server) {
	cfg.WaitReplicas, cfg.WaitTimeout = 1, time.Second
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
	err = timed(t, 4*time.Second, func() error { return st.Sessions.Delete(t.Context(), again.Token) })
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

// waitsThroughDemotion makes the primary a replica while somebody waits.
func waitsThroughDemotion(t *testing.T, s setup) {
	primary := testservers.Start(t, s.engine)
	replica := primary.Replica(t)
	cfg := store.Config{URLs: []string{primary.URL()}}
	_, session := login(t, openStore(t, s.dial, cfg), "ada@example.com")
	cfg.WaitReplicas, cfg.WaitTimeout = 1, cfg.WithDefaults().Timeout-time.Second
	st := openStore(t, s.dial, cfg)
	// The server has to know the script, or the wait is that of the first attempt.
	mustWork(t, "log nobody out", st.Sessions.Delete(t.Context(), store.NewToken("nobody")))
	replica.Stall(t)
	told := make(chan error, 1)
	go func() { told <- st.Sessions.Delete(t.Context(), session.Token) }()
	testservers.WaitFor(t, "somebody to wait", func() bool { return primary.Info(t, "clients")["blocked_clients"] == "1" })
	host, port, _ := strings.Cut(replica.Addr, ":")
	primary.Do(t, "REPLICAOF", host, port)
	err := <-told
	mustBe(t, err, store.ErrNotReplicated, store.ErrUnavailable)
	mustReply(t, err, "UNBLOCKED")
}
