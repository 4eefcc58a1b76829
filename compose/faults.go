package compose

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/toriibench/toriibench/compose/links"
)

// The roles of a [Server].
const (
	RolePrimary  = "primary"
	RoleReplica  = "replica"
	RoleSentinel = "sentinel"
	// RoleDown is that of a server that does not answer, such as one that a fault
	// has ended or holds.
	RoleDown = "down"
)

// Server is one of a topology's servers, as it was when it was asked.
type Server struct {
	// Number counts the servers from 0: the primaries as they were at the start,
	// their replicas, the sentinels. It never changes.
	Number int
	// Role is one of the Role constants, in the server's own words.
	Role string
	// Shard counts the shards of a cluster from 0; it is 0 elsewhere. A server
	// stays in its shard.
	Shard int
}

// breakable is a node that can be broken and mended.
type breakable interface {
	// crash ends the server at once. Its end is no news.
	crash(ctx context.Context) error
	// freeze holds the server as it is (SIGSTOP), thaw lets it go on.
	freeze(ctx context.Context) error
	thaw(ctx context.Context) error
	// revive starts a server that a crash has ended, with its files and its port,
	// and returns when it answers.
	revive(ctx context.Context) error
}

// breakable returns server i to be broken. Those that somebody else runs are not.
func (t *Topology) breakable(i int) (breakable, error) {
	n, err := t.node(i)
	if err != nil {
		return nil, err
	}
	b, ok := n.(breakable)
	if !ok {
		return nil, fmt.Errorf("break server %d of %s: %w: %w", i, t.Target, ErrNotSupported, errNotOurs)
	}
	return b, nil
}

// Kill ends server i at once (SIGKILL), as a crash of it would. It is a fault
// that was asked for: [Topology.Died] does not report it.
func (t *Topology) Kill(ctx context.Context, i int) error {
	t.setBroken(i, true)
	return t.breakNode(ctx, "kill", i, breakable.crash)
}

// Stop holds server i (SIGSTOP): its connections stay open and silent.
func (t *Topology) Stop(ctx context.Context, i int) error {
	t.setBroken(i, true)
	return t.breakNode(ctx, "stop", i, breakable.freeze)
}

// Continue lets server i go on after Stop.
func (t *Topology) Continue(ctx context.Context, i int) error {
	defer t.setBroken(i, false)
	return t.breakNode(ctx, "continue", i, breakable.thaw)
}

// Restart starts server i again after Kill, with its files and its port, and
// returns when it answers. It has what it had saved: nothing, unless the topology
// has an append-only file. Which role it then takes is the topology's business.
func (t *Topology) Restart(ctx context.Context, i int) error {
	defer t.setBroken(i, false)
	return t.breakNode(ctx, "restart", i, breakable.revive)
}

func (t *Topology) breakNode(ctx context.Context, what string, i int, do func(breakable, context.Context) error) error {
	n, err := t.breakable(i)
	if err != nil {
		return err
	}
	if err := do(n, ctx); err != nil {
		return fmt.Errorf("%s server %d of %s: %w", what, i, t.Target, err)
	}
	return nil
}

// SetLink changes the link over which server from connects to server to; from may
// be [links.Clients]. The topology has links if it was started with them.
func (t *Topology) SetLink(from, to int, state links.State) error {
	for _, i := range []int{from, to} {
		if _, err := t.node(i); err != nil && (i != from || i != links.Clients) {
			return err
		}
	}
	if t.fabric == nil {
		return fmt.Errorf("change the link from %d to %d of %s: %w: it was started without Options.Links", from, to, t.Target, ErrNotSupported)
	}
	return t.fabric.Set(from, to, state)
}

// Partition cuts server i off from all other servers, both ways, or joins it to
// them again. Its clients still reach it.
func (t *Topology) Partition(i int, cut bool) error {
	var errs []error
	for other := range t.nodes {
		if other == i {
			continue
		}
		errs = append(errs, t.SetLink(i, other, links.State{Cut: cut}), t.SetLink(other, i, links.State{Cut: cut}))
	}
	return errors.Join(errs...)
}

