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
	rawURL    string

	gone    chan struct{}      // closed when the server has ended unasked
	watched chan struct{}      // closed when the watch is over
	unwatch context.CancelFunc // ends the watch

	mu      sync.Mutex
	cause   error // why it ended
	closing bool  // its end is asked for
}

// follow makes a node of a running container and watches it until close.
func (e *engine) follow(ctx context.Context, ctr testcontainers.Container, rawURL string) *containerNode {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n := &containerNode{
		engine: e, container: ctr, rawURL: rawURL,
		gone: make(chan struct{}), watched: make(chan struct{}), unwatch: cancel,
	}
	go func() {
		defer close(n.watched)
		n.watch(ctx)
	}()
	return n
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
	if n.closing {
		return
	}
	n.cause = cause
	close(n.gone)
}

// prove returns when the container's own server answers: the one that has the
// process title that it was given. It returns errPortTaken when another
// program has the port.
func (n *containerNode) prove(ctx context.Context, title string) error {
	err := n.awaitAnswer(ctx)
	if err == nil {
		var found string
		if found, err = processTitle(ctx, at(n.rawURL)); err == nil && found == title {
			return nil
		}
		if err == nil {
			return fmt.Errorf("%w: another server answers at %s", errPortTaken, n.rawURL)
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
	go func() { answer <- waitReady(ctx, at(n.rawURL)) }()
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
func (n *containerNode) resetStats(ctx context.Context) error { return resetStats(ctx, at(n.rawURL)) }

// info is part of node. It refuses the answer of another server that took the
// port after this one ended.
func (n *containerNode) info(ctx context.Context, sections ...string) (map[string]string, error) {
	info, err := serverInfo(ctx, at(n.rawURL), sections...)
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
	if _, err := n.engine.api.ContainerKill(ctx, n.id(), client.ContainerKillOptions{Signal: "KILL"}); err != nil {
		return fmt.Errorf("kill the container: %s", engineWords(err))
	}
	select {
	case <-n.watched:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the killed container: %w", ctx.Err())
	}
}

// close is part of node: it stops the server, with SIGKILL when it does not end by itself, and
// removes its container and volumes, also when ctx is over: nothing may stay
// behind.
func (n *containerNode) close(ctx context.Context) error {
	n.mu.Lock()
	n.closing = true
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
	defer cancel()
	// What the library says is not the last word: a container that somebody
	// else has removed is an error to it, and none here.
	stopErr := n.container.Terminate(ctx, testcontainers.StopTimeout(stopGrace))
	err := n.engine.remove(ctx, n.id())
	if err != nil {
		err = errors.Join(stopErr, err)
	}
	n.unwatch()
	<-n.watched
	return err
}
