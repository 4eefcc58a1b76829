package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/toriibench/toriibench/compose"
	"github.com/toriibench/toriibench/results"
	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/scenarios"
	"github.com/toriibench/toriibench/store"
)

// cellRun is one cell being measured.
type cellRun struct {
	bench    *bench
	scenario scenarios.Scenario
	target   compose.Target
	client   client

	topology *compose.Topology
	storage  *store.RedisStorage
	workload *scenarios.Workload
	spool    spool
	// uncertainty is of the percentiles of what is being measured.
	uncertainty uncertainty
	audit       audit
	// counted is what had been counted when measuring began, and statsReset tells
	// that the server began anew then.
	counted    tally
	statsReset bool
	// cell is what there is to tell; its Scenario is empty until measuring began.
	cell results.Cell
}

// What is done after a cell is bounded, also after an interrupt. Deleting keys
// takes a walk through everything that an external server holds.
const (
	closeTime  = 30 * time.Second
	deleteTime = 10 * time.Minute
)

// run starts the server, measures, and takes everything away again.
func (c *cellRun) run(ctx context.Context) (err error) {
	c.bench.progress.phase("start the server")
	release, err := c.place().hold()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	c.topology, err = c.bench.provider.Start(ctx, c.target, c.serverOptions())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close(ctx)) }()
	c.resolveTarget()
	ctx, stop := whileAlive(ctx, c.topology)
	defer stop()
	if err := c.open(ctx); err != nil {
		return causeOf(ctx, err)
	}
	defer func() { err = errors.Join(err, c.closeStorage(ctx)) }()
	return causeOf(ctx, c.phases(ctx))
}

func (c *cellRun) serverOptions() compose.Options {
	return compose.Options{
		Log:            c.bench.progress,
		Binary:         c.bench.options.binaries[c.target.Engine],
		PublishedPorts: c.bench.options.publishedPorts,
		Image:          c.bench.options.images[c.target.Engine],
		NeedBytes:      c.scenario.Need(c.bench.options.env(c.scenario)),
		CPUs:           c.place().server,
		Rules:          c.rules(),
		Args:           c.bench.options.serverArgs(),
		Links:          c.scenario.Links != nil && c.scenario.Links(c.bench.options.env(c.scenario)),
	}
}

// rules are what the store's user has to be allowed, where users are told apart.
func (c *cellRun) rules() string {
	cfg := store.Config{KeyPrefix: c.bench.prefix, ClusterMode: c.target.Topology == compose.Cluster}
	if c.target.Topology == compose.Sentinel {
		cfg.MasterName = compose.MasterName
	}
	return cfg.ACLRules()
}

// place is where server and generator run: anywhere for a server that somebody
// else runs, and for a topology of several.
func (c *cellRun) place() placement {
	if c.target.URL != "" {
		return placement{why: "the server is not ours"}
	}
	if c.target.Topology != compose.Standalone {
		return placement{why: "there are several servers"}
	}
	return c.bench.place
}

// resolveTarget names the version that really runs where none was asked for,
// so that the result can be compared with another day's.
func (c *cellRun) resolveTarget() {
	if c.target.URL != "" || c.target.Version != "" {
		return
	}
	parts := strings.Split(c.topology.Version, ".")
	resolved := c.target
	resolved.Version = strings.Join(parts[:min(2, len(parts))], ".")
	for _, other := range c.bench.plan.targets {
		if other.String() == resolved.String() {
			return // It is measured by that name already.
		}
	}
	c.target = resolved
}

