package compose

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseInfo(t *testing.T) {
	text := "# Server\r\nredis_version:7.2.4\r\nexecutable:/a:b\r\n\r\n# Keyspace\r\ndb0:keys=1,expires=0\r\nempty:\r\n"
	want := map[string]string{"redis_version": "7.2.4", "executable": "/a:b", "db0": "keys=1,expires=0", "empty": ""}
	if diff := cmp.Diff(want, parseInfo(text)); diff != "" {
		t.Error(diff)
	}
}

func TestIdentify(t *testing.T) {
	tests := []struct {
		name            string
		info            map[string]string
		engine, version string
	}{
		{"redis", map[string]string{"redis_version": "8.0.2"}, Redis, "8.0.2"},
		{
			"valkey, whatever it tells old clients",
			map[string]string{"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "8.1.1"},
			Valkey, "8.1.1",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if engine, version := identify(tt.info); engine != tt.engine || version != tt.version {
				t.Errorf("got %s %s", engine, version)
			}
		})
	}
}

func TestWaitReady(t *testing.T) {
	t.Run("a refused connection is waited for until the context ends", func(t *testing.T) {
		port, err := freePort(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = waitReady(ctx, at("redis://127.0.0.1:"+strconv.Itoa(port)))
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("got %v, want the deadline and the refusal", err)
		}
	})
	t.Run("LOADING is waited for", func(t *testing.T) {
		url := answer(t, "-LOADING server is loading the dataset in memory\r\n", "+PONG\r\n")
		if err := waitReady(t.Context(), at(url)); err != nil {
			t.Error(err)
		}
	})
	t.Run("a wrong password is not waited for", func(t *testing.T) {
		url := answer(t, "-NOAUTH Authentication required.\r\n")
		if err := waitReady(t.Context(), at(url)); err == nil || !strings.Contains(err.Error(), "NOAUTH") {
			t.Errorf("got %v, want NOAUTH", err)
		}
	})
	t.Run("a broken URL is not waited for and does not show", func(t *testing.T) {
		err := waitReady(t.Context(), at("redis://u:hunter2@host:port"))
		var invalid *invalidURLError
		if !errors.As(err, &invalid) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
	})
}

// answer is a server that refuses HELLO, as an old one does, and gives one
// answer to each PING, the last one for ever.
func answer(t *testing.T, answers ...string) (url string) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if reply(conn, answers[0]) && len(answers) > 1 {
				answers = answers[1:]
			}
		}
	}()
	return "redis://127.0.0.1:" + strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// reply serves one connection and says whether it got to a PING.
func reply(conn net.Conn, pong string) (asked bool) {
	defer conn.Close()
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return asked
		}
		text := strings.ToLower(string(buf[:n]))
		// The client may pipeline: one answer for each command.
		for i := strings.Index(text, "*"); i >= 0; i = strings.Index(text, "*") {
			text = text[i+1:]
			word, _, _ := strings.Cut(text, "*")
			out := "-ERR unknown command\r\n"
			if strings.Contains(word, "ping") {
				out, asked = pong, true
			}
			if _, err := conn.Write([]byte(out)); err != nil {
				return asked
			}
		}
	}
}
