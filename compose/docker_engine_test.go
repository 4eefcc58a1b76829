package compose

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
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
	t.Run("a URL is refused first", func(t *testing.T) {
		t.Setenv("DOCKER_HOST", absent)
		other, err := ParseTarget("redis://127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		if err := Docker().Check(t.Context(), other); err == nil || errors.Is(err, errNoEngine) {
			t.Errorf("got %v, want a word on the target", err)
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
		want []string
	}{
		{"in the host's network", 7001, []string{"--bind 127.0.0.1 ", "--port 7001 ", "--protected-mode yes "}},
		{"behind a published port", 0, []string{"--bind 0.0.0.0 ", "--port 6379 ", "--protected-mode no "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlan(Redis, serverImage{}, alone("--save", "60 1"))
			p.port = c.port
			got := p.command()
			line := strings.Join(got, " ")
			for _, want := range c.want {
				if !strings.Contains(line, want) {
					t.Errorf("got %q, want %q in it", line, want)
				}
			}
			own, defaults := strings.LastIndex(line, "--save 60 1"), strings.LastIndex(line, "--save  ")
			if title := got[len(got)-2:]; own < defaults || !slices.Equal(title, []string{"--proc-title-template", p.title()}) {
				t.Errorf("got %q, want the user's options after the defaults, and the title last", line)
			}
		})
	}
}

// alone is a single server with options.
func alone(args ...string) spec {
	return spec{topology: Standalone, shape: usual(Standalone), args: args}
}

func TestPlanKeepsToProcessors(t *testing.T) {
	for want, cpus := range map[string][]int{"": nil, "3": {3}, "2,3": {2, 3}} {
		for _, port := range []int{0, 7001} {
			p := newPlan(Redis, serverImage{}, alone())
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

// fakeEngine is an engine that tells nothing but what it is.
func fakeEngine(t *testing.T, info string) *engine {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Api-Version", "1.41")
		if strings.HasSuffix(r.URL.Path, "/info") {
			fmt.Fprint(w, info)
		}
	}))
	t.Cleanup(server.Close)
	eng, err := dialEngine(t.Context(), strings.Replace(server.URL, "http://", "tcp://", 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { eng.api.Close() })
	return eng
}

func TestPublishedPortsWhereTheLoopbackIsNotShared(t *testing.T) {
	const native, desktop, rootless = `{"OperatingSystem":"Debian"}`, `{"OperatingSystem":"Docker Desktop"}`, `{"SecurityOptions":["name=rootless"]}`
	linux := runtime.GOOS == "linux"
	for _, c := range []struct {
		info  string
		asked bool
		want  bool
	}{
		{native, false, !linux},
		{native, true, true},
		{desktop, false, true},
		{rootless, false, true},
	} {
		got, err := fakeEngine(t, c.info).publishes(t.Context(), Options{PublishedPorts: c.asked})
		if err != nil || got != c.want {
			t.Errorf("an engine that is %s, asked for %t: got %t and %v, want %t", c.info, c.asked, got, err, c.want)
		}
	}
}
