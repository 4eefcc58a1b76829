package valkeygo

import (
	"fmt"
	"math/bits"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/toriibench/toriibench/store"
)

const (
	// maxMultiplex is the base-2 logarithm of the connections per node, 2. The
	// library itself uses one for one core, and four for four and more; it is
	// fixed here, so that a result does not depend on the cores of the client.
	// More make for shorter writes: with 50 callers on one core 2 connections
	// carried 1.18 times as many GETs as 4, and as many as 1.
	maxMultiplex = 1
	// idlePing is the silence after which a connection with nothing to receive
	// is tried with a PING. A server that stalls is given up after idlePing and
	// Config.Timeout.
	idlePing = time.Second
	// sentinelRefresh is how often a sentinel is asked for the primary, beside
	// what it announces by itself.
	sentinelRefresh = 5 * time.Second
	// maxRedirects bounds how often one command follows MOVED or ASK.
	maxRedirects = 3
)

// multiplex is the base-2 logarithm of the connections per node: as many as were
// asked for, rounded down to what the library can, a power of two up to 256.
// Otherwise it is at most maxMultiplex, and no more connections than the pool
// may have; more would only thin out the pipelines that the library gains its
// speed from. The library takes 0 for "decide yourself" and -1 for one connection.
func multiplex(cfg store.Config) int {
	most, wanted := maxMultiplex, cfg.PoolSize
	if cfg.Connections > 0 {
		most, wanted = valkey.MaxPipelineMultiplex, cfg.Connections
	}
	n := min(most, bits.Len(uint(max(1, wanted)))-1)
	if n == 0 {
		return -1
	}
	return n
}

// Connections is the number of connections per node that Dial makes of cfg, whose
// zero values count as what Open makes of them.
func Connections(cfg store.Config) int { return connections(cfg.WithDefaults()) }

// connections is the number of connections per node.
func connections(cfg store.Config) int {
	return 1 << max(0, multiplex(cfg))
}

// waiters is how many connections per node there are at most beside those, for
// what waits for replicas.
func waiters(cfg store.Config) int {
	if cfg.Connections > 0 {
		return cfg.Connections
	}
	return cfg.PoolSize
}

// options translates cfg.
func options(cfg store.Config, e store.Endpoint) valkey.ClientOption {
	dialer := net.Dialer{Timeout: cfg.DialTimeout, KeepAlive: idlePing}
	o := valkey.ClientOption{
		InitAddress:       e.Addrs,
		Username:          e.Username,
		Password:          e.Password,
		SelectDB:          e.Database,
		TLSConfig:         e.TLS,
		ForceSingleClient: !cfg.ClusterMode,
		ClusterOption:     valkey.ClusterOption{MaxMovedRedirections: maxRedirects},
		ClientSetInfo:     valkey.DisableClientSetInfo,
		DisableCache:      cfg.ClientCacheSize == 0,
		CacheSizeEachConn: localSize(cfg),
		DisableRetry:      cfg.ReadRetries == 0,
		AlwaysPipelining:  true,
		PipelineMultiplex: multiplex(cfg),
		Dialer:            dialer,
		ConnWriteTimeout:  cfg.Timeout,
		// For what waits for replicas: connections of its own, made when needed.
		BlockingPoolSize:    waiters(cfg),
		BlockingPoolCleanup: time.Minute,
	}
	if cfg.MasterName != "" {
		o.Sentinel = valkey.SentinelOption{
			MasterSet: cfg.MasterName, Username: cfg.SentinelUsername, Password: cfg.SentinelPassword,
			Dialer: dialer, TLSConfig: e.TLS, TopologyRefreshInterval: sentinelRefresh,
		}
	}
	if cfg.ReadFrom != store.ReadFromPrimary {
		if cfg.ClusterMode {
			o.InitAddress = aliases(e.Addrs)
		}
		o.Standalone.ReplicaAddress = e.Replicas
		o.SendToReplicas = func(cmd valkey.Completed) bool { return cmd.IsReadOnly() }
	}
	return o
}

// aliases spells the ports of seeds with a zero in front, so that the library takes
// none of them for a node that it finds later. It would keep the connection to the
// seed for that node, and has not sent READONLY there: each read from a replica
// that was a seed would be redirected to the primary.
func aliases(seeds []string) []string {
	spelled := make([]string, len(seeds))
	for i, seed := range seeds {
		colon := strings.LastIndex(seed, ":")
		spelled[i] = seed[:colon] + ":0" + seed[colon+1:]
	}
	return spelled
}

