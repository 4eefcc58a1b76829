package compose

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// beatEvery is how often an external server is asked whether it lives, and
	// how long it may take to answer.
	beatEvery = time.Second
	// beatMisses is how many missing answers in a row mean that it does not.
	beatMisses = 3
)

// externalNode is a server that somebody else runs.
type externalNode struct {
	rawURL string
	gone   chan struct{} // closed when the server is silent
	done   chan struct{} // closed when the watch is over
	stop   context.CancelFunc

	mu    sync.Mutex
	cause error // why gone is closed
}

// newExternalNode watches the server at rawURL until close.
func newExternalNode(ctx context.Context, rawURL string) (*externalNode, error) {
	opts, err := clientOptions(rawURL)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n := &externalNode{rawURL: rawURL, gone: make(chan struct{}), done: make(chan struct{}), stop: cancel}
	go func() {
		defer close(n.done)
		h := &heart{opts: opts}
		defer h.hangUp()
		n.watch(ctx, h.beat)
	}()
	return n, nil
}

// watch asks the server once a second, by beat, until it is silent for too long
// or ctx is over.
func (n *externalNode) watch(ctx context.Context, beat func(context.Context) error) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for misses := 0; misses < beatMisses; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		err := beat(ctx)
		if err == nil {
			misses = 0
			continue
		}
		misses++
		n.note(fmt.Errorf("%s has not answered %d times in a row: %w", redact(n.rawURL), misses, err))
	}
	if ctx.Err() == nil {
		close(n.gone)
	}
}

// note keeps the latest trouble, which is the cause once gone is closed.
func (n *externalNode) note(cause error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cause = cause
}

// info is part of node.
func (n *externalNode) info(ctx context.Context, sections ...string) (map[string]string, error) {
	return serverInfo(ctx, at(n.rawURL), sections...)
}

// resetStats is part of node. It always fails.
func (n *externalNode) resetStats(context.Context) error {
	return fmt.Errorf("reset the counters of %s: %w", redact(n.rawURL), errNotOurs)
}

// died is part of node.
func (n *externalNode) died() <-chan struct{} { return n.gone }

// err is part of node.
func (n *externalNode) err() error {
	select {
	case <-n.gone:
	default:
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cause
}

// kill is part of node. It always fails.
func (n *externalNode) kill(context.Context) error {
	return fmt.Errorf("kill %s: %w", redact(n.rawURL), errNotOurs)
}

// close is part of node: it disconnects.
func (n *externalNode) close(context.Context) error {
	n.stop()
	<-n.done
	return nil
}

// heart asks a server for a sign of life over a connection that it keeps.
type heart struct {
	opts *redis.Options
	wire *wire // nil while there is no connection
}

// beat asks once. A server that says it is loading has lost its data, and is
// no better than a silent one; any other answer is a sign of life.
func (h *heart) beat(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, beatEvery)
	defer cancel()
	if h.wire == nil {
		if h.wire, err = openWire(ctx, h.opts); err != nil {
			h.wire = nil
			return err
		}
	}
	err = h.wire.ask(ctx, "PING")
	var reply replyError
	if errors.As(err, &reply) && !errors.Is(explainReply(reply), errLoading) {
		return nil
	}
	if err != nil {
		h.hangUp()
	}
	return err
}

// hangUp closes the connection, if there is one.
func (h *heart) hangUp() {
	if h.wire != nil {
		_ = h.wire.conn.Close() // nothing was written that could be lost
		h.wire = nil
	}
}
