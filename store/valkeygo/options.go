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
	// maxMultiplex is the base-2 logarithm of the connections per node, 4, that
	// the library itself uses on a machine with four cores or more. It is fixed
	// here, so that a result does not depend on the cores of the client.
	maxMultiplex = 2
	// idlePing is the silence after which a connection with nothing to receive
	// is tried with a PING. A server that stalls is given up after idlePing and
	// Config.Timeout.
	idlePing = time.Second
	// maxRedirects bounds how often one command follows MOVED or ASK.
	maxRedirects = 3
)

// multiplex is the base-2 logarithm of the connections per node: at most
// maxMultiplex, and no more connections than the pool may have. More would only
// thin out the pipelines that the library gains its speed from. The library
// takes 0 for "decide yourself" and -1 for one connection.
func multiplex(poolSize int) int {
	n := min(maxMultiplex, bits.Len(uint(max(1, poolSize)))-1)
	if n == 0 {
		return -1
	}
	return n
}

// connections is the number of connections per node.
func connections(poolSize int) int {
	return 1 << max(0, multiplex(poolSize))
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
		DisableRetry:      true,
		AlwaysPipelining:  true,
		PipelineMultiplex: multiplex(cfg.PoolSize),
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
		"pipelining":          "always: commands of all callers share the connections",
		"connections":         fmt.Sprintf("%d multiplexed, opened when first used", connections(cfg.PoolSize)),
		"retries":             "0; one dial for each attempt",
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
