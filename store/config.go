package store

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"
)

// What Open fills in for the zero values of Config.
const (
	DefaultKeyPrefix   = "torii"
	DefaultMaxSessions = 1000
	DefaultPoolSize    = 64
	DefaultCacheTTL    = 5 * time.Minute
	DefaultDialTimeout = 5 * time.Second
	DefaultWaitTimeout = time.Second
	DefaultTimeout     = 5 * time.Second
	// DefaultClientCacheTTL bounds what a connection that has fallen silent can
	// do, and costs a hot entry one round trip a second.
	DefaultClientCacheTTL = time.Second
)

// MaxReadRetries bounds Config.ReadRetries. A cluster client of go-redis can do
// no more: its redirections and repetitions share a bound.
const MaxReadRetries = 3

// maxSessions bounds MaxSessions.
const maxSessions = 100_000

// maxConnections bounds PoolSize and Connections: a client has fewer ports than
// that for one server.
const maxConnections = 1 << 16

// maxPrefix bounds the key prefix, which is paid for with every key.
const maxPrefix = 64

// ReadFrom says which servers answer reads: the driver's Get and Lookup, and so what
// only looks something up. Scripts, and with them everything that writes, always go
// to the primary, and so do the reads that decide what is written.
//
// A replica follows its primary with a delay that nothing bounds. It may miss a
// user or a session that was just created; it may still accept a session that
// was just revoked, refreshed to an earlier end, or whose user was just deleted;
// and a cached copy may outlive its invalidation on it. While slots of a cluster
// move, replicas of Redis, and of Valkey below 8, know nothing of it and miss the
// keys that have moved. A caller to whom that matters asks with [WithPrimaryReads].
type ReadFrom string

// The values of ReadFrom; the zero value is ReadFromPrimary.
const (
	// ReadFromPrimary reads from the primary alone.
	ReadFromPrimary ReadFrom = "primary"
	// ReadFromReplica reads from replicas.
	ReadFromReplica ReadFrom = "replica"
	// ReadFromAny reads from a replica every other time, at random.
	ReadFromAny ReadFrom = "any"
)

