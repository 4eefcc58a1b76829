package compose

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	tclog "github.com/testcontainers/testcontainers-go/log"
)

// testTimeout bounds a wait in a test.
const testTimeout = 20 * time.Second

// needEngine opens the container engine for a test.
func needEngine(t *testing.T) *engine {
	t.Helper()
	if testing.Short() {
		t.Skip("starts containers")
	}
	eng, err := openEngine(t.Context())
	if err != nil {
		needless(t, "%v", err)
	}
	t.Cleanup(func() { eng.api.Close() })
	return eng
}

// dockerSuite is what the tests of TestDocker share: an engine, and a target
// that it has an image for.
type dockerSuite struct {
	eng    *engine
	target Target
}

// TestDocker runs real servers in containers of one image that it makes.
func TestDocker(t *testing.T) {
	eng := needEngine(t)
	name, prog := importServer(t, eng, Target{Engine: Redis, Topology: Standalone})
	t.Setenv("TORIIBENCH_IMAGE_REDIS", "toriibench-test/redis:{version}")
	s := dockerSuite{eng: eng, target: Target{Engine: Redis, Version: prog.version, Topology: Standalone}}
	t.Run("starts, answers, and leaves nothing", s.life)
	t.Run("a target without a version takes the image at hand", s.anyVersion)
	t.Run("a floating tag is told to be one", s.floating)
	t.Run("a published port answers", s.published)
	t.Run("topologies of several start, serve, and leave nothing", s.topologies)
	t.Run("a primary that is killed or cut off is replaced", s.faults)
	t.Run("topologies behind published ports start, serve, and leave nothing", s.publishedTopologies)
	t.Run("a topology behind published ports that fails leaves nothing", s.publishedFailure)
	t.Run("a port taken by a silent program is replaced", s.silentPort)
	t.Run("a port taken by another server is replaced", s.foreignServer)
	t.Run("gives up when every port is taken", s.noPort)
	t.Run("a killed server is reported", s.kill)
	t.Run("a removed container is reported", s.removed)
	t.Run("a server that ends at once shows its log", s.badOption)
	t.Run("an image without the server says so", s.wrongImage)
	t.Run("an image of another version is refused", s.otherVersion)
	t.Run("an ended context leaves nothing", s.cancelled)
	t.Run("sweep removes what the dead left, and nothing else", s.sweep)
	if _, err := eng.inspectImage(t.Context(), name); err != nil {
		t.Errorf("the image does not outlive its containers: %v", err)
	}
}

// TestDockerValkey runs the other engine.
func TestDockerValkey(t *testing.T) {
	eng := needEngine(t)
	name, prog := importServer(t, eng, Target{Engine: Valkey, Topology: Standalone})
	s := dockerSuite{eng: eng}
	s.watchLeftovers(t)
	topo := startDocker(t, Target{Engine: Valkey, Topology: Standalone}, Options{Image: name})
	if topo.Engine != Valkey || topo.Version != prog.version {
		t.Errorf("got %s %s, want valkey %s", topo.Engine, topo.Version, prog.version)
	}
	checkClose(t, topo)
}

// watchLeftovers expects that a test leaves no container and no network behind.
func (s dockerSuite) watchLeftovers(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		if left := ownContainers(t, s.eng); len(left) > 0 {
			t.Errorf("containers left behind: %v", left)
		}
		if left := ownNetworks(t, s.eng); len(left) > 0 {
			t.Errorf("networks left behind: %v", left)
		}
	})
}

// ownContainers lists the containers that this process started.
func ownContainers(t *testing.T, eng *engine) []string {
	t.Helper()
	// The end of a test, where this is called too, ends its context.
	list, err := eng.containers(context.WithoutCancel(t.Context()), labelOwner+"="+ownerID())
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, 0, len(list))
	for _, item := range list {
		ids = append(ids, item.ID)
	}
	return ids
}

