package drivertest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

func logsIn(t *testing.T, s setup) {
	server := testservers.Start(t, s.engine)
	server.Protect(t, "hunter2")
	server.Do(t, "ACL", "SETUSER", "app", "on", ">p@ss/word", "~*", "&*", "+@all")
	for name, cfg := range map[string]store.Config{
		"password":             {URLs: []string{server.URL()}, Password: "hunter2"},
		"user and password":    {URLs: []string{server.URL()}, Username: "app", Password: "p@ss/word"},
		"both in the URL":      {URLs: []string{"redis://app:p%40ss%2Fword@" + server.Addr}},
		"password over URL's":  {URLs: []string{"redis://app:wrong@" + server.Addr}, Password: "p@ss/word"},
		"user of URL, default": {URLs: []string{"redis://default@" + server.Addr}, Password: "hunter2"},
	} {
		d := s.open(t, cfg)
		if err := d.Ping(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func reportsWrongPassword(t *testing.T, s setup) {
	server := testservers.Start(t, s.engine)
	server.Protect(t, "hunter2")
	server.Do(t, "ACL", "SETUSER", "app", "on", ">hunter2", "~*", "&*", "+hello", "+auth")
	for name, c := range map[string]struct {
		cfg  store.Config
		code string
	}{
		"a wrong password":         {store.Config{Password: "hunter3"}, "WRONGPASS"},
		"no password":              {store.Config{}, "NOAUTH"},
		"a user without the right": {store.Config{Username: "app", Password: "hunter2"}, "NOPERM"},
	} {
		c.cfg.URLs = []string{server.URL()}
		err := s.use(t, c.cfg)
		mustBe(t, err, store.ErrUnavailable)
		mustReply(t, err, c.code)
		if strings.Contains(fmt.Sprint(err), "hunter") {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
}

func speaksTLS(t *testing.T, s setup) {
	ours := newAuthority(t)
	server := testservers.Start(t, s.engine)
	url := "rediss://" + ours.secure(t, server, "no")
	d := s.open(t, store.Config{URLs: []string{url}, TLS: &tls.Config{RootCAs: ours.pool(), MinVersion: tls.VersionTLS12}})
	fill(t, d, "k", 1)
	if got := server.Do(t, "GET", "k0"); got != "v" {
		t.Errorf("the server has %v", got)
	}
	if trace, err := traced(t, get(d, "k0")); err != nil || trace.Commands != 1 || trace.Unseen != 0 || trace.Wire == 0 {
		t.Errorf("through TLS a trace is %+v and %v", trace, err)
	}
	mustBe(t, s.use(t, store.Config{URLs: []string{url}}), store.ErrUnavailable)
	mustBe(t, s.use(t, store.Config{URLs: []string{server.URL()}, TLSEnabled: true, DialTimeout: time.Second}), store.ErrUnavailable)
}

func reportsOutOfMemory(t *testing.T, s setup) {
	_, d := s.start(t, "--maxmemory", "1mb", "--maxmemory-policy", "noeviction")
	set := &store.Script{Name: "set", Lua: "redis.call('SET', KEYS[1], ARGV[1]) return {}"}
	value := strings.Repeat("hunter2", 10_000)
	var err error
	for i := 0; err == nil && i < 100; i++ {
		_, err = d.Eval(t.Context(), set, []string{fmt.Sprint("k", i)}, value)
	}
	mustBe(t, err, store.ErrOutOfMemory, store.ErrUnavailable)
	mustReply(t, err, "OOM")
	if strings.Contains(fmt.Sprint(err), "hunter2") {
		t.Errorf("the error shows the value: %.100s", err)
	}
	if _, err := d.Get(t.Context(), "k"); err != nil {
		t.Errorf("reading from a full server: %v", err)
	}
}

// dialsAsTold reaches a server at an address that only the configuration's dialer
// knows.
func dialsAsTold(t *testing.T, s setup) {
	ours := newAuthority(t)
	server := testservers.Start(t, s.engine)
	const host = "store.test"
	secured := ours.secure(t, server, "no")
	dialer := func(ctx context.Context, network, addr string) (net.Conn, error) {
		to, known := map[string]string{host + ":1": server.Addr, host + ":2": secured}[addr]
		if !known {
			return nil, fmt.Errorf("asked for %s", addr)
		}
		return new(net.Dialer).DialContext(ctx, network, to)
	}
	trusted := &tls.Config{RootCAs: ours.pool(), MinVersion: tls.VersionTLS12}
	named := trusted.Clone()
	named.ServerName = "127.0.0.1"
	for name, cfg := range map[string]store.Config{
		"plain": {URLs: []string{host + ":1"}},
		"TLS":   {URLs: []string{host + ":2"}, TLS: named},
	} {
		cfg.DialContext = dialer
		if err := s.open(t, cfg).Ping(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := s.use(t, store.Config{URLs: []string{host + ":2"}, TLS: trusted, DialContext: dialer})
	mustBe(t, err, store.ErrUnavailable)
	if !strings.Contains(fmt.Sprint(err), host) {
		t.Errorf("a certificate for another host gives %v, want the name that was asked for", err)
	}
	hangs := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	mustBe(t, timed(t, late, func() error {
		return s.use(t, store.Config{URLs: []string{host + ":1"}, DialContext: hangs, DialTimeout: 100 * time.Millisecond})
	}), store.ErrUnavailable)
}
