package testservers

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Replica starts a replica of the server and waits until it follows. The
// password, if there is one, is the server's from then on.
func (s *Server) Replica(tb testing.TB) *Server {
	tb.Helper()
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		tb.Fatalf("read the server's address: %v", err)
	}
	s.Do(tb, "CONFIG", "SET", "repl-diskless-sync-delay", "0")
	r := Start(tb, s.engine)
	if s.Password != "" {
		r.Do(tb, "CONFIG", "SET", "masterauth", s.Password)
		r.Protect(tb, s.Password)
		s.Do(tb, "CONFIG", "SET", "masterauth", s.Password) // It may be demoted.
	}
	r.Do(tb, "REPLICAOF", host, port)
	s.Followed(tb, r)
	return r
}

// Followed waits until the replicas have all that the server has now.
func (s *Server) Followed(tb testing.TB, replicas ...*Server) {
	tb.Helper()
	for _, r := range replicas {
		WaitFor(tb, "the replica to follow", func() bool {
			info := r.Info(tb, "replication")
			return info["master_link_status"] == "up" &&
				offset(tb, info["slave_repl_offset"]) >= offset(tb, s.Info(tb, "replication")["master_repl_offset"])
		})
	}
}

func offset(tb testing.TB, text string) int64 {
	tb.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		tb.Fatalf("read an offset of the replication: %v", err)
	}
	return n
}

// Promoted waits until the server is a primary. Sentinels cut the connections of a
// server that they promote.
func (s *Server) Promoted(tb testing.TB) {
	tb.Helper()
	WaitFor(tb, "the replica to be promoted", func() bool {
		text, err := ask(s.Addr, s.Password, "INFO", "replication")
		return err == nil && strings.Contains(fmt.Sprint(text), "role:master")
	})
}

// Shard starts a cluster of one primary, which has all slots, and one replica.
func Shard(tb testing.TB, engine string) (primary, replica *Server) {
	tb.Helper()
	var nodes, buses [2]string
	servers := make([]*Server, len(nodes))
	for i := range servers {
		buses[i] = FreePort(tb)
		servers[i] = Start(tb, engine, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000",
			"--cluster-port", buses[i], "--repl-diskless-sync-delay", "0")
		nodes[i] = fmt.Sprint(servers[i].Do(tb, "CLUSTER", "MYID"))
	}
	primary, replica = servers[0], servers[1]
	primary.Do(tb, "CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	host, port, _ := strings.Cut(replica.Addr, ":")
	primary.Do(tb, "CLUSTER", "MEET", host, port, buses[1])
	for _, s := range servers {
		WaitFor(tb, "the nodes to meet", func() bool { return s.Joined(tb, len(servers)) })
	}
	replica.Do(tb, "CLUSTER", "REPLICATE", nodes[0])
	primary.Followed(tb, replica)
	// A replica that has received nothing is not told to clients.
	primary.Do(tb, "SET", "first", "write")
	primary.Do(tb, "UNLINK", "first")
	primary.Followed(tb, replica)
	for _, s := range servers {
		WaitFor(tb, "the replica to be known", func() bool {
			slots, _ := s.Do(tb, "CLUSTER", "SLOTS").([]any)
			return len(slots) == 1 && strings.Contains(fmt.Sprint(slots[0]), nodes[1])
		})
	}
	return primary, replica
}

// MasterName is what the sentinels of Sentinels call the primary.
const MasterName = "my-master.1"

// Sentinels starts n sentinels that watch the server under MasterName, and waits
// until each knows the others and how many replicas there are. They ask for the
// password, if it is not empty. It needs /proc to learn which program to start.
func (s *Server) Sentinels(tb testing.TB, n, replicas int, password string) []*Server {
	tb.Helper()
	all := make([]*Server, n)
	for i := range all {
		all[i] = s.sentinel(tb, n, password)
	}
	for _, one := range all {
		WaitFor(tb, "the sentinels to know each other", func() bool {
			about := fields(one.Do(tb, "SENTINEL", "MASTER", MasterName))
			return about["num-other-sentinels"] == strconv.Itoa(n-1) && about["num-slaves"] == strconv.Itoa(replicas) && one.ready(tb)
		})
	}
	return all
}

// ready tells whether all replicas that a sentinel knows may be promoted.
func (s *Server) ready(tb testing.TB) bool {
	tb.Helper()
	replicas, _ := s.Do(tb, "SENTINEL", "REPLICAS", MasterName).([]any)
	for _, replica := range replicas {
		if about := fields(replica); about["flags"] != "slave" || about["master-link-status"] != "ok" {
			return false
		}
	}
	return true
}

// sentinel starts one of n sentinels.
func (s *Server) sentinel(tb testing.TB, n int, password string) *Server {
	tb.Helper()
	options := slices.Index(s.argv, "--port")
	if options < 0 {
		tb.Skip("this system has no /proc to tell which program the server is")
	}
	dir, port := tb.TempDir(), FreePort(tb)
	file := filepath.Join(dir, "sentinel.conf")
	if err := os.WriteFile(file, []byte(s.watch(tb, dir, port, n, password)), 0o600); err != nil {
		tb.Fatalf("configure a sentinel: %v", err)
	}
	argv := append(slices.Clone(s.argv[:options]), file, "--sentinel")
	cmd := exec.CommandContext(context.WithoutCancel(tb.Context()), argv[0], argv[1:]...)
	if err := cmd.Start(); err != nil {
		tb.Fatalf("start a sentinel: %v", err)
	}
	tb.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			tb.Errorf("stop a sentinel: %v", err)
		}
		_ = cmd.Wait() // It was killed; that is the error.
	})
	own := &Server{Addr: net.JoinHostPort("127.0.0.1", port), Password: password, process: cmd.Process}
	WaitFor(tb, "the sentinel to answer", func() bool {
		_, err := ask(own.Addr, own.Password, "PING")
		return err == nil
	})
	return own
}

// watch is the configuration of a sentinel.
func (s *Server) watch(tb testing.TB, dir, port string, n int, password string) string {
	tb.Helper()
	host, at, err := net.SplitHostPort(s.Addr)
	if err != nil {
		tb.Fatalf("read the server's address: %v", err)
	}
	lines := []string{
		"port " + port, "bind 127.0.0.1", "dir " + dir, "logfile " + filepath.Join(dir, "sentinel.log"),
		fmt.Sprintf("sentinel monitor %s %s %s %d", MasterName, host, at, n/2+1),
		"sentinel down-after-milliseconds " + MasterName + " 2000",
		"sentinel failover-timeout " + MasterName + " 10000",
	}
	if s.Password != "" {
		lines = append(lines, "sentinel auth-pass "+MasterName+" "+s.Password)
	}
	if password != "" {
		lines = append(lines, "requirepass "+password, "sentinel sentinel-pass "+password)
	}
	return strings.Join(lines, "\n") + "\n"
}

// fields reads names and values in turn.
func fields(reply any) map[string]string {
	words, _ := reply.([]any)
	about := make(map[string]string)
	for pair := range slices.Chunk(words, 2) {
		if len(pair) == 2 {
			about[fmt.Sprint(pair[0])] = fmt.Sprint(pair[1])
		}
	}
	return about
}
