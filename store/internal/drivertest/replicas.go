package drivertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

// Replicated runs all that needs a primary with replicas: of a fixed address,
// behind sentinels, and in a cluster.
func Replicated(t *testing.T, engine string, dial store.Dial) {
	t.Helper()
	s := setup{engine: engine, dial: dial}
	t.Run("replicas of a fixed address", func(t *testing.T) { readsFixed(t, s) })
	t.Run("cluster", func(t *testing.T) { readsShard(t, s) })
	t.Run("sentinels", func(t *testing.T) { readsWatched(t, s) })
	t.Run("a replica that is behind", func(t *testing.T) { decidesByPrimary(t, s) })
}

// Sentinel runs all that needs sentinels to do something.
func Sentinel(t *testing.T, engine string, dial store.Dial) {
	t.Helper()
	s := setup{engine: engine, dial: dial}
	for _, from := range []store.ReadFrom{store.ReadFromPrimary, store.ReadFromReplica} {
		t.Run("follows a failover, reading from "+string(from), func(t *testing.T) { followsFailover(t, s, from) })
	}
	t.Run("leaves nothing behind when closed", func(t *testing.T) { leavesSentinels(t, s) })
	t.Run("says what is wrong with sentinels", func(t *testing.T) { reportsSentinels(t, s) })
}

// replicated is a deployment in which reads have a choice.
type replicated struct {
	cfg      store.Config
	primary  *testservers.Server
	replicas []*testservers.Server
	// one says that a client reads from one replica only, whichever.
	one bool
}

func readsFixed(t *testing.T, s setup) {
	primary := testservers.Start(t, s.engine)
	primary.Protect(t, "hunter2")
	replicas := []*testservers.Server{primary.Replica(t), primary.Replica(t)}
	readsWhereTold(t, s, replicated{
		cfg: store.Config{
			URLs: []string{primary.URL()}, Replicas: []string{replicas[0].Addr, replicas[1].Addr}, Password: primary.Password, Database: 3,
		},
		primary: primary, replicas: replicas,
	})
}

func readsShard(t *testing.T, s setup) {
	primary, replica := testservers.Shard(t, s.engine)
	readsWhereTold(t, s, replicated{
		cfg:     store.Config{URLs: []string{replica.URL()}, ClusterMode: true},
		primary: primary, replicas: []*testservers.Server{replica},
	})
}

func readsWatched(t *testing.T, s setup) {
	primary := testservers.Start(t, s.engine)
	replicas := []*testservers.Server{primary.Replica(t), primary.Replica(t)}
	watchers := primary.Sentinels(t, 1, len(replicas), "")
	readsWhereTold(t, s, replicated{
		cfg:     store.Config{URLs: seeds(watchers), MasterName: testservers.MasterName, Database: 3},
		primary: primary, replicas: replicas, one: true,
	})
}

// lookups is how often a session is looked up: often enough that reads from any
// server leave none out, but once in 2^100 runs.
const lookups = 100

// readsWhereTold counts on the servers who has answered the reads of a storage,
// and who has run its scripts.
func readsWhereTold(t *testing.T, s setup, r replicated) {
	for _, from := range []store.ReadFrom{"", store.ReadFromPrimary, store.ReadFromReplica, store.ReadFromAny} {
		if from == "" || from == store.ReadFromPrimary {
			r := r
			r.cfg.Replicas = nil // They are refused where nothing is read from them.
			r.readsFrom(t, s, from)
			continue
		}
		r.readsFrom(t, s, from)
	}
}

func (r replicated) readsFrom(t *testing.T, s setup, from store.ReadFrom) {
	cfg := r.cfg
	cfg.ReadFrom = from
	cfg.KeyPrefix = "from-" + string(from)
	st := openStore(t, s.dial, cfg)
	user, session := login(t, st, "ada@example.com")
	all := append([]*testservers.Server{r.primary}, r.replicas...)
	r.primary.Followed(t, r.replicas...)
	resetCalls(t, all)
	for range lookups {
		if _, ok, err := st.Sessions.Authenticate(t.Context(), session.Token); err != nil || !ok {
			t.Fatalf("reading from %q: authenticated %t, %v", from, ok, err)
		}
	}
	reads := r.count(t, "hget")
	switch from {
	case store.ReadFromReplica:
		r.mustRead(t, from, reads, 0, 0)
	case store.ReadFromAny:
		r.mustRead(t, from, reads, 1, lookups-1)
	default:
		r.mustRead(t, from, reads, lookups, lookups)
	}
	resetCalls(t, all)
	writes(t, st, user, session)
	for i, n := range r.count(t, "mget", "get", "hget", "evalsha", "eval")[1:] {
		if n != 0 {
			t.Errorf("reading from %q: replica %d got %d scripts and reads that decide what is written", from, i, n)
		}
	}
	if r.count(t, "evalsha")[0] == 0 {
		t.Errorf("reading from %q: the primary ran no script", from)
	}
}

