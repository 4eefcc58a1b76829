package compose

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// envOwner makes the test program behave as one that owns a server.
const envOwner = "TORIIBENCH_TEST_OWNER"

// shutDown asks a server to end.
func shutDown(t *testing.T, opts *redis.Options) {
	t.Helper()
	client := redis.NewClient(opts)
	defer client.Close()
	if err := client.ShutdownNoSave(t.Context()).Err(); err != nil {
		t.Log(err) // the connection ends without an answer
	}
}

// TestOwnerProcess is no test: it is the program that TestOwnerKilled kills.
func TestOwnerProcess(t *testing.T) {
	if os.Getenv(envOwner) == "" {
		return
	}
	topo := startNative(t, native{port: freePort}, Options{})
	fmt.Printf("server %d owner %s\n", pidOf(t, topo), ownerID())
	<-t.Context().Done()
}

func TestOwnerKilled(t *testing.T) {
	needServers(t)
	ownTemp(t)
	owner := exec.Command(os.Args[0], "-test.run=^TestOwnerProcess$", "-test.v")
	owner.Env = append(os.Environ(), envOwner+"=1")
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	pid, id := readOwner(t, bufio.NewScanner(out))
	start, err := processStart(pid)
	if err != nil {
		t.Fatal(err)
	}
	if !ownerAlive(id) {
		t.Error("the living owner counts as gone")
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	owner.Wait()
	awaitGone(t, pid, start)
	if ownerAlive(id) {
		t.Error("the killed owner counts as alive")
	}
	dirs := runDirs(t)
	if len(dirs) != 1 {
		t.Fatalf("run folders %v, want the one that was left", dirs)
	}
	var log bytes.Buffer
	if err := sweepRuns(t.Context(), &log); err != nil {
		t.Fatal(err)
	}
	if len(runDirs(t)) != 0 || !strings.Contains(log.String(), dirs[0]) {
		t.Errorf("after the sweep %v, log %q", runDirs(t), &log)
	}
}

// readOwner waits for the line that the owner prints.
func readOwner(t *testing.T, lines *bufio.Scanner) (pid int, id string) {
	t.Helper()
	for lines.Scan() {
		if n, err := fmt.Sscanf(lines.Text(), "server %d owner %s", &pid, &id); n == 2 && err == nil {
			return pid, id
		}
	}
	t.Fatalf("the owner said nothing: %v", lines.Err())
	return 0, ""
}

// bystander starts a process that waits, with an argument of the test's choice,
// and waits for its end in the background as init would.
func bystander(t *testing.T, arg string) (pid int, start string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "read line", "sh", arg)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait()
	}()
	t.Cleanup(func() {
		in.Close()
		<-ended
	})
	start, err = processStart(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid, start
}

// abandon makes a run folder as a killed owner leaves it.
func abandon(t *testing.T) (path string) {
	t.Helper()
	dir, err := newRunDir(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.lock.Release(); err != nil {
		t.Fatal(err)
	}
	return dir.path
}

// writeRecord notes a process in a run folder.
func writeRecord(t *testing.T, dir string, rec processRecord) {
	t.Helper()
	data, err := json.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, recordName), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSweepOfLeftovers(t *testing.T) {
	tests := []struct {
		name  string
		names bool // the process names the folder
		start string
		ends  bool
	}{
		{"a recorded process of the folder is ended", true, "", true},
		{"a process with the id and another start is not", true, "1", false},
		{"a process that does not name the folder is not", false, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ownTemp(t)
			dir := abandon(t)
			arg := "/elsewhere"
			if tt.names {
				arg = filepath.Join(dir, "x")
			}
			pid, start := bystander(t, arg)
			rec := processRecord{PID: pid, Start: start}
			if tt.start != "" {
				rec.Start = tt.start
			}
			writeRecord(t, dir, rec)
			if err := sweepRuns(t.Context(), t.Output()); err != nil {
				t.Fatal(err)
			}
			if runs(pid, start) == tt.ends {
				t.Errorf("the process runs: %v", !tt.ends)
			}
			if _, err := os.Stat(dir); !os.IsNotExist(err) {
				t.Errorf("the folder is still there: %v", err)
			}
		})
	}
}

func TestSweepOfABrokenRecord(t *testing.T) {
	for _, text := range []string{"", "{", `{"pid":0}`, `{"pid":-1,"start":"1"}`, `{"pid":1,"start":"1"}`} {
		ownTemp(t)
		dir := abandon(t)
		if err := os.WriteFile(filepath.Join(dir, recordName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := sweepRuns(t.Context(), t.Output()); err != nil {
			t.Errorf("record %q: %v", text, err)
		}
		if len(runDirs(t)) != 0 {
			t.Errorf("record %q: the folder is still there", text)
		}
	}
}

func TestBaseDirThatOthersPrepared(t *testing.T) {
	for name, prepare := range map[string]func(path string) error{
		"open to others": func(path string) error {
			return errorsFirst(os.Mkdir(path, 0o700), os.Chmod(path, 0o755))
		},
		"a link": func(path string) error { return os.Symlink(t.TempDir(), path) },
		"a file": func(path string) error { return os.WriteFile(path, nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			ownTemp(t)
			path := filepath.Join(os.TempDir(), "toriibench-"+strconv.Itoa(os.Getuid()))
			if err := prepare(path); err != nil {
				t.Fatal(err)
			}
			if _, err := newRunDir(t.Context()); err == nil || !strings.Contains(err.Error(), "TMPDIR") {
				t.Errorf("got %v, want a refusal that says what to do", err)
			}
		})
	}
}

// errorsFirst is the first error.
func errorsFirst(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestOwnerAlive(t *testing.T) {
	id := ownerID()
	parts := strings.Split(id, ".")
	if len(parts) != 4 {
		t.Fatalf("ownerID() = %q", id)
	}
	tests := []struct {
		name, id string
		alive    bool
	}{
		{"this process", id, true},
		{"another boot", parts[0] + ".00000000." + parts[2] + "." + parts[3], false},
		{"the id with another start", parts[0] + "." + parts[1] + "." + parts[2] + ".1", false},
		{"another machine cannot be told", "00000000." + parts[1] + ".1.1", true},
		{"no id", "me", false},
		{"no number", parts[0] + "." + parts[1] + ".x.1", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if ownerAlive(tt.id) != tt.alive {
				t.Errorf("ownerAlive(%q) = %v", tt.id, !tt.alive)
			}
		})
	}
}

func TestSweepEndsWithTheContext(t *testing.T) {
	ownTemp(t)
	base, err := baseDir()
	if err != nil {
		t.Fatal(err)
	}
	held := holdLock(t, filepath.Join(base, lockName))
	defer held()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sweepRuns(ctx, t.Output()); err == nil {
		t.Error("swept while another program holds the lock")
	}
}
