package drivertest

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
	"github.com/toriibench/toriibench/store/storetest"
)

// Secured runs the store as a user who may do nothing but what Config.ACLRules
// allows, and over TLS on which both sides show certificates.
func Secured(t *testing.T, engine string, dial store.Dial) {
	t.Helper()
	s := setup{engine: engine, dial: dial}
	for _, c := range []struct {
		name string
		test func(t *testing.T, s setup)
	}{
		{"the whole store over TLS as a user with few rights", conformsSecured},
		{"replicas as a user with few rights", replicasAsUser},
		{"a cluster as a user with few rights", clusterAsUser},
		{"sentinels as a user with few rights", sentinelsAsUser},
		{"names the command that the rules lack", namesMissingRight},
		{"keeps the user to its prefix", keepsToPrefix},
		{"refuses who shows no certificate, and a server of another authority", refusesStrangers},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, s) })
	}
}

// userPassword is that of the users of these tests.
const userPassword = "p@ss/word"

// addUser adds the user for cfg to the servers, and to cfg.
func addUser(t *testing.T, cfg store.Config, servers ...*testservers.Server) store.Config {
	t.Helper()
	cfg.Username, cfg.Password = "user-"+cfg.KeyPrefix, userPassword
	for _, server := range servers {
		command := []string{"ACL", "SETUSER", cfg.Username, "on", ">" + userPassword}
		server.Do(t, append(command, strings.Fields(cfg.ACLRules())...)...)
	}
	return cfg
}

// mustAllow fails the test when the servers have refused somebody something.
func mustAllow(t *testing.T, servers ...*testservers.Server) {
	t.Helper()
	for _, server := range servers {
		for _, entry := range server.ACLLog(t) {
			t.Errorf("the rules of the user lack %s %s (%s)", entry["reason"], entry["object"], entry["context"])
		}
	}
}

func conformsSecured(t *testing.T, s setup) {
	ours := newAuthority(t)
	server := testservers.Start(t, s.engine)
	addr := ours.secure(t, server, "yes")
	cert, key := ours.issue(t, x509.ExtKeyUsageClientAuth)
	var opened atomic.Int64
	open := func(t *testing.T) *store.RedisStorage {
		t.Helper()
		own := addUser(t, store.Config{KeyPrefix: fmt.Sprintf("t%d", opened.Add(1))}, server)
		query := url.Values{
			"key_prefix": {own.KeyPrefix}, "tls_ca_file": {ours.file}, "tls_cert_file": {cert}, "tls_key_file": {key},
		}
		u := url.URL{Scheme: "rediss", User: url.UserPassword(own.Username, own.Password), Host: addr, RawQuery: query.Encode()}
		cfg, err := store.ParseURL(u.String())
		mustWork(t, "parse URL", err)
		return openStore(t, s.dial, cfg)
	}
	t.Run("suite", func(t *testing.T) { storetest.Run(t, open, storetest.Options{Rounds: 2}) })
	mustAllow(t, server)
	var digests store.ScriptDigests
	for _, script := range store.Scripts(store.Config{}) {
		if known := server.Do(t, "SCRIPT", "EXISTS", *digests.Of(script)); fmt.Sprint(known) != "[1]" {
			t.Errorf("script %s did not run as the user", script.Name)
		}
	}
}

// useAsUser opens a storage as a user with few rights and uses it.
func useAsUser(t *testing.T, s setup, cfg store.Config, servers ...*testservers.Server) {
	t.Helper()
	cfg.KeyPrefix = "few"
	cfg = addUser(t, cfg, servers...)
	st := openStore(t, s.dial, cfg)
	mustWork(t, "migrate", st.Migrate(t.Context()))
	user, session := login(t, st, "ada@example.com")
	servers[0].Followed(t, servers[1:]...)
	resetCalls(t, servers[1:])
	for range lookups {
		_, ok, err := st.Sessions.Authenticate(t.Context(), session.Token)
		if err != nil || !ok {
			t.Fatalf("authenticated %t, %v", ok, err)
		}
	}
	if n := servers[1].Calls(t)["hget"]; n == 0 {
		t.Error("the replica was not asked")
	}
	writes(t, st, user, session)
	_, err := st.Sessions.CleanupExpired(t.Context())
	mustWork(t, "clean up", err)
	_, err = st.DeleteAll(t.Context())
	mustWork(t, "delete all", err)
	mustWork(t, "check health", st.HealthCheck(t.Context()))
	mustAllow(t, servers...)
}