// setBroken notes what a fault has done to server i.
func (t *Topology) setBroken(i int, is bool) {
	t.brokenMu.Lock()
	defer t.brokenMu.Unlock()
	if t.broken == nil {
		t.broken = map[int]bool{}
	}
	t.broken[i] = is
}

// isBroken tells that a fault has ended or holds server i.
func (t *Topology) isBroken(i int) bool {
	t.brokenMu.Lock()
	defer t.brokenMu.Unlock()
	return t.broken[i]
}

// PauseWrites makes server i hold back writes for so long (CLIENT PAUSE WRITE);
// reads go on.
func (t *Topology) PauseWrites(ctx context.Context, i int, d time.Duration) error {
	m, err := t.member(i)
	if err != nil {
		return err
	}
	_, err = m.command(ctx, "CLIENT", "PAUSE", strconv.FormatInt(d.Milliseconds(), 10), "WRITE")
	return err
}

// Failover asks for server i, a replica, to become the primary in an orderly
// way: CLUSTER FAILOVER, or SENTINEL FAILOVER, where the sentinels choose the
// replica. It returns when that was accepted, not when it is done. Where nobody
// tells clients who is the primary it is an [ErrNotSupported].
func (t *Topology) Failover(ctx context.Context, i int) error {
	m, err := t.member(i)
	if err != nil {
		return err
	}
	switch t.Target.Topology {
	case Cluster:
		_, err = m.command(ctx, "CLUSTER", "FAILOVER")
	case Sentinel:
		_, err = t.members[len(t.members)-1].command(ctx, "SENTINEL", "FAILOVER", MasterName)
	default:
		err = fmt.Errorf("fail over to server %d of %s: %w: nobody would tell clients of the new primary; take @%s or @%s",
			i, t.Target, ErrNotSupported, Sentinel, Cluster)
	}
	return err
}

// Ask runs a command on server i, as the topology's administrator, and returns the
// reply as the client library has it.
func (t *Topology) Ask(ctx context.Context, i int, words ...string) (any, error) {
	m, err := t.member(i)
	if err != nil {
		return nil, err
	}
	return m.command(ctx, words...)
}

// ShardOf is the shard that a slot of a cluster was given to at the start; 0 in
// every other topology.
func (t *Topology) ShardOf(slot int) int {
	shape, err := t.Target.Shape()
	if err != nil || t.Target.Topology != Cluster {
		return 0
	}
	return shardOf(slot, shape.Primaries)
}

// HeldForFailed says whether the others agree that server i has failed: a
// node of the cluster has it flagged FAIL, or a sentinel has its primary down by
// agreement (ODOWN).
func (t *Topology) HeldForFailed(ctx context.Context, i int) (bool, error) {
	held, err := t.member(i)
	if err != nil {
		return false, err
	}
	if t.Target.Topology == Sentinel {
		reply, err := t.members[len(t.members)-1].command(ctx, "SENTINEL", "MASTER", MasterName)
		return strings.Contains(pairs(reply)["flags"], "o_down"), err
	}
	if t.Target.Topology != Cluster {
		return false, nil
	}
	for other, m := range t.members {
		if other == i || t.isBroken(other) {
			continue
		}
		text, err := m.command(ctx, "CLUSTER", "NODES")
		if err != nil {
			return false, err
		}
		address := fmt.Sprintf(" %s:%d@", held.host, held.port)
		for line := range strings.Lines(plainText(text)) {
			if strings.Contains(line, address) {
				return strings.Contains(line, "fail ") || strings.Contains(line, "fail,"), nil
			}
		}
	}
	return false, nil
}

// Servers asks every server for its role. One that gives no answer is
// [RoleDown].
func (t *Topology) Servers(ctx context.Context) []Server {
	servers := make([]Server, len(t.members))
	for i, m := range t.members {
		servers[i] = Server{Number: i, Role: RoleSentinel, Shard: t.shard(i)}
		if t.isBroken(i) {
			servers[i].Role = RoleDown
			continue
		}
		if i >= len(t.data()) {
			continue
		}
		info, err := m.info(ctx, "replication")
		servers[i].Role = map[string]string{"master": RolePrimary, "slave": RoleReplica}[info["role"]]
		if err != nil || servers[i].Role == "" {
			servers[i].Role = RoleDown
		}
	}
	return servers
}