// startDocker starts target and closes it with the test.
func startDocker(t *testing.T, target Target, opts Options) *Topology {
	t.Helper()
	topo, err := Docker().Start(t.Context(), target, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { topo.Close(context.WithoutCancel(t.Context())) })
	return topo
}

// failStart starts target, which has to fail, and returns the error's text.
func failStart(t *testing.T, target Target, opts Options) string {
	t.Helper()
	topo, err := Docker().Start(t.Context(), target, opts)
	if err == nil {
		topo.Close(t.Context())
		t.Fatalf("started %s with %+v", target, opts)
	}
	return err.Error()
}

func (s dockerSuite) life(t *testing.T) {
	s.watchLeftovers(t)
	provider := Docker()
	if err := provider.Check(t.Context(), s.target); err != nil {
		t.Fatalf("check: %v", err)
	}
	topo := startDocker(t, s.target, Options{Args: []string{"--maxmemory", "123mb"}})
	if topo.Engine != Redis || topo.Version != s.target.Version || topo.Provider != "docker" {
		t.Errorf("got %s %s of %s, want redis %s of docker", topo.Engine, topo.Version, topo.Provider, s.target.Version)
	}
	if want := "image toriibench-test/redis:" + s.target.Version + " (sha256:"; !strings.HasPrefix(topo.Origin, want) {
		t.Errorf("origin: got %q, want %q…", topo.Origin, want)
	}
	info, err := topo.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]string{"maxmemory": "128974848", "rdb_bgsave_in_progress": "0", "aof_enabled": "0"} {
		if info[field] != want {
			t.Errorf("INFO %s: got %q, want %q", field, info[field], want)
		}
	}
	select {
	case <-topo.Died():
		t.Errorf("died while it lives: %v", topo.Err())
	default:
	}
	if _, quiet := tclog.Default().(quietLogger); !quiet {
		t.Error("testcontainers writes to standard error")
	}
	checkClose(t, topo)
}

// checkClose closes topo, and expects no trouble and no answer afterwards.
func checkClose(t *testing.T, topo *Topology) {
	t.Helper()
	if err := topo.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := topo.Err(); err != nil {
		t.Errorf("an orderly close is an error: %v", err)
	}
	if err := ping(t.Context(), at(topo.URLs[0])); err == nil {
		t.Errorf("%s answers after close", topo.URLs[0])
	}
}

func (s dockerSuite) anyVersion(t *testing.T) {
	s.watchLeftovers(t)
	topo := startDocker(t, Target{Engine: Redis, Topology: Standalone}, Options{Offline: true})
	if !strings.Contains(topo.Origin, s.target.Version) {
		t.Errorf("origin: got %q, want version %s", topo.Origin, s.target.Version)
	}
	checkClose(t, topo)
}

// startNode starts a server on ports in the order given.
func startNode(t *testing.T, eng *engine, target Target, ports ...int) (*containerNode, error) {
	t.Helper()
	img, err := eng.findImage(t.Context(), target, "")
	if err != nil {
		t.Fatal(err)
	}
	node, err := eng.startServer(t.Context(), newPlan(target.Engine, img, alone()), func(ctx context.Context) (int, error) {
		if len(ports) == 0 {
			return freePort(ctx)
		}
		port := ports[0]
		ports = ports[1:]
		return port, nil
	})
	if err == nil {
		t.Cleanup(func() { node.close(context.WithoutCancel(t.Context())) })
	}
	return node, err
}

func (s dockerSuite) floating(t *testing.T) {
	s.watchLeftovers(t)
	img, err := s.eng.findImage(t.Context(), s.target, "")
	if err != nil {
		t.Fatal(err)
	}
	const name = "toriibench-test/redis:newest"
	if _, err := s.eng.api.ImageTag(t.Context(), client.ImageTagOptions{Source: img.id, Target: name}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeImage(t, s.eng, name) })
	topo := startDocker(t, Target{Engine: Redis, Topology: Standalone}, Options{Image: name})
	if want := "a floating tag, " + s.target.Version + " when this ran"; topo.Version != s.target.Version || !strings.Contains(topo.Origin, want) {
		t.Errorf("version %s, origin %q lacks %q", topo.Version, topo.Origin, want)
	}
	checkClose(t, topo)
}

