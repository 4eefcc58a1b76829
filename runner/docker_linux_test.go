package runner

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/toriibench/toriibench/compose"
)

// needImage makes an image of valkey for a test, under a name of its own, and
// takes it away with whatever containers the test has left.
func needImage(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts containers")
	}
	target := compose.Target{Engine: compose.Valkey, Version: "8.1", Topology: compose.Standalone}
	name := "toriibench-test/valkey:" + strings.ToLower(rand.Text())
	if _, err := compose.ImportImage(t.Context(), target, compose.Options{Image: name, Log: t.Output()}); err != nil {
		if os.Getenv("TORIIBENCH_REQUIRE_DOCKER") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	t.Cleanup(func() {
		for _, id := range containersOf(t, name) {
			if out, err := docker(t, "rm", "--force", "--volumes", id); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		}
		if err := compose.RemoveImage(context.WithoutCancel(t.Context()), name); err != nil {
			t.Error(err)
		}
	})
	return name
}

// docker runs the engine's command line, at the engine itself.
func docker(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+realEngine())
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// containersOf lists the containers of an image, running or not.
func containersOf(t *testing.T, image string) []string {
	t.Helper()
	out, err := docker(t, "ps", "--all", "--quiet", "--filter", "ancestor="+image)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.Fields(out)
}

// realEngine is where the engine of this machine listens.
var realEngine = sync.OnceValue(func() string {
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		return host
	}
	return "unix:///var/run/docker.sock"
})

// engineDoor stands before the container engine, and is shut as if the engine had
// gone. Its path is the same for the whole process, because a library reads
// DOCKER_HOST only once.
type engineDoor struct {
	path     string
	listener net.Listener

	mu    sync.Mutex
	conns []net.Conn
}

var doorPath = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "torii-door")
	return filepath.Join(dir, "engine.sock"), err
})

func openEngineDoor(t *testing.T) *engineDoor {
	t.Helper()
	network, address, ok := strings.Cut(realEngine(), "://")
	if !ok {
		t.Fatalf("DOCKER_HOST=%s names no place to dial", realEngine())
	}
	path, err := doorPath()
	if err != nil {
		t.Fatal(err)
	}
	door := &engineDoor{path: path}
	if door.listener, err = new(net.ListenConfig).Listen(t.Context(), "unix", path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(door.shut)
	go func() {
		for {
			client, err := door.listener.Accept()
			if err != nil {
				return
			}
			server, err := new(net.Dialer).DialContext(t.Context(), network, address)
			if err != nil {
				client.Close()
				continue
			}
			door.join(client, server)
		}
	}()
	return door
}

// join carries what one says to the other.
func (d *engineDoor) join(a, b net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns = append(d.conns, a, b)
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		go func() {
			io.Copy(pair[0], pair[1])
			pair[0].Close()
		}()
	}
}

// shut ends every connection and takes no more.
func (d *engineDoor) shut() {
	d.listener.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.conns {
		c.Close()
	}
	d.conns = nil
}

func TestAnEngineThatGoesInMidRunEndsTheRunAndKeepsWhatWasMeasured(t *testing.T) {
	image := needImage(t)
	door := openEngineDoor(t)
	t.Setenv("DOCKER_HOST", "unix://"+door.path)
	out := t.TempDir()
	got := inMidRun(t, door.shut, quick(out, "--provider", "docker", "--image", "valkey="+image, "--for", "30s",
		"--target", "valkey:8.1@replicated", "--client", "go-redis", "--scenario", "session-churn")...)
	if got.code != exitFault {
		t.Errorf("exit code %d, want %d:\n%s", got.code, exitFault, got.stderr)
	}
	wantPartial(t, out, "container is lost")
	left := containersOf(t, image)
	if len(left) != 3 {
		t.Errorf("%d containers run on, want 3", len(left))
	}
	for _, id := range left {
		if want := "remove container " + id + ": the container engine is gone"; !strings.Contains(got.stderr, want) {
			t.Errorf("it does not say that container %s stays:\n%s", id, got.stderr)
		}
	}
}

func TestAProgramKilledWithContainersLeavesNone(t *testing.T) {
	image := needImage(t)
	temp := t.TempDir()
	program := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProgramItself$")
	program.Env = append(os.Environ(), "TMPDIR="+temp, envProgram+"=bench --provider docker --image valkey="+image+
		" --published-ports --scenario session-churn --target valkey:8.1@replicated --client go-redis --rate 200 --population 100 --for 60s --out "+t.TempDir())
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for len(containersOf(t, image)) < 2 {
		if time.Now().After(deadline) {
			t.Error("there are no containers after a minute")
			break
		}
	}
	if err := program.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := program.Wait(); err == nil {
		t.Fatal("it had ended before it was killed")
	}
	sweep(t, temp)
	if left := containersOf(t, image); len(left) > 0 {
		t.Errorf("containers %v are left", left)
	}
	owners, err := docker(t, "network", "ls", "--format", `{{.Label "toriibench.owner"}}`)
	if err != nil || strings.Contains(owners, "."+strconv.Itoa(program.Process.Pid)+".") {
		t.Errorf("networks are left: %s (%v)", owners, err)
	}
}
