package compose

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// slots is the number of slots of a cluster.
const slots = 16384

// follow makes the replicas follow the primary.
func (a *assembly) follow(ctx context.Context) error {
	primary := a.data[0]
	for _, r := range a.replicas(0) {
		if _, err := r.command(ctx, "REPLICAOF", primary.host, strconv.Itoa(primary.port)); err != nil {
			return err
		}
		// Started again it still is a replica.
		if _, err := r.command(ctx, "CONFIG", "REWRITE"); err != nil {
			return err
		}
	}
	return a.awaitReplicas(ctx)
}

// meet makes a cluster of the servers.
func (a *assembly) meet(ctx context.Context) error {
	if err := a.announce(ctx); err != nil {
		return err
	}
	ids, err := a.introduce(ctx)
	if err != nil {
		return err
	}
	if err := a.awaitState(ctx); err != nil {
		return err
	}
	for i := range a.spec.shape.Primaries {
		for _, r := range a.replicas(i) {
			if _, err := r.command(ctx, "CLUSTER", "REPLICATE", ids[i]); err != nil {
				return err
			}
		}
	}
	if err := a.awaitReplicas(ctx); err != nil {
		return err
	}
	if err := a.touch(ctx); err != nil {
		return err
	}
	return errors.Join(a.awaitReplicas(ctx), a.awaitView(ctx))
}

// introduce shares the slots out and tells each node of each other, so that
// nobody waits for gossip. It returns the nodes' ids.
func (a *assembly) introduce(ctx context.Context) ([]string, error) {
	ids := make([]string, len(a.data))
	for i, m := range a.data {
		id, err := m.command(ctx, "CLUSTER", "MYID")
		if err != nil {
			return nil, err
		}
		ids[i] = fmt.Sprint(id)
		if _, err := m.command(ctx, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1)); err != nil {
			return nil, err
		}
		if n := a.spec.shape.Primaries; i < n {
			from, to := slots*i/n, slots*(i+1)/n-1
			if _, err := m.command(ctx, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(from), strconv.Itoa(to)); err != nil {
				return nil, err
			}
		}
	}
	for i, m := range a.data {
		for _, other := range a.data[i+1:] {
			if _, err := m.command(ctx, "CLUSTER", "MEET", other.host, strconv.Itoa(other.port), strconv.Itoa(other.bus)); err != nil {
				return nil, err
			}
		}
	}
	return ids, nil
}

// touch writes a key to each primary and deletes it: clients are not told of a
// replica that has received nothing yet.
func (a *assembly) touch(ctx context.Context) error {
	if a.spec.shape.Replicas == 0 {
		return nil
	}
	missing := a.spec.shape.Primaries
	touched := make([]bool, missing)
	for n := 0; missing > 0; n++ {
		key := "toriibench:{" + strconv.Itoa(n) + "}"
		slot, err := a.data[0].command(ctx, "CLUSTER", "KEYSLOT", key)
		if err != nil {
			return err
		}
		number, ok := slot.(int64)
		if !ok || number < 0 || number >= slots {
			return fmt.Errorf("ask %s for the slot of %s: it says %v", a.data[0].contact, key, slot)
		}
		shard := shardOf(int(number), a.spec.shape.Primaries)
		if touched[shard] {
			continue
		}
		for _, words := range [][]string{{"SET", key, ""}, {"UNLINK", key}} {
			if _, err := a.data[shard].command(ctx, words...); err != nil {
				return err
			}
		}
		touched[shard] = true
		missing--
	}
	return nil
}

// shardOf is the shard of a slot as introduce shares them out.
func shardOf(slot, shards int) int {
	shard := shards - 1
	for slot < slots*shard/shards {
		shard--
	}
	return shard
}

// notYet says why a server is not ready.
type notYet struct {
	member *member
	why    string
}

// await looks until nothing is missing, as long as the context lasts and all
// servers live. Its error has the end of the log of the server that is not
// ready.
func (a *assembly) await(ctx context.Context, what string, look func(context.Context) (*notYet, error)) error {
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	var last *notYet
	for {
		missing, err := look(ctx)
		if dead := a.dead(); dead != nil {
			return fmt.Errorf("wait until %s: %w", what, dead)
		}
		if err == nil && missing == nil {
			return nil
		}
		if final(err) {
			return fmt.Errorf("wait until %s: %w", what, err)
		}
		if missing != nil {
			last = missing
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if last == nil {
				return fmt.Errorf("wait until %s: %w; the last answer: %w", what, ctx.Err(), err)
			}
			return fmt.Errorf("wait until %s: %w; %s %s%s", what, ctx.Err(), last.member.contact, last.why, last.member.tail(ctx))
		}
	}
}

