package store

import (
	"crypto/tls"
	"strings"
	"time"
)

// What Open fills in for the zero values of Config.
const (
	DefaultKeyPrefix   = "torii"
	DefaultPoolSize    = 64
	DefaultCacheTTL    = 5 * time.Minute
	DefaultDialTimeout = 5 * time.Second
	DefaultTimeout     = 5 * time.Second
)

// MaxReadRetries bounds Config.ReadRetries. A cluster client of go-redis can do
// no more: its redirections and repetitions share a bound.
const MaxReadRetries = 3

// maxConnections bounds Config.Connections: a client has fewer ports than that
// for one server.
const maxConnections = 1 << 16

// maxPrefix bounds the key prefix, which is paid for with every key.
const maxPrefix = 64

// Config says where the servers are and how to talk to them. Only URLs is
// required. It prints and encodes without its password.
type Config struct {
	// URLs are redis://, rediss:// or host:port; one for a standalone server,
	// any number of seeds for a cluster.
	URLs []string
	// Username and Password, when set, override those in the URLs.
	Username, Password string
	// Database is the number to SELECT; a cluster has only 0.
	Database int
	// ClusterMode makes the driver follow the cluster's topology.
	ClusterMode bool
	// TLSEnabled turns TLS on with the defaults of crypto/tls.
	TLSEnabled bool
	// TLS is optional and implies TLSEnabled.
	TLS *tls.Config
	// KeyPrefix begins every key: 1 to 64 ASCII letters, digits and "._-:/".
	KeyPrefix string
	// PoolSize is the largest number of connections per node. A driver that
	// multiplexes needs fewer and opens fewer.
	PoolSize int
	// Connections, when not 0, is the number of connections per node instead: a
	// driver opens this many, or the nearest number below that its library is
	// able to. Its Settings say which.
	Connections int
	// ReadRetries is how often the client library may send a read again, at
	// once, after a failure that it deems passing: 0, the default, to
	// MaxReadRetries. Reads are the driver's Get; writes and scripts are never
	// repeated, because one that failed may have been done.
	ReadRetries int
	// CacheTTL is how long a cached copy lives at most.
	CacheTTL time.Duration
	// DialTimeout bounds the building of one connection.
	DialTimeout time.Duration
	// Timeout is the safety net for one command when the context has no nearer
	// deadline.
	Timeout time.Duration
}

// complete returns cfg with its defaults filled in, or an ErrInvalid.
func (cfg Config) complete() (Config, error) {
	cfg.KeyPrefix = or(cfg.KeyPrefix, DefaultKeyPrefix)
	cfg.PoolSize = or(cfg.PoolSize, DefaultPoolSize)
	cfg.CacheTTL = or(cfg.CacheTTL, DefaultCacheTTL)
	cfg.DialTimeout = or(cfg.DialTimeout, DefaultDialTimeout)
	cfg.Timeout = or(cfg.Timeout, DefaultTimeout)
	cfg.TLSEnabled = cfg.TLSEnabled || cfg.TLS != nil
	return cfg, cfg.check()
}

func (cfg Config) check() error {
	switch {
	case len(cfg.URLs) == 0:
		return invalid("no server address given: set Config.URLs")
	case len(cfg.URLs) > 1 && !cfg.ClusterMode:
		return invalid("%d server addresses without cluster mode: give one, or set ClusterMode", len(cfg.URLs))
	case cfg.Database < 0:
		return invalid("database number %d is negative", cfg.Database)
	case cfg.ClusterMode && cfg.Database != 0:
		return invalid("database number %d in cluster mode: a cluster has only database 0", cfg.Database)
	case cfg.PoolSize < 0:
		return invalid("pool size %d is negative", cfg.PoolSize)
	case cfg.Connections < 0 || cfg.Connections > maxConnections:
		return invalid("%d connections: give 1 to %d, or 0 to leave them to the pool size", cfg.Connections, maxConnections)
	case cfg.ReadRetries < 0 || cfg.ReadRetries > MaxReadRetries:
		return invalid("%d retries of reads: give 0 to %d", cfg.ReadRetries, MaxReadRetries)
	case cfg.CacheTTL < time.Millisecond || cfg.DialTimeout < time.Millisecond || cfg.Timeout < time.Millisecond:
		return invalid("cache TTL, dial timeout and timeout must be at least a millisecond")
	default:
		return checkPrefix(cfg.KeyPrefix)
	}
}

// checkPrefix refuses braces, which would move the hash tag, and everything
// that a SCAN pattern or a terminal could take for something else.
func checkPrefix(prefix string) error {
	if prefix == "" || len(prefix) > maxPrefix {
		return invalid("key prefix has %d bytes, want 1 to %d", len(prefix), maxPrefix)
	}
	for _, r := range prefix {
		if !strings.ContainsRune("._-:/", r) && !isAlphanumeric(r) {
			return invalid("key prefix has the character %q, want ASCII letters, digits and ._-:/", r)
		}
	}
	return nil
}

func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// or returns value unless it is the zero value.
func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
