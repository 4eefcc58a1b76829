package compose

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/client"
)

const (
	// engineTimeout bounds the search for a container engine.
	engineTimeout = 2 * time.Second
	// callTimeout bounds one short call to an engine that has answered before.
	callTimeout = 10 * time.Second
)

// errNoEngine is wrapped by every error that says that no container engine can
// be used on this machine.
var errNoEngine = errors.New("no container engine can be used")

// engine is a container engine that has answered. Its methods may be called
// from any goroutine.
type engine struct {
	api  *client.Client
	host string // its address, such as unix:///var/run/docker.sock
}

// openEngine finds the container engine: the one that DOCKER_HOST names, or the
// first that answers at a usual socket. The caller closes its api.
func openEngine(ctx context.Context) (*engine, error) {
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	var errs []error
	for _, host := range engineHosts() {
		eng, err := dialEngine(ctx, host)
		if err == nil {
			return eng, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("%w: %w; start Docker, set DOCKER_HOST, or take --provider native", errNoEngine, errors.Join(errs...))
}

// engineHosts lists where an engine may listen, in the order in which
// testcontainers looks, so that both find the same one. Sockets that do not
// exist are left out, the default one excepted.
func engineHosts() []string {
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		return []string{host}
	}
	hosts := []string{client.DefaultDockerHost}
	if runtime.GOOS == "windows" {
		return hosts
	}
	for _, path := range rootlessSockets() {
		if _, err := os.Stat(path); err == nil {
			hosts = append(hosts, "unix://"+path)
		}
	}
	return hosts
}

// rootlessSockets lists where an engine that runs without root may listen.
func rootlessSockets() []string {
	var paths []string
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		paths = append(paths, filepath.Join(dir, "docker.sock"))
	}
	if home, err := os.UserHomeDir(); err == nil {
		paths = append(paths, filepath.Join(home, ".docker/run/docker.sock"), filepath.Join(home, ".docker/desktop/docker.sock"))
	}
	return append(paths, fmt.Sprintf("/run/user/%d/docker.sock", os.Getuid()))
}

// dialEngine opens the engine at host when it answers and may be used.
func dialEngine(ctx context.Context, host string) (*engine, error) {
	if !onThisMachine(host) {
		return nil, fmt.Errorf("the engine at %s is on another machine, and servers are started on this one only", host)
	}
	api, err := client.New(client.FromEnv, client.WithHost(host))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", host, err)
	}
	if _, err := api.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		return nil, errors.Join(explainEngine(host, err), api.Close())
	}
	return &engine{api: api, host: host}, nil
}

// explainEngine turns the usual reasons for silence into words.
func explainEngine(host string, err error) error {
	switch {
	case strings.Contains(err.Error(), "permission denied"):
		return fmt.Errorf("this user may not use %s (is it in the group docker?)", host)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s does not answer in time: %w", host, err)
	default:
		return fmt.Errorf("nothing answers at %s: %w", host, err)
	}
}

// onThisMachine tells whether an engine's address is a local one. Load goes
// over loopback only, so a server elsewhere could not be reached.
func onThisMachine(host string) bool {
	u, err := url.Parse(host)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "unix", "npipe":
		return true
	case "tcp", "http", "https":
		ip := net.ParseIP(u.Hostname())
		return u.Hostname() == "localhost" || (ip != nil && ip.IsLoopback())
	default:
		return false
	}
}

// sharesLoopback tells whether a container with the host's network listens on
// this machine's own loopback. A desktop engine has a virtual machine in
// between, a rootless one a network of its own.
func (e *engine) sharesLoopback(ctx context.Context) (bool, error) {
	if runtime.GOOS != "linux" {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	result, err := e.api.Info(ctx, client.InfoOptions{})
	if err != nil {
		return false, fmt.Errorf("ask %s what it is: %w", e.host, err)
	}
	rootless := slices.ContainsFunc(result.Info.SecurityOptions, func(option string) bool {
		return strings.Contains(option, "rootless")
	})
	return !rootless && result.Info.OperatingSystem != "Docker Desktop", nil
}
