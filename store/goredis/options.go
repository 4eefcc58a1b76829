package goredis

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/wire"
)

const (
	// maxRedirects bounds how often one command follows MOVED or ASK. The
	// server refused the command each time, so following cannot run it twice.
	maxRedirects = 3
	// topologyReload is how old the cluster's map may get. A command is never
	// repeated on another node, so that a dead primary is noticed only here.
	topologyReload = 10 * time.Second
)

// connections is the size of the pool, and how many of them are kept open from
// the start: all that were asked for, and otherwise enough that the first
// commands need not wait for a handshake, and few enough that a pool that is
// too large does not cost the server anything.
func connections(cfg store.Config) (pool, idle int) {
	if cfg.Connections > 0 {
		return cfg.Connections, cfg.Connections
	}
	return cfg.PoolSize, max(1, cfg.PoolSize/8)
}

// maxRetries is in the library's words, where 0 means three. A cluster client
// repeats by itself, and would multiply what its nodes do.
func maxRetries(cfg store.Config) int {
	if cfg.ReadRetries == 0 || cfg.ClusterMode {
		return -1
	}
	return cfg.ReadRetries
}

// standalone translates cfg for one server.
func standalone(cfg store.Config, e store.Endpoint) *redis.Options {
	pool, idle := connections(cfg)
	options := &redis.Options{
		Addr:                     e.Addrs[0],
		Username:                 e.Username,
		Password:                 e.Password,
		DB:                       e.Database,
		TLSConfig:                e.TLS,
		Protocol:                 3,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		MaxRetries:               maxRetries(cfg),
		MinRetryBackoff:          -1,
		MaxRetryBackoff:          -1,
		DialerRetries:            1,
		DialTimeout:              cfg.DialTimeout,
		ReadTimeout:              cfg.Timeout,
		WriteTimeout:             cfg.Timeout,
		PoolTimeout:              cfg.Timeout,
		ContextTimeoutEnabled:    true,
		PoolSize:                 pool,
		MinIdleConns:             idle,
		PoolFIFO:                 cfg.Connections > 0,
		PipelinePoolSize:         -1,
	}
	options.Dialer = guarded(dialerOf(cfg, options))
	return options
}

// dialerOf is the library's dialer, or that of cfg, which leaves TLS to the driver.
func dialerOf(cfg store.Config, options *redis.Options) dialer {
	if cfg.DialContext == nil {
		return redis.NewDialer(options)
	}
	return func(ctx context.Context, _, addr string) (net.Conn, error) {
		return wire.Dial(ctx, cfg.DialContext, addr, cfg.DialTimeout, options.TLSConfig)
	}
}

// guarded keeps replies from the library that would make it panic.
func guarded(dial dialer) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return wire.Guard(conn), nil
	}
}

// dialer connects.
type dialer = func(ctx context.Context, network, addr string) (net.Conn, error)

// cluster translates cfg for a cluster.
func cluster(cfg store.Config, e store.Endpoint) *redis.ClusterOptions {
	one := standalone(cfg, e)
	return &redis.ClusterOptions{
		Addrs:                      e.Addrs,
		Dialer:                     one.Dialer,
		Username:                   one.Username,
		Password:                   one.Password,
		TLSConfig:                  one.TLSConfig,
		Protocol:                   one.Protocol,
		DisableIdentity:            one.DisableIdentity,
		MaintNotificationsConfig:   one.MaintNotificationsConfig,
		MaxRedirects:               maxRedirects,
		MaxRetries:                 one.MaxRetries,
		MinRetryBackoff:            one.MinRetryBackoff,
		MaxRetryBackoff:            one.MaxRetryBackoff,
		DialerRetries:              one.DialerRetries,
		DialTimeout:                one.DialTimeout,
		ReadTimeout:                one.ReadTimeout,
		WriteTimeout:               one.WriteTimeout,
		PoolTimeout:                one.PoolTimeout,
		ContextTimeoutEnabled:      one.ContextTimeoutEnabled,
		PoolSize:                   one.PoolSize,
		MinIdleConns:               one.MinIdleConns,
		PoolFIFO:                   one.PoolFIFO,
		PipelinePoolSize:           one.PipelinePoolSize,
		DisableRoutingPolicies:     true,
		ClusterStateReloadInterval: topologyReload,
	}
}

