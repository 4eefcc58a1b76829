package store

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// setting is what text may say about a Config: a variable of the environment,
// and a parameter of a URL or another part of it.
type setting struct {
	// field is that of Config.
	field string
	// name is the parameter's; the variable's is the same in capitals behind
	// EnvPrefix.
	name string
	// part is what says it in a URL where no parameter does.
	part string
	// otherwise is the default, for people.
	otherwise string
	// set reads a value that is not empty. Its error says what would be right,
	// and never repeats the value.
	set func(r *reading, value string) error
	// check, which may be nil, refuses values that can never work.
	check func(cfg Config) error
}

// settings are all that text may say, in the order of the fields.
func settings() []setting {
	return slices.Concat(deployment(), tuning(), lockout())
}

// deployment is where the servers are.
func deployment() []setting {
	return []setting{
		{
			field: "URLs", name: "urls", part: "the hosts", otherwise: "none: required",
			set: func(r *reading, value string) error { return r.setURLs(value) },
		},
		{
			field: "Username", name: "username", part: "the user before @", otherwise: "none",
			set: word(func(r *reading) *string { return &r.Username }),
		},
		{
			field: "Password", name: "password", part: "the password before @", otherwise: "none",
			set: word(func(r *reading) *string { return &r.Password }),
		},
		{
			field: "Database", name: "database", part: "the end of the path", otherwise: "0",
			set:   count(func(r *reading) *int { return &r.Database }),
			check: func(cfg Config) error { return checkRange(cfg.Database, 0, 1<<31-1) },
		},
		{
			field: "ClusterMode", name: "cluster_mode", part: "the scheme redis+cluster", otherwise: "false",
			set: agreed(func(r *reading) *bool { return &r.ClusterMode }),
		},
		{
			field: "MasterName", name: "master_name", part: "the path behind redis+sentinel", otherwise: "none",
			set:   word(func(r *reading) *string { return &r.MasterName }),
			check: func(cfg Config) error { return checkMaster(cfg.MasterName) },
		},
		{
			field: "SentinelUsername", name: "sentinel_username", otherwise: "none",
			set: word(func(r *reading) *string { return &r.SentinelUsername }),
		},
		{
			field: "SentinelPassword", name: "sentinel_password", otherwise: "none",
			set: word(func(r *reading) *string { return &r.SentinelPassword }),
		},
		{
			field: "Replicas", name: "replicas", otherwise: "none",
			set: func(r *reading, value string) error { r.Replicas = list(value); return nil },
		},
		{
			field: "ReadFrom", name: "read_from", otherwise: string(ReadFromPrimary),
			set:   func(r *reading, value string) error { r.ReadFrom = ReadFrom(value); return nil },
			check: func(cfg Config) error { return checkReadFrom(cfg.ReadFrom) },
		},
		{
			field: "TLSEnabled", name: "tls_enabled", part: "the scheme rediss", otherwise: "false",
			set: agreed(func(r *reading) *bool { return &r.TLSEnabled }),
		},
		{
			field: "TLS", name: "tls_ca_file", otherwise: "the system's",
			set: word(func(r *reading) *string { return &r.files.ca }),
		},
		{
			field: "TLS", name: "tls_cert_file", otherwise: "none",
			set: word(func(r *reading) *string { return &r.files.cert }),
		},
		{
			field: "TLS", name: "tls_key_file", otherwise: "none",
			set: word(func(r *reading) *string { return &r.files.key }),
		},
		{
			field: "TLS", name: "tls_server_name", otherwise: "the host",
			set: word(func(r *reading) *string { return &r.files.serverName }),
		},
	}
}

