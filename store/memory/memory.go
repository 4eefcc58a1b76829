// Package memory keeps a store's keys in this process: for tests, and as the
// oracle that says what the scripts on real servers must do. Each script has a
// second version here, in Go. One mutex stands for the server's one thread;
// keys expire at the millisecond, as they do there.
//
// What a real server does beside that, it does not: no eviction, no
// persistence, no replication, no cluster.
package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/toriibench/toriibench/store"
)

// scanPage is how many keys Scan gives at a time.
const scanPage = 300

var errClosed = errors.New("the driver is closed")

// Server is a keyspace. Any number of drivers may share it. NewServer makes
// one; it is safe for concurrent use.
type Server struct {
	now func() time.Time

	mu struct {
		sync.Mutex

		keys map[string]entry
	}
}

// entry is what lies under a key: a sorted set when members is not nil, a hash
// when fields is not nil, else a text.
type entry struct {
	text    string
	members map[string]int64
	fields  map[string]string
	// expires is in milliseconds since 1970; 0 means never. The key is alive
	// at that very millisecond.
	expires int64
}

// NewServer makes an empty keyspace that lives by the given clock, or by
// time.Now when it is nil.
func NewServer(now func() time.Time) *Server {
	if now == nil {
		now = time.Now
	}
	s := &Server{now: now}
	s.mu.keys = map[string]entry{}
	return s
}

// Dial opens a driver on a keyspace of its own. It is a store.Dial.
func Dial(ctx context.Context, cfg store.Config) (store.Driver, error) {
	return NewServer(nil).Dial(ctx, cfg)
}

// Dial opens a driver on the server's keyspace. It is a store.Dial, and refuses
// WaitReplicas, of which it has none, as an ErrInvalid.
func (s *Server) Dial(_ context.Context, cfg store.Config) (store.Driver, error) {
	if cfg.WaitReplicas > 0 {
		return nil, fmt.Errorf("%w: WaitReplicas: %d, but memory has no replicas; set it to 0", store.ErrInvalid, cfg.WaitReplicas)
	}
	return &driver{server: s, twins: twins()}, nil
}

// Open opens a storage on the server's keyspace.
func (s *Server) Open(ctx context.Context, prefix string) (*store.RedisStorage, error) {
	return store.Open(ctx, store.Config{URLs: []string{"memory"}, KeyPrefix: prefix}, s.Dial)
}

// driver is a store.Driver.
type driver struct {
	server *Server
	twins  map[string]twin

	mu     sync.RWMutex
	closed bool
}

// Get reads texts; a sorted set or a hash reads as absent, as with MGET.
func (d *driver) Get(ctx context.Context, keys ...string) ([]string, error) {
	return locked(ctx, d, func(t *turn) []string {
		values := make([]string, len(keys))
		for i, key := range keys {
			values[i], _ = t.get(key)
		}
		return values
	})
}

// Lookup reads a text and then a field of a hash. Others may come between the
// two, as on a server, which refuses what is of another type, too.
func (d *driver) Lookup(ctx context.Context, key, hash, field string) (text, value string, err error) {
	text, err = d.read(ctx, "GET", key, func(e entry) (string, bool) { return e.text, e.members == nil && e.fields == nil })
	if err != nil {
		return "", "", err
	}
	value, err = d.read(ctx, "HGET", hash, func(e entry) (string, bool) { return e.fields[field], e.fields != nil })
	return text, value, err
}

// read looks at what lies under a key, where fits says whether it is of the
// command's type.
func (d *driver) read(ctx context.Context, command, key string, look func(entry) (value string, fits bool)) (string, error) {
	type found struct {
		value string
		fits  bool
	}
	got, err := locked(ctx, d, func(t *turn) (f found) {
		e, there := t.find(key)
		if !there {
			return found{fits: true}
		}
		f.value, f.fits = look(e)
		return f
	})
	if err == nil && !got.fits {
		err = store.ReplyError(command, "WRONGTYPE Operation against a key holding the wrong kind of value")
	}
	return got.value, err
}

// Eval runs the script's version in Go.
func (d *driver) Eval(ctx context.Context, script *store.Script, keys []string, args ...string) ([]string, error) {
	run, known := d.twins[script.Name]
	if !known {
		return nil, fmt.Errorf("run script %s: it has no version in Go", script.Name)
	}
	return locked(ctx, d, func(t *turn) []string { return run(t, keys, args) })
}

// Scan gives the keys that were there when it began, in order.
func (d *driver) Scan(ctx context.Context, prefix string, page func(keys []string) error) error {
	keys, err := locked(ctx, d, func(t *turn) []string { return t.keys(prefix) })
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(keys, scanPage) {
		if err := ctx.Err(); err != nil {
			return store.Unavailable("scan keys", err)
		}
		if err := page(chunk); err != nil {
			return err
		}
	}
	return nil
}

// Ping tells whether the driver is open.
func (d *driver) Ping(ctx context.Context) error {
	_, err := locked(ctx, d, func(*turn) bool { return true })
	return err
}

// Close makes every later call fail. It may be called twice.
func (d *driver) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	return nil
}

// locked runs f alone on the keyspace, as a server runs a command.
func locked[T any](ctx context.Context, d *driver, f func(*turn) T) (T, error) {
	var zero T
	d.mu.RLock()
	defer d.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return zero, store.Unavailable("ask memory", err)
	}
	if d.closed {
		return zero, store.Unavailable("ask memory", errClosed)
	}
	d.server.mu.Lock()
	defer d.server.mu.Unlock()
	t := d.server.turnLocked()
	return f(t), t.failed
}

// turnLocked begins a command: the clock stands still until it ends.
func (s *Server) turnLocked() *turn {
	now := s.now()
	return &turn{space: s.mu.keys, ms: now.UnixMilli()}
}

// turn is one command's sole use of the keyspace.
type turn struct {
	space map[string]entry
	ms    int64
	// failed is what a server would have ended the command with.
	failed error
}

// find returns what lies under a key and has not expired.
func (t *turn) find(key string) (entry, bool) {
	e, ok := t.space[key]
	if ok && e.expires != 0 && t.ms > e.expires {
		delete(t.space, key)
		return entry{}, false
	}
	return e, ok
}

func (t *turn) get(key string) (string, bool) {
	e, ok := t.find(key)
	return e.text, ok && e.members == nil && e.fields == nil
}

// set stores a text. A time of expiry that is not in the future removes the
// key, as on a server; 0 means never.
func (t *turn) set(key, text string, expires int64) {
	if expires != 0 && expires <= t.ms {
		delete(t.space, key)
		return
	}
	t.space[key] = entry{text: text, expires: expires}
}

// setFor is set for a life in milliseconds: SET with PX, which has no other lives
// than those that are positive.
func (t *turn) setFor(key, text string, life int64) {
	if life <= 0 {
		t.failed = store.ReplyError("run script", "ERR invalid expire time in 'set' command")
		return
	}
	t.set(key, text, t.ms+life)
}

func (t *turn) unlink(key string) bool {
	_, ok := t.find(key)
	delete(t.space, key)
	return ok
}

// keys lists the living keys that begin with prefix.
func (t *turn) keys(prefix string) []string {
	var keys []string
	for key := range t.space {
		if _, ok := t.find(key); ok && strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
