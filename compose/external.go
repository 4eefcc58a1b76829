package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// errNotOurs is the answer to a wish to harm a server that somebody else runs.
var errNotOurs = errors.New("an external server is not ours to kill or to reset")

// External returns the provider of servers that run already and that a URL
// names: redis, rediss, valkey or valkeys://[user:password@]host[:port][/database],
// or with +cluster or +sentinel behind the scheme some nodes of a cluster or some
// sentinels, with commas between them, and behind sentinels /master. The user and
// the password are those of the servers; sentinels are asked without.
// Its name is "external". It never writes anything to a server and never
// flushes it, and Close only disconnects. No error shows the password.
//
// Start refuses servers that could not do the work: one that is loading, a
// replica, a cluster with slots that nobody serves, or one that has less room
// below its maxmemory than [Options].NeedBytes. It warns of an eviction policy by which sessions could
// vanish. [Topology.Died] is closed when the server is silent for about three
// seconds. The provider may be used from any goroutine.
func External() Provider { return externalProvider{} }

// externalProvider is a URL's provider.
type externalProvider struct{}

// Name is "external".
func (externalProvider) Name() string { return "external" }

// Check says whether the server of t's URL answers and could be used.
func (externalProvider) Check(ctx context.Context, t Target) error {
	_, _, err := examine(ctx, t)
	return err
}

// Start connects to t's URL and watches over it.
func (externalProvider) Start(ctx context.Context, t Target, opts Options) (*Topology, error) {
	if len(opts.Args) > 0 {
		return nil, fmt.Errorf("use %s: server options cannot be set on an external server: %s", t, strings.Join(opts.Args, " "))
	}
	found, infos, err := examine(ctx, t)
	if err != nil {
		return nil, err
	}
	var nodes []node
	for i, info := range infos {
		if err := checkRoom(info, opts.NeedBytes/int64(len(infos))); err != nil {
			return nil, errors.Join(fmt.Errorf("use %s: %w", redact(found.primaries[i]), err), closeAll(ctx, nodes))
		}
		warnEviction(opts.log(), found.primaries[i], info)
		node, err := newExternalNode(ctx, found.primaries[i])
		if err != nil {
			return nil, errors.Join(err, closeAll(ctx, nodes))
		}
		nodes = append(nodes, node)
	}
	topo := newTopology(t, "external", found.urls, nodes...)
	topo.Access = found.access
	topo.Engine, topo.Version = identify(infos[0])
	topo.Origin = "external server " + t.String()
	return topo, nil
}

// examine finds the servers behind t's URL and returns what those that take writes
// say of themselves, or why they cannot be used.
func examine(ctx context.Context, t Target) (behind, []map[string]string, error) {
	if t.URL == "" {
		return behind{}, nil, fmt.Errorf("use %s: the provider external needs a URL as target, such as redis://host:6379", t)
	}
	found, err := findBehind(ctx, t)
	if err != nil {
		return found, nil, fmt.Errorf("use %s: %w", t, err)
	}
	var infos []map[string]string
	for _, rawURL := range found.primaries {
		info, err := examineServer(ctx, rawURL, t.Topology == Cluster)
		if err != nil {
			return found, nil, fmt.Errorf("use %s: %w", redact(rawURL), err)
		}
		infos = append(infos, info)
	}
	return found, infos, nil
}

// examineServer returns what one server says of itself, or why it cannot be used.
func examineServer(ctx context.Context, rawURL string, clustered bool) (map[string]string, error) {
	if err := tryWire(ctx, rawURL); err != nil {
		return nil, explainWire(err)
	}
	info, err := serverInfo(ctx, at(rawURL))
	if err != nil {
		return nil, explainWire(err)
	}
	return info, checkRole(info, clustered)
}

// checkRole refuses servers that answer but do not take writes for every key.
func checkRole(info map[string]string, clustered bool) error {
	switch {
	case info["redis_version"] == "":
		return errors.New("it does not say its version in INFO: is it Redis or Valkey?")
	case info["loading"] == "1":
		return errLoading
	case info["role"] == "slave":
		return fmt.Errorf("it is a replica: give the URL of its primary, %s:%s", info["master_host"], info["master_port"])
	case info["cluster_enabled"] == "1" && !clustered:
		return errors.New("it is a node of a cluster: write redis+cluster:// (or rediss+, valkey+, valkeys+) for redis://")
	default:
		return nil
	}
}

// checkRoom refuses a server that would run out of memory. A server without
// maxmemory, or that hides it, is taken at its word.
func checkRoom(info map[string]string, need int64) error {
	limit, err := infoNumber(info, "maxmemory")
	if err != nil || limit == 0 {
		return err
	}
	used, err := infoNumber(info, "used_memory")
	if err != nil {
		return err
	}
	if room := max(0, limit-used); room < need {
		return fmt.Errorf("it has room for %d bytes below its maxmemory of %d, and this needs %d: raise maxmemory, free memory, or choose less load", room, limit, need)
	}
	return nil
}

// infoNumber reads a field of INFO; an absent one is 0.
func infoNumber(info map[string]string, field string) (int64, error) {
	text, ok := info[field]
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read INFO field %s: %w", field, err)
	}
	return n, nil
}

// warnEviction tells log when the server may throw sessions away that have not
// expired: all policies but noeviction take keys with a TTL, as sessions are.
func warnEviction(log io.Writer, rawURL string, info map[string]string) {
	policy := info["maxmemory_policy"]
	if limit := info["maxmemory"]; limit == "" || limit == "0" || policy == "" || policy == "noeviction" {
		return
	}
	fmt.Fprintf(log, "warning: %s has maxmemory-policy %s: when its memory is full, it evicts sessions that have not expired\n", redact(rawURL), policy)
}