// sentinel translates cfg for a primary that sentinels watch.
func sentinel(cfg store.Config, e store.Endpoint) *redis.FailoverOptions {
	one := standalone(cfg, e)
	return &redis.FailoverOptions{
		MasterName:            cfg.MasterName,
		SentinelAddrs:         e.Addrs,
		SentinelUsername:      cfg.SentinelUsername,
		SentinelPassword:      cfg.SentinelPassword,
		Dialer:                one.Dialer,
		Username:              one.Username,
		Password:              one.Password,
		DB:                    one.DB,
		TLSConfig:             one.TLSConfig,
		Protocol:              one.Protocol,
		DisableIdentity:       one.DisableIdentity,
		MaxRetries:            one.MaxRetries,
		MinRetryBackoff:       one.MinRetryBackoff,
		MaxRetryBackoff:       one.MaxRetryBackoff,
		DialerRetries:         one.DialerRetries,
		DialTimeout:           one.DialTimeout,
		ReadTimeout:           one.ReadTimeout,
		WriteTimeout:          one.WriteTimeout,
		PoolTimeout:           one.PoolTimeout,
		ContextTimeoutEnabled: one.ContextTimeoutEnabled,
		PoolSize:              one.PoolSize,
		MinIdleConns:          one.MinIdleConns,
		PoolFIFO:              one.PoolFIFO,
		PipelinePoolSize:      one.PipelinePoolSize,
	}
}

// Settings says how a driver for cfg behaves, for the record of a run: the
// handshake, retries, timeouts, connections and pipelining that are in effect,
// as opposed to the library's defaults. It holds no secret. Zero values of cfg
// are shown as what Open makes of them.
func Settings(cfg store.Config) map[string]string {
	cfg = cfg.WithDefaults()
	pool, idle := connections(cfg)
	s := map[string]string{
		"library":             "github.com/redis/go-redis/v9 " + redis.Version(),
		"handshake":           "HELLO 3 [AUTH], then SELECT when the database is not 0; no CLIENT SETINFO, no CLIENT MAINT_NOTIFICATIONS",
		"protocol":            "RESP3",
		"client_side_caching": "off",
		"pipelining":          "the two reads of an authentication; else one command at a time on each connection",
		"connections":         fmt.Sprintf("pool of %d, %d kept idle", pool, idle),
		"retries":             retries(cfg),
		"redirects":           "none",
		"dial_timeout":        cfg.DialTimeout.String(),
		"command_timeout":     "the context's deadline, at most " + cfg.Timeout.String() + "; then the connection is closed",
		"pool_timeout":        cfg.Timeout.String(),
		"scripts":             "EVALSHA, EVAL after NOSCRIPT",
		"reads":               reads(cfg),
	}
	if cfg.Connections > 0 {
		s["connections"] += ", used in turn"
	}
	if cfg.ClusterMode {
		s["connections"] += ", on each node"
		s["redirects"] = strconv.Itoa(maxRedirects) + " times MOVED, ASK or READONLY"
		s["topology"] = "CLUSTER SLOTS, at MOVED and every " + topologyReload.String()
	}
	if cfg.MasterName != "" {
		s["topology"] = "sentinels are asked for the primary at each dial; +switch-master and READONLY give connections up"
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
		to = "from replicas, through a pool of their own on each node with READONLY in its handshake; from the primary of a shard without one"
	case cfg.MasterName != "":
		to = "from replicas that the sentinels name, through a pool of their own whose connections live for " + readerLifetime.String() +
			"; from the primary when they name none"
	default:
		to = fmt.Sprintf("from %d replicas in turn, through a pool of its own for each", len(cfg.Replicas))
	}
	if cfg.ReadFrom == store.ReadFromAny {
		to = "every other one, at random, from the primary; the others " + to
	}
	return "MGET, GET and HGET: " + to
}

// retries says what is repeated.
func retries(cfg store.Config) string {
	if cfg.ReadRetries == 0 {
		return "0; one dial for each attempt"
	}
	return fmt.Sprintf("MGET, GET and HGET up to %d times, at once, after broken connections, timeouts of the client, and LOADING, READONLY, CLUSTERDOWN, "+
		"TRYAGAIN, MASTERDOWN, NOREPLICAS and too many clients; others 0; one dial for each attempt", cfg.ReadRetries)
}