// Config says where the servers are and how to talk to them. Only URLs is
// required. ParseURL and ConfigFromEnv read one from text. It prints and encodes
// without its passwords.
//
// The deployment is one server; a cluster, with ClusterMode; a primary that
// sentinels watch, with MasterName; or a primary with replicas of a fixed
// address, with Replicas.
type Config struct {
	// URLs are redis://, rediss:// or host:port, as ParseAddress reads them: one
	// for a standalone server or a primary, any number of seeds for a cluster,
	// any number of sentinels with MasterName.
	URLs []string
	// Username and Password, when set, override those in the URLs. There is no
	// Username without a Password.
	Username, Password string
	// Database is the number to SELECT; a cluster has only 0.
	Database int
	// ClusterMode makes the driver follow the cluster's topology.
	ClusterMode bool
	// MasterName is what the sentinels call the primary. It makes URLs those of
	// sentinels, whose usual port is 26379; the rest of a URL, and all other
	// fields, are about the servers that they watch. TLS is for both or neither.
	MasterName string
	// SentinelUsername and SentinelPassword are for the sentinels; without them
	// there is no login.
	SentinelUsername, SentinelPassword string
	// Replicas are the host:port of replicas that never become a primary, such as
	// a reader endpoint. Nobody checks whose replicas they are. Clusters and
	// sentinels tell their replicas themselves.
	Replicas []string
	// ReadFrom says which servers answer reads. All but the primary need
	// ClusterMode, MasterName or Replicas.
	ReadFrom ReadFrom
	// TLSEnabled turns TLS on with the defaults of crypto/tls.
	TLSEnabled bool
	// TLS is optional and implies TLSEnabled.
	TLS *tls.Config
	// DialContext, when not nil, opens the connections to servers and sentinels in
	// place of a [net.Dialer], for example to reach by another way the addresses that
	// a cluster or sentinels tell of. Network is "tcp", and addr the host:port of a
	// URL or of what a server told. It opens plain connections, on which the driver
	// speaks TLS where that is wanted, to TLS.ServerName or else the host of addr. It
	// is called from many goroutines, has to end with its context, which DialTimeout
	// bounds, and must not tie the connection to it.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// KeyPrefix begins every key: 1 to 64 ASCII letters, digits and "._-:/".
	KeyPrefix string
	// SessionFormat is how sessions are stored: SessionCompact, the default, or
	// SessionJSON. Either can be read whatever is set here.
	SessionFormat SessionFormat
	// MaxSessions is how many sessions a user can have at once, up to 100 000. One
	// more ends that which would end first: of all up to 128, and of 64 picked at
	// random beyond that, so that what a creation costs stays bounded.
	MaxSessions int
	// PoolSize is the largest number of connections per node, up to 65536. A
	// driver that multiplexes needs fewer and opens fewer.
	PoolSize int
	// Connections, when not 0, is the number of connections per node instead: a
	// driver opens this many, or the nearest number below that its library is
	// able to. Its Settings say which.
	Connections int
	// ReadRetries is how often the client library may send a read again, at
	// once, after a failure that it deems passing: 0, the default, to
	// MaxReadRetries. Reads are the driver's Get and Lookup; writes and scripts are
	// never repeated, because one that failed may have been done.
	ReadRetries int
	// WaitReplicas is how many replicas must have a write that a failover may not
	// undo before it counts as done: a log-out, a deletion, a secure token that was
	// used, a password, a claim to an email (Script.Durable tells which). 0, the
	// default, waits for none. Such a write then ends with WAIT on its connection,
	// which takes a round trip to the replica more, about as long again where that is
	// near (docs/performance.md), and is an ErrNotReplicated when there are too few
	// within WaitTimeout. It narrows the window and does not close
	// it: a replica that has not the write may still be elected.
	WaitReplicas int
	// WaitTimeout bounds that wait: a millisecond to less than Timeout. 0 means
	// DefaultWaitTimeout, or half of Timeout if that is less.
	WaitTimeout time.Duration
	// CacheTTL is how long a cached copy lives at most; at least a millisecond,
	// as the times that follow.
	CacheTTL time.Duration
	// Lockout says when failed attempts to log in lock an email.
	Lockout LockoutOptions
	// ClientCacheSize, when not 0, is how many bytes of memory per node the driver
	// may use to keep cached users in this process: look-ups of a Cache by id and by
	// email are then answered without the server, which tells of changes by itself
	// (CLIENT TRACKING). Sessions and authentication always ask the server. A driver
	// that cannot do this is refused by Open; valkeygo can.
	//
	// A change by somebody else is seen when the message has come. Of 20 000 that
	// were measured, on two cores shared with the server and with other work, half
	// were seen within 0.1 ms of their acknowledgement, 99 of 100 within 6 ms, and
	// the slowest after 116 ms; only ClientCacheTTL is a bound. Each write to a
	// Cache costs one round trip more, after which its own storage sees it.
	ClientCacheSize int
	// ClientCacheTTL is how long such a copy is served at most when no message about
	// a change comes: the bound of how stale it can be. 0 means
	// DefaultClientCacheTTL.
	ClientCacheTTL time.Duration
	// DialTimeout bounds the building of one connection.
	DialTimeout time.Duration
	// Timeout is the safety net for one command when the context has no nearer
	// deadline.
	Timeout time.Duration
}

// complete returns cfg with its defaults filled in, or an ErrInvalid that names
// the field.
func (cfg Config) complete() (Config, error) {
	cfg.ReadFrom = or(cfg.ReadFrom, ReadFromPrimary)
	cfg.KeyPrefix = or(cfg.KeyPrefix, DefaultKeyPrefix)
	cfg.SessionFormat = or(cfg.SessionFormat, SessionCompact)
	cfg.MaxSessions = or(cfg.MaxSessions, DefaultMaxSessions)
	cfg.PoolSize = or(cfg.PoolSize, DefaultPoolSize)
	cfg.CacheTTL = or(cfg.CacheTTL, DefaultCacheTTL)
	cfg.Lockout = cfg.Lockout.complete()
	cfg.ClientCacheTTL = or(cfg.ClientCacheTTL, DefaultClientCacheTTL)
	cfg.WaitTimeout = or(cfg.WaitTimeout, min(DefaultWaitTimeout, or(cfg.Timeout, DefaultTimeout)/2))
	cfg.DialTimeout = or(cfg.DialTimeout, DefaultDialTimeout)
	cfg.Timeout = or(cfg.Timeout, DefaultTimeout)
	cfg.TLSEnabled = cfg.TLSEnabled || cfg.TLS != nil
	return cfg, refusal(cfg.check(fieldName))
}

// WithDefaults fills in what Open fills in, without its checks: for drivers and
// for describing a configuration.
func (cfg Config) WithDefaults() Config {
	cfg, _ = cfg.complete() // What complete refuses, Open reports.
	return cfg
}

// naming is what the author of a configuration calls a field of Config.
type naming func(field string) string

// fieldName is the naming of those who write a Config in Go.
func fieldName(field string) string { return field }

