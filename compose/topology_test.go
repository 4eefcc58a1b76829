package compose

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/toriibench/toriibench/compose/filelock"
)

// holdLock takes a lock as another program would.
func holdLock(t *testing.T, path string) (release func()) {
	t.Helper()
	l, err := filelock.Try(path)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := l.Release(); err != nil {
			t.Error(err)
		}
	}
}

// countedNode is a node that counts how often it is closed.
type countedNode struct {
	gone   chan struct{}
	fault  error
	closed int
	resets int
}

func (n *countedNode) resetStats(context.Context) error {
	n.resets++
	return errNotOurs
}

func (*countedNode) info(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"role": "master"}, nil
}
func (n *countedNode) died() <-chan struct{} { return n.gone }
func (n *countedNode) err() error            { return n.fault }

func (n *countedNode) kill(context.Context) error {
	n.fault = errors.New("killed")
	close(n.gone)
	return nil
}

func (n *countedNode) close(context.Context) error {
	n.closed++
	return errors.New("close fault")
}

func TestTopologyOfSeveral(t *testing.T) {
	first, second := &countedNode{gone: make(chan struct{})}, &countedNode{gone: make(chan struct{})}
	topo := newTopology(Target{Engine: Redis, Topology: "replicated"}, "test", nil, first, second)
	if err := topo.ResetStats(t.Context()); !errors.Is(err, errNotOurs) || first.resets != 1 || second.resets != 1 {
		t.Errorf("ResetStats() = %v after %d and %d resets, want the fault and 1 of each", err, first.resets, second.resets)
	}
	hooks := 0
	topo.onCloseDo(func(context.Context) error { hooks++; return nil })
	for i := range 2 {
		if err := topo.KillNode(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	<-topo.Died()
	if err := topo.Err(); err == nil || !strings.Contains(err.Error(), "server 0") || !strings.Contains(err.Error(), "server 1") {
		t.Errorf("Err() = %v, want both deaths", err)
	}
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			if err := topo.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "close fault") {
				t.Errorf("Close() = %v, want the fault of the nodes", err)
			}
		})
	}
	callers.Wait()
	if first.closed != 1 || second.closed != 1 || hooks != 1 {
		t.Errorf("closed %d and %d times, hook called %d times; want 1", first.closed, second.closed, hooks)
	}
}

func TestTopologyInfoOfNone(t *testing.T) {
	topo := newTopology(Target{Engine: Redis, Topology: Standalone}, "test", nil)
	if _, err := topo.Info(t.Context()); err == nil {
		t.Error("got INFO of no server")
	}
}
