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

// measurement is one cell being measured.
type measurement struct {
	*bench
	scenario scenarios.Scenario
	target   compose.Target
	client   client

	topology *compose.Topology
	storage  *store.RedisStorage
	workload *scenarios.Workload
	// cell is what there is to tell; its Scenario is empty until measuring began.
	cell results.Cell
}

// cleanupTime bounds what is done after a cell, also after an interrupt.
const cleanupTime = 30 * time.Second

// needPerSession is what a session, its index entry and its share of a user take
// at the most, in bytes: what an external server must have room for.
const needPerSession = 2048

// run starts the server, measures, and takes everything away again.
func (m *measurement) run(ctx context.Context) (err error) {
	m.progress.phase("start the server")
	m.topology, err = m.provider.Start(ctx, m.target, m.serverOptions())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close(ctx)) }()
	m.resolveTarget()
	ctx, stop := m.whileAlive(ctx)
	defer stop()
	if err := m.open(ctx); err != nil {
		return causeOf(ctx, err)
	}
	defer func() { err = errors.Join(err, m.closeStorage(ctx)) }()
	return causeOf(ctx, m.measure(ctx))
}

func (m *measurement) serverOptions() compose.Options {
	return compose.Options{
		Log:       m.progress,
		Binary:    m.o.binaries[m.target.Engine],
		Image:     m.o.images[m.target.Engine],
		NeedBytes: int64(m.o.env(m.scenario).Population) * needPerSession,
	}
}

// resolveTarget names the version that really runs where none was asked for,
// so that the result can be compared with another day's.
func (m *measurement) resolveTarget() {
	if m.target.URL != "" || m.target.Version != "" {
		return
	}
	parts := strings.Split(m.topology.Version, ".")
	resolved := m.target
	resolved.Version = strings.Join(parts[:min(2, len(parts))], ".")
	for _, other := range m.plan.targets {
		if other.String() == resolved.String() {
			return // It is measured by that name already.
		}
	}
	m.target = resolved
}

// whileAlive ends the context when the server does, with the server's own words
// as the cause.
func (m *measurement) whileAlive(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-m.topology.Died():
			cancel(fmt.Errorf("the server ended in mid-run: %w", m.topology.Err()))
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

func (m *measurement) open(ctx context.Context) (err error) {
	cfg := m.storeConfig()
	m.storage, err = store.Open(ctx, cfg, m.client.dial)
	return err
}

func (m *measurement) storeConfig() store.Config {
	return store.Config{
		URLs:      m.topology.URLs,
		KeyPrefix: "toriibench-" + strconv.FormatInt(m.began.UnixMilli(), 36),
	}
}

// closeStorage deletes what was written where the server stays.
func (m *measurement) closeStorage(ctx context.Context) error {
	var err error
	if m.topology.Provider == compose.External().Name() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer cancel()
		m.progress.phase("delete the run's keys")
		if _, err = m.storage.DeleteAll(ctx); err != nil {
			err = fmt.Errorf("delete the run's keys (they begin with %q): %w", m.storeConfig().KeyPrefix, err)
		}
	}
	return errors.Join(err, m.storage.Close())
}

func (m *measurement) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	return m.topology.Close(ctx)
}

// measure goes through the phases: load and verify the population, warm up,
// drain, measure, drain, check.
func (m *measurement) measure(ctx context.Context) (err error) {
	if m.workload, err = m.scenario.New(m.env()); err != nil {
		return err
	}
	before, err := m.info(ctx)
	if err != nil {
		return err
	}
	if err := m.load(ctx); err != nil {
		return fmt.Errorf("load the population: %w", err)
	}
	loaded, err := m.info(ctx)
	if err != nil {
		return err
	}
	result, cost, err := m.drive(ctx)
	if result == nil {
		return err
	}
	m.cell = m.newCell(result)
	m.addCost(result, cost)
	m.addMemory(before, loaded)
	if err != nil {
		m.breakOff(ctx, err)
		return err
	}
	return m.check(ctx)
}

// load stores the population over connections of its own, which are gone when
// the memory is looked at: their buffers would count as the sessions'.
func (m *measurement) load(ctx context.Context) error {
	m.progress.phase("load")
	loader, err := store.Open(ctx, m.storeConfig(), m.client.dial)
	if err != nil {
		return err
	}
	return errors.Join(m.workload.Load(ctx, loader), loader.Close())
}

