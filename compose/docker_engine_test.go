package compose

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
)

func TestDockerWithoutEngine(t *testing.T) {
	absent := "unix://" + filepath.Join(t.TempDir(), "absent.sock")
	target := Target{Engine: Redis, Version: "8.0", Topology: Standalone}
	t.Run("check says that nothing answers", func(t *testing.T) {
		t.Setenv("DOCKER_HOST", absent)
		err := Docker().Check(t.Context(), target)
		if !errors.Is(err, errNoEngine) || !strings.Contains(err.Error(), absent) {
			t.Errorf("got %v, want %v with the address", err, errNoEngine)
		}
	})
	t.Run("an engine elsewhere is refused", func(t *testing.T) {
		t.Setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
		err := Docker().Check(t.Context(), target)
		if !errors.Is(err, errNoEngine) || !strings.Contains(err.Error(), "another machine") {
			t.Errorf("got %v, want another machine", err)
		}
	})
	for name, host := range map[string]string{"absent": absent, "silent": silentEngine(t)} {
		t.Run("sweep passes by an engine that is "+name, func(t *testing.T) {
			t.Setenv("DOCKER_HOST", host)
			began := time.Now()
			if err := sweepDocker(t.Context(), t.Output()); err != nil {
				t.Errorf("got %v, want nothing", err)
			}
			if took := time.Since(began); took >= engineTimeout {
				t.Errorf("took %s, as long as a search without %s to look", took, sweepLook)
			}
		})
	}
	t.Run("targets that are no single server are refused first", func(t *testing.T) {
		t.Setenv("DOCKER_HOST", absent)
		for _, text := range []string{"redis:8.0@cluster", "redis://127.0.0.1:1"} {
			other, err := ParseTarget(text)
			if err != nil {
				t.Fatal(err)
			}
			if err := Docker().Check(t.Context(), other); err == nil || errors.Is(err, errNoEngine) {
				t.Errorf("%s: got %v, want a word on the target", text, err)
			}
		}
	})
}

// silentEngine is a socket that accepts and never answers.
func silentEngine(t *testing.T) string {
	t.Helper()
	t.Chdir(t.TempDir()) // a socket's path may have about 100 bytes, and this one has few
	const path = "silent.sock"
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return "unix://" + path
}

func TestOnThisMachine(t *testing.T) {
	for host, want := range map[string]bool{
		"unix:///var/run/docker.sock": true, "npipe:////./pipe/docker_engine": true,
		"tcp://127.0.0.1:2375": true, "tcp://localhost:2375": true, "tcp://[::1]:2375": true,
		"tcp://10.1.2.3:2375": false, "tcp://docker.test:2376": false, "ssh://me@docker.test": false, "": false,
	} {
		if got := onThisMachine(host); got != want {
			t.Errorf("%q: got %v, want %v", host, got, want)
		}
	}
}

func TestPlanCommand(t *testing.T) {
	for _, c := range []struct {
		name string
		port int
		want string
	}{
		{"in the host's network", 7001, "--bind 127.0.0.1 --port 7001 --protected-mode yes"},
		{"behind a published port", 0, "--bind 0.0.0.0 --port 6379 --protected-mode no"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlan(Redis, serverImage{}, []string{"--save", "60 1"})
			p.port = c.port
			got := p.command()
			if line := strings.Join(got, " "); !strings.HasPrefix(line, c.want+" ") {
				t.Errorf("got %q, want %q…", line, c.want)
			}
			if tail := got[len(got)-4:]; !slices.Equal(tail, []string{"--save", "60 1", "--proc-title-template", p.title()}) {
				t.Errorf("got …%q, want the user's options after the defaults, and the title last", tail)
			}
		})
	}
}

func TestPlanKeepsToProcessors(t *testing.T) {
	for want, cpus := range map[string][]int{"": nil, "3": {3}, "2,3": {2, 3}} {
		for _, port := range []int{0, 7001} {
			p := newPlan(Redis, serverImage{}, nil)
			p.cpus, p.port = cpus, port
			var host container.HostConfig
			p.request().HostConfigModifier(&host)
			if host.CpusetCpus != want {
				t.Errorf("processors %v are %q to the engine, want %q", cpus, host.CpusetCpus, want)
			}
			if host.NetworkMode.IsHost() != (port != 0) || (len(host.PortBindings) > 0) != (port == 0) {
				t.Errorf("port %d: network %q, bindings %v", port, host.NetworkMode, host.PortBindings)
			}
		}
	}
}

func TestLendEnv(t *testing.T) {
	const key = "TORIIBENCH_TEST_LENT"
	t.Run("a variable of the user stays", func(t *testing.T) {
		t.Setenv(key, "theirs")
		lendEnv(key, "ours")()
		if got := os.Getenv(key); got != "theirs" {
			t.Errorf("got %q, want theirs", got)
		}
	})
	t.Run("one that is not set is lent", func(t *testing.T) {
		giveBack := lendEnv(key, "ours")
		if got := os.Getenv(key); got != "ours" {
			t.Errorf("got %q, want ours", got)
		}
		giveBack()
		if got, set := os.LookupEnv(key); set {
			t.Errorf("got %q, want nothing", got)
		}
	})
}
