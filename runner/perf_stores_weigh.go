package runner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/toriibench/toriibench/compose"
	"github.com/toriibench/toriibench/results"
)

// weighings is how many numbers of sessions are loaded: a server's tables grow by
// doubling, and the numbers lie evenly between one doubling and the next.
const weighings = 3

// weigh measures what sessions take in an empty server, each of a user of its own.
// Our own store is weighed through one library: records are the store's.
func (c *storeContest) weigh(ctx context.Context) error {
	if c.options.sessions == 0 {
		return nil
	}
	weighed := false
	for _, e := range c.entrants {
		if e.ours && weighed {
			continue
		}
		weighed = weighed || e.ours
		b := results.PerfStoreBytes{Name: e.Name, Ours: e.ours}
		if e.ours {
			b.Name = "ours"
		}
		for i := range weighings {
			n := int(float64(c.options.sessions) * math.Pow(2, float64(i)/weighings))
			fmt.Fprintf(c.program.stderr, "weighing %d sessions of %s\n", n, b.Name)
			set, err := c.weighOne(ctx, e, n)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				c.result.Failed = append(c.result.Failed, fmt.Sprintf("weighing %s: %s", b.Name, oneLine(err)))
				continue
			}
			b.Samples = append(b.Samples, set)
		}
		if len(b.Samples) > 0 {
			c.result.Memory = append(c.result.Memory, b)
		}
	}
	return nil
}

// weighOne loads n sessions into a server of their own.
func (c *storeContest) weighOne(ctx context.Context, e StorePeer, n int) (set results.PerfStoreByteSet, err error) {
	set.Sessions = n
	people := newPeople(c.options.seed, n)
	err = c.stage.perform(ctx, c.program.stderr, func(ctx context.Context, t *compose.Topology) error {
		before, err := usedMemory(ctx, t)
		if err != nil {
			return err
		}
		if e.ours {
			if err := createUsers(ctx, t.URLs[0], people, c.options.connections); err != nil {
				return fmt.Errorf("create users: %w", err)
			}
			with, err := usedMemory(ctx, t)
			if err != nil {
				return err
			}
			set.PerUser, before = float64(with-before)/float64(n), with
		}
		if err := c.loadStore(ctx, e, t.URLs[0], people); err != nil {
			return fmt.Errorf("create sessions: %w", err)
		}
		after, err := usedMemory(ctx, t)
		set.PerSession = float64(after-before) / float64(n)
		return err
	})
	return set, err
}

// loadStore creates a session of each, and disconnects: connections take memory
// too.
func (c *storeContest) loadStore(ctx context.Context, e StorePeer, url string, people []Login) (err error) {
	opened, err := e.Open(ctx, url, c.options.connections)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, opened) }()
	v := newVisit(opened, people, c.options.connections, c.options.seed)
	_, err = (&lapLoop{callers: c.options.connections, limit: int64(len(people)), do: v.create}).run(ctx)
	return err
}

// While a server that nobody uses comes to rest, it lets go of connections, grows
// tables and frees what was deleted.
const (
	restTick     = 50 * time.Millisecond
	restTime     = 500 * time.Millisecond
	restPatience = 30 * time.Second
	// restNoise is what the reading itself may take, more or less.
	restNoise = 8 << 10
)

// usedMemory waits until the server has come to rest, and reads used_memory, in
// bytes.
func usedMemory(ctx context.Context, t *compose.Topology) (int64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, restPatience, errors.New("the server's memory did not come to rest"))
	defer cancel()
	tick := time.NewTicker(restTick)
	defer tick.Stop()
	var last int64
	since := time.Now()
	for {
		info, err := t.Info(ctx, "memory", "clients")
		if err != nil {
			return 0, fmt.Errorf("read INFO: %w", err)
		}
		used, err := strconv.ParseInt(info["used_memory"], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read INFO: %w", err)
		}
		// Redis 7 does not tell of it, and is done within restTime.
		rehashing := info["mem_overhead_db_hashtable_rehashing"]
		quiet := info["connected_clients"] == "1" && (rehashing == "" || rehashing == "0")
		if !quiet || max(used, last)-min(used, last) > restNoise {
			last, since = used, time.Now()
		}
		if time.Since(since) >= restTime {
			return used, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}
