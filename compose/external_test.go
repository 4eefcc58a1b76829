package compose

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
)

// secret is the password in these tests. No error may show it.
const secret = "s3cr-t,pw"

// startLocal starts a native server for a test, and a client of it.
func startLocal(t *testing.T, args ...string) (*Topology, *redis.Client) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a server")
	}
	topo, err := Native().Start(t.Context(), Target{Engine: Redis, Topology: Standalone}, Options{Args: args, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { topo.Close(context.WithoutCancel(t.Context())) })
	opts, err := clientOptions(topo.URLs[0])
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(opts)
	t.Cleanup(func() { rdb.Close() })
	return topo, rdb
}

// run sends a command that has to work.
func run(t *testing.T, rdb *redis.Client, args ...any) {
	t.Helper()
	if err := rdb.Do(t.Context(), args...).Err(); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
}

// urlTarget is the target of a URL.
func urlTarget(t *testing.T, rawURL string) Target {
	t.Helper()
	target, err := ParseTarget(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// hostPort is the address in a URL of a server without a password.
func hostPort(topo *Topology) string {
	_, addr, _ := strings.Cut(topo.URLs[0], "://")
	return addr
}

// startExternal uses a URL, and closes it with the test.
func startExternal(t *testing.T, rawURL string, opts Options) *Topology {
	t.Helper()
	topo, err := External().Start(t.Context(), urlTarget(t, rawURL), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { topo.Close(context.WithoutCancel(t.Context())) })
	return topo
}

// refused expects that Start and Check refuse a URL in one line that has want
// and not the password.
func refused(t *testing.T, rawURL, want string) {
	t.Helper()
	topo, startErr := External().Start(t.Context(), urlTarget(t, rawURL), Options{})
	if startErr == nil {
		topo.Close(t.Context())
	}
	checkErr := External().Check(t.Context(), urlTarget(t, rawURL))
	for name, err := range map[string]error{"start": startErr, "check": checkErr} {
		switch {
		case err == nil || !strings.Contains(err.Error(), want):
			t.Errorf("%s: got %v, want %q", name, err, want)
		case strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "\n"):
			t.Errorf("%s: got %q, want one line without the password", name, err)
		}
	}
}

func TestExternal(t *testing.T) {
	local, rdb := startLocal(t)
	run(t, rdb, "SET", "theirs", "value")
	run(t, rdb, "CONFIG", "RESETSTAT")
	topo := startExternal(t, "redis://"+hostPort(local)+"/3", Options{NeedBytes: 1 << 40})
	if topo.Engine != local.Engine || topo.Version != local.Version || topo.Provider != "external" {
		t.Errorf("got %s %s of %s, want %s %s of external", topo.Engine, topo.Version, topo.Provider, local.Engine, local.Version)
	}
	if _, err := topo.Info(t.Context(), "server"); err != nil {
		t.Error(err)
	}
	if err := topo.KillNode(t.Context(), 0); !errors.Is(err, errNotOurs) {
		t.Errorf("kill: got %v, want %v", err, errNotOurs)
	}
	if err := errors.Join(topo.Close(t.Context()), topo.Err()); err != nil {
		t.Error(err)
	}
	checkUntouched(t, rdb)
}

// checkUntouched expects that since CONFIG RESETSTAT a server got nothing but
// questions, and that it still has its key.
func checkUntouched(t *testing.T, rdb *redis.Client) {
	t.Helper()
	text, err := rdb.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	harmless := []string{"ping", "info", "hello", "select", "auth", "config|resetstat", "client|setinfo", "command"}
	for field := range parseInfo(text) {
		if name := strings.TrimPrefix(field, "cmdstat_"); !slices.Contains(harmless, name) {
			t.Errorf("the server got the command %s", name)
		}
	}
	if value, err := rdb.Get(t.Context(), "theirs").Result(); value != "value" {
		t.Errorf("key of others: got %q, %v", value, err)
	}
}

func TestExternalPassword(t *testing.T) {
	local, rdb := startLocal(t)
	run(t, rdb, "ACL", "SETUSER", "bench", "on", ">"+secret, "~*", "+@all")
	run(t, rdb, "ACL", "SETUSER", "weak", "on", ">"+secret, "~*", "+ping", "+hello")
	run(t, rdb, "CONFIG", "SET", "requirepass", secret)
	addr := hostPort(local)
	for name, user := range map[string]string{"the default user": "", "a user": "bench"} {
		t.Run(name+" with its password", func(t *testing.T) {
			topo := startExternal(t, "redis://"+user+":"+secret+"@"+addr, Options{})
			if _, err := topo.Info(t.Context(), "server"); err != nil {
				t.Error(err)
			}
			if strings.Contains(topo.Origin, secret) {
				t.Errorf("origin shows the password: %s", topo.Origin)
			}
		})
	}
	t.Run("no password", func(t *testing.T) { refused(t, "redis://"+addr, "it wants a password") })
	t.Run("a wrong password", func(t *testing.T) {
		refused(t, "redis://:wrong"+secret+"@"+addr, "it does not take the user name and password")
	})
	t.Run("an unknown user", func(t *testing.T) {
		refused(t, "redis://nobody:"+secret+"@"+addr, "it does not take the user name and password")
	})
	t.Run("a user without rights", func(t *testing.T) {
		refused(t, "redis://weak:"+secret+"@"+addr, "it needs PING, INFO")
	})
}

func TestExternalMemory(t *testing.T) {
	local, rdb := startLocal(t, "--maxmemory", "100mb")
	target := urlTarget(t, "redis://"+hostPort(local))
	t.Run("too little room is refused", func(t *testing.T) {
		_, err := External().Start(t.Context(), target, Options{NeedBytes: 100 << 20})
		if want := "maxmemory of 104857600, and this needs 104857600"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	})
	t.Run("enough room is taken without a warning", func(t *testing.T) {
		var log bytes.Buffer
		startExternal(t, target.URL, Options{NeedBytes: 50 << 20, Log: &log})
		if log.Len() > 0 {
			t.Errorf("got %q", log.String())
		}
	})
	t.Run("a policy that evicts is warned of", func(t *testing.T) {
		run(t, rdb, "CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
		var log bytes.Buffer
		startExternal(t, target.URL, Options{Log: &log})
		if !strings.Contains(log.String(), "maxmemory-policy volatile-ttl") || strings.Count(log.String(), "\n") != 1 {
			t.Errorf("got %q, want one line with the policy", log.String())
		}
	})
	t.Run("a policy without a limit is not", func(t *testing.T) {
		run(t, rdb, "CONFIG", "SET", "maxmemory", "0")
		var log bytes.Buffer
		startExternal(t, target.URL, Options{Log: &log, NeedBytes: 1 << 40})
		if log.Len() > 0 {
			t.Errorf("got %q", log.String())
		}
	})
}

func TestExternalUnfit(t *testing.T) {
	local, rdb := startLocal(t)
	addr := hostPort(local)
	t.Run("no such database", func(t *testing.T) { refused(t, "redis://"+addr+"/9999", "DB index is out of range") })
	t.Run("TLS to a port without", func(t *testing.T) { refused(t, "rediss://"+addr, "it does not answer a TLS handshake") })
	t.Run("server options", func(t *testing.T) {
		_, err := External().Start(t.Context(), urlTarget(t, "redis://"+addr), Options{Args: []string{"--maxmemory", "1gb"}})
		if err == nil || !strings.Contains(err.Error(), "--maxmemory 1gb") {
			t.Errorf("got %v, want a word on the options", err)
		}
	})
	t.Run("a replica", func(t *testing.T) {
		run(t, rdb, "REPLICAOF", "127.0.0.1", "1")
		refused(t, "redis://"+addr, "it is a replica: give the URL of its primary, 127.0.0.1:1")
		run(t, rdb, "REPLICAOF", "NO", "ONE")
	})
	t.Run("a cluster node", func(t *testing.T) {
		node, _ := startLocal(t, "--cluster-enabled", "yes")
		refused(t, "redis://"+hostPort(node), "it is a node of a cluster")
	})
}

func TestExternalUnreachable(t *testing.T) {
	port, err := freePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()
	for _, c := range []struct{ name, url, want string }{
		{"nothing listens", fmt.Sprintf("redis://:%s@127.0.0.1:%d", secret, port), "nothing listens there"},
		{"no such host", "redis://no-such-host.invalid:6379", "there is no host of that name"},
		{"an unknown authority", "rediss://" + untrusted.Listener.Addr().String(), "does not trust"},
		{"hangs up", "redis://" + fakeReplies(t, ""), "it closed the connection"},
		{"loading", "redis://" + fakeReplies(t, "-LOADING Redis is loading the dataset in memory"), "it is still loading its data"},
		{"protected mode", "valkey://" + fakeReplies(t, "-DENIED Redis is running in protected mode"), "it is in protected mode"},
		{"too many clients", "redis://" + fakeReplies(t, "-ERR max number of clients reached"), "max number of clients reached"},
		{"silent", fmt.Sprintf("redis://127.0.0.1:%d", takePort(t)), "it does not answer within 2s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && c.name == "silent" {
				t.Skip("waits for a timeout")
			}
			refused(t, c.url, c.want)
		})
	}
	t.Run("not a URL", func(t *testing.T) {
		if _, err := External().Start(t.Context(), Target{Engine: Redis, Topology: Standalone}, Options{}); err == nil ||
			!strings.Contains(err.Error(), "needs a URL") {
			t.Errorf("got %v, want a word on URLs", err)
		}
	})
	t.Run("no node of a cluster", func(t *testing.T) {
		refused(t, fmt.Sprintf("redis+cluster://:%s@127.0.0.1:%d,127.0.0.1:%d", secret, port, port), "nothing listens there")
	})
	t.Run("no sentinel", func(t *testing.T) {
		refused(t, fmt.Sprintf("redis+sentinel://:%s@127.0.0.1:%d/mymaster", secret, port), "nothing listens there")
	})
}

