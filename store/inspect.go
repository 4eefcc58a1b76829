package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// maxInspect bounds how many entries of a hash or a sorted set Inspect shows.
const maxInspect = "1000"

// maxUnlinks is how many round trips DeleteAll has under way at once.
const maxUnlinks = 16

// Key is what lies under a key, for tests and for people who look.
type Key struct {
	// Type is the server's word: "string", "hash", "zset", or "none" when absent.
	Type string
	// TTL is the remaining life, or -1 for none. It is 0 when absent.
	TTL time.Duration
	// Values are the value of a string, the first fields and values of a hash, or
	// the first members and scores of a sorted set, in turn.
	Values []string
}

// Inspect reads one key of any kind.
func (s *RedisStorage) Inspect(ctx context.Context, key string) (Key, error) {
	return s.engine.inspect(ctx, "inspect key", key)
}

// TTL returns how long the server will keep what it knows of the sessions of
// the token's user, -1 for ever, or false when the session has no record. It is
// for those who audit the store: the records go with the last of them.
func (s *Sessions) TTL(ctx context.Context, t Token) (time.Duration, bool, error) {
	const op = "look up the life of a session"
	tag, ok := t.tag()
	if !ok {
		return 0, false, nil
	}
	_, record, err := s.engine.lookup(ctx, op, s.keys.user(tag), s.keys.sessions(tag), sessionMember(t))
	if err != nil || record == "" {
		return 0, false, err
	}
	k, err := s.inspect(ctx, op, s.keys.sessions(tag))
	return k.TTL, err == nil && k.Type != "none", err
}

func (e *engine) inspect(ctx context.Context, op, key string) (Key, error) {
	out, err := e.eval(ctx, op, scriptInspect, []string{key}, maxInspect)
	if err != nil {
		return Key{}, err
	}
	ms, err := strconv.ParseInt(out.value(), 10, 64)
	if err != nil {
		return Key{}, fmt.Errorf("%s: %w", op, corrupt("script reply"))
	}
	k := Key{Type: out[0], TTL: time.Duration(ms) * time.Millisecond, Values: out[2:]}
	if k.Type == "hash" {
		k.Values = sortPairs(k.Values)
	}
	switch ms {
	case -1:
		k.TTL = -1
	case -2:
		k.TTL = 0
	}
	return k, nil
}

// sortPairs orders fields and values, which a server gives in any order.
func sortPairs(flat []string) []string {
	pairs := slices.SortedFunc(slices.Chunk(flat, 2), func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return slices.Concat(pairs...)
}

// Keys calls page with the keys under the prefix, a few hundred at a time; a
// key may come twice.
func (s *RedisStorage) Keys(ctx context.Context, page func(keys []string) error) error {
	return s.engine.scan(ctx, "list keys", page)
}

// scan walks the keys under the prefix and tells failures of the server from
// those of page, which it returns as they are.
func (e *engine) scan(ctx context.Context, op string, page func(keys []string) error) error {
	var own error
	err := e.driver.Scan(ctx, e.keys.scope(), func(keys []string) error {
		own = page(keys)
		return own
	})
	if own != nil {
		return own
	}
	return during(op, err)
}

// DeleteAll removes every key under the prefix, cached copies and the schema
// marker included, and returns how many there were. It is for tests and for
// cleaning up after a run. Keys that are written meanwhile may stay. A Trace does
// not count what it does at the same time.
func (s *RedisStorage) DeleteAll(ctx context.Context) (int64, error) {
	const op = "delete all"
	var total int64
	err := s.engine.scan(ctx, op, func(keys []string) error {
		n, err := s.engine.unlink(ctx, keys)
		total += n
		return during(op, err)
	})
	return total, err
}

// unlink removes keys of any slots: all at once on a standalone server, where
// slots mean nothing, else tag by tag, a few at a time.
func (e *engine) unlink(ctx context.Context, keys []string) (int64, error) {
	groups := map[string][]string{}
	for _, key := range keys {
		tag := ""
		if e.config.ClusterMode {
			tag = e.keys.hashTag(key)
		}
		groups[tag] = append(groups[tag], key)
	}
	counts := make(chan int64, len(groups))
	// A Trace belongs to one goroutine.
	g, ctx := errgroup.WithContext(WithTrace(ctx, nil))
	g.SetLimit(maxUnlinks)
	for _, group := range groups {
		g.Go(func() error {
			n, err := e.unlinkSlot(ctx, group)
			counts <- n
			return err
		})
	}
	err := g.Wait()
	close(counts)
	var total int64
	for n := range counts {
		total += n
	}
	return total, err
}

// unlinkSlot removes keys of one slot.
func (e *engine) unlinkSlot(ctx context.Context, keys []string) (int64, error) {
	const op = "remove keys"
	out, err := e.eval(ctx, op, scriptUnlink, keys)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(out.value(), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", op, corrupt("script reply"))
	}
	return n, nil
}
