package store

import (
	"fmt"
	"io"
	"log/slog"
)

// Config, Endpoint and Address hold passwords. Each hides them from every verb
// of fmt, from log/slog and from encoders of text and JSON, all of which give
// its String. What asks no methods shows them, as it does a Token: reflection,
// encoding/gob, and fmt for the unexported field of a struct of another type and
// for %w outside of Errorf, which go vet reports.

// String shows the configuration without its passwords, and without the URLs,
// which may carry one.
func (cfg Config) String() string {
	return fmt.Sprintf("%d servers, database %d, cluster %t, master %q, %d replicas, reads from %q, TLS %t, prefix %q, pool %d",
		len(cfg.URLs), cfg.Database, cfg.ClusterMode, cfg.MasterName, len(cfg.Replicas), cfg.ReadFrom,
		cfg.TLSEnabled, cfg.KeyPrefix, cfg.PoolSize)
}

// GoString hides the password.
func (cfg Config) GoString() string { return "store.Config{" + cfg.String() + "}" }

// Format hides the password from every verb.
func (cfg Config) Format(f fmt.State, _ rune) { io.WriteString(f, cfg.String()) } //nolint:errcheck // There is nobody to tell.

// MarshalText hides the password from encoders, those of JSON included.
func (cfg Config) MarshalText() ([]byte, error) { return []byte(cfg.String()), nil }

// LogValue hides the password from log/slog.
func (cfg Config) LogValue() slog.Value { return slog.StringValue(cfg.String()) }

// String shows the endpoint without its password.
func (e Endpoint) String() string {
	return fmt.Sprintf("%s, user %q, database %d, TLS %t", e.Addrs, e.Username, e.Database, e.TLS != nil)
}

// GoString hides the password.
func (e Endpoint) GoString() string { return "store.Endpoint{" + e.String() + "}" }

// Format hides the password from every verb.
func (e Endpoint) Format(f fmt.State, _ rune) { io.WriteString(f, e.String()) } //nolint:errcheck // There is nobody to tell.

// MarshalText hides the password from encoders, those of JSON included.
func (e Endpoint) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// LogValue hides the password from log/slog.
func (e Endpoint) LogValue() slog.Value { return slog.StringValue(e.String()) }

// String shows the address without its password.
func (a Address) String() string {
	return fmt.Sprintf("%s, user %q, database %d, TLS %t", a.HostPort, a.Username, a.Database, a.TLS)
}

// GoString hides the password.
func (a Address) GoString() string { return "store.Address{" + a.String() + "}" }

// Format hides the password from every verb.
func (a Address) Format(f fmt.State, _ rune) { io.WriteString(f, a.String()) } //nolint:errcheck // There is nobody to tell.

// MarshalText hides the password from encoders, those of JSON included.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// LogValue hides the password from log/slog.
func (a Address) LogValue() slog.Value { return slog.StringValue(a.String()) }
