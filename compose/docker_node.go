package compose

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

const (
	// waitAttempts bounds how often a lost wait for a container is taken up
	// again, waitPause is the pause before.
	waitAttempts = 3
	waitPause    = time.Second
	// stopGrace is how long a server may take to end by itself.
	stopGrace = 2 * time.Second
	// deathGrace is how long the news of a server's death may take, after a
	// connection to it has failed.
	deathGrace = 2 * time.Second
)

// containerNode is a server in a container.
type containerNode struct {
	engine    *engine
	container testcontainers.Container
	plan      plan
	at        location
	contact   contact

	gone    chan struct{}      // closed when the server has ended unasked
	unwatch context.CancelFunc // ends the watch

	mu      sync.Mutex
	watched chan struct{} // closed when the watch of this life is over
	cause   error         // why it ended
	asked   bool          // its end is asked for
}

// follow makes a node of a running container at a location and watches it until close.
func (e *engine) follow(ctx context.Context, ctr testcontainers.Container, p plan, at location) *containerNode {
	n := &containerNode{
		engine: e, container: ctr, plan: p, at: at, contact: p.spec.contact(localHost, at.open()), gone: make(chan struct{}),
	}
	n.beginWatch(ctx)
	return n
}

// beginWatch watches the container from a start to its end.
func (n *containerNode) beginWatch(ctx context.Context) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.mu.Lock()
	defer n.mu.Unlock()
	n.unwatch, n.asked = cancel, false
	over := make(chan struct{})
	n.watched = over
	go func() {
		defer close(over)
		n.watch(ctx)
	}()
}

// over is closed when the watch is: the server has ended, or is lost.
func (n *containerNode) over() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.watched
}

// member is the container as a member of a topology.
func (n *containerNode) member() *member {
	port, bus := n.at.port, n.at.bus
	if n.plan.front != 0 {
		port, bus = n.plan.front, n.plan.frontBus
	}
	return &member{
		node: n, contact: n.contact, host: n.at.host, port: port, bus: bus, published: n.at.published,
		tail: func(ctx context.Context) string { return "; " + n.engine.logTail(ctx, n.id()) },
	}
}

// id is the engine's name for the container.
func (n *containerNode) id() string { return n.container.GetContainerID() }

// watch waits for the container's end and notes its cause. A wait that breaks
// off, as when the engine is restarted, is taken up again some times.
func (n *containerNode) watch(ctx context.Context) {
	var err error
	for range waitAttempts {
		var code int64
		if code, err = n.wait(ctx); err == nil {
			n.ended(fmt.Errorf("the container ended with exit code %d; %s", code, n.engine.logTail(ctx, n.id())))
			return
		}
		if errdefs.IsNotFound(err) || !pause(ctx, waitPause) {
			break
		}
	}
	if ctx.Err() == nil {
		n.ended(fmt.Errorf("the container is lost: %s", engineWords(err)))
	}
}

// wait blocks until the container does not run, and returns its exit code.
func (n *containerNode) wait(ctx context.Context) (int64, error) {
	wait := n.engine.api.ContainerWait(ctx, n.id(), client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
	select { // a context that ends breaks the request off, which is an error
	case result := <-wait.Result:
		return result.StatusCode, nil
	case err := <-wait.Error:
		return 0, err
	}
}

// pause waits for d, and tells whether ctx lasted as long.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ended notes the end of the container, unless it was asked for.
func (n *containerNode) ended(cause error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.asked || n.cause != nil {
		return
	}
	n.cause = cause
	close(n.gone)
}

// ask notes that the end of the server is wanted.
func (n *containerNode) ask() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = true
}

// prove returns when the container's own server answers. It returns errPortTaken
// when another program has the port.
func (n *containerNode) prove(ctx context.Context) error {
	err := n.awaitAnswer(ctx)
	if err == nil {
		var own bool
		if own, err = n.plan.answersAs(ctx, n.contact); own && err == nil {
			return nil
		}
		if err == nil {
			return fmt.Errorf("%w: another server answers at %s", errPortTaken, n.contact)
		}
	}
	return n.whyNot(ctx, err)
}