// mustRead compares who has answered with who should have.
func (r replicated) mustRead(t *testing.T, from store.ReadFrom, reads []int, least, most int) {
	t.Helper()
	t.Logf("reading from %q: the servers have answered %v reads", from, reads)
	sum, idle := 0, 0
	for i, n := range reads {
		sum += n
		if i > 0 && n == 0 {
			idle++
		}
	}
	if sum != lookups || reads[0] < least || reads[0] > most {
		t.Errorf("reading from %q: the servers have answered %v of %d reads", from, reads, lookups)
	}
	if spread := most < lookups && !r.one; spread && idle > 0 {
		t.Errorf("reading from %q: the servers have answered %v, some of them nothing", from, reads)
	}
}

// count is how often each server ran one of the commands, the primary first.
func (r replicated) count(t *testing.T, commands ...string) []int {
	t.Helper()
	var counts []int
	for _, server := range append([]*testservers.Server{r.primary}, r.replicas...) {
		n, calls := 0, server.Calls(t)
		for _, command := range commands {
			n += calls[command]
		}
		counts = append(counts, n)
	}
	return counts
}

// writes does what writes, and what reads only at the primary.
func writes(t *testing.T, st *store.RedisStorage, user store.User, session store.Session) {
	t.Helper()
	_, err := st.Sessions.Refresh(t.Context(), session.Token, time.Hour)
	mustWork(t, "refresh", err)
	name := "Ada"
	user.Name = &name
	user, err = st.Users.Update(t.Context(), user)
	mustWork(t, "update", err)
	found, err := st.Users.FindOrCreateByEmail(t.Context(), user.Email)
	mustWork(t, "find or create", err)
	if found.ID != user.ID || found.Name == nil || *found.Name != name {
		t.Errorf("found %v, want %v", found, user)
	}
	if _, err := st.Users.Create(t.Context(), store.NewUser{Email: user.Email}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a second user with the email: %v", err)
	}
	got, ok, err := st.Users.FindByID(store.WithPrimaryReads(t.Context()), user.ID)
	mustWork(t, "find at the primary", err)
	if !ok || got.Name == nil || *got.Name != name {
		t.Errorf("the primary has %v, %t", got, ok)
	}
	mustWork(t, "delete", st.Sessions.Delete(t.Context(), session.Token))
}