func replicasAsUser(t *testing.T, s setup) {
	primary := testservers.Start(t, s.engine)
	replica := primary.Replica(t)
	useAsUser(t, s, store.Config{
		URLs: []string{primary.URL()}, Database: 1, Replicas: []string{replica.Addr}, ReadFrom: store.ReadFromAny, WaitReplicas: 1,
	}, primary, replica)
}

func clusterAsUser(t *testing.T, s setup) {
	primary, replica := testservers.Shard(t, s.engine)
	useAsUser(t, s, store.Config{URLs: seeds([]*testservers.Server{primary, replica}), ClusterMode: true, ReadFrom: store.ReadFromAny}, primary, replica)
}

func sentinelsAsUser(t *testing.T, s setup) {
	primary := testservers.Start(t, s.engine)
	replica := primary.Replica(t)
	watchers := primary.Sentinels(t, 1, 1, "")
	useAsUser(t, s, store.Config{URLs: seeds(watchers), MasterName: testservers.MasterName, ReadFrom: store.ReadFromAny}, primary, replica)
}

// namesMissingRight shows that mustAllow can fail, and says why when it does.
func namesMissingRight(t *testing.T, s setup) {
	server := testservers.Start(t, s.engine)
	cfg := addUser(t, store.Config{URLs: []string{server.URL()}, KeyPrefix: "few"}, server)
	st := openStore(t, s.dial, cfg)
	server.Do(t, "ACL", "SETUSER", cfg.Username, "-hsetnx")
	user, err := st.Users.Create(t.Context(), store.NewUser{Email: "ada@example.com"})
	mustWork(t, "create user", err)
	if _, err := st.Sessions.Create(t.Context(), store.NewSession{UserID: user.ID}); err == nil {
		t.Error("a session was created without HSETNX")
	}
	lacks := func(entry map[string]string) bool {
		return entry["reason"] == "command" && entry["object"] == "hsetnx" && entry["context"] == "lua"
	}
	if log := server.ACLLog(t); !slices.ContainsFunc(log, lacks) {
		t.Errorf("the server has logged %v, want the command that the user lacks", log)
	}
}

func keepsToPrefix(t *testing.T, s setup) {
	server := testservers.Start(t, s.engine)
	cfg := addUser(t, store.Config{URLs: []string{server.URL()}, KeyPrefix: "few"}, server)
	for _, prefix := range []string{"other", "few:more", "fe"} {
		cfg.KeyPrefix = prefix
		st := openStore(t, s.dial, cfg)
		_, _, err := st.Users.FindByID(t.Context(), "1")
		mustReply(t, err, "NOPERM")
		mustBe(t, err, store.ErrUnavailable)
	}
}

func refusesStrangers(t *testing.T, s setup) {
	ours, others := newAuthority(t), newAuthority(t)
	server := testservers.Start(t, s.engine)
	addr := ours.secure(t, server, "yes")
	cert, key := ours.issue(t, x509.ExtKeyUsageClientAuth)
	strange, strangeKey := others.issue(t, x509.ExtKeyUsageClientAuth)
	for name, c := range map[string]struct {
		ca, cert, key, server string
		ok                    bool
	}{
		"both sides known":       {ours.file, cert, key, "", true},
		"the name of the server": {ours.file, cert, key, "127.0.0.1", true},
		"another name":           {ours.file, cert, key, "cache.example", false},
		"no certificate":         {ours.file, "", "", "", false},
		"another authority's":    {ours.file, strange, strangeKey, "", false},
		"another server":         {others.file, cert, key, "", false},
	} {
		cfg, err := store.ConfigFromEnv(func(name string) (string, bool) {
			value, ok := map[string]string{
				"URLS": addr, "TLS_CA_FILE": c.ca, "TLS_CERT_FILE": c.cert, "TLS_KEY_FILE": c.key, "TLS_SERVER_NAME": c.server,
				"DIAL_TIMEOUT": "5s",
			}[strings.TrimPrefix(name, store.EnvPrefix)]
			return value, ok
		})
		mustWork(t, name, err)
		err = timed(t, late, func() error { return s.use(t, cfg) })
		if c.ok {
			mustWork(t, name, err)
		} else {
			mustBe(t, err, store.ErrUnavailable)
		}
	}
}