// unalias spells an address as it was given.
func unalias(addr string) string {
	colon := strings.LastIndex(addr, ":") + 1
	return addr[:colon] + strings.TrimLeft(addr[colon:], "0")
}

// Settings says how a driver for cfg behaves, for the record of a run: the
// handshake, retries, timeouts, connections and pipelining that are in effect,
// as opposed to the library's defaults. It holds no secret. Zero values of cfg
// are shown as what Open makes of them.
func Settings(cfg store.Config) map[string]string {
	cfg = cfg.WithDefaults()
	s := map[string]string{
		"library":             "github.com/valkey-io/valkey-go v" + valkey.LibVer,
		"handshake":           "HELLO 3 [AUTH], with SELECT in one pipeline when the database is not 0; no CLIENT SETINFO, no CLIENT TRACKING, no CLUSTER SLOTS",
		"protocol":            "RESP3",
		"client_side_caching": caching(cfg),
		"pipelining":          "always: commands of all callers share the connections, and callers that can run go first before each write",
		"connections":         wires(cfg),
		"retries":             retries(cfg),
		"redirects":           "none",
		"dial_timeout":        cfg.DialTimeout.String(),
		"command_timeout": "the context's deadline; a connection that stays silent is closed after " +
			(idlePing + cfg.Timeout).String(),
		"pool_timeout": "none: commands queue on the connections",
		"scripts":      "EVALSHA, EVAL after NOSCRIPT",
		"reads":        reads(cfg),
	}
	if cfg.ClusterMode {
		s["connections"] += ", on each node"
		s["handshake"] = "HELLO 3 [AUTH]; no CLIENT SETINFO, no CLIENT TRACKING"
		s["redirects"] = strconv.Itoa(maxRedirects) + " times MOVED or ASK"
		s["topology"] = "CLUSTER SLOTS below version 8, CLUSTER SHARDS from it on; at MOVED and when a connection breaks"
	}
	if cfg.MasterName != "" {
		s["handshake"] += "; ROLE"
		s["topology"] = "one sentinel is asked for the primary, at +switch-master and every " + sentinelRefresh.String()
	}
	if cfg.ClientCacheSize > 0 {
		s["handshake"] = strings.Replace(s["handshake"], "HELLO 3 [AUTH]", "HELLO 3 [AUTH] and CLIENT TRACKING ON OPTIN", 1)
		s["handshake"] = strings.Replace(s["handshake"], ", no CLIENT TRACKING", "", 1)
	}
	return s
}

// reads says where reads go.
func reads(cfg store.Config) string {
	var to string
	switch {
	case cfg.ReadFrom == store.ReadFromPrimary:
		return "from the primary"
	case cfg.ClusterMode:
		to = "from replicas, with READONLY in their handshake; from the primary of a shard without one"
	case cfg.MasterName != "":
		to = "from one replica that the sentinels name"
	default:
		to = fmt.Sprintf("from %d replicas, at random", len(cfg.Replicas))
	}
	if cfg.ReadFrom == store.ReadFromAny {
		to = "every other one, at random, from the primary; the others " + to
	}
	return "MGET, GET and HGET: " + to
}

// localSize is how many bytes of copies each connection may keep. The library
// takes 0 for its own default, 128 MiB.
func localSize(cfg store.Config) int {
	return max(1, cfg.ClientCacheSize/connections(cfg))
}

// caching says what is kept in this process.
func caching(cfg store.Config) string {
	if cfg.ClientCacheSize == 0 {
		return "off"
	}
	return fmt.Sprintf("entries of cached users, at most %d bytes on each node and for %s: CLIENT CACHING YES, MULTI, PTTL, GET, EXEC for one that is not there",
		cfg.ClientCacheSize, cfg.ClientCacheTTL)
}

// wires says how many connections there are, and how many were asked for when
// that is another number.
func wires(cfg store.Config) string {
	n := connections(cfg)
	if cfg.Connections == 0 || n == cfg.Connections {
		return fmt.Sprintf("%d multiplexed, opened when first used", n)
	}
	return fmt.Sprintf("%d multiplexed, opened when first used (%d were asked for; the library has powers of two up to %d)",
		n, cfg.Connections, 1<<valkey.MaxPipelineMultiplex)
}

// retries says what is repeated.
func retries(cfg store.Config) string {
	if cfg.ReadRetries == 0 {
		return "0; one dial for each attempt"
	}
	text := fmt.Sprintf("MGET, GET and HGET up to %d times, at once, after broken connections and LOADING", cfg.ReadRetries)
	if cfg.ClusterMode {
		text += ", CLUSTERDOWN and TRYAGAIN"
	}
	return text + "; others 0; one dial for each attempt"
}