func mustWork(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// login creates a user and a session.
func login(t *testing.T, st *store.RedisStorage, email string) (store.User, store.Session) {
	t.Helper()
	user, err := st.Users.Create(t.Context(), store.NewUser{Email: email})
	mustWork(t, "create user", err)
	session, err := st.Sessions.Create(t.Context(), store.NewSession{UserID: user.ID})
	mustWork(t, "create session", err)
	return user, session
}

// openStore opens a storage that ends with the test.
func openStore(t *testing.T, dial store.Dial, cfg store.Config) *store.RedisStorage {
	t.Helper()
	st, err := store.Open(within(t, 10*time.Second), cfg, dial)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	closeAfter(t, st)
	return st
}

// closeAfter closes a storage when the test ends.
func closeAfter(t *testing.T, st *store.RedisStorage) {
	t.Helper()
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

// decidesByPrimary reads from a replica that stopped following. What it does not
// know must not lead to a second owner of an email, or to a conflict for ever.
func decidesByPrimary(t *testing.T, s setup) {
	primary := testservers.Start(t, s.engine)
	replica := primary.Replica(t)
	st := openStore(t, s.dial, store.Config{
		URLs: []string{primary.URL()}, Replicas: []string{replica.Addr}, ReadFrom: store.ReadFromReplica,
	})
	_, old := login(t, st, "old@example.com")
	primary.Followed(t, replica)
	replica.Do(t, "REPLICAOF", "NO", "ONE")
	user, session := login(t, st, "new@example.com")
	mustWork(t, "log out", st.Sessions.Delete(t.Context(), old.Token))
	for name, c := range map[string]struct {
		token        store.Token
		stale, fresh bool
	}{
		"a new session":     {session.Token, false, true},
		"a revoked session": {old.Token, true, false},
	} {
		_, stale, err1 := st.Sessions.Find(t.Context(), c.token)
		_, fresh, err2 := st.Sessions.Find(store.WithPrimaryReads(t.Context()), c.token)
		if stale != c.stale || fresh != c.fresh || err1 != nil || err2 != nil {
			t.Errorf("%s: found %t on the replica, %t at the primary, %v", name, stale, fresh, errors.Join(err1, err2))
		}
	}
	writes(t, st, user, session)
}

// failoverTime is how long sentinels may take to promote a replica, and clients to
// follow: two seconds here, with nothing else to do.
const failoverTime = time.Minute

// errOldPrimary says that a write went to the old one.
var errOldPrimary = errors.New("the old primary accepts writes")

func followsFailover(t *testing.T, s setup, from store.ReadFrom) {
	primary := testservers.Start(t, s.engine)
	primary.Protect(t, "hunter2")
	replica := primary.Replica(t)
	watchers := primary.Sentinels(t, 3, 1, "hunter3")
	st := openStore(t, s.dial, store.Config{
		URLs: seeds(watchers), MasterName: testservers.MasterName, SentinelPassword: "hunter3",
		Password: primary.Password, ReadFrom: from, Timeout: time.Second,
	})
	user, session := login(t, st, "ada@example.com")
	primary.Followed(t, replica)
	watchers[0].Do(t, "SENTINEL", "FAILOVER", testservers.MasterName)
	began := time.Now()
	replica.Promoted(t)
	promoted := time.Since(began)
	followed := func() bool {
		calls := replica.Calls(t)
		return calls["evalsha"]+calls["eval"] > 0
	}
	ctx := within(t, failoverTime)
	// Until the sentinels tell the old primary, it accepts writes, which get lost.
	mustSucceed(ctx, t, "write on the new primary", func() error {
		_, err := st.Sessions.Create(ctx, store.NewSession{UserID: user.ID})
		if err == nil && !followed() {
			return store.Unavailable("follow the failover", errOldPrimary)
		}
		return err
	})
	t.Logf("promoted after %s, followed after %s", promoted, time.Since(began))
	mustSucceed(ctx, t, "read after the failover", func() error {
		_, ok, err := st.Sessions.Authenticate(ctx, session.Token)
		if err == nil && !ok {
			t.Fatal("the session is gone")
		}
		return err
	})
	mustSucceed(ctx, t, "check health", func() error { return st.HealthCheck(ctx) })
}

// mustSucceed repeats an operation until it succeeds. Until then it must be an
// outage, and never anything that a caller would take for an answer.
func mustSucceed(ctx context.Context, t *testing.T, what string, operation func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := operation()
		if err == nil {
			return
		}
		if !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("%s: %v, want an outage or none", what, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within %s: %v", what, failoverTime, err)
		}
	}
}

func leavesSentinels(t *testing.T, s setup) {
	primary := testservers.Start(t, s.engine)
	primary.Replica(t)
	watcher := primary.Sentinels(t, 1, 1, "")[0]
	before := primary.Info(t, "clients")["connected_clients"]
	mustEndAll(t, watcher, func() {
		d := s.open(t, store.Config{URLs: []string{watcher.URL()}, MasterName: testservers.MasterName, ReadFrom: store.ReadFromAny})
		for range 10 {
			_, err := d.Get(t.Context(), "k")
			mustWork(t, "get", err)
		}
		for range 2 {
			mustWork(t, "close", d.Close())
		}
		mustBe(t, d.Ping(t.Context()), store.ErrUnavailable)
	})
	testservers.WaitFor(t, "connections to the primary to close", func() bool {
		return primary.Info(t, "clients")["connected_clients"] == before
	})
}

func reportsSentinels(t *testing.T, s setup) {
	primary := testservers.Start(t, s.engine)
	watcher := primary.Sentinels(t, 1, 0, "hunter3")[0]
	good := store.Config{
		URLs: []string{"127.0.0.1:" + testservers.FreePort(t), watcher.URL()}, MasterName: testservers.MasterName, SentinelPassword: "hunter3",
		DialTimeout: 5 * time.Second,
	}
	mustWork(t, "open with one of two sentinels", s.use(t, good))
	for name, c := range map[string]struct {
		change func(*store.Config)
		says   string
	}{
		"no sentinel there":     {func(cfg *store.Config) { cfg.URLs = cfg.URLs[:1] }, "connection refused"},
		"another master":        {func(cfg *store.Config) { cfg.MasterName = "other" }, "MasterName"},
		"a wrong password":      {func(cfg *store.Config) { cfg.SentinelPassword = "hunter2" }, "WRONGPASS"},
		"no password":           {func(cfg *store.Config) { cfg.SentinelPassword = "" }, "NOAUTH"},
		"a server, no sentinel": {func(cfg *store.Config) { cfg.URLs, cfg.SentinelPassword = []string{primary.URL()}, "" }, "unknown command"},
	} {
		cfg := good
		c.change(&cfg)
		err := s.use(t, cfg)
		if c.says != "unknown command" {
			mustBe(t, err, store.ErrUnavailable)
		}
		if text := fmt.Sprint(err); !strings.Contains(text, c.says) || strings.Contains(text, "hunter") {
			t.Errorf("%s: %q, want an error that says %q", name, text, c.says)
		}
	}
}