// check refuses values that can never work, and combinations in which a field
// would do nothing.
func (cfg Config) check(name naming) error {
	for _, s := range settings() {
		if s.check == nil {
			continue
		}
		if err := s.check(cfg); err != nil {
			return fmt.Errorf("%s: %w", name(s.field), err)
		}
	}
	if len(cfg.URLs) == 0 {
		return fmt.Errorf("%s: no server address given", name("URLs"))
	}
	if err := cfg.checkDeployment(name); err != nil {
		return err
	}
	return cfg.checkReads(name)
}

// checkDeployment refuses two deployments at once, and what the one that is
// meant does not have.
func (cfg Config) checkDeployment(name naming) error {
	sentinel := cfg.MasterName != ""
	switch {
	case cfg.ClusterMode && sentinel:
		return fmt.Errorf("%s: a cluster has no sentinels; leave this or %s out", name("ClusterMode"), name("MasterName"))
	case len(cfg.URLs) > 1 && !cfg.ClusterMode && !sentinel:
		return fmt.Errorf("%s: %d server addresses; give one, or say that they are those of a cluster (%s) or of sentinels (%s)",
			name("URLs"), len(cfg.URLs), name("ClusterMode"), name("MasterName"))
	case cfg.ClusterMode && cfg.Database != 0:
		return fmt.Errorf("%s: %d, but a cluster (%s) has only database 0", name("Database"), cfg.Database, name("ClusterMode"))
	case !sentinel && cfg.SentinelUsername != "":
		return fmt.Errorf("%s: no sentinels to log in to; set %s, or leave it out", name("SentinelUsername"), name("MasterName"))
	case !sentinel && cfg.SentinelPassword != "":
		return fmt.Errorf("%s: no sentinels to log in to; set %s, or leave it out", name("SentinelPassword"), name("MasterName"))
	case cfg.SentinelUsername != "" && cfg.SentinelPassword == "":
		return fmt.Errorf("%s: a user needs a password; set %s", name("SentinelUsername"), name("SentinelPassword"))
	default:
		return nil
	}
}

// checkReads refuses replicas that nobody reads from, and reads from replicas
// that nobody knows.
func (cfg Config) checkReads(name naming) error {
	tells := cfg.ClusterMode || cfg.MasterName != ""
	primary := cfg.ReadFrom == "" || cfg.ReadFrom == ReadFromPrimary
	switch {
	case len(cfg.Replicas) > 0 && tells:
		return fmt.Errorf("%s: clusters and sentinels tell their replicas themselves; leave it out", name("Replicas"))
	case len(cfg.Replicas) > 0 && primary:
		return fmt.Errorf("%s: nothing would be read from them; set %s to %s or %s, or leave them out",
			name("Replicas"), name("ReadFrom"), ReadFromReplica, ReadFromAny)
	case len(cfg.Replicas) == 0 && !primary && !tells:
		return fmt.Errorf("%s: no replicas are known; set %s, %s or %s", name("ReadFrom"),
			name("Replicas"), name("ClusterMode"), name("MasterName"))
	case cfg.ClientCacheSize > 0 && !primary:
		return fmt.Errorf("%s: a replica tells of changes when it has them itself, which may be late; leave this or %s out",
			name("ClientCacheSize"), name("ReadFrom"))
	}
	for i, text := range cfg.Replicas {
		if a, err := ParseAddress(text); err != nil {
			return fmt.Errorf("%s: entry %d: %w", name("Replicas"), i+1, err)
		} else if a != (Address{HostPort: a.HostPort}) {
			return fmt.Errorf("%s: entry %d: give host:port alone; user, database and TLS are those of the primary", name("Replicas"), i+1)
		}
	}
	return nil
}

// checkPrefix refuses braces, which would move the hash tag, and everything
// that a SCAN pattern or a terminal could take for something else.
func checkPrefix(prefix string) error {
	if prefix == "" || len(prefix) > maxPrefix {
		return fmt.Errorf("%d bytes; give 1 to %d", len(prefix), maxPrefix)
	}
	for _, r := range prefix {
		if !strings.ContainsRune("._-:/", r) && !isAlphanumeric(r) {
			return fmt.Errorf("has the character %q; give ASCII letters, digits and ._-:/", r)
		}
	}
	return nil
}

// checkMaster accepts the names that sentinels do.
func checkMaster(name string) error {
	for _, r := range name {
		if !strings.ContainsRune("._-", r) && !isAlphanumeric(r) {
			return fmt.Errorf("has the character %q; give ASCII letters, digits and ._-", r)
		}
	}
	return nil
}

// checkRange accepts a number between the two.
func checkRange(n, low, high int) error {
	if n < low || n > high {
		return fmt.Errorf("%d is not between %d and %d", n, low, high)
	}
	return nil
}

// checkSpan accepts a time that a server can count, in milliseconds.
func checkSpan(d time.Duration) error {
	if d < time.Millisecond {
		return fmt.Errorf("%s is too short; give at least 1ms", d)
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