func (s dockerSuite) published(t *testing.T) {
	s.watchLeftovers(t)
	node, err := startNode(t, s.eng, s.target, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := node.info(t.Context(), "server")
	if err != nil {
		t.Fatal(err)
	}
	if info["tcp_port"] != strconv.Itoa(innerPort) || strings.HasSuffix(node.contact.url, ":"+info["tcp_port"]) {
		t.Errorf("server listens on %s behind %s, want %d behind a published port", info["tcp_port"], node.contact.url, innerPort)
	}
	if err := node.close(t.Context()); err != nil {
		t.Error(err)
	}
}

func (s dockerSuite) topologies(t *testing.T) {
	for shape, servers := range map[string]int{"replicated": 3, "sentinel+mtls+acl+aof": 6, "cluster+tls+acl": 6} {
		t.Run(shape, func(t *testing.T) {
			s.watchLeftovers(t)
			target, err := ParseTarget(Redis + ":" + s.target.Version + "@" + shape)
			if err != nil {
				t.Fatal(err)
			}
			topo := startDocker(t, target, Options{Rules: testRules})
			if got := len(ownContainers(t, s.eng)); got != servers {
				t.Errorf("%d servers run, want %d", got, servers)
			}
			useTopology(t, topo)
			if err := topo.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// faults breaks the same topology in two ways.
func (s dockerSuite) faults(t *testing.T) {
	s.watchLeftovers(t)
	target, err := ParseTarget(Redis + ":" + s.target.Version + "@sentinel+tls")
	if err != nil {
		t.Fatal(err)
	}
	topo := startDocker(t, target, Options{Links: true})
	broken := primaryOf(t.Context(), topo, 0)
	if err := topo.Kill(t.Context(), broken); err != nil {
		t.Fatal(err)
	}
	until(t, "a new primary", func(ctx context.Context) bool { return primaryOf(ctx, topo, 0) >= 0 })
	if err := topo.Restart(t.Context(), broken); err != nil {
		t.Fatal(err)
	}
	settle(t, topo)
	broken = primaryOf(t.Context(), topo, 0)
	if err := topo.Partition(broken, true); err != nil {
		t.Fatal(err)
	}
	until(t, "another primary beside the one that is cut off", func(ctx context.Context) bool {
		return slices.ContainsFunc(topo.Servers(ctx), func(s Server) bool { return s.Number != broken && s.Role == RolePrimary })
	})
	if err := topo.Partition(broken, false); err != nil {
		t.Fatal(err)
	}
	settle(t, topo)
	useTopology(t, topo)
	if err := topo.Stop(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if got := topo.Servers(t.Context())[1].Role; got != RoleDown {
		t.Errorf("the stopped server is %q", got)
	}
	if err := topo.Close(t.Context()); err != nil {
		t.Errorf("close with a stopped server: %v", err)
	}
}

// takePort listens on a port and never answers.
func takePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}

func (s dockerSuite) silentPort(t *testing.T) {
	s.watchLeftovers(t)
	taken := takePort(t)
	node, err := startNode(t, s.eng, s.target, taken)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(node.contact.url, ":"+strconv.Itoa(taken)) {
		t.Errorf("started on the taken port: %s", node.contact.url)
	}
	if err := node.close(t.Context()); err != nil {
		t.Error(err)
	}
}

func (s dockerSuite) foreignServer(t *testing.T) {
	s.watchLeftovers(t)
	foreign := startDocker(t, s.target, Options{})
	_, text, err := net.SplitHostPort(strings.TrimPrefix(foreign.URLs[0], "redis://"))
	if err != nil {
		t.Fatal(err)
	}
	taken, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	node, err := startNode(t, s.eng, s.target, taken)
	if err != nil {
		t.Fatal(err)
	}
	if node.contact.url == foreign.URLs[0] {
		t.Errorf("took another server for its own: %s", node.contact.url)
	}
	if err := errors.Join(node.close(t.Context()), foreign.Close(t.Context())); err != nil {
		t.Error(err)
	}
}

func (s dockerSuite) noPort(t *testing.T) {
	s.watchLeftovers(t)
	taken := takePort(t)
	_, err := startNode(t, s.eng, s.target, slices.Repeat([]int{taken}, portAttempts)...)
	if !errors.Is(err, errPortTaken) || !strings.Contains(strings.ToLower(err.Error()), "address already in use") {
		t.Errorf("got %v, want %v with the server's own words", err, errPortTaken)
	}
}

// awaitDeath waits until topo is reported dead, and returns the reason.
func awaitDeath(t *testing.T, topo *Topology) string {
	t.Helper()
	select {
	case <-topo.Died():
	case <-time.After(testTimeout):
		t.Fatal("the death is not noticed")
	}
	err := topo.Err()
	if err == nil {
		t.Fatal("died without a reason")
	}
	return err.Error()
}

func (s dockerSuite) kill(t *testing.T) {
	s.watchLeftovers(t)
	topo := startDocker(t, s.target, Options{})
	if err := topo.KillNode(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	why := awaitDeath(t, topo)
	for _, want := range []string{"exit code 137", "Ready to accept connections"} {
		if !strings.Contains(why, want) {
			t.Errorf("reason %q lacks %q", why, want)
		}
	}
	if _, err := topo.Info(t.Context()); err == nil || !strings.Contains(err.Error(), "exit code 137") {
		t.Errorf("info of a dead server: got %v, want its cause", err)
	}
	if err := topo.Close(t.Context()); err != nil {
		t.Errorf("close after a kill: %v", err)
	}
}

func (s dockerSuite) removed(t *testing.T) {
	s.watchLeftovers(t)
	topo := startDocker(t, s.target, Options{})
	for _, id := range ownContainers(t, s.eng) {
		if err := s.eng.remove(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if why := awaitDeath(t, topo); !strings.Contains(why, "container") {
		t.Errorf("reason %q does not speak of the container", why)
	}
	if err := topo.Close(t.Context()); err != nil {
		t.Errorf("close of a removed container: %v", err)
	}
}

func (s dockerSuite) badOption(t *testing.T) {
	s.watchLeftovers(t)
	got := failStart(t, s.target, Options{Args: []string{"--no-such-option", "1"}})
	for _, want := range []string{"exit code 1", "its log ends with", "no-such-option"} {
		if !strings.Contains(got, want) {
			t.Errorf("error %q lacks %q", got, want)
		}
	}
}

func (s dockerSuite) wrongImage(t *testing.T) {
	s.watchLeftovers(t)
	image := "toriibench-test/redis:" + s.target.Version
	got := failStart(t, Target{Engine: Valkey, Topology: Standalone}, Options{Image: image})
	if want := "image " + image + " has no valkey-server on its PATH"; !strings.Contains(got, want) {
		t.Errorf("got %s, want %q", got, want)
	}
}

func (s dockerSuite) otherVersion(t *testing.T) {
	s.watchLeftovers(t)
	image := "toriibench-test/redis:" + s.target.Version
	got := failStart(t, Target{Engine: Redis, Version: "1.2", Topology: Standalone}, Options{Image: image})
	if want := "the image holds redis " + s.target.Version + ", not redis:1.2@standalone"; !strings.Contains(got, want) {
		t.Errorf("got %s, want %q", got, want)
	}
}

func (s dockerSuite) cancelled(t *testing.T) {
	s.watchLeftovers(t)
	img, err := s.eng.findImage(t.Context(), s.target, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	seen := make(chan bool, 1)
	go func() { // ends the context as soon as there is a container
		defer cancel()
		for ctx.Err() == nil {
			list, err := s.eng.containers(ctx, labelOwner+"="+ownerID())
			if err == nil && len(list) > 0 {
				seen <- true
				return
			}
		}
		seen <- false
	}()
	// A server without a port is never ready, so the start is under way for as
	// long as it takes.
	_, err = s.eng.startServer(ctx, newPlan(Redis, img, alone("--port", "0", "--unixsocket", "/data/socket")), freePort)
	if !errors.Is(err, context.Canceled) || !<-seen {
		t.Errorf("got %v, want %v after there was a container", err, context.Canceled)
	}
}

func (s dockerSuite) sweep(t *testing.T) {
	s.watchLeftovers(t)
	img, err := s.eng.findImage(t.Context(), s.target, "")
	if err != nil {
		t.Fatal(err)
	}
	living := startDocker(t, s.target, Options{})
	dead := createContainer(t, s.eng, img, "nobody")
	deadNetwork, livingNetwork := createNetwork(t, s.eng, "nobody"), createNetwork(t, s.eng, ownerID())
	var log bytes.Buffer
	if err := sweepDocker(t.Context(), &log); err != nil {
		t.Fatal(err)
	}
	if _, err := s.eng.api.ContainerInspect(t.Context(), dead, client.ContainerInspectOptions{}); err == nil {
		t.Error("the container of a dead owner is still there")
	}
	for _, want := range []string{"removed container " + dead[:12] + " of ", "removed network " + deadNetwork + ","} {
		if !strings.Contains(log.String(), want) || strings.Count(log.String(), "\n") != 2 {
			t.Errorf("log: got %q, want two lines, one with %q", log.String(), want)
		}
	}
	if left := ownNetworks(t, s.eng); !slices.Equal(left, []string{livingNetwork}) {
		t.Errorf("networks: got %v, want that of a living owner", left)
	}
	if err := s.eng.removeNetwork(t.Context(), livingNetwork); err != nil {
		t.Error(err)
	}
	if _, err := living.Info(t.Context()); err != nil {
		t.Errorf("the container of a living owner was touched: %v", err)
	}
	checkClose(t, living)
}

// createContainer makes a container that is not started, as of owner.
func createContainer(t *testing.T, eng *engine, img serverImage, owner string) string {
	t.Helper()
	created, err := eng.api.ContainerCreate(t.Context(), client.ContainerCreateOptions{Config: &container.Config{
		Image: img.id, Entrypoint: []string{"redis-server"},
		Labels: map[string]string{labelProgram: programName, labelOwner: owner},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { eng.remove(context.WithoutCancel(t.Context()), created.ID) })
	return created.ID
}

func TestDockerWithoutImage(t *testing.T) {
	needEngine(t)
	// Nothing listens on port 1, so no registry is asked anywhere.
	t.Setenv("TORIIBENCH_IMAGE_VALKEY", "localhost:1/toriibench-test/absent:{version}")
	target := Target{Engine: Valkey, Version: "8.1", Topology: Standalone}
	const image = "localhost:1/toriibench-test/absent:8.1"
	t.Run("check says how to get it", func(t *testing.T) {
		err := Docker().Check(t.Context(), target)
		if !errors.Is(err, errNoImage) || !strings.Contains(err.Error(), "docker pull "+image) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("offline start says how to get it", func(t *testing.T) {
		_, err := Docker().Start(t.Context(), target, Options{Offline: true})
		if !errors.Is(err, errNoImage) || !strings.Contains(err.Error(), "docker pull "+image) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("start tries to pull it and says why it could not", func(t *testing.T) {
		var log bytes.Buffer
		_, err := Docker().Start(t.Context(), target, Options{Log: &log})
		if !errors.Is(err, errNoImage) || !strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want one line that says that the connection was refused", err)
		}
		if want := "pulling image " + image + "\n"; log.String() != want {
			t.Errorf("log: got %q, want %q", log.String(), want)
		}
	})
}
