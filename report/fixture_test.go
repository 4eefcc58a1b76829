package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/toriibench/toriibench/results"
)

// fixture makes a run as a small shared machine would give it: two targets and
// two clients in three scenarios, seeded, one of them with an expiry storm that
// stalls the server for 25 ms ten times a second.
type fixture struct {
	tb  testing.TB
	log *results.LogWriter
	run results.Run
}

var started = time.Date(2026, 11, 23, 8, 45, 0, 0, time.UTC)

// newFixture writes a run with its log into dir.
func newFixture(tb testing.TB, dir string) (*results.Run, *results.Log) {
	tb.Helper()
	w, err := results.CreateLog(dir)
	if err != nil {
		tb.Fatal(err)
	}
	f := fixture{tb: tb, log: w, run: results.Run{
		Schema: results.Schema, ID: "20261123T084500Z-bench", Started: started, Complete: true, Seconds: 754.2,
		Command: []string{"toriibench", "bench"}, Seed: 42,
		Environment: results.Environment{
			CPU: "Intel Xeon Platinum 8370C @ 2.80GHz", Cores: 2, MemoryMB: 7952, OS: "Debian GNU/Linux 12",
			Kernel: "Linux 6.1.0-28-amd64", Go: "go1.26.8", Pacing: "timerfd",
			Versions: map[string]string{"go-redis": "9.23.0", "valkey-go": "1.0.79"},
		},
	}}
	f.churn()
	f.storm()
	f.expiry()
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	if err := results.Write(dir, &f.run); err != nil {
		tb.Fatal(err)
	}
	run, err := results.Read(dir)
	if err != nil {
		tb.Fatal(err)
	}
	log, err := results.ReadLog(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return run, log
}

// shape says how a cell's latencies are made.
type shape struct {
	scenario, target, client string
	seed                     uint64
	rate, seconds            float64
	// weight is how many operations each drawn one stands for: fewer are made,
	// as many are counted.
	weight int64
	// mix gives each operation's share, in order.
	mix []share
	// median is in microseconds, sigma that of the logarithm.
	median, sigma float64
	// stalls are from-to in seconds: what is due in one waits for its end.
	stalls [][2]float64
}

type share struct {
	operation string
	part      float64
}

func (f *fixture) cells(scenario string, make func(target, client string, seed uint64, factor float64) shape, finish func(*results.Cell)) {
	seed := uint64(len(f.run.Cells))
	for _, target := range []string{"redis:7.0@standalone", "valkey:8.0@standalone"} {
		for _, client := range []string{"go-redis", "valkey-go"} {
			seed++
			factor := 1.0
			if target[0] == 'v' {
				factor *= 0.78
			}
			if client == "valkey-go" {
				factor *= 0.74
			}
			s := make(target, client, seed, factor)
			s.scenario, s.target, s.client, s.seed = scenario, target, client, seed
			c := f.cell(s)
			finish(&c)
			f.run.Cells = append(f.run.Cells, c)
		}
	}
}

func (f *fixture) churn() {
	f.cells("session-churn", func(_, _ string, _ uint64, factor float64) shape {
		return shape{
			rate: 10_000, seconds: 60, weight: 10, median: 205 * factor, sigma: 0.42,
			mix: []share{{"validate", 0.72}, {"create", 0.14}, {"refresh", 0.08}, {"revoke", 0.06}},
		}
	}, func(c *results.Cell) {
		c.Headline = "validate"
		c.Invariants = map[string]results.Invariant{
			"no-revoked-session-served": {Checked: 35_912}, "own-session-returned": {Checked: 431_870},
		}
		if c.Client == "go-redis" && engine(c) == "redis" {
			c.Verdict = results.Degraded
			c.Reasons = []string{"the generator was late: lag p99 was 0.41 ms, over 0.1 ms"}
		}
		divide(c)
		if c.Client == "valkey-go" {
			c.Verdict = results.Degraded
			c.Reasons = []string{"the generator was late: lag p99 was 0.41 ms, over 0.1 ms", "other processes used 21 % of the machine"}
		}
	})
}

// divide adds the parts of the headline operation's time, and what the server and
// the client's library counted.
func divide(c *results.Cell) {
	o := c.Operations[c.Headline]
	scaled := func(p results.Percentiles, share float64) results.Percentiles {
		return results.Percentiles{P50: ptr(*p.P50 * share), P90: ptr(*p.P90 * share), P99: ptr(*p.P99 * share)}
	}
	o.Parts = &results.Parts{
		Count: o.Count / 64, Queue: scaled(o.Service, 0.04), Wire: scaled(o.Service, 0.85), Rest: scaled(o.Service, 0.11),
	}
	c.Operations[c.Headline] = o
	cpu := *c.ServerCPUPerOp / 4
	c.ServerView = &results.ServerView{Commands: map[string]results.Command{
		"hmget": {Calls: 864_000, CPU: cpu}, "evalsha": {Calls: 84_000, CPU: 9 * cpu}, "get": {Calls: 36_000, CPU: cpu / 2},
		"zadd": {Calls: 36_000, CPU: cpu}, "pexpire": {Calls: 36_000, CPU: cpu / 3}, "ping": {Calls: 12, CPU: cpu / 9},
	}}
	if c.Client == "go-redis" {
		c.Retries = new(int64(len(c.Target) % 2))
	}
}

func (f *fixture) storm() {
	f.cells("cache-read-storm", func(target, _ string, _ uint64, factor float64) shape {
		stall := [][2]float64{{4, 4.18}}
		if target[0] == 'v' {
			stall = [][2]float64{{4, 4.11}}
		}
		return shape{
			rate: 8000, seconds: 10, weight: 4, median: 160 * factor, sigma: 0.35, stalls: stall,
			mix: []share{{"hit", 0.9}, {"miss", 0.1}},
		}
	}, func(c *results.Cell) {
		c.Headline = "hit"
		c.Marks = []results.Mark{{At: 4, Label: "hot keys dropped"}}
		c.Invariants = map[string]results.Invariant{"value-is-that-of-the-source": {Checked: 80_000}}
		c.Machine = make([]results.Second, 10)
		for i := range c.Machine {
			c.Machine[i] = results.Second{GCs: 3, GCPause: 85, Sched: 190, Steal: ptr(0.1), Pressure: ptr(12)}
		}
		if c.Client == "go-redis" && engine(c) == "redis" {
			c.Machine[6].GCPause, c.Machine[7].Sched, c.Machine[1].Steal = 2400, 1300, ptr(4)
		}
		if engine(c) == "valkey" {
			c.Machine[2].Pressure, c.Machine[3].Pressure = ptr(71), ptr(64)
		}
		loads := 1.02
		if engine(c) == "redis" {
			loads = 1.31
		}
		c.Measurements = map[string]results.Measurement{
			"loads-per-miss": {Value: loads, Unit: "loads/miss", About: "how often the source was asked for each key that was not cached"},
			"recovery":       {Value: 312 * loads, Unit: "ms", About: "time until 99 % of reads were hits again"},
		}
		if c.Client == "valkey-go" && engine(c) == "redis" {
			c.Invariants["value-is-that-of-the-source"] = results.Invariant{Checked: 80_000, Violated: 3, Example: "key user:5512 held version 7 after version 8 was written"}
			c.Verdict = results.Invalid
			c.Reasons = []string{"the invariant value-is-that-of-the-source was violated in 3 of 80,000 checks."}
			c.Errors, c.Timeouts, c.Dropped = 12, 9, 4
			c.Sent -= 4
			c.ErrorSamples = []string{"read tcp 127.0.0.1:40312->127.0.0.1:6379: i/o timeout"}
		}
	})
}

func (f *fixture) expiry() {
	f.cells("ttl-expiry", func(_, _ string, seed uint64, factor float64) shape {
		var stalls [][2]float64
		for i := range 11 + int(seed%3) {
			at := 4 + float64(i)/10
			stalls = append(stalls, [2]float64{at, at + 0.025})
		}
		return shape{
			rate: 6000, seconds: 12, weight: 4, median: 180 * math.Sqrt(math.Sqrt(factor)), sigma: 0.4, stalls: stalls,
			mix: []share{{"validate", 0.8}, {"create", 0.2}},
		}
	}, func(c *results.Cell) {
		c.Headline = "validate"
		c.Marks = []results.Mark{{At: 4, Label: "50,000 sessions expire"}, {At: 5.3, Label: "all reclaimed"}}
		c.Invariants = map[string]results.Invariant{"no-expired-session-served": {Checked: 51_340}, "never-looked": {}}
		c.Measurements = map[string]results.Measurement{
			"stall": {Value: 25.6, Unit: "ms", About: "longest time without an answer during the storm"},
			"drain": {Value: 1.31, Unit: "s", About: "time from the deadline until no expired key was left"},
		}
	})
}

// cell simulates one cell.
func (f *fixture) cell(s shape) results.Cell {
	f.tb.Helper()
	cpu, bytes := 11.4*s.median/200, 611.0
	c := results.Cell{
		Scenario: s.scenario, Target: s.target, Client: s.client, Provider: "native", Verdict: results.Valid,
		Server:   results.Server{Name: s.target[:len(s.target)-len(":7.0@standalone")], Version: s.target[len(s.target)-len("7.0@standalone"):]},
		Schedule: fmt.Sprintf("poisson:%g/%gs", s.rate, s.seconds), Seconds: s.seconds,
		Operations: map[string]results.Operation{}, ServerCPUPerOp: &cpu, BytesPerSession: &bytes,
	}
	rng := rand.New(rand.NewPCG(s.seed, 42))
	merged := map[string]*recorded{}
	var bins [][]float64
	var interval map[string]*recorded
	second := -1
	gap := float64(s.weight) / s.rate
	for t := gap * rng.ExpFloat64(); t < s.seconds; t += gap * rng.ExpFloat64() {
		if int(t)/5*5 != second { // Five seconds an interval are quicker to make.
			f.flush(&c, interval, merged, second)
			second, interval = int(t)/5*5, map[string]*recorded{}
		}
		operation, micros := s.draw(rng, t)
		if interval[operation] == nil {
			interval[operation] = newRecorded()
		}
		interval[operation].record(f.tb, s.weight, micros, 40*math.Exp(0.9*rng.NormFloat64()))
		for int(t*10) >= len(bins) {
			bins = append(bins, nil)
		}
		bins[int(t*10)] = append(bins[int(t*10)], micros)
		c.Offered += s.weight
		c.Sent += s.weight
	}
	f.flush(&c, interval, merged, second)
	for operation, r := range merged {
		c.Operations[operation] = results.Operation{
			Count: r.response.TotalCount(), Response: results.Summarize(r.response),
			Service: results.Summarize(r.response), Lag: results.Summarize(r.lag),
			ResponseCI: intervals(results.Summarize(r.response), len(s.stalls) > 0),
		}
	}
	c.Series = series(bins, s.weight)
	return c
}

// intervals are wider for higher percentiles, and where stalls made operations slow
// together.
func intervals(p results.Percentiles, stalled bool) map[string]results.Bounds {
	out := map[string]results.Bounds{}
	for i, one := range percentiles() {
		v := one.of(p)
		if v == nil || one.name == "max" {
			continue
		}
		share, correlation := 0.004*math.Pow(3, float64(i)), 1.25
		if stalled {
			share, correlation = 0.01*math.Pow(4, float64(i)), 1.4+float64(3*i)
		}
		out[one.name] = results.Bounds{Low: ptr(*v / (1 + share)), High: ptr(*v * (1 + share)), Correlation: correlation}
	}
	return out
}

// draw gives an operation that is due at t, and its response time.
func (s shape) draw(rng *rand.Rand, t float64) (operation string, micros float64) {
	u := rng.Float64()
	for _, m := range s.mix {
		operation = m.operation
		if u -= m.part; u < 0 {
			break
		}
	}
	micros = s.median * math.Exp(s.sigma*rng.NormFloat64())
	if operation != s.mix[0].operation {
		micros *= 1.3
	}
	if rng.Float64() < 0.002 {
		micros += 900 * rng.ExpFloat64()
	}
	for _, stall := range s.stalls {
		if t >= stall[0] && t < stall[1] {
			micros += (stall[1] - t) * 1e6
		}
	}
	return operation, micros
}

// recorded is one operation's histograms.
type recorded struct{ response, lag *hdrhistogram.Histogram }

func newRecorded() *recorded {
	return &recorded{hdrhistogram.New(1e3, 60e9, 3), hdrhistogram.New(1e3, 60e9, 3)}
}

func (r *recorded) record(tb testing.TB, weight int64, micros, lag float64) {
	tb.Helper()
	if err := r.response.RecordValues(int64(micros*1e3), weight); err != nil {
		tb.Fatal(err)
	}
	if err := r.lag.RecordValues(int64(lag*1e3), weight); err != nil {
		tb.Fatal(err)
	}
}

// flush appends an interval to the log and to the merged histograms.
func (f *fixture) flush(c *results.Cell, interval, merged map[string]*recorded, second int) {
	f.tb.Helper()
	from := started.Add(time.Duration(second) * time.Second)
	for operation, r := range interval {
		if merged[operation] == nil {
			merged[operation] = newRecorded()
		}
		for clock, pair := range map[string][2]*hdrhistogram.Histogram{
			results.ClockResponse: {r.response, merged[operation].response}, results.ClockLag: {r.lag, merged[operation].lag},
		} {
			if err := f.log.Append(results.Tag(c.ID(), operation, clock), from, from.Add(5*time.Second), pair[0]); err != nil {
				f.tb.Fatal(err)
			}
			if dropped := pair[1].Merge(pair[0]); dropped != 0 {
				f.tb.Fatalf("dropped %d", dropped)
			}
		}
	}
}

func series(bins [][]float64, weight int64) results.Series {
	s := results.Series{BinMS: 100}
	for _, b := range bins {
		slices.Sort(b)
		s.Count = append(s.Count, int64(len(b))*weight)
		var p50, p99, most *float64
		if len(b) > 0 {
			p50, p99, most = &b[len(b)/2], &b[len(b)*99/100], &b[len(b)-1]
		}
		s.P50, s.P99, s.Max = append(s.P50, p50), append(s.P99, p99), append(s.Max, most)
	}
	return s
}