func (m *measurement) env() scenarios.Env {
	env := m.o.env(m.scenario)
	env.Storage, env.Info, env.Progress = m.storage, m.topology.Info, m.progress.loading
	return env
}

// cost is the processor time that the measured phase took, on both sides.
type cost struct {
	client, server time.Duration
}

// drive runs the traffic. It returns a result whenever measuring had begun, also
// with an error.
func (m *measurement) drive(ctx context.Context) (*load.Result, cost, error) {
	var spent cost
	logErr := make(chan error, 1)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := newWatcher(ctx, m.workload.Watch)
	defer watch.stop()
	begun := false
	result, err := load.Run(ctx, load.Config{
		Warmup: m.workload.Warmup, Measure: m.workload.Measure, Workers: m.workload.Workers,
		Timeout: m.o.timeout, Seed: m.o.seed,
		OnPhase: func(phase load.Phase) {
			if m.workload.OnPhase != nil {
				m.workload.OnPhase(ctx, phase)
			}
			m.progress.phase(string(phase))
			if phase == load.PhaseMeasure {
				begun = true
				watch.start()
				spent = m.spent(ctx)
			}
			if phase == load.PhaseDrain {
				watch.stop()
			}
		},
		OnInterval: func(i load.Interval) {
			if err := m.logInterval(i); err != nil {
				select {
				case logErr <- err:
					cancel(err)
				default:
				}
			}
		},
	}, m.workload.Traffic)
	now := m.spent(context.WithoutCancel(ctx))
	spent = cost{now.client - spent.client, now.server - spent.server}
	if !begun {
		return nil, spent, errors.Join(err)
	}
	return result, spent, causeOf(ctx, err)
}

// logInterval writes a second's histograms to the log.
func (m *measurement) logInterval(i load.Interval) error {
	cell := results.Cell{Scenario: m.scenario.Name, Target: m.target.String(), Client: m.client.name}
	for _, op := range i.Operations {
		for clock, h := range map[string]*hdrhistogram.Histogram{
			results.ClockResponse: op.Response, results.ClockService: op.Service, results.ClockLag: op.Lag,
		} {
			if err := m.log.Append(results.Tag(cell.ID(), op.Name, clock), i.Start, i.End, h); err != nil {
				return err
			}
		}
	}
	return nil
}

// check looks at what is left and adds the scenario's findings.
func (m *measurement) check(ctx context.Context) error {
	m.progress.phase("check")
	if m.workload.Check != nil {
		if err := m.workload.Check(ctx); err != nil {
			m.breakOff(ctx, err)
			return fmt.Errorf("check what is left: %w", err)
		}
	}
	m.addFindings()
	return nil
}

// breakOff marks a cell that was not measured to its end.
func (m *measurement) breakOff(ctx context.Context, err error) {
	m.cell.Verdict = results.Invalid
	m.cell.Reasons = append([]string{"broken off: " + oneLine(causeOf(ctx, err))}, m.cell.Reasons...)
	m.addFindings()
}

// info reads the fields of INFO that a cell needs before and after.
func (m *measurement) info(ctx context.Context) (map[string]string, error) {
	info, err := m.topology.Info(ctx, "memory")
	if err != nil {
		return nil, fmt.Errorf("read INFO: %w", err)
	}
	return info, nil
}

// spent reads how much processor time both sides have used so far. A server that
// does not tell counts as zero; the cost is then left out.
func (m *measurement) spent(ctx context.Context) cost {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c := cost{client: ownCPU()}
	info, err := m.topology.Info(ctx, "cpu")
	if err != nil {
		return c
	}
	for _, name := range []string{"used_cpu_user", "used_cpu_sys"} {
		seconds, err := strconv.ParseFloat(info[name], 64)
		if err != nil {
			return cost{client: c.client}
		}
		c.server += time.Duration(seconds * float64(time.Second))
	}
	return c
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
func (m *measurement) settings() map[string]string {
	all := map[string]string{
		"origin":  m.topology.Origin,
		"workers": strconv.Itoa(m.workload.Workers),
		"timeout": m.o.timeout.String(),
		"warmup":  m.o.warmup.String(),
	}
	for name, value := range m.client.settings(m.storeConfig()) {
		all["client "+name] = value
	}
	maps.Copy(all, m.workload.Settings)
	return all
}
