// Package testservers starts real servers for the tests of the drivers and does
// to them what happens to servers: it stalls them, kills them, and joins them
// into a cluster. Only tests import it.
package testservers

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Server is a running server that ends with its test.
type Server struct {
	// Addr is its host:port.
	Addr string
	// Password is that of the default user, when the server was given one.
	Password string

	engine  string
	process *os.Process
	argv    []string // of the process
}

// EnvEngines names a variable that holds other words for Engines, with commas
// between them.
const EnvEngines = "TORIIBENCH_TEST_ENGINES"

// Engines are the servers that the drivers are tested on, as the words for
// Start.
func Engines() []string {
	if words := os.Getenv(EnvEngines); words != "" {
		return strings.Split(words, ",")
	}
	return []string{"redis:7.0", "valkey:8.1"}
}

// Start starts a server with options in redis.conf's words, for example
// "--maxmemory", "1mb". It skips the test under -short.
func Start(tb testing.TB, engine string, options ...string) *Server {
	tb.Helper()
	s := &Server{Addr: launch(tb, engine, options), engine: engine}
	pid, err := strconv.Atoi(s.Info(tb, "server")["process_id"])
	if err != nil {
		tb.Fatalf("learn the server's process: %v", err)
	}
	if s.process, err = os.FindProcess(pid); err != nil {
		tb.Fatalf("find the server's process: %v", err)
	}
	s.argv = commandLine(strconv.Itoa(pid))
	return s
}

// Protect makes the server ask for a password.
func (s *Server) Protect(tb testing.TB, password string) {
	tb.Helper()
	s.Do(tb, "CONFIG", "SET", "requirepass", password)
	s.Password = password
}

// URL is how a client reaches the server, without the password.
func (s *Server) URL() string { return "redis://" + s.Addr }

// Do asks the server something on a connection of its own, outside of every
// client library, and fails the test when the reply is an error.
func (s *Server) Do(tb testing.TB, command ...string) any {
	tb.Helper()
	reply, err := ask(s.Addr, s.Password, command...)
	if err != nil {
		tb.Fatalf("ask %s: %v", s.Addr, err)
	}
	return reply
}

// Info reads one section of INFO.
func (s *Server) Info(tb testing.TB, section string) map[string]string {
	tb.Helper()
	fields := make(map[string]string)
	text, ok := s.Do(tb, "INFO", section).(string)
	if !ok {
		tb.Fatalf("INFO %s is not a text", section)
	}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[key] = value
		}
	}
	return fields
}

// Calls counts how often each command ran or was refused since the last Do of
// CONFIG RESETSTAT, without what this package itself asks.
func (s *Server) Calls(tb testing.TB) map[string]int {
	tb.Helper()
	calls := make(map[string]int)
	for name, fields := range s.Info(tb, "commandstats") {
		name = strings.TrimPrefix(name, "cmdstat_")
		if name == "info" || name == "config|resetstat" || name == "auth" {
			continue
		}
		for field := range strings.SplitSeq(fields, ",") {
			key, value, _ := strings.Cut(field, "=")
			n, err := strconv.Atoi(value)
			if err == nil && (key == "calls" || key == "rejected_calls") {
				calls[name] += n
			}
		}
	}
	return calls
}

// Errors counts the error replies of each code word since the start.
func (s *Server) Errors(tb testing.TB) map[string]string {
	tb.Helper()
	return s.Info(tb, "errorstats")
}

// WaitFor waits until condition holds, and fails the test when it does not
// within half a minute.
func WaitFor(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	end := time.NewTimer(30 * time.Second)
	defer end.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-end.C:
			tb.Fatalf("waited half a minute for %s", what)
		}
	}
}

// Cluster starts three primaries and joins them.
func Cluster(tb testing.TB, engine string) []*Server {
	tb.Helper()
	ranges := [][2]string{{"0", "5460"}, {"5461", "10922"}, {"10923", "16383"}}
	nodes := make([]*Server, len(ranges))
	// The usual port of the bus, ten thousand above the server's, may lie
	// beyond the last port there is.
	buses := make([]string, len(ranges))
	for i, r := range ranges {
		buses[i] = FreePort(tb)
		nodes[i] = Start(tb, engine, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000",
			"--cluster-port", buses[i])
		nodes[i].Do(tb, "CLUSTER", "ADDSLOTSRANGE", r[0], r[1])
		nodes[i].Do(tb, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}
	for i, n := range nodes[1:] {
		host, port, _ := strings.Cut(n.Addr, ":")
		nodes[0].Do(tb, "CLUSTER", "MEET", host, port, buses[i+1])
	}
	for _, n := range nodes {
		WaitFor(tb, "the cluster to join", func() bool { return n.Joined(tb, len(nodes)) })
	}
	return nodes
}

// FreePort finds a port that nobody uses right now.
func FreePort(tb testing.TB) string {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("find a free port: %v", err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err := errors.Join(err, l.Close()); err != nil {
		tb.Fatalf("find a free port: %v", err)
	}
	return port
}

// Joined tells whether a node sees the whole cluster, of size nodes.
func (s *Server) Joined(tb testing.TB, size int) bool {
	tb.Helper()
	text := fmt.Sprint(s.Do(tb, "CLUSTER", "INFO"))
	return strings.Contains(text, "cluster_state:ok") &&
		strings.Contains(text, "cluster_slots_ok:16384") &&
		strings.Contains(text, fmt.Sprintf("cluster_known_nodes:%d", size))
}

// ACLLog is what the server has refused its users, by ACL LOG's words.
func (s *Server) ACLLog(tb testing.TB) []map[string]string {
	tb.Helper()
	entries, _ := s.Do(tb, "ACL", "LOG").([]any)
	log := make([]map[string]string, len(entries))
	for i, entry := range entries {
		log[i] = fields(entry)
	}
	return log
}
