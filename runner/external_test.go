package runner

import (
	"bufio"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/toriibench/toriibench/compose/composetest"
)

// someoneElses is a server that is not ours to change: it has a password and a
// key of somebody else's.
type someoneElses struct {
	address  string
	password string
}

func startSomeoneElses(t *testing.T) someoneElses {
	t.Helper()
	s := someoneElses{address: strings.TrimPrefix(composetest.Start(t, "redis").URLs[0], "redis://")}
	s.ask(t, "SET theirs untouched")
	s.ask(t, "CONFIG SET requirepass opensesame")
	s.password = "opensesame"
	return s
}

func (s someoneElses) url() string { return "redis://:" + s.password + "@" + s.address }

// ask sends one inline command and returns the first line of the reply.
func (s someoneElses) ask(t *testing.T, command string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", s.address, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	replies := bufio.NewReader(conn)
	say := func(command string) string {
		fmt.Fprintf(conn, "%s\r\n", command)
		line, err := replies.ReadString('\n')
		if err != nil || strings.HasPrefix(line, "-") {
			t.Fatalf("%s: %q %v", command, line, err)
		}
		return strings.TrimSpace(line)
	}
	if s.password != "" {
		say("AUTH " + s.password)
	}
	return say(command)
}

// wantUntouched looks for exactly their key.
func (s someoneElses) wantUntouched(t *testing.T) {
	t.Helper()
	if n := s.ask(t, "DBSIZE"); n != ":1" {
		t.Errorf("the server holds %s keys, want theirs alone", n)
	}
	if n := s.ask(t, "EXISTS theirs"); n != ":1" {
		t.Error("their key is gone")
	}
}

// wantSecret fails if the password stands in what was printed or written.
func (s someoneElses) wantSecret(t *testing.T, got outcome, out string) {
	t.Helper()
	if strings.Contains(got.stdout+got.stderr, s.password) {
		t.Errorf("the password was printed:\n%s%s", got.stdout, got.stderr)
	}
	err := filepath.WalkDir(out, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), s.password) {
			t.Errorf("the password stands in %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAnExternalServerKeepsWhatItHadAndNothingOfOurs(t *testing.T) {
	server, out := startSomeoneElses(t), t.TempDir()
	got := call(t.Context(), quick(out, "--provider", "auto", "--target", server.url(), "--client", "valkey-go")...)
	if got.code != exitFine && got.code != exitNoProof {
		t.Fatalf("exit code %d:\n%s", got.code, got.stderr)
	}
	if cells := readRun(t, onlyRun(t, out)).Cells; len(cells) != 3 {
		t.Errorf("%d cells, want one for each scenario", len(cells))
	}
	server.wantUntouched(t)
	server.wantSecret(t, got, out)
}

func TestAnInterruptedRunTakesItsKeysFromAnExternalServer(t *testing.T) {
	server, out := startSomeoneElses(t), t.TempDir()
	got := inMidRun(t, func() {
		if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
	}, quick(out, "--provider", "auto", "--target", server.url(), "--client", "go-redis", "--scenario", "session-churn", "--for", "20s")...)
	if got.code != exitInterrupted {
		t.Errorf("exit code %d:\n%s", got.code, got.stderr)
	}
	server.wantUntouched(t)
	server.wantSecret(t, got, out)
}

func TestAnExternalServerWithoutRoomIsRefused(t *testing.T) {
	server, out := startSomeoneElses(t), t.TempDir()
	server.ask(t, "CONFIG SET maxmemory 8mb")
	got := call(t.Context(), quick(out, "--provider", "auto", "--target", server.url(), "--population", "100000")...)
	if got.code != exitFault || !strings.Contains(sentence(got.stderr), "maxmemory") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
	server.wantUntouched(t)
	server.wantSecret(t, got, out)
}

func TestAnExternalClusterIsMeasuredAndKeepsNothingOfOurs(t *testing.T) {
	for target, scheme := range map[string]string{"valkey:8.1@cluster": "redis+cluster://", "redis:7.0@sentinel": "redis+sentinel://"} {
		t.Run(target, func(t *testing.T) {
			theirs := composetest.Start(t, target)
			var hosts []string
			for _, url := range theirs.URLs {
				hosts = append(hosts, strings.TrimPrefix(url, "redis://"))
			}
			url := scheme + strings.Join(hosts, ",")
			if theirs.Access.MasterName != "" {
				url += "/" + theirs.Access.MasterName
			}
			out := t.TempDir()
			got := call(t.Context(), "bench", "--target", url, "--for", "1s", "--warmup", "200ms", "--rate", "300", "--population", "300",
				"--scenario", "session-churn", "--out", out)
			if got.code != exitFine && got.code != exitNoProof {
				t.Fatalf("exit code %d:\n%s", got.code, got.stderr)
			}
			run := readRun(t, onlyRun(t, out))
			if len(run.Cells) != 2 || run.Cells[0].Provider != "external" || run.Cells[0].Errors+run.Cells[1].Errors > 0 {
				t.Errorf("%d cells: %+v", len(run.Cells), run.Cells)
			}
			info, err := theirs.Info(t.Context(), "keyspace")
			if err != nil || info["db0"] != "" {
				t.Errorf("keys are left: %v %v", info, err)
			}
		})
	}
}
