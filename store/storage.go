package store

import (
	"context"
	"errors"
	"fmt"
)

// RedisStorage keeps users, their sessions and their ways to log in, in Redis or
// Valkey. It is safe for concurrent use. Open makes one.
type RedisStorage struct {
	Users     *Users
	Sessions  *Sessions
	Passwords *Passwords
	Tokens    *Tokens
	OAuth     *OAuth
	Passkeys  *Passkeys
	// BruteForce follows Config.Lockout.
	BruteForce *BruteForce

	engine *engine
}

// engine is what the repositories share: the driver, the layout of the keys
// and the scripts.
type engine struct {
	driver  Driver
	keys    layout
	scripts map[scriptName]*Script
	codec   sessionCodec
	config  Config
	// local is the driver, or nil when it keeps no copies.
	local localReader
}

// Open checks and completes cfg, connects and asks the servers for a sign of
// life. The caller closes the result.
func Open(ctx context.Context, cfg Config, dial Dial) (*RedisStorage, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("open storage: %w", err)
	}
	driver, err := dial(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open storage: %w", err)
	}
	if err := useful(ctx, driver, cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("open storage: %w", err), driver.Close())
	}
	return newStorage(driver, cfg), nil
}

// useful tells whether the driver can do what cfg asks for and reaches the servers.
func useful(ctx context.Context, driver Driver, cfg Config) error {
	if _, ok := driver.(localReader); cfg.ClientCacheSize > 0 && !ok {
		return invalid("ClientCacheSize: %d, but this driver cannot keep copies in the client; set it to 0, or take valkeygo",
			cfg.ClientCacheSize)
	}
	return driver.Ping(ctx)
}

func newStorage(driver Driver, cfg Config) *RedisStorage {
	// The driver alone needs to know where and as whom.
	cfg.URLs, cfg.Username, cfg.Password, cfg.TLS = nil, "", "", nil
	cfg.SentinelUsername, cfg.SentinelPassword = "", ""
	e := &engine{
		driver:  driver,
		keys:    newLayout(cfg.KeyPrefix),
		scripts: cfg.scripts(),
		codec:   newSessionCodec(cfg.SessionFormat),
		config:  cfg,
	}
	if cfg.ClientCacheSize > 0 {
		e.local, _ = driver.(localReader)
	}
	return &RedisStorage{
		Users:      &Users{e},
		Sessions:   &Sessions{e},
		Passwords:  &Passwords{e},
		Tokens:     &Tokens{e},
		OAuth:      &OAuth{e},
		Passkeys:   &Passkeys{e},
		BruteForce: &BruteForce{e, cfg.Lockout},
		engine:     e,
	}
}

// HealthCheck asks every primary for a sign of life in one round trip each.
func (s *RedisStorage) HealthCheck(ctx context.Context) error {
	return during("check health", s.engine.driver.Ping(ctx))
}

// Migrate writes the schema version of the keys under the prefix, or compares
// it: keys of another version are an ErrConflict. It may run any number of
// times, also at once.
func (s *RedisStorage) Migrate(ctx context.Context) error {
	e := s.engine
	reply, err := e.eval(ctx, "migrate", scriptSchemaMark, []string{e.keys.schema()}, schemaVersion)
	if err != nil {
		return err
	}
	if len(reply) != 1 || reply[0] != schemaVersion {
		return fmt.Errorf("migrate: keys under prefix %q have another schema version than %s, use another prefix: %w",
			e.config.KeyPrefix, schemaVersion, ErrConflict)
	}
	return nil
}

// ClientRetries counts the commands that the client library has sent again by
// itself since Open: a cluster's redirections, and the repetitions that
// Config.ReadRetries allows. It is false where the driver does not tell.
func (s *RedisStorage) ClientRetries() (int64, bool) {
	d, ok := s.engine.driver.(retrier)
	if !ok {
		return 0, false
	}
	return d.Retries(), true
}

// Close frees the connections. It may be called twice.
func (s *RedisStorage) Close() error {
	if err := s.engine.driver.Close(); err != nil {
		return fmt.Errorf("close storage: %w", err)
	}
	return nil
}

// eval runs a script. With an ErrNotReplicated comes its reply: it was done.
func (e *engine) eval(ctx context.Context, op string, name scriptName, keys []string, args ...string) (reply, error) {
	script := e.scripts[name]
	out, err := e.driver.Eval(ctx, script, keys, args...)
	if err != nil {
		if !errors.Is(err, ErrNotReplicated) {
			out = nil
		}
		return out, during(op, err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: script %s gave an empty reply: %w", op, script.Name, ErrCorrupt)
	}
	return out, nil
}

// get reads keys of one slot.
func (e *engine) get(ctx context.Context, op string, keys ...string) ([]string, error) {
	values, err := e.driver.Get(ctx, keys...)
	if err != nil {
		return nil, during(op, err)
	}
	if len(values) != len(keys) {
		return nil, fmt.Errorf("%s: driver gave %d values for %d keys: %w", op, len(values), len(keys), ErrCorrupt)
	}
	return values, nil
}

// lookup reads a string and a field of a hash of one slot.
func (e *engine) lookup(ctx context.Context, op, key, hash, field string) (text, value string, err error) {
	text, value, err = e.driver.Lookup(ctx, key, hash, field)
	return text, value, during(op, err)
}
