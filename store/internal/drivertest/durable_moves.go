package drivertest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

// waitsWhereSlotsMove deletes a session whose slot is moving to a node that has
// none yet and one replica, and another one when the slot has moved. Both drivers
// knew the former owner alone.
func waitsWhereSlotsMove(t *testing.T, s setup) {
	nodes := testservers.Cluster(t, s.engine)
	cfg := store.Config{URLs: seeds(nodes), ClusterMode: true}
	st := openStore(t, s.dial, cfg)
	user, first := login(t, st, "ada@example.com")
	second, err := st.Sessions.Create(t.Context(), store.NewSession{UserID: user.ID})
	mustWork(t, "create session", err)
	to, replica := newcomers(t, s.engine, nodes)
	cfg.WaitReplicas, cfg.WaitTimeout = 1, 2*time.Second
	moving, moved := openStore(t, s.dial, cfg), openStore(t, s.dial, cfg)

	slot := fmt.Sprint(nodes[0].Do(t, "CLUSTER", "KEYSLOT", "{"+string(first.Token)[:12]+"}"))
	from := owner(t, nodes, slot)
	fromID, toID := fmt.Sprint(from.Do(t, "CLUSTER", "MYID")), fmt.Sprint(to.Do(t, "CLUSTER", "MYID"))
	to.Do(t, "CLUSTER", "SETSLOT", slot, "IMPORTING", fromID)
	from.Do(t, "CLUSTER", "SETSLOT", slot, "MIGRATING", toID)
	migrate(t, from, to, slot)
	to.Followed(t, replica)
	mustWork(t, "log out while the slot moves", moving.Sessions.Delete(t.Context(), first.Token))
	for _, n := range append([]*testservers.Server{to, from}, nodes...) {
		n.Do(t, "CLUSTER", "SETSLOT", slot, "NODE", toID)
	}
	mustWork(t, "log out when the slot has moved", moved.Sessions.Delete(t.Context(), second.Token))
	if n := to.Calls(t)["wait"]; n < 2 {
		t.Errorf("%d waits at the new owner of the slot, want 2 or more", n)
	}
	for _, session := range []store.Session{first, second} {
		if _, alive, err := st.Sessions.Find(t.Context(), session.Token); err != nil || alive {
			t.Errorf("after the log-out: alive %t, %v", alive, err)
		}
	}
}

// newcomers joins a primary without slots, and its replica, to a cluster.
func newcomers(t *testing.T, engine string, nodes []*testservers.Server) (primary, replica *testservers.Server) {
	t.Helper()
	all := nodes
	for range 2 {
		bus := testservers.FreePort(t)
		node := testservers.Start(t, engine, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000",
			"--cluster-port", bus, "--repl-diskless-sync-delay", "0")
		host, port, _ := strings.Cut(node.Addr, ":")
		nodes[0].Do(t, "CLUSTER", "MEET", host, port, bus)
		primary, replica, all = replica, node, append(all, node)
	}
	for _, n := range all {
		testservers.WaitFor(t, "the nodes to meet", func() bool { return n.Joined(t, len(all)) })
	}
	replica.Do(t, "CLUSTER", "REPLICATE", fmt.Sprint(primary.Do(t, "CLUSTER", "MYID")))
	primary.Followed(t, replica)
	return primary, replica
}

// owner is the node that has a slot.
func owner(t *testing.T, nodes []*testservers.Server, slot string) *testservers.Server {
	t.Helper()
	n, err := strconv.Atoi(slot)
	mustWork(t, "read the slot", err)
	return nodes[min(n/5461, len(nodes)-1)]
}

// migrate moves the keys of a slot.
func migrate(t *testing.T, from, to *testservers.Server, slot string) {
	t.Helper()
	host, port, _ := strings.Cut(to.Addr, ":")
	keys, _ := from.Do(t, "CLUSTER", "GETKEYSINSLOT", slot, "100").([]any)
	if len(keys) == 0 {
		t.Fatal("no keys to move")
	}
	for _, key := range keys {
		from.Do(t, "MIGRATE", host, port, fmt.Sprint(key), "0", "5000")
	}
}