// fakeReplies answers every line that it gets with answer, or hangs up when
// that is "".
func fakeReplies(t *testing.T, answer string) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for lines := bufio.NewScanner(conn); answer != "" && lines.Scan(); {
					fmt.Fprintf(conn, "%s\r\n", answer)
				}
			}()
		}
	}()
	return listener.Addr().String()
}

func TestExternalDeath(t *testing.T) {
	local, _ := startLocal(t)
	topo := startExternal(t, "redis://"+hostPort(local), Options{})
	began := time.Now()
	if err := local.KillNode(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	why := awaitDeath(t, topo)
	// Of a beat that comes late the next one is less than beatEvery away.
	if took := time.Since(began); took < (beatMisses-2)*beatEvery {
		t.Errorf("noticed after %s, want about %s", took, beatMisses*beatEvery)
	}
	if want := "redis://" + hostPort(local) + " has not answered 3 times in a row"; !strings.Contains(why, want) {
		t.Errorf("got %q, want %q", why, want)
	}
}

func TestExternalWatch(t *testing.T) {
	for _, c := range []struct {
		name  string
		beats string // one letter a second: a for an answer, m for a miss
		dead  time.Duration
	}{
		{"always answers", "aaaaaaaaaa", 0},
		{"misses are forgotten after an answer", "mmammammaa", 0},
		{"three misses in a row", "mammam" + "mm", 8 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &externalNode{rawURL: "redis://:" + secret + "@127.0.0.1:1", gone: make(chan struct{})}
				began, asked := time.Now(), 0
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(len(c.beats))*beatEvery+beatEvery/2)
				defer cancel()
				n.watch(ctx, func(context.Context) error {
					asked++
					if c.beats[asked-1] == 'm' {
						return io.EOF
					}
					return nil
				})
				checkWatch(t, n, c.dead, time.Since(began))
			})
		})
	}
}

