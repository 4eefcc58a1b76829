package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/toriibench/toriibench/store"
)

const (
	// fullAt and roomAt are shares of the measured time: when memory is full, and
	// when there is room again.
	fullAt, roomAt = 0.25, 0.75
	// restoring bounds how long the servers get their settings back.
	restoring = 10 * time.Second
)

// memoryLimit is what was done to the servers.
type memoryLimit struct {
	set, lifted time.Time
	// bytes is maxmemory, of all servers.
	bytes   int64
	evicted int64
	failed  error
}

func (l *memoryLimit) marks(started time.Time) []Mark {
	var marks []Mark
	if !l.set.IsZero() {
		marks = append(marks, Mark{l.set.Sub(started), "maxmemory"})
	}
	if !l.lifted.IsZero() {
		marks = append(marks, Mark{l.lifted.Sub(started), "lifted"})
	}
	return marks
}

// watch limits the memory of all servers to what they use, and lifts the limit
// again, also when ctx ends before.
func (e *eviction) watch(ctx context.Context) {
	started := time.Now()
	if e.env.Servers == nil {
		e.limit.failed = errors.New("limit the servers' memory: they are not the run's own")
		return
	}
	waitFor(ctx, started.Add(time.Duration(fullAt*float64(e.env.For))))
	if ctx.Err() != nil {
		return
	}
	before, err := e.evictedKeys(ctx)
	if err == nil {
		err = e.limitMemory(ctx)
	}
	waitFor(ctx, started.Add(time.Duration(roomAt*float64(e.env.For))))
	restore, cancel := context.WithTimeout(context.WithoutCancel(ctx), restoring)
	defer cancel()
	after, countErr := e.evictedKeys(restore)
	e.limit.evicted = after - before
	e.limit.lifted = time.Now()
	e.limit.failed = errors.Join(err, countErr, e.configure(restore, func(int) (int64, string) { return 0, PolicyNone }))
}

// limitMemory makes what each server with data uses all that it may.
func (e *eviction) limitMemory(ctx context.Context) error {
	used := map[int]int64{}
	for _, s := range e.env.Servers.List(ctx) {
		if !s.Primary && !s.Replica {
			continue
		}
		n, err := e.infoNumber(ctx, s.Number, "memory", "used_memory")
		if err != nil {
			return err
		}
		used[s.Number] = n
		e.limit.bytes += n
	}
	e.limit.set = time.Now()
	return e.configure(ctx, func(server int) (int64, string) { return used[server], e.env.Policy })
}

// configure sets maxmemory and its policy on every server with data.
func (e *eviction) configure(ctx context.Context, of func(server int) (bytes int64, policy string)) error {
	var errs []error
	for _, s := range e.env.Servers.List(ctx) {
		if !s.Primary && !s.Replica {
			continue
		}
		bytes, policy := of(s.Number)
		for _, words := range [][]string{{"maxmemory-policy", policy}, {"maxmemory", strconv.FormatInt(bytes, 10)}} {
			if _, err := e.env.Servers.Ask(ctx, s.Number, append([]string{"CONFIG", "SET"}, words...)...); err != nil {
				errs = append(errs, fmt.Errorf("set %s of server %d: %w", words[0], s.Number, err))
			}
		}
	}
	return errors.Join(errs...)
}

// evictedKeys adds up what the primaries have evicted.
func (e *eviction) evictedKeys(ctx context.Context) (total int64, err error) {
	for _, s := range e.env.Servers.List(ctx) {
		if !s.Primary {
			continue
		}
		n, err := e.infoNumber(ctx, s.Number, "stats", "evicted_keys")
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// infoNumber reads a number of a server's INFO.
func (e *eviction) infoNumber(ctx context.Context, server int, section, field string) (int64, error) {
	reply, err := e.env.Servers.Ask(ctx, server, "INFO", section)
	if err != nil {
		return 0, err
	}
	text, _ := reply.(string)
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), field+":"); found {
			return strconv.ParseInt(value, 10, 64)
		}
	}
	return 0, fmt.Errorf("INFO %s of server %d has no %s", section, server, field)
}