// dead tells which server has died and why; nil while all live.
func (a *assembly) dead() error {
	for _, m := range a.members() {
		if err := m.node.err(); err != nil {
			return err
		}
	}
	return nil
}

// awaitReplicas waits until each replica has what its primary had when it was
// asked: a link that is up says less.
func (a *assembly) awaitReplicas(ctx context.Context) error {
	return a.await(ctx, "the replicas have what their primaries have", func(ctx context.Context) (*notYet, error) {
		for i := range a.spec.shape.Primaries {
			info, err := a.data[i].info(ctx, "replication")
			if err != nil {
				return nil, err
			}
			for _, r := range a.replicas(i) {
				if missing, err := r.behind(ctx, info["master_repl_offset"]); missing != nil || err != nil {
					return missing, err
				}
			}
		}
		return nil, nil //nolint:nilnil // nothing is missing
	})
}

// behind says what a replica lacks to have the primary's offset.
func (m *member) behind(ctx context.Context, offset string) (*notYet, error) {
	info, err := m.info(ctx, "replication")
	if err != nil {
		return nil, err
	}
	if role, link := info["role"], info["master_link_status"]; role != "slave" || link != "up" {
		return &notYet{m, fmt.Sprintf("is a %s whose link to the primary is %q", role, link)}, nil
	}
	wanted, err1 := strconv.ParseInt(offset, 10, 64)
	has, err2 := strconv.ParseInt(info["slave_repl_offset"], 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("read an offset of the replication: %w", err)
	}
	if has < wanted {
		return &notYet{m, fmt.Sprintf("has received %d of the %d bytes of its primary", has, wanted)}, nil
	}
	return nil, nil //nolint:nilnil // nothing is missing
}

// awaitState waits until every node holds the cluster for complete.
func (a *assembly) awaitState(ctx context.Context) error {
	wanted := map[string]string{
		"cluster_state": "ok", "cluster_slots_ok": strconv.Itoa(slots), "cluster_known_nodes": strconv.Itoa(len(a.data)),
		"cluster_size": strconv.Itoa(a.spec.shape.Primaries),
	}
	return a.await(ctx, "every node knows the whole cluster", func(ctx context.Context) (*notYet, error) {
		for _, m := range a.data {
			text, err := m.command(ctx, "CLUSTER", "INFO")
			if err != nil {
				return nil, err
			}
			is := parseInfo(plainText(text))
			for _, field := range slices.Sorted(maps.Keys(wanted)) {
				if is[field] != wanted[field] {
					return &notYet{m, fmt.Sprintf("has %s:%s, and should have %s", field, is[field], wanted[field])}, nil
				}
			}
		}
		return nil, nil //nolint:nilnil // nothing is missing
	})
}

// awaitView waits until all nodes see the same cluster, and none has a handshake
// or a failure in sight.
func (a *assembly) awaitView(ctx context.Context) error {
	if err := a.awaitState(ctx); err != nil {
		return err
	}
	return a.await(ctx, "all nodes see the same cluster", func(ctx context.Context) (*notYet, error) {
		var first string
		for i, m := range a.data {
			text, err := m.command(ctx, "CLUSTER", "NODES")
			if err != nil {
				return nil, err
			}
			seen, why := clusterView(plainText(text))
			if why != "" {
				return &notYet{m, why}, nil
			}
			if i == 0 {
				first = seen
			}
			if seen != first {
				return &notYet{m, "sees\n" + seen + "\nand " + a.data[0].contact.String() + "\n" + first + "\n"}, nil
			}
			if replicas := strings.Count(seen, " slave "); replicas != len(a.data)-a.spec.shape.Primaries {
				return &notYet{m, fmt.Sprintf("sees %d replicas", replicas)}, nil
			}
		}
		return a.shownReplicas(ctx)
	})
}