// checkWatch expects that n died after the time dead, or that it lives when
// that is 0.
func checkWatch(t *testing.T, n *externalNode, dead, took time.Duration) {
	t.Helper()
	err := n.err()
	switch {
	case dead == 0 && err != nil:
		t.Errorf("got %v, want a living server", err)
	case dead != 0 && (!errors.Is(err, io.EOF) || took != dead):
		t.Errorf("got %v after %s, want %v after %s", err, took, io.EOF, dead)
	case err != nil && strings.Contains(err.Error(), secret):
		t.Errorf("%q shows the password", err)
	}
}

func TestHeartBeat(t *testing.T) {
	for answer, alive := range map[string]bool{
		"+PONG": true, "-NOAUTH Authentication required.": true, "-BUSY Redis is busy running a script.": true,
		"-LOADING Redis is loading the dataset in memory": false, "": false,
	} {
		t.Run("an answer of "+answer, func(t *testing.T) {
			opts, err := clientOptions("redis://" + fakeReplies(t, answer))
			if err != nil {
				t.Fatal(err)
			}
			h := &heart{opts: opts}
			defer h.hangUp()
			if err := h.beat(t.Context()); (err == nil) != alive {
				t.Errorf("got %v, want a sign of life: %v", err, alive)
			}
			if connected := h.wire != nil; connected != alive {
				t.Errorf("connection kept: %v, want %v", connected, alive)
			}
		})
	}
}

func TestWireCommand(t *testing.T) {
	if got, want := command([]string{"AUTH", "", "pässword"}), "*3\r\n$4\r\nAUTH\r\n$0\r\n\r\n$9\r\npässword\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
