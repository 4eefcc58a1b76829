package compose

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

const (
	// innerPort is where a server listens behind a published port, and innerBus
	// where the other nodes of a cluster find it there.
	innerPort, innerBus = 6379, 16379
	// dataDir is where a server in a container keeps its files.
	dataDir = "/data/"
	// cleanTimeout bounds the removal of a container.
	cleanTimeout = 20 * time.Second
	// logLines is how much of a server's log an error shows.
	logLines = "10"
)

// Labels that every container and every network carries.
const (
	labelProgram = "toriibench.program" // always programName
	labelOwner   = "toriibench.owner"   // ownerID of the program that started it
	labelStart   = "toriibench.start"   // the marker of the start
	programName  = "toriibench"
)

// plan is how to start one server in a container.
type plan struct {
	engineName string // Redis or Valkey
	image      serverImage
	spec       spec
	cpus       []int // that it is to run on; empty means any
	// port on loopback to listen on, in the host's network, and bus beside it for
	// the node of a cluster; 0 publishes whichever port the engine chooses.
	port, bus int
	// fronts are the place's where there is a fabric.
	front, frontBus int
	// network is what servers behind published ports share, by name; "" for one
	// server alone.
	network string
	// marker is random. The server carries it in its process title, which
	// CONFIG GET shows on every version, so that it can be told from another
	// server that got the port first; INFO has nothing that is known before the
	// start (its process_id is 1 in every container).
	marker string
}

// newPlan makes a plan with a fresh marker.
func newPlan(engineName string, img serverImage, s spec) plan {
	return plan{engineName: engineName, image: img, spec: s, marker: newMarker()}
}

// newMarker is a random word that names one start.
func newMarker() string { return strings.ToLower(rand.Text()) }

// program is the server's executable, which is looked up on the image's PATH.
func (p plan) program() string { return p.engineName + "-server" }

// title is the process title that the server is given.
func (p plan) title() string { return "{title}:toriibench-" + p.marker }

// command is the server's command line without the program. In the host's
// network it listens on loopback alone. Behind a published port, clients come
// from the bridge, which protected mode would turn away; there the port is
// published on loopback alone. The title comes last, so that the user's options
// cannot replace it.
func (p plan) command() []string {
	protected := p.spec.protection()
	if p.port == 0 {
		protected = "no"
	}
	return slices.Concat(p.spec.command(p.place()), []string{"--protected-mode", protected, "--proc-title-template", p.title()})
}

// place is where the server listens, as it sees it.
func (p plan) place() place {
	if p.port == 0 {
		return place{bind: "0.0.0.0", port: innerPort, bus: innerBus, dir: dataDir}
	}
	return place{bind: localHost, port: p.port, bus: p.bus, front: p.front, frontBus: p.frontBus, dir: dataDir}
}

// files are what the server reads when it starts.
func (p plan) files() []testcontainers.ContainerFile {
	var files []testcontainers.ContainerFile
	for name, data := range p.spec.files(p.place()) {
		files = append(files, testcontainers.ContainerFile{
			Reader: bytes.NewReader(data), ContainerFilePath: dataDir + name, FileMode: 0o600,
		})
	}
	return files
}

// cpuset is cpus in the engine's words; "" for any.
func (p plan) cpuset() string {
	words := make([]string, len(p.cpus))
	for i, cpu := range p.cpus {
		words[i] = strconv.Itoa(cpu)
	}
	return strings.Join(words, ",")
}

// ownLabels say whose a container or a network is.
func ownLabels(marker string) map[string]string {
	return map[string]string{labelProgram: programName, labelOwner: ownerID(), labelStart: marker}
}

// request is the plan in testcontainers' words. The entrypoint is set because
// images differ: official ones have a script there, imported ones have
// nothing. No readiness is waited for here: that needs to know whose server
// answers.
func (p plan) request() testcontainers.GenericContainerRequest {
	req := testcontainers.ContainerRequest{
		Image:      p.image.name,
		Entrypoint: []string{p.program()},
		Cmd:        p.command(),
		Labels:     ownLabels(p.marker),
		Files:      p.files(),
		ConfigModifier: func(c *container.Config) {
			c.WorkingDir = dataDir
			c.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}}
		},
	}
	inner := network.MustParsePort(strconv.Itoa(innerPort) + "/tcp")
	if p.port == 0 {
		req.ExposedPorts = []string{inner.String()}
	}
	req.HostConfigModifier = func(c *container.HostConfig) {
		c.CpusetCpus = p.cpuset()
		if p.port != 0 {
			c.NetworkMode = network.NetworkHost
		} else {
			c.NetworkMode = container.NetworkMode(p.network)
			c.PortBindings = network.PortMap{inner: {{HostIP: netip.MustParseAddr("127.0.0.1")}}}
		}
	}
	return testcontainers.GenericContainerRequest{ContainerRequest: req, Started: true, Logger: quietLogger{}}
}

