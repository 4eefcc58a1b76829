package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

const (
	// firstFault is how long traffic goes on undisturbed before the first fault,
	// and calm before each of the others.
	firstFault = 3 * time.Second
	calm       = 3 * time.Second
	// lagLead is how long before a fault the replicas are held back.
	lagLead = time.Second
	// lookEvery is the pause between two looks at who is the primary.
	lookEvery = 25 * time.Millisecond
	// promotion bounds the wait for a new primary, and aftermath is how long the
	// fault lasts after it.
	promotion = 20 * time.Second
	aftermath = 2 * time.Second
	// healing bounds the wait until all is well again. An old primary that comes
	// back learns of it from its sentinels after ten seconds or so.
	healing = 45 * time.Second
	// roundRoom is what a round needs to be worth beginning.
	roundRoom = 10 * time.Second
	// expiryProbes is how many keys' ends are compared before and after.
	expiryProbes = 40
)

// round is one fault and what came of it.
type round struct {
	shard, server int
	// began is the fault, over when all was well again.
	began, over time.Time
	// detected and promoted are zero when they were never seen.
	detected, promoted time.Time
	// drift is the largest change of a key's end, and compared how many were.
	drift    time.Duration
	compared int
	trouble  string

	lost, resurrected, twice atomic.Int64
}

// watch breaks one primary after the other until there is no time for another.
func (f *failover) watch(ctx context.Context) {
	started := time.Now()
	if f.env.Servers == nil {
		f.notRun = "the servers are not the run's own to break"
		return
	}
	end := started.Add(f.env.For)
	waitFor(ctx, started.Add(firstFault))
	for shard := 0; ctx.Err() == nil && time.Until(end) > roundRoom; shard++ {
		r, err := f.round(ctx, shard)
		if r != nil {
			f.rounds = append(f.rounds, r)
		}
		if err != nil {
			f.notRun = err.Error()
			return
		}
		waitFor(ctx, time.Now().Add(calm))
	}
}

// round breaks the primary of a shard and mends it again, also when ctx ends.
func (f *failover) round(ctx context.Context, n int) (*round, error) {
	all := f.env.Servers.List(ctx)
	shards := 0
	for _, s := range all {
		shards = max(shards, s.Shard+1)
	}
	r := &round{shard: n % shards}
	at := slices.IndexFunc(all, func(s Server) bool { return s.Primary && s.Shard == r.shard })
	var replicas []int
	for _, s := range all {
		if s.Replica && s.Shard == r.shard {
			replicas = append(replicas, s.Number)
		}
	}
	if at < 0 || len(replicas) == 0 {
		return nil, fmt.Errorf("shard %d has no primary with a replica", r.shard)
	}
	r.server = all[at].Number
	ends := f.expiries(ctx, r.shard, r.server)
	if err := f.holdBack(ctx, r.server, replicas, f.env.Lag); err != nil {
		return nil, err
	}
	if f.env.Lag != 0 {
		waitFor(ctx, time.Now().Add(lagLead))
	}
	r.began = time.Now()
	err := f.inflict(ctx, r, replicas)
	if err == nil {
		f.follow(ctx, r, ends)
	}
	healCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healing)
	defer cancel()
	if healErr := f.heal(healCtx, r, replicas, err == nil); healErr != nil {
		r.trouble = healErr.Error()
		err = errors.Join(err, healErr)
	}
	r.over = time.Now()
	return r, err
}

// holdBack delays what the replicas hear of their primary.
func (f *failover) holdBack(_ context.Context, primary int, replicas []int, lag time.Duration) error {
	if f.env.Lag == 0 {
		return nil
	}
	for _, replica := range replicas {
		if err := f.env.Servers.Delay(replica, primary, lag); err != nil {
			return err
		}
	}
	return nil
}

func (f *failover) inflict(ctx context.Context, r *round, replicas []int) error {
	switch f.env.Fault {
	case FaultStop:
		return f.env.Servers.Stop(ctx, r.server)
	case FaultPartition:
		return f.env.Servers.Partition(r.server, true)
	case FaultManual:
		return f.env.Servers.Failover(ctx, replicas[0])
	default:
		return f.env.Servers.Kill(ctx, r.server)
	}
}

// follow watches until there is a new primary, and a little longer.
func (f *failover) follow(ctx context.Context, r *round, ends map[string]int64) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	limit := time.Now().Add(promotion)
	for r.promoted.IsZero() && time.Now().Before(limit) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if r.detected.IsZero() && f.env.Fault != FaultManual {
			if held, err := f.env.Servers.HeldForFailed(ctx, r.server); err == nil && held {
				r.detected = time.Now()
			}
		}
		for _, s := range f.env.Servers.List(ctx) {
			if s.Primary && s.Shard == r.shard && s.Number != r.server {
				r.promoted = time.Now()
				r.compare(ends, f.expiries(ctx, r.shard, s.Number))
			}
		}
	}
	if r.promoted.IsZero() {
		r.trouble = "no other server was primary within " + promotion.String()
	}
	waitFor(ctx, time.Now().Add(aftermath))
}

// heal ends the fault and waits until all is well.
func (f *failover) heal(ctx context.Context, r *round, replicas []int, broken bool) error {
	err := f.holdBack(ctx, r.server, replicas, 0)
	if broken {
		switch f.env.Fault {
		case FaultKill:
			err = errors.Join(err, f.env.Servers.Restart(ctx, r.server))
		case FaultStop:
			err = errors.Join(err, f.env.Servers.Continue(ctx, r.server))
		case FaultPartition:
			err = errors.Join(err, f.env.Servers.Partition(r.server, false))
		}
	}
	return errors.Join(err, f.env.Servers.Settled(ctx))
}

// expiries are the ends of some keys that nobody writes, in Unix milliseconds, as
// a server has them.
func (f *failover) expiries(ctx context.Context, shard, server int) map[string]int64 {
	ends := map[string]int64{}
	for _, a := range f.staying.accounts {
		key, slot := f.env.Storage.Locate(a.id)
		if f.env.Servers.ShardOf(slot) != shard {
			continue
		}
		reply, err := f.env.Servers.Ask(ctx, server, "PEXPIRETIME", key)
		if err != nil {
			break
		}
		if ms, ok := reply.(int64); ok && ms > 0 {
			ends[key] = ms
		}
		if len(ends) == expiryProbes {
			break
		}
	}
	return ends
}

// compare notes by how much ends have moved.
func (r *round) compare(before, after map[string]int64) {
	for key, was := range before {
		if is, found := after[key]; found {
			r.compared++
			r.drift = max(r.drift, (time.Duration(is-was) * time.Millisecond).Abs())
		}
	}
}

func (f *failover) marks(started time.Time) []Mark {
	var marks []Mark
	for _, r := range f.rounds {
		marks = append(marks, Mark{r.began.Sub(started), f.env.Fault})
		if !r.promoted.IsZero() {
			marks = append(marks, Mark{r.promoted.Sub(started), "new primary"})
		}
	}
	return marks
}