// whileAlive ends the context when a server does, with the server's own words as
// the cause.
func whileAlive(ctx context.Context, t *compose.Topology) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-t.Died():
			cancel(fmt.Errorf("the server ended in mid-run: %w", t.Err()))
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// causeOf tells why ctx ended instead of that it did.
func causeOf(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (c *cellRun) open(ctx context.Context) (err error) {
	cfg := c.storeConfig()
	c.storage, err = store.Open(ctx, cfg, c.client.dial)
	return err
}

func (c *cellRun) storeConfig() store.Config {
	access := c.topology.Access
	return store.Config{
		URLs:     c.topology.URLs,
		Username: access.Username, Password: access.Password,
		MasterName:       access.MasterName,
		SentinelUsername: access.SentinelUsername, SentinelPassword: access.SentinelPassword,
		ClusterMode:  access.Cluster,
		TLS:          access.TLS,
		DialContext:  access.DialContext,
		KeyPrefix:    c.bench.prefix,
		Connections:  c.bench.options.connections,
		WaitReplicas: c.bench.options.waitReplicas,
	}
}

// closeStorage deletes what was written where the server stays.
func (c *cellRun) closeStorage(ctx context.Context) error {
	var err error
	if c.topology.Provider == compose.External().Name() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTime)
		defer cancel()
		c.bench.progress.phase("delete the run's keys")
		if _, err = c.storage.DeleteAll(ctx); err != nil {
			err = fmt.Errorf("delete the run's keys (they begin with %q): %w", c.storeConfig().KeyPrefix, err)
		}
	}
	return errors.Join(err, c.storage.Close())
}

func (c *cellRun) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	return c.topology.Close(ctx)
}

// phases goes through a cell's phases: load and verify the population, warm up,
// drain, measure, drain, check.
func (c *cellRun) phases(ctx context.Context) (err error) {
	if c.workload, err = c.scenario.New(c.env()); err != nil {
		return err
	}
	before, err := c.info(ctx)
	if err != nil {
		return err
	}
	if err := c.load(ctx); err != nil {
		c.tooSlow(err)
		return fmt.Errorf("load the population: %w", err)
	}
	loaded, err := c.info(ctx)
	if err != nil {
		return err
	}
	result, cost, err := c.drive(ctx)
	if result == nil {
		return err
	}
	c.cell = c.newCell(result)
	c.addUncertainty()
	c.bench.result.Environment.Pacing = result.Waiter
	c.addCost(result, cost)
	c.addTally(c.tally(context.WithoutCancel(ctx)))
	c.addMachine(&c.audit)
	c.addMemory(before, loaded)
	if err == nil {
		err = c.check(ctx)
	}
	if err != nil {
		c.disprove("broken off: " + oneLine(causeOf(ctx, err)))
	}
	c.addFindings(result.Started)
	return err
}

// load stores the population over connections of its own, which are gone when
// the memory is looked at: their buffers would count as the sessions'.
func (c *cellRun) load(ctx context.Context) error {
	c.bench.progress.phase("load")
	cfg := c.storeConfig()
	cfg.Connections = 0
	loader, err := store.Open(ctx, cfg, c.client.dial)
	if err != nil {
		return err
	}
	return errors.Join(c.workload.Load(ctx, loader), loader.Close())
}

// tooSlow keeps a cell that could not be measured as one that proves nothing.
func (c *cellRun) tooSlow(err error) {
	if errors.Is(err, scenarios.ErrTooSlow) {
		c.cell = c.newCell(&load.Result{Closed: c.bench.options.closed > 0})
		c.cell.Reasons = []string{oneLine(err)}
	}
}

func (c *cellRun) env() scenarios.Env {
	env := c.bench.options.env(c.scenario)
	env.Storage, env.Info, env.Progress = c.storage, c.topology.Info, c.bench.progress.loading
	env.Servers = c.servers()
	return env
}