// publishedPort is the port source for engines whose network is not the
// host's: the engine chooses.
func publishedPort(context.Context) (int, error) { return 0, nil }

// startServer starts p in a container and returns when it answers. A port that
// somebody takes between its choice and the server's bind is replaced by
// another one. On an error nothing stays behind.
func (e *engine) startServer(ctx context.Context, p plan, choosePort func(context.Context) (int, error)) (*containerNode, error) {
	var last error
	for range portAttempts {
		port, err := choosePort(ctx)
		if err != nil {
			return nil, err
		}
		p.port = port
		if p.spec.clustered() {
			if p.bus, err = choosePort(ctx); err != nil {
				return nil, err
			}
		}
		at, err := p.spec.withFronts(ctx, p.place())
		if err != nil {
			return nil, err
		}
		p.front, p.frontBus = at.front, at.frontBus
		node, err := e.startOnce(ctx, p)
		if err == nil || !errors.Is(err, errPortTaken) {
			return node, err
		}
		last = err
	}
	return nil, fmt.Errorf("gave up after %d ports: %w", portAttempts, last)
}

// startOnce is startServer with one port.
func (e *engine) startOnce(ctx context.Context, p plan) (*containerNode, error) {
	ctr, err := e.run(ctx, p)
	if err != nil {
		return nil, errors.Join(explainRun(p, err), e.removeStart(ctx, p.marker))
	}
	at, err := e.locate(ctx, p, ctr)
	node := e.follow(ctx, ctr, p, at)
	if err == nil {
		err = node.prove(ctx)
	} else {
		err = node.whyNot(ctx, err)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s in a container: %w", p.image.name, err), node.close(ctx))
	}
	return node, nil
}

// location is where a server in a container is found.
type location struct {
	// host, port and bus are where the other servers reach it.
	host      string
	port, bus int
	// published is the port of this machine's loopback that leads to it; 0 means
	// that this is port.
	published int
}

// open is the port of this machine's loopback.
func (l location) open() int { return cmp.Or(l.published, l.port) }

// locate finds out where the server of a running container is.
func (e *engine) locate(ctx context.Context, p plan, ctr testcontainers.Container) (location, error) {
	if p.port != 0 {
		return location{host: localHost, port: p.port, bus: p.bus}, nil
	}
	mapped, err := ctr.MappedPort(ctx, strconv.Itoa(innerPort)+"/tcp")
	if err != nil {
		return location{}, fmt.Errorf("find the published port: %w", err)
	}
	if p.network == "" {
		return location{host: localHost, port: int(mapped.Num())}, nil
	}
	host, err := e.innerAddress(ctx, ctr.GetContainerID(), p.network)
	return location{host: host, port: innerPort, bus: innerBus, published: int(mapped.Num())}, err
}

// explainRun says what a person can do about a container that did not start.
func explainRun(p plan, err error) error {
	if strings.Contains(err.Error(), "executable file not found") {
		return fmt.Errorf("start a container: image %s has no %s on its PATH", p.image.name, p.program())
	}
	return fmt.Errorf("start a container of %s: %w", p.image.name, err)
}

// removeStart removes whatever a failed start has left, also when ctx is over.
// It goes by the label, since a failed request gives no ID back.
func (e *engine) removeStart(ctx context.Context, marker string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
	defer cancel()
	list, err := e.containers(ctx, labelStart+"="+marker)
	if err != nil {
		return err
	}
	var errs []error
	for _, item := range list {
		errs = append(errs, e.remove(ctx, item.ID))
	}
	return errors.Join(errs...)
}

// logTail returns the last lines that a container wrote.
func (e *engine) logTail(ctx context.Context, id string) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	logs, err := e.api.ContainerLogs(ctx, id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Tail: logLines})
	if err != nil {
		return "its log cannot be read: " + engineWords(err)
	}
	defer func() { _ = logs.Close() }() // everything that matters was read
	var text bytes.Buffer
	if _, err := stdcopy.StdCopy(&text, &text, io.LimitReader(logs, 1<<20)); err != nil && text.Len() == 0 {
		return "its log cannot be read: " + engineWords(err)
	}
	return "its log ends with:\n" + strings.TrimSpace(text.String())
}

// answersAs says whether the server that answers is the one of this plan. A
// sentinel does not tell its process title, but its id.
func (p plan) answersAs(ctx context.Context, c contact) (bool, error) {
	if p.spec.sentinel() {
		id, err := ask(ctx, c, "SENTINEL", "MYID")
		return id == p.spec.id, err
	}
	reply, err := ask(ctx, c, "CONFIG", "GET", "proc-title-template")
	return pairs(reply)["proc-title-template"] == p.title(), err
}