// tuning is how to talk to the servers.
func tuning() []setting {
	return []setting{
		{
			field: "KeyPrefix", name: "key_prefix", otherwise: DefaultKeyPrefix,
			set:   word(func(r *reading) *string { return &r.KeyPrefix }),
			check: func(cfg Config) error { return checkPrefix(or(cfg.KeyPrefix, DefaultKeyPrefix)) },
		},
		{
			field: "SessionFormat", name: "session_format", otherwise: string(SessionCompact),
			set:   func(r *reading, value string) error { r.SessionFormat = SessionFormat(value); return nil },
			check: func(cfg Config) error { return checkSessionFormat(or(cfg.SessionFormat, SessionCompact)) },
		},
		{
			field: "MaxSessions", name: "max_sessions", otherwise: strconv.Itoa(DefaultMaxSessions),
			set:   count(func(r *reading) *int { return &r.MaxSessions }),
			check: func(cfg Config) error { return checkRange(or(cfg.MaxSessions, DefaultMaxSessions), 1, maxSessions) },
		},
		{
			field: "PoolSize", name: "pool_size", otherwise: strconv.Itoa(DefaultPoolSize),
			set:   count(func(r *reading) *int { return &r.PoolSize }),
			check: func(cfg Config) error { return checkRange(or(cfg.PoolSize, DefaultPoolSize), 1, maxConnections) },
		},
		{
			field: "Connections", name: "connections", otherwise: "0: as PoolSize says",
			set:   count(func(r *reading) *int { return &r.Connections }),
			check: func(cfg Config) error { return checkRange(cfg.Connections, 0, maxConnections) },
		},
		{
			field: "ReadRetries", name: "read_retries", otherwise: "0",
			set:   count(func(r *reading) *int { return &r.ReadRetries }),
			check: func(cfg Config) error { return checkRange(cfg.ReadRetries, 0, MaxReadRetries) },
		},
		{
			field: "CacheTTL", name: "cache_ttl", otherwise: short(DefaultCacheTTL),
			set:   span(func(r *reading) *time.Duration { return &r.CacheTTL }),
			check: func(cfg Config) error { return checkSpan(or(cfg.CacheTTL, DefaultCacheTTL)) },
		},
		{
			field: "ClientCacheSize", name: "client_cache_size", otherwise: "0",
			set:   count(func(r *reading) *int { return &r.ClientCacheSize }),
			check: func(cfg Config) error { return checkRange(cfg.ClientCacheSize, 0, math.MaxInt32) },
		},
		{
			field: "ClientCacheTTL", name: "client_cache_ttl", otherwise: short(DefaultClientCacheTTL),
			set:   span(func(r *reading) *time.Duration { return &r.ClientCacheTTL }),
			check: func(cfg Config) error { return checkSpan(or(cfg.ClientCacheTTL, DefaultClientCacheTTL)) },
		},
		{
			field: "DialTimeout", name: "dial_timeout", otherwise: short(DefaultDialTimeout),
			set:   span(func(r *reading) *time.Duration { return &r.DialTimeout }),
			check: func(cfg Config) error { return checkSpan(or(cfg.DialTimeout, DefaultDialTimeout)) },
		},
		{
			field: "Timeout", name: "timeout", otherwise: short(DefaultTimeout),
			set:   span(func(r *reading) *time.Duration { return &r.Timeout }),
			check: func(cfg Config) error { return checkSpan(or(cfg.Timeout, DefaultTimeout)) },
		},
		{
			field: "WaitReplicas", name: "wait_replicas", otherwise: "0",
			set:   count(func(r *reading) *int { return &r.WaitReplicas }),
			check: func(cfg Config) error { return checkRange(cfg.WaitReplicas, 0, maxWaitReplicas) },
		},
		{
			field: "WaitTimeout", name: "wait_timeout", otherwise: short(DefaultWaitTimeout),
			set:   span(func(r *reading) *time.Duration { return &r.WaitTimeout }),
			check: checkWait,
		},
	}
}

// variable is the name in the environment.
func (s setting) variable() string { return EnvPrefix + strings.ToUpper(s.name) }

// inURL is what says it in a URL.
func (s setting) inURL() string { return or(s.part, "parameter "+s.name) }

func word(at func(*reading) *string) func(*reading, string) error {
	return func(r *reading, value string) error {
		*at(r) = value
		return nil
	}
}

func count(at func(*reading) *int) func(*reading, string) error {
	return func(r *reading, value string) error {
		n, err := strconv.ParseInt(value, 10, 32)
		if err != nil {
			return errors.New("not a whole number; give one such as 3")
		}
		*at(r) = int(n)
		return nil
	}
}

// span reads a time, which is never 0: a Config takes that for the default.
func span(at func(*reading) *time.Duration) func(*reading, string) error {
	return func(r *reading, value string) error {
		took, err := time.ParseDuration(value)
		if err != nil {
			return errors.New("not a time; give a number and its unit, such as 5s, 250ms or 5m")
		}
		if err := checkSpan(took); err != nil {
			return err
		}
		*at(r) = took
		return nil
	}
}

// truth reads yes or no.
func truth(at func(*reading) *bool) func(*reading, string) error {
	return func(r *reading, value string) error {
		yes, err := strconv.ParseBool(value)
		if err != nil {
			return errors.New("give true or false")
		}
		*at(r) = yes
		return nil
	}
}

// agreed is truth where the scheme of a URL may have said yes: no is refused
// then.
func agreed(at func(*reading) *bool) func(*reading, string) error {
	return func(r *reading, value string) error {
		said := *at(r)
		if err := truth(at)(r, value); err != nil {
			return err
		}
		if said && !*at(r) {
			return errors.New("false, but the scheme of the URL says true")
		}
		return nil
	}
}

// list reads what commas part.
func list(value string) []string {
	entries := strings.Split(value, ",")
	for i, entry := range entries {
		entries[i] = strings.TrimSpace(entry)
	}
	return entries
}

func checkReadFrom(from ReadFrom) error {
	switch from {
	case "", ReadFromPrimary, ReadFromReplica, ReadFromAny:
		return nil
	default:
		return fmt.Errorf("give %s, %s or %s", ReadFromPrimary, ReadFromReplica, ReadFromAny)
	}
}

func checkSessionFormat(format SessionFormat) error {
	if format != SessionCompact && format != SessionJSON {
		return fmt.Errorf("give %s or %s", SessionCompact, SessionJSON)
	}
	return nil
}

// maxWaitReplicas is more than a primary has.
const maxWaitReplicas = 64

func checkWait(cfg Config) error {
	whole := or(cfg.Timeout, DefaultTimeout)
	wait := or(cfg.WaitTimeout, min(DefaultWaitTimeout, whole/2))
	if err := checkSpan(wait); err != nil {
		return err
	}
	if wait >= whole {
		return fmt.Errorf("%s, but a command may take %s in all (Timeout), the reply's way included", wait, whole)
	}
	return nil
}

// short writes a time without the units that are 0.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