// shownReplicas says which node does not tell clients of all servers as it should.
func (a *assembly) shownReplicas(ctx context.Context) (*notYet, error) {
	told := make([]string, len(a.data))
	for i, m := range a.data {
		told[i] = m.told()
	}
	for _, m := range a.data {
		reply, err := m.command(ctx, "CLUSTER", "SLOTS")
		if err != nil {
			return nil, err
		}
		shards, _ := reply.([]any)
		for _, shard := range shards {
			const nodesFrom = 2 // after the first and the last slot
			nodes, _ := shard.([]any)
			if len(nodes)-nodesFrom != 1+a.spec.shape.Replicas {
				return &notYet{m, fmt.Sprintf("tells clients of %d servers of a shard", len(nodes)-nodesFrom)}, nil
			}
			for _, node := range nodes[nodesFrom:] {
				if address := shownAddress(node); !slices.Contains(told, address) {
					return &notYet{m, "tells clients of a server at " + address}, nil
				}
			}
		}
		if len(shards) != a.spec.shape.Primaries {
			return &notYet{m, fmt.Sprintf("tells clients of %d shards", len(shards))}, nil
		}
	}
	return nil, nil //nolint:nilnil // nothing is missing
}

// shownAddress is the address in what CLUSTER SLOTS says of a node.
func shownAddress(node any) string {
	words, _ := node.([]any)
	if len(words) < 2 {
		return "no address"
	}
	return net.JoinHostPort(fmt.Sprint(words[0]), fmt.Sprint(words[1]))
}

// clusterView is what a node sees, by CLUSTER NODES, in the words that all nodes
// should share: id, role, primary, link and slots. Why is set for a view that is
// not settled.
func clusterView(text string) (seen, why string) {
	var lines []string
	for line := range strings.Lines(text) {
		// id address flags primary ping pong epoch link slots…
		words := strings.Fields(line)
		const flags, primary, link, slotsFrom = 2, 3, 7, 8
		if len(words) < slotsFrom {
			return "", "says of a node " + strings.TrimSpace(line)
		}
		role := strings.TrimPrefix(words[flags], "myself,")
		if (role != "master" && role != "slave") || words[link] != "connected" {
			return "", fmt.Sprintf("sees node %s as %s, %s", words[0], words[flags], words[link])
		}
		lines = append(lines, strings.Join(append([]string{words[0], role, words[primary]}, words[slotsFrom:]...), " "))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), ""
}

// awaitSentinels waits until each sentinel knows the others and all replicas,
// and holds everybody for well.
func (a *assembly) awaitSentinels(ctx context.Context) error {
	return a.await(ctx, "the sentinels know each other and the replicas", func(ctx context.Context) (*notYet, error) {
		for _, m := range a.sentinels {
			if missing, err := a.unready(ctx, m); missing != nil || err != nil {
				return missing, err
			}
		}
		return nil, nil //nolint:nilnil // nothing is missing
	})
}

func (a *assembly) unready(ctx context.Context, m *member) (*notYet, error) {
	reply, err := m.command(ctx, "SENTINEL", "MASTER", MasterName)
	if err != nil {
		return nil, err
	}
	is := pairs(reply)
	wanted := map[string]string{
		"flags": "master", "num-slaves": strconv.Itoa(a.spec.shape.Replicas), "num-other-sentinels": strconv.Itoa(a.spec.shape.Sentinels - 1),
	}
	for _, field := range slices.Sorted(maps.Keys(wanted)) {
		if is[field] != wanted[field] {
			return &notYet{m, fmt.Sprintf("has %s %s, and should have %s", field, is[field], wanted[field])}, nil
		}
	}
	reply, err = m.command(ctx, "SENTINEL", "REPLICAS", MasterName)
	if err != nil {
		return nil, err
	}
	replicas, _ := reply.([]any)
	for _, r := range replicas {
		if is := pairs(r); is["flags"] != "slave" || is["master-link-status"] != "ok" {
			return &notYet{m, fmt.Sprintf("sees replica %s as %s, its link as %s", is["name"], is["flags"], is["master-link-status"])}, nil
		}
	}
	return nil, nil //nolint:nilnil // nothing is missing
}

// pairs reads names and values, which RESP3 sends as a map and RESP2 in turn.
func pairs(reply any) map[string]string {
	fields := map[string]string{}
	switch all := reply.(type) {
	case map[any]any:
		for name, value := range all {
			fields[fmt.Sprint(name)] = fmt.Sprint(value)
		}
	case []any:
		for pair := range slices.Chunk(all, 2) {
			if len(pair) == 2 {
				fields[fmt.Sprint(pair[0])] = fmt.Sprint(pair[1])
			}
		}
	}
	return fields
}

// plainText is a reply of text.
func plainText(reply any) string {
	text, _ := reply.(string)
	return text
}