// awaitAnswer waits for any server to answer, as long as the container runs.
// It does not wait for a question that is under way when the container ends.
func (n *containerNode) awaitAnswer(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- waitReady(ctx, n.contact) }()
	select {
	case err := <-answer:
		return err
	case <-n.gone:
		return n.err()
	}
}

// whyNot finds the reason for a server that does not answer as it should: its
// death says more than the failed connection.
func (n *containerNode) whyNot(ctx context.Context, err error) error {
	grace, cancel := context.WithTimeout(ctx, deathGrace)
	defer cancel()
	select {
	case <-n.gone:
		if cause := n.err(); portTaken(cause) {
			return fmt.Errorf("%w: %w", errPortTaken, cause)
		}
		return n.err()
	case <-grace.Done():
		return fmt.Errorf("%w; the container runs%s, %s", err, boxedHint(), n.engine.logTail(ctx, n.id()))
	}
}

// boxedHint names the usual reason for a server that runs and cannot be
// reached.
func boxedHint() string {
	if !boxed() {
		return ""
	}
	return " (if this program runs in a container itself, start that one with --network host, or take --provider native)"
}

// portTaken tells from a server's last words whether it could not listen.
func portTaken(cause error) bool {
	text := strings.ToLower(cause.Error())
	return strings.Contains(text, "address already in use") || strings.Contains(text, "could not create server tcp listening socket")
}

// resetStats is part of node.
func (n *containerNode) resetStats(ctx context.Context) error { return resetStats(ctx, n.contact) }

// info is part of node. It refuses the answer of another server that took the
// port after this one ended.
func (n *containerNode) info(ctx context.Context, sections ...string) (map[string]string, error) {
	info, err := serverInfo(ctx, n.contact, sections...)
	if cause := n.err(); cause != nil {
		return nil, cause
	}
	return info, err
}

// died is part of node.
func (n *containerNode) died() <-chan struct{} { return n.gone }

// err is part of node: the exit code and the end of the server's log.
func (n *containerNode) err() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cause
}

// kill is part of node: it sends SIGKILL and waits for the end.
func (n *containerNode) kill(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := n.signal(ctx, "KILL"); err != nil {
		return err
	}
	select {
	case <-n.over():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the killed container: %w", ctx.Err())
	}
}

// signal sends the server a signal.
func (n *containerNode) signal(ctx context.Context, name string) error {
	if _, err := n.engine.api.ContainerKill(ctx, n.id(), client.ContainerKillOptions{Signal: name}); err != nil {
		return fmt.Errorf("send SIG%s to the container: %s", name, engineWords(err))
	}
	return nil
}

// crash is part of breakable.
func (n *containerNode) crash(ctx context.Context) error {
	n.ask()
	return n.kill(ctx)
}

// freeze is part of breakable.
func (n *containerNode) freeze(ctx context.Context) error { return n.signal(ctx, "STOP") }

// thaw is part of breakable.
func (n *containerNode) thaw(ctx context.Context) error { return n.signal(ctx, "CONT") }

// revive is part of breakable. The server has its files and its port again.
func (n *containerNode) revive(ctx context.Context) error {
	select {
	case <-n.over():
	default:
		return errors.New("start a server again: it runs")
	}
	if n.plan.port == 0 {
		return fmt.Errorf("%w behind published ports: the engine would choose others; take the host's network, or --provider native", ErrNotSupported)
	}
	if _, err := n.engine.api.ContainerStart(ctx, n.id(), client.ContainerStartOptions{}); err != nil {
		return fmt.Errorf("start the container again: %s", engineWords(err))
	}
	n.beginWatch(ctx)
	return n.prove(ctx)
}

// close is part of node: it stops the server, with SIGKILL when it does not end by itself, and
// removes its container and volumes, also when ctx is over: nothing may stay
// behind.
func (n *containerNode) close(ctx context.Context) error {
	n.ask()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
	defer cancel()
	// What the library says is not the last word: a container that somebody
	// else has removed is an error to it, and none here.
	stopErr := n.container.Terminate(ctx, testcontainers.StopTimeout(stopGrace))
	err := n.engine.remove(ctx, n.id())
	if err != nil && !errors.Is(err, errEngineGone) {
		err = errors.Join(stopErr, err)
	}
	n.mu.Lock()
	unwatch := n.unwatch
	n.mu.Unlock()
	unwatch()
	<-n.over()
	return err
}
