package runner

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"

	"github.com/toriibench/toriibench/compose"
	"github.com/toriibench/toriibench/results"
	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/valkeygo"
)

// storeContest is one comparison of stores under way.
type storeContest struct {
	program  *program
	options  *storesOptions
	stage    stage
	entrants []StorePeer
	// people are the logins of all users, of which every session is one.
	people []Login
	result results.PerfStores

	topology *compose.Topology
}

// newPeople makes logins of users who do not exist yet. Their browsers differ as
// those of Chrome on a desktop do: by version and system.
func newPeople(seed uint64, n int) []Login {
	systems := []string{"Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64"}
	rng := rand.New(rand.NewPCG(seed, 1))
	people := make([]Login, n)
	for i := range people {
		people[i] = Login{
			UserID: store.NewUserID(),
			UserAgent: fmt.Sprintf("Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36",
				systems[rng.IntN(len(systems))], 120+rng.IntN(30)),
			IPAddress: fmt.Sprintf("%d.%d.%d.%d", 100+rng.IntN(100), 100+rng.IntN(156), 100+rng.IntN(156), 100+rng.IntN(156)),
		}
	}
	return people
}

// run goes through the whole comparison on the client's processor; what it
// starts inherits that.
func (c *storeContest) run(ctx context.Context) (err error) {
	release, err := keepTo([]int{c.stage.clientCPU})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := c.stage.perform(ctx, c.program.stderr, c.race); err != nil {
		return err
	}
	return c.weigh(ctx)
}

// race measures time, on one server.
func (c *storeContest) race(ctx context.Context, t *compose.Topology) error {
	c.topology = t
	r := &c.result
	r.Server = results.Server{Name: t.Engine, Version: t.Version}
	r.Origin = t.Origin
	record, err := json.Marshal(c.people[0].begun())
	if err != nil {
		return fmt.Errorf("encode a session: %w", err)
	}
	r.Setup.LoginBytes = len(record)
	fmt.Fprintf(c.program.stderr, "creating %d users\n", len(c.people))
	if err := createUsers(ctx, t.URLs[0], c.people, c.options.connections); err != nil {
		return fmt.Errorf("create users: %w", err)
	}
	var turns []turn
	for i, e := range c.entrants {
		r.Stores = append(r.Stores, results.PerfStore{
			Name: e.Name, Ours: e.ours, Version: e.Version, Connections: cmp.Or(e.connections, c.options.connections),
		})
		turns = append(turns, turn{e.Name, func(ctx context.Context, round, position int) error {
			return c.turn(ctx, i, round, position)
		}})
	}
	written, err := profile(c.options.profile)
	if err != nil {
		return err
	}
	r.Failed, err = inRounds(ctx, c.options.rounds, turns, c.program.stderr)
	return errors.Join(err, written())
}

// turn is one of a store: it creates sessions, finds, refreshes and deletes them.
// It counts when all of that went well; if not, it leaves the server as it found
// it.
func (c *storeContest) turn(ctx context.Context, entrant, round, position int) (err error) {
	opened, err := c.entrants[entrant].Open(ctx, c.topology.URLs[0], c.options.connections)
	if err != nil {
		return err
	}
	defer func() {
		if err = closing(err, opened); err != nil && ctx.Err() == nil {
			err = errors.Join(err, c.restore(ctx))
		}
	}()
	v := newVisit(opened, c.people, c.options.connections, c.options.seed+uint64(round))
	if err := v.warmUp(ctx); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	var samples []results.PerfSample
	for _, operation := range storeOperations() {
		if operation == operationFind {
			if err := v.even(ctx); err != nil {
				return fmt.Errorf("keep one session of each user: %w", err)
			}
		}
		sample, err := c.measure(ctx, v.loopOf(operation, c.options.length))
		if err != nil {
			return fmt.Errorf("%s: %w", operation, err)
		}
		sample.Round, sample.Position = round, position
		samples = append(samples, sample)
	}
	if err := v.leave(ctx); err != nil {
		return fmt.Errorf("clear away: %w", err)
	}
	c.keep(entrant, samples)
	return nil
}

// restore leaves nothing in the server but the users. What a turn has kept that
// failed, only its store knew.
func (c *storeContest) restore(ctx context.Context) error {
	url := c.topology.URLs[0]
	driver, err := valkeygo.Dial(ctx, store.Config{URLs: []string{url}})
	if err == nil {
		flush := &store.Script{Name: "flush", Lua: "redis.call('FLUSHALL', 'SYNC') return {'OK'}"}
		_, err = driver.Eval(ctx, flush, []string{"all"})
		err = closing(err, driver)
	}
	if err == nil {
		err = createUsers(ctx, url, c.people, c.options.connections)
	}
	if err != nil {
		return fmt.Errorf("clear away after a failed turn: %w", err)
	}
	return nil
}

// keep adds the samples of a turn to those of its store.
func (c *storeContest) keep(entrant int, samples []results.PerfSample) {
	s := &c.result.Stores[entrant]
	for i, name := range storeOperations() {
		if len(s.Operations) == i {
			s.Operations = append(s.Operations, results.PerfStoreOperation{Name: name})
		}
		s.Operations[i].Samples = append(s.Operations[i].Samples, samples[i])
	}
}

// measure runs a loop and reads what it cost on both sides.
func (c *storeContest) measure(ctx context.Context, l *lapLoop) (s results.PerfSample, err error) {
	before, err := countServed(ctx, c.topology)
	if err != nil {
		return s, err
	}
	runtime.GC() // What the operation before left is not this one's to clear away.
	done, err := l.run(ctx)
	if err != nil {
		return s, err
	}
	after, err := countServed(ctx, c.topology)
	if err != nil {
		return s, err
	}
	spent := after.since(before)
	// Each operation is a command at least, or else none of the server's.
	if done.operations == 0 || spent.commands < done.operations {
		return s, fmt.Errorf("it counts %d operations, and the server %d commands", done.operations, spent.commands)
	}
	return sampleOf(done.operations, perSecond(done.operations, done.elapsed), cost{client: &done.client, server: &spent.cpu}), nil
}
