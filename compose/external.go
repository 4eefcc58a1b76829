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
// names: redis, rediss, valkey or valkeys://[user:password@]host[:port][/database].
// Its name is "external". It never writes anything to a server and never
// flushes it, and Close only disconnects. No error shows the password.
//
// Start refuses a server that could not do the work: one that is loading, a
// replica, a cluster node, or one that has less room below its maxmemory than
// [Options].NeedBytes. It warns of an eviction policy by which sessions could
// vanish. [Topology.Died] is closed when the server is silent for about three
// seconds. The provider may be used from any goroutine.
func External() Provider { return externalProvider{} }

// externalProvider is a URL's provider.
type externalProvider struct{}

// Name is "external".
func (externalProvider) Name() string { return "external" }

// Check says whether the server of t's URL answers and could be used.
func (externalProvider) Check(ctx context.Context, t Target) error {
	_, err := examine(ctx, t)
	return err
}

// Start connects to t's URL and watches over it.
func (externalProvider) Start(ctx context.Context, t Target, opts Options) (*Topology, error) {
	if len(opts.Args) > 0 {
		return nil, fmt.Errorf("use %s: server options cannot be set on an external server: %s", t, strings.Join(opts.Args, " "))
	}
	info, err := examine(ctx, t)
	if err != nil {
		return nil, err
	}
	if err := checkRoom(info, opts.NeedBytes); err != nil {
		return nil, fmt.Errorf("use %s: %w", t, err)
	}
	warnEviction(opts.log(), t, info)
	node, err := newExternalNode(ctx, t.URL)
	if err != nil {
		return nil, err
	}
	topo := newTopology(t, "external", []string{t.URL}, node)
	topo.Engine, topo.Version = identify(info)
	topo.Origin = "external server " + t.String()
	return topo, nil
}

// examine connects to t's URL and returns what the server says of itself, or
// why it cannot be used.
func examine(ctx context.Context, t Target) (map[string]string, error) {
	if t.URL == "" {
		return nil, fmt.Errorf("use %s: the provider external needs a URL as target, such as redis://host:6379", t)
	}
	if t.Topology != Standalone {
		return nil, fmt.Errorf("use %s: %w: only single servers can be used", t, ErrNotSupported)
	}
	if err := tryWire(ctx, t.URL); err != nil {
		return nil, fmt.Errorf("use %s: %w", t, explainWire(err))
	}
	info, err := serverInfo(ctx, at(t.URL))
	if err != nil {
		return nil, fmt.Errorf("use %s: %w", t, explainWire(err))
	}
	if err := checkRole(info); err != nil {
		return nil, fmt.Errorf("use %s: %w", t, err)
	}
	return info, nil
}

// checkRole refuses servers that answer but do not take writes for every key.
func checkRole(info map[string]string) error {
	switch {
	case info["redis_version"] == "":
		return errors.New("it does not say its version in INFO: is it Redis or Valkey?")
	case info["loading"] == "1":
		return errLoading
	case info["role"] == "slave":
		return fmt.Errorf("it is a replica: give the URL of its primary, %s:%s", info["master_host"], info["master_port"])
	case info["cluster_enabled"] == "1":
		return fmt.Errorf("it is a node of a cluster: %w: only single servers can be used", ErrNotSupported)
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
func warnEviction(log io.Writer, t Target, info map[string]string) {
	policy := info["maxmemory_policy"]
	if limit := info["maxmemory"]; limit == "" || limit == "0" || policy == "" || policy == "noeviction" {
		return
	}
	fmt.Fprintf(log, "warning: %s has maxmemory-policy %s: when its memory is full, it evicts sessions that have not expired\n", t, policy)
}
