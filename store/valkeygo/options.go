package valkeygo

import (
	"fmt"
	"math/bits"
	"net"
	"strconv"
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

// options translates cfg.
func options(cfg store.Config, e store.Endpoint) valkey.ClientOption {
	return valkey.ClientOption{
		InitAddress:       e.Addrs,
		Username:          e.Username,
		Password:          e.Password,
		SelectDB:          e.Database,
		TLSConfig:         e.TLS,
		ForceSingleClient: !cfg.ClusterMode,
		ClusterOption:     valkey.ClusterOption{MaxMovedRedirections: maxRedirects},
		ClientSetInfo:     valkey.DisableClientSetInfo,
		DisableCache:      true,
		DisableRetry:      cfg.ReadRetries == 0,
		AlwaysPipelining:  true,
		PipelineMultiplex: multiplex(cfg),
		Dialer:            net.Dialer{Timeout: cfg.DialTimeout, KeepAlive: idlePing},
		ConnWriteTimeout:  cfg.Timeout,
	}
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
		"client_side_caching": "off",
		"pipelining":          "always: commands of all callers share the connections, and callers that can run go first before each write",
		"connections":         wires(cfg),
		"retries":             retries(cfg),
		"redirects":           "none",
		"dial_timeout":        cfg.DialTimeout.String(),
		"command_timeout": "the context's deadline; a connection that stays silent is closed after " +
			(idlePing + cfg.Timeout).String(),
		"pool_timeout": "none: commands queue on the connections",
		"scripts":      "EVALSHA, EVAL after NOSCRIPT",
	}
	if cfg.ClusterMode {
		s["connections"] += ", on each node"
		s["handshake"] = "HELLO 3 [AUTH]; no CLIENT SETINFO, no CLIENT TRACKING"
		s["redirects"] = strconv.Itoa(maxRedirects) + " times MOVED or ASK"
		s["topology"] = "CLUSTER SLOTS below version 8, CLUSTER SHARDS from it on; at MOVED and when a connection breaks"
	}
	return s
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
	text := fmt.Sprintf("MGET up to %d times, at once, after broken connections and LOADING", cfg.ReadRetries)
	if cfg.ClusterMode {
		text += ", CLUSTERDOWN and TRYAGAIN"
	}
	return text + "; others 0; one dial for each attempt"
}