// shard is the shard of server i.
func (t *Topology) shard(i int) int {
	shape, err := t.Target.Shape()
	if err != nil || t.Target.Topology != Cluster {
		return 0
	}
	if i < shape.Primaries {
		return i
	}
	return (i - shape.Primaries) / shape.Replicas
}

// Settled returns when all servers are up, each shard has one primary, every
// replica has all that its primary has, and in a cluster all nodes agree; so that
// a fault can be followed by another. Its error says what is missing.
func (t *Topology) Settled(ctx context.Context) error {
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		missing := t.unsettled(ctx)
		if missing == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait until %s has settled: %w; at last: %w", t.Target, ctx.Err(), missing)
		}
	}
}

// unsettled says what is missing.
func (t *Topology) unsettled(ctx context.Context) error {
	primaries := map[int]*member{}
	replicas := map[*member]int{}
	for _, s := range t.Servers(ctx) {
		m := t.members[s.Number]
		switch s.Role {
		case RoleDown:
			return fmt.Errorf("server %d does not answer", s.Number)
		case RoleReplica:
			replicas[m] = s.Shard
		case RolePrimary:
			if primaries[s.Shard] != nil {
				return fmt.Errorf("shard %d has two primaries", s.Shard)
			}
			primaries[s.Shard] = m
		}
	}
	for replica, shard := range replicas {
		primary := primaries[shard]
		if primary == nil {
			return fmt.Errorf("shard %d has no primary", shard)
		}
		info, err := primary.info(ctx, "replication")
		if err != nil {
			return err
		}
		missing, err := replica.behind(ctx, info["master_repl_offset"])
		if err != nil {
			return err
		}
		if missing != nil {
			return missing.fault()
		}
	}
	return t.disagreement(ctx)
}

// fault is what is missing as an error.
func (n *notYet) fault() error { return fmt.Errorf("%s %s", n.member.contact, n.why) }

// disagreement says which node of a cluster, or which sentinel, sees something
// else than the others.
func (t *Topology) disagreement(ctx context.Context) error {
	var views []string
	for _, m := range t.members[len(t.data()):] {
		reply, err := m.command(ctx, "SENTINEL", "MASTER", MasterName)
		if err != nil {
			return err
		}
		is := pairs(reply)
		if is["flags"] != "master" {
			return fmt.Errorf("%s sees the primary as %s", m.contact, is["flags"])
		}
		views = append(views, is["ip"]+":"+is["port"])
		reply, err = m.command(ctx, "SENTINEL", "SENTINELS", MasterName)
		if err != nil {
			return err
		}
		others, _ := reply.([]any)
		for _, other := range others {
			if is := pairs(other); is["flags"] != "sentinel" {
				return fmt.Errorf("%s sees another sentinel as %s", m.contact, is["flags"])
			}
		}
	}
	if t.Target.Topology == Cluster {
		for _, m := range t.members {
			text, err := m.command(ctx, "CLUSTER", "NODES")
			if err != nil {
				return err
			}
			seen, why := clusterView(plainText(text))
			if why != "" {
				return fmt.Errorf("%s %s", m.contact, why)
			}
			views = append(views, seen)
		}
	}
	for i, view := range views {
		if view != views[0] {
			return fmt.Errorf("they see different primaries: %s and %s", oneLineOf(views[0]), oneLineOf(views[i]))
		}
	}
	return nil
}

// oneLineOf joins lines.
func oneLineOf(text string) string { return strings.Join(strings.Fields(text), " ") }

// member returns server i as this program talks to it.
func (t *Topology) member(i int) (*member, error) {
	if _, err := t.node(i); err != nil {
		return nil, err
	}
	if len(t.members) == 0 {
		return nil, fmt.Errorf("break server %d of %s: %w: %w", i, t.Target, ErrNotSupported, errNotOurs)
	}
	return t.members[i], nil
}