// drive runs the traffic. It returns a result whenever measuring had begun, also
// with an error.
func (c *cellRun) drive(ctx context.Context) (*load.Result, cost, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := newWatcher(ctx, c.workload.Watch)
	defer watch.stop()
	defer c.audit.end()
	waiter := c.bench.calibration.NewWaiter()
	defer func() { _ = waiter.Close() }() // Nothing was written to it.
	var before *cost
	result, err := load.Run(ctx, load.Config{
		Warmup: c.workload.Warmup, Measure: c.workload.Measure,
		Workers: c.workers(), Closed: c.bench.options.closed > 0, Waiter: waiter,
		Timeout: c.bench.options.timeout, Seed: c.bench.options.seed, TraceEvery: c.traceEvery(),
		OnPhase: func(phase load.Phase) {
			c.bench.progress.phase(string(phase))
			if phase == load.PhaseMeasure {
				c.beginTally(ctx)
			}
			if c.workload.OnPhase != nil {
				c.workload.OnPhase(ctx, phase)
			}
			if phase == load.PhaseMeasure {
				before = new(c.spent(ctx))
				watch.start()
				c.audit.begin()
			}
			if phase == load.PhaseDrain {
				watch.stop()
			}
		},
		OnInterval: func(i load.Interval) {
			c.audit.second(i)
			c.spool.add(i)
			if c.spool.full() {
				if err := c.spool.empty(c.takeSecond); err != nil {
					cancel(err)
				}
			}
			c.bench.metrics.observe(cellLabels{c.scenario.Name, c.target.Name(), c.client.name}, i)
		},
	}, tracing{c.workload.Traffic})
	if before == nil {
		return nil, cost{}, err
	}
	spent := c.spent(context.WithoutCancel(ctx)).since(*before)
	return result, spent, errors.Join(causeOf(ctx, err), c.spool.empty(c.takeSecond))
}

// takeSecond keeps a second's histograms: their counts, and in the log.
func (c *cellRun) takeSecond(i load.Interval) error {
	c.uncertainty.add(i.Operations)
	return c.logInterval(i)
}

// workers is how many operations may be under way; 0 leaves it to the engine.
func (c *cellRun) workers() int {
	if c.bench.options.closed > 0 {
		return c.bench.options.closed
	}
	return c.workload.Workers
}

// logInterval writes a second's histograms to the log.
func (c *cellRun) logInterval(i load.Interval) error {
	cell := results.Cell{Scenario: c.scenario.Name, Target: c.target.Name(), Client: c.client.name}
	for _, op := range i.Operations {
		clocks := map[string]*hdrhistogram.Histogram{results.ClockService: op.Service}
		if c.bench.options.closed == 0 {
			clocks[results.ClockResponse], clocks[results.ClockLag] = op.Response, op.Lag
		}
		for clock, h := range clocks {
			if err := c.bench.log.Append(results.Tag(cell.ID(), op.Name, clock), i.Start, i.End, h); err != nil {
				return err
			}
		}
	}
	return nil
}

// check looks at what is left.
func (c *cellRun) check(ctx context.Context) error {
	c.bench.progress.phase("check")
	if c.workload.Check == nil {
		return nil
	}
	if err := c.workload.Check(ctx); err != nil {
		return fmt.Errorf("check what is left: %w", err)
	}
	return nil
}

// info reads the fields of INFO that a cell needs before and after.
func (c *cellRun) info(ctx context.Context) (map[string]string, error) {
	info, err := c.topology.Info(ctx, "memory")
	if err != nil {
		return nil, fmt.Errorf("read INFO: %w", err)
	}
	return info, nil
}

// watcher runs a workload's sampling beside the traffic.
type watcher struct {
	watch  func(context.Context)
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func newWatcher(ctx context.Context, watch func(context.Context)) *watcher {
	ctx, cancel := context.WithCancel(ctx)
	return &watcher{watch: watch, ctx: ctx, cancel: cancel}
}

func (w *watcher) start() {
	if w.watch != nil {
		w.done.Go(func() { w.watch(w.ctx) })
	}
}

// stop ends the sampling and waits for its end. It may be called twice.
func (w *watcher) stop() {
	w.cancel()
	w.done.Wait()
}

// settings puts together what a reader needs to repeat the cell.
func (c *cellRun) settings(workers int) map[string]string {
	all := map[string]string{
		"origin":  c.topology.Origin,
		"workers": strconv.Itoa(workers),
		"timeout": c.bench.options.timeout.String(),
		"warmup":  c.bench.options.warmup.String(),
		"pinning": c.place().String(),
	}
	if len(c.bench.options.serverOptions) > 0 {
		all["server options"] = strings.Join(c.bench.options.serverOptions, "; ")
	}
	for name, value := range c.client.settings(c.storeConfig()) {
		all["client "+name] = value
	}
	maps.Copy(all, c.workload.Settings)
	return all
}
