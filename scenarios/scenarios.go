// Package scenarios holds the named kinds of traffic. A [Scenario] is a value;
// made ready for one storage it is a [Workload]: a population, a seeded plan of
// operations, stages in time, and invariants that are checked while it runs.
//
// To add one, write its file, and name it in [All].
package scenarios

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/store"
)

// Scenario is a named kind of traffic.
type Scenario struct {
	Name string
	// About says in one sentence what a person learns from it.
	About string
	// Operations are the kinds of operation, and Headline the one whose latency
	// stands for the scenario.
	Operations []string
	Headline   string
	// Rate is the offered rate in operations/s, and Population the number of
	// sessions or users, when the caller names none.
	Rate       float64
	Population int
	// Length is how long to measure when the caller does not say; 0 leaves it to
	// the caller.
	Length time.Duration
	// Needs is what it asks of the servers beside answers to its traffic.
	Needs Needs
	// Links says whether Servers must be able to cut and delay links; nil means no.
	Links func(Env) bool
	// Check refuses what the scenario cannot do; nil means nothing. It plans
	// nothing and needs no Storage.
	Check func(Env) error
	// Need is how many bytes the server must have room for.
	Need func(Env) int64
	// New plans the workload of an Env that Check has passed. Nothing is sent
	// before Workload.Load.
	New func(Env) (*Workload, error)
}

// What a session (its index entry and its share of a user included) and a cached
// user take at the most on average, in bytes, with room to spare.
const (
	bytesPerSession = 2048
	bytesPerUser    = 1024
)

// Env is what a workload is made of.
type Env struct {
	Storage *store.RedisStorage
	// Rate in operations/s, Population, Warmup and For are all set.
	Rate       float64
	Population int
	Warmup     time.Duration
	For        time.Duration
	Seed       uint64
	// Schedule is what is measured: it lasts For, with Rate as its mean. Empty it
	// stands for Poisson arrivals.
	Schedule load.Schedule
	// Profile names the traffic mix of session-churn, "P1" to "P4".
	Profile string
	// Info reads the server's INFO fields. It is nil where there is none (a
	// test in memory); what needs it is then left out of the measurements.
	Info func(ctx context.Context, sections ...string) (map[string]string, error)
	// Servers breaks servers on purpose; nil where nobody can, and where they are
	// not the run's own.
	Servers Servers
	// Fault is what failover does to a primary, one of Faults, and Lag by how much
	// the replicas are held back before; Cut cuts them off.
	Fault string
	Lag   time.Duration
	// Policy is the maxmemory-policy of eviction, one of Policies.
	Policy string
	// Progress, when set, hears how far loading has come.
	Progress func(done, total int)
}

// Workload is a scenario ready to run against one storage. Traffic, Measure,
// Load and Invariants are always set.
type Workload struct {
	Traffic load.Traffic
	Warmup  load.Schedule
	Measure load.Schedule
	// Workers bounds the operations in flight; 0 leaves it to the engine.
	Workers int
	// Faulty says that servers are broken on purpose: operations may fail and come
	// late.
	Faulty bool
	// Settings are recorded with the result.
	Settings map[string]string
	// Sessions is how many sessions Load stores; 0 where bytes per session
	// would mean nothing.
	Sessions int
	// Load stores the population through st and verifies it. st may be another
	// storage than Env's, over the same keys, and is not used afterwards.
	Load func(ctx context.Context, st *store.RedisStorage) error
	// OnPhase hears of each phase before its first operation is planned, and may
	// hold the phase back.
	OnPhase func(context.Context, load.Phase)
	// Watch samples the server while the measured phase goes on, until ctx ends.
	Watch func(ctx context.Context)
	// Check looks at what is left when all traffic has ended.
	Check func(ctx context.Context) error

	Invariants *Invariants
	// Measurements are numbers of its own, and Marks moments worth seeing; started is
	// when measuring really started.
	Measurements func(started time.Time) map[string]Measurement
	Marks        func(started time.Time) []Mark
	// Scorecard tells what faults have done, after Check; nil where there are none.
	Scorecard func(started time.Time) Scorecard
}

// Measurement is a number that only this scenario measures.
type Measurement struct {
	Value float64
	Unit  string
	About string
}

// readClock compares the server's clock with ours and returns by how much the
// two may differ: the difference that was measured and the error of measuring
// it, which the shortest of nine round trips bounds best. Without Info it is 0.
func (e Env) readClock(ctx context.Context) (doubt time.Duration, err error) {
	if e.Info == nil {
		return 0, nil
	}
	shortest := time.Hour
	for range 9 {
		sent := time.Now()
		info, err := e.Info(ctx, "server")
		done := time.Now()
		if err != nil {
			return 0, fmt.Errorf("read the server's clock: %w", err)
		}
		usec, err := strconv.ParseInt(info["server_time_usec"], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the server's clock: INFO has server_time_usec %q", info["server_time_usec"])
		}
		if half := done.Sub(sent) / 2; half < shortest {
			shortest = half
			doubt = half + time.UnixMicro(usec).Sub(sent.Add(half)).Abs()
		}
	}
	return doubt, nil
}

// Mark is a moment worth seeing on the time axis, after the start of measuring.
type Mark struct {
	At    time.Duration
	Label string
}

// All lists the scenarios in the order in which they run.
func All() []Scenario {
	return []Scenario{SessionChurn(), CacheReadStorm(), TTLExpiry(), Failover(), BackgroundSave(), Eviction()}
}

// ByName finds scenarios by name, in the order asked for.
func ByName(names []string) ([]Scenario, error) {
	all := All()
	var found []Scenario
	for _, name := range names {
		i := indexOf(all, name)
		if i < 0 {
			return nil, fmt.Errorf("unknown scenario %q: there are %s", name, strings.Join(Names(), ", "))
		}
		found = append(found, all[i])
	}
	return found, nil
}

// Default names those that run when nobody asks for others: the good days, which
// every target can serve.
func Default() []string {
	return []string{SessionChurn().Name, CacheReadStorm().Name, TTLExpiry().Name}
}

// Names lists the scenarios' names.
func Names() []string {
	var names []string
	for _, s := range All() {
		names = append(names, s.Name)
	}
	return names
}

func indexOf(all []Scenario, name string) int {
	for i, s := range all {
		if s.Name == name {
			return i
		}
	}
	return -1
}

// measured is the schedule that is measured.
func (e Env) measured() load.Schedule {
	if e.Schedule.Equal(load.Schedule{}) {
		return load.Poisson(e.Rate, e.For)
	}
	return e.Schedule
}

// warmedUp is the schedule of the warm-up.
func (e Env) warmedUp() load.Schedule { return e.measured().WarmUp(e.Warmup) }