// check looks up everything that was acknowledged: sessions, users, and locks.
func (e *eviction) check(ctx context.Context) error {
	if e.limit.failed != nil {
		return e.limit.failed
	}
	if e.inv.again != nil {
		for i := range min(100, len(e.active.accounts)) {
			_, err := e.env.Storage.Sessions.Create(ctx, store.NewSession{UserID: e.active.accounts[i].id})
			e.inv.again.check(err == nil, func() string { return err.Error() })
		}
	}
	var activeTokens, idleTokens []store.Token
	for i := range e.active.size {
		activeTokens = append(activeTokens, e.active.session(uint64(i)).token)
	}
	for i := range e.idle.size {
		idleTokens = append(idleTokens, e.idle.session(uint64(i)).token)
	}
	return errors.Join(
		e.lookUp(ctx, "a session in use", activeTokens, &e.lost.active),
		e.lookUp(ctx, "an idle session", idleTokens, &e.lost.idle),
		e.lookUp(ctx, "a new session", e.created, &e.lost.created),
		e.checkUsers(ctx), e.checkLocks(ctx),
	)
}

// lookUp counts the sessions that are gone.
func (e *eviction) lookUp(ctx context.Context, what string, tokens []store.Token, lost *atomic.Int64) error {
	err := loading(ctx, len(tokens), nil, func(ctx context.Context, i int) error {
		_, found, err := e.env.Storage.Sessions.Find(ctx, tokens[i])
		if err != nil {
			return err
		}
		if !found {
			lost.Add(1)
		}
		if e.inv.kept != nil {
			e.inv.kept.check(found, func() string { return what + " is gone" })
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look up sessions: %w", err)
	}
	return nil
}

func (e *eviction) checkUsers(ctx context.Context) error {
	all := slices.Concat(e.active.accounts, e.idle.accounts)
	err := loading(ctx, len(all), nil, func(ctx context.Context, i int) error {
		_, found, err := e.env.Storage.Users.FindByID(ctx, all[i].id)
		if err == nil && !found {
			e.lost.users.Add(1)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("look up users: %w", err)
	}
	return nil
}

func (e *eviction) checkLocks(ctx context.Context) error {
	err := loading(ctx, len(e.locked), nil, func(ctx context.Context, i int) error {
		status, err := e.env.Storage.BruteForce.Status(ctx, e.locked[i])
		if err == nil && !status.Locked {
			e.lost.locks.Add(1)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("look up locks: %w", err)
	}
	return nil
}

// measurements tell what was refused, and what is gone.
func (e *eviction) measurements(started time.Time) map[string]Measurement {
	if e.limit.set.IsZero() {
		return nil
	}
	share := func(lost *atomic.Int64, of int) float64 { return 100 * float64(lost.Load()) / float64(max(of, 1)) }
	m := map[string]Measurement{
		"maxmemory":     {float64(e.limit.bytes) / (1 << 20), "MiB", "the limit that was set while it went on, of all servers with data"},
		"logins":        {float64(len(e.created)), "logins", "logins that were acknowledged"},
		"refused":       {float64(e.refused), "logins", "logins that were refused for want of memory"},
		"evicted-keys":  {float64(e.limit.evicted), "keys", "keys that the primaries evicted; all sessions of a user are in one"},
		"lost-in-use":   {share(&e.lost.active, e.active.size), "%", "sessions in use that are gone, though nobody logged them out"},
		"lost-idle":     {share(&e.lost.idle, e.idle.size), "%", "sessions that were not used meanwhile and are gone"},
		"lost-new":      {share(&e.lost.created, len(e.created)), "%", "sessions of acknowledged logins that are gone"},
		"lost-users":    {share(&e.lost.users, len(e.active.accounts)+len(e.idle.accounts)), "%", "users whose account is gone"},
		"lost-lockouts": {share(&e.lost.locks, len(e.locked)), "%", "emails that were locked for guessing and no longer are"},
	}
	var before, full []time.Duration
	for _, one := range e.events {
		switch due := started.Add(one.due); {
		case one.write:
		case due.Before(e.limit.set):
			before = append(before, one.done.Sub(due))
		case due.Before(e.limit.lifted):
			full = append(full, one.done.Sub(due))
		}
	}
	const ms = 1000
	if len(before) >= savingLeast && len(full) >= savingLeast {
		m["p99-before"] = Measurement{p99(before).Seconds() * ms, "ms", "response time of authenticate while there was room"}
		m["p99-full"] = Measurement{p99(full).Seconds() * ms, "ms", "response time of authenticate while memory was full"}
	}
	return m
}
