package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/toriibench/toriibench/compose"
	"github.com/toriibench/toriibench/results"
	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/runner/peers"
	"github.com/toriibench/toriibench/scenarios"
	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/valkeygo"
)

// What all generators read.
const (
	perfKeys     = 10_000 // a power of ten, see peers.Job
	perfValue    = 410    // bytes: the median of a session's record
	perfSessions = 10_000
	perfPrefix   = "toriibench-perf"
)

// contest is one comparison under way.
type contest struct {
	program *program
	options *perfOptions
	stage   stage
	result  results.Perf

	topology *compose.Topology
	job      peers.Job
	peers    []*peers.Peer
	// storage is what workload works through: it is opened for each turn, so that
	// idle connections of one generator do not cost another one anything.
	storage  *store.RedisStorage
	workload *scenarios.Workload
	pacing   load.Calibration
}

// run goes through the whole comparison on the client's processor; what it
// starts inherits that.
func (c *contest) run(ctx context.Context) (err error) {
	if err := c.findPeers(ctx); err != nil {
		return err
	}
	release, err := keepTo([]int{c.result.Setup.ClientCPU})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	return c.stage.perform(ctx, c.program.stderr, func(ctx context.Context, t *compose.Topology) error {
		c.topology = t
		if err := c.prepare(ctx); err != nil {
			return err
		}
		written, err := profile(c.options.profile)
		if err != nil {
			return err
		}
		return errors.Join(c.rounds(ctx), written())
	})
}

// profile writes a processor profile of this program to a file, for go tool pprof;
// each sample has the label "turn". An empty path profiles nothing.
func profile(path string) (written func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("create the profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("profile: %w", err), f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// findPeers looks which other generators there are. One that is missing is told.
func (c *contest) findPeers(ctx context.Context) error {
	miss := func(err error) {
		c.result.Missing = append(c.result.Missing, oneLine(err))
		fmt.Fprintf(c.program.stderr, "not compared with: %s\n", oneLine(err))
	}
	for _, engine := range []string{compose.Redis, compose.Valkey} {
		tool, err := compose.FindTool(ctx, engine, "", compose.Options{Log: c.program.stderr})
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			miss(fmt.Errorf("%s-benchmark: %w", engine, err))
			continue
		}
		c.peers = append(c.peers, peers.Benchmark(tool.Name, tool.Version, tool.Origin, tool.Command))
	}
	memtier, err := peers.Memtier(ctx)
	if err != nil {
		miss(err)
		return nil
	}
	c.peers = append(c.peers, memtier)
	return nil
}

// prepare stores what is read and chooses how to wait.
func (c *contest) prepare(ctx context.Context) error {
	r := &c.result
	r.Server = results.Server{Name: c.topology.Engine, Version: c.topology.Version}
	r.Provider, r.Origin = c.topology.Provider, c.topology.Origin
	r.Setup.Keys, r.Setup.ValueBytes, r.Setup.Sessions = perfKeys, perfValue, perfSessions
	address, err := url.Parse(c.topology.URLs[0])
	if err != nil {
		return fmt.Errorf("read the server's address: %w", err)
	}
	port, err := strconv.Atoi(address.Port())
	if err != nil {
		return fmt.Errorf("read the server's address: %w", err)
	}
	c.job = peers.Job{Host: address.Hostname(), Port: port, Connections: c.options.connections, Keys: perfKeys, Length: c.options.length}
	fmt.Fprintf(c.program.stderr, "loading %d keys of %d bytes, and %d sessions with their users\n", perfKeys, perfValue, perfSessions)
	if err := errors.Join(c.loadKeys(ctx), c.loadSessions(ctx)); err != nil {
		return fmt.Errorf("load the population: %w", err)
	}
	for _, p := range c.peers {
		if err := p.Prepare(ctx, c.job); err != nil {
			return err
		}
	}
	return c.choosePacing(ctx)
}

// choosePacing tries the waits on the generator's processor.
func (c *contest) choosePacing(ctx context.Context) (err error) {
	c.pacing, err = load.Calibrate(ctx, clientCPU)
	c.result.Environment.Pacing = string(c.pacing.Pacing)
	return err
}

func (c *contest) storeConfig() store.Config {
	return store.Config{URLs: c.topology.URLs, KeyPrefix: perfPrefix, PoolSize: c.options.connections}
}

// loadSessions stores the sessions and users that authenticate reads.
func (c *contest) loadSessions(ctx context.Context) (err error) {
	c.storage = new(store.RedisStorage)
	s := scenarios.Authentication()
	c.workload, err = s.New(scenarios.Env{
		Storage: c.storage, Rate: s.Rate, Population: perfSessions, For: c.options.length, Seed: c.options.seed,
	})
	if err != nil {
		return err
	}
	st, err := store.Open(ctx, c.storeConfig(), valkeygo.Dial)
	if err != nil {
		return err
	}
	return errors.Join(c.workload.Load(ctx, st), st.Close())
}

// turn is what comes round: a generator, or an open loop.
type turn struct {
	name string
	do   func(ctx context.Context, round, position int) error
}

// rounds lets each have its turns, and keeps which of them failed.
func (c *contest) rounds(ctx context.Context) (err error) {
	c.result.Failed, err = inRounds(ctx, c.options.rounds, c.turns(), c.program.stderr)
	return err
}

// inOrder is the order of n turns in a round, after Williams: in 2n rounds, or n
// where n is even, each comes as often at each place, and as often after each
// other one, so that neither a drift of the machine nor what one leaves behind
// favours anybody. All those orders differ.
func inOrder(round, n int) []int {
	order := make([]int, n)
	for place := range order {
		step := (place + 1) / 2 // 0, 1, -1, 2, -2, ...
		if place%2 == 0 {
			step = n - step
		}
		order[place] = (step + round) % n
	}
	if n%2 == 1 && round%2 == 1 {
		slices.Reverse(order)
	}
	return order
}

// inRounds lets each have its turn once in a round, each round in another order.
// It returns which turns failed.
func inRounds(ctx context.Context, rounds int, turns []turn, log io.Writer) (failed []string, err error) {
	for round := range rounds {
		for position, next := range inOrder(round, len(turns)) {
			if ctx.Err() != nil {
				return failed, context.Cause(ctx)
			}
			t := turns[next]
			fmt.Fprintf(log, "round %d of %d: %s\n", round+1, rounds, t.name)
			runtime.GC() // What the one before left is not this one's to clear away.
			var err error
			pprof.Do(ctx, pprof.Labels("turn", strings.ReplaceAll(t.name, ",", "")), func(ctx context.Context) { err = t.do(ctx, round, position) })
			if err != nil && ctx.Err() == nil {
				text := fmt.Sprintf("round %d, %s: %s", round+1, t.name, oneLine(err))
				failed = append(failed, text)
				fmt.Fprintln(log, text)
			}
		}
	}
	if ctx.Err() != nil {
		return failed, context.Cause(ctx)
	}
	return failed, nil
}

// value is what a key holds; it differs from key to key.
func value(rng *rand.Rand) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	text := make([]byte, perfValue)
	for i := range text {
		text[i] = letters[rng.IntN(len(letters))]
	}
	return string(text)
}

// perSecond is a rate; 0 when no time was measured.
func perSecond(n int64, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}
