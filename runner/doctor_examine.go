package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/toriibench/toriibench/results"
	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/runner/machine"
)

// examination tries what a machine can measure.
type examination struct {
	// noops, echoes and trial are how long each part takes, trial for each of
	// the rates.
	noops, echoes, trial time.Duration
	// rates of the trials, from the lowest.
	rates []float64
	// place is where the generator will be held: a wait that is the best with
	// two processors may not be with one. The zero value holds it nowhere.
	place placement
	// log gets a line for each part.
	log io.Writer

	found       results.Doctor
	calibration load.Calibration
}

// fullExamination is the doctor's: about eight seconds.
func fullExamination(log io.Writer) *examination {
	return &examination{
		noops: time.Second, echoes: 500 * time.Millisecond, trial: 500 * time.Millisecond,
		rates: []float64{2000, 5000, 10_000, 20_000, 40_000}, log: log,
	}
}

// quickExamination is that of every bench: under a second beside the calibration.
func quickExamination() *examination {
	return &examination{
		noops: 100 * time.Millisecond, echoes: 50 * time.Millisecond, trial: 200 * time.Millisecond,
		rates: []float64{2000, 10_000}, log: io.Discard,
	}
}

// run fills in what is found. It ends early, with its cause, when ctx does.
func (e *examination) run(ctx context.Context) error {
	facts := machine.Look() // Before this program itself makes noise.
	meter := machine.NewMeter()
	defer meter.Close()
	for _, part := range []struct {
		about string
		try   func(context.Context) error
	}{
		{"how late each way to wait is", e.waits},
		{"what recording costs", e.histogram},
		{"what the engine costs", e.noop},
		{"round trips over loopback", e.loopback},
	} {
		fmt.Fprintf(e.log, "trying %s\n", part.about)
		if err := part.try(ctx); err != nil {
			return err
		}
	}
	d := &e.found
	d.CoresAllowed, d.Governor, d.HugePages = facts.Cores, facts.Governor, facts.HugePages
	d.Pressure, d.ClockSource = facts.Pressure, facts.ClockSource
	d.ClockNS = float64(machine.ClockCost())
	d.Steal = meter.Read().Steal
	d.Providers = providersFound(ctx)
	d.Sentence = sumUp(d)
	return context.Cause(ctx)
}

// waits tries each way to wait.
func (e *examination) waits(ctx context.Context) (err error) {
	release, err := e.place.hold()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	e.calibration, err = load.Calibrate(ctx, func() time.Duration {
		spent, _ := machine.OwnCPU()
		return spent
	})
	if err != nil {
		return err
	}
	e.found.Pacing, e.found.PacingWhy = string(e.calibration.Pacing), e.calibration.Why
	for _, one := range e.calibration.Tried {
		if one.Err != nil {
			continue // PacingWhy tells it.
		}
		e.found.Timers = append(e.found.Timers, results.Timer{
			Name: string(one.Pacing), P50: inMicroseconds(one.P50), P99: inMicroseconds(one.P99), CPU: inMicroseconds(one.CPU),
		})
	}
	return nil
}

// histogram finds what it costs to record a value: the best of some batches is
// the one that nothing disturbed.
func (e *examination) histogram(context.Context) error {
	const batches, values = 20, 1 << 14
	h := hdrhistogram.New(int64(load.MinLatency), int64(load.MaxLatency), 3)
	rng := rand.New(rand.NewPCG(1, 1))
	latencies := make([]int64, values)
	for i := range latencies {
		latencies[i] = int64(100 * float64(time.Microsecond) * math.Exp(rng.NormFloat64()))
	}
	best := math.Inf(1)
	for range batches {
		began := time.Now()
		for _, v := range latencies {
			if err := h.RecordValue(min(max(v, int64(load.MinLatency)), int64(load.MaxLatency))); err != nil {
				return fmt.Errorf("record a value: %w", err)
			}
		}
		best = min(best, float64(time.Since(began))/values)
	}
	e.found.HistogramNS = best
	return nil
}

// noopBatch is how many operations are due at once in [examination.noop]; the
// engine's backlog holds them all.
const noopBatch = 1 << 17

// noop finds the engine's own cost and its ceiling: the best of some batches of
// operations that do nothing and are due as fast as can be scheduled.
func (e *examination) noop(ctx context.Context) error {
	span := time.Duration(noopBatch / load.MaxRate * float64(time.Second))
	d := &e.found
	for began := time.Now(); d.NoopPerSecond == 0 || time.Since(began) < e.noops; {
		before, after := time.Duration(0), time.Duration(0)
		r, err := load.Run(ctx, load.Config{
			Measure: load.Constant(load.MaxRate, span), Backlog: noopBatch,
			OnPhase: func(p load.Phase) {
				if p == load.PhaseMeasure {
					before, _ = machine.OwnCPU()
				}
			},
		}, nothing{})
		if err != nil {
			return err
		}
		after, _ = machine.OwnCPU()
		each := float64(after-before) / float64(r.Sent)
		if d.NoopPerSecond == 0 || each < d.NoopNS {
			d.NoopNS = each
		}
		d.NoopPerSecond = max(d.NoopPerSecond, float64(r.Sent)/r.Elapsed.Seconds())
	}
	return nil
}

// nothing is a traffic that does nothing.
type nothing struct{}

func (nothing) Operations() []string                             { return []string{"nothing"} }
func (nothing) Next(*load.Op)                                    {}
func (nothing) Do(context.Context, *load.Op) (kind int, _ error) { return 0, nil }

// loopback finds the floor of a round trip, and up to which rate round trips
// begin punctually.
func (e *examination) loopback(ctx context.Context) error {
	echo, err := newEcho(ctx)
	if err != nil {
		return err
	}
	defer echo.close()
	median, err := echo.roundTrip(ctx, e.echoes)
	if err != nil {
		return err
	}
	e.found.EchoUS = inMicroseconds(median)
	for _, rate := range e.rates {
		t, err := e.try(ctx, echo, rate)
		if err == nil && !wasPunctual(t) {
			// A neighbour's burst is no property of this machine; a second one is.
			t, err = e.tryAgain(ctx, echo, t)
		}
		if err != nil {
			return err
		}
		e.found.Trials = append(e.found.Trials, t)
		if !wasPunctual(t) {
			break
		}
	}
	return nil
}

// tryAgain tries a rate a second time and gives the better of both.
func (e *examination) tryAgain(ctx context.Context, echo *echo, before results.Trial) (results.Trial, error) {
	again, err := e.try(ctx, echo, before.Rate)
	if again.InTime < min(inTime, before.InTime) || again.LagP99 > before.LagP99 {
		return before, err
	}
	return again, err
}

// try drives echoes at a rate.
func (e *examination) try(ctx context.Context, echo *echo, rate float64) (t results.Trial, err error) {
	w := e.calibration.NewWaiter()
	defer func() { _ = w.Close() }() // Nothing was written to it.
	r, err := load.Run(ctx, load.Config{
		Warmup: load.Poisson(rate, e.trial/5), Measure: load.Poisson(rate, e.trial),
		Workers: echoConns, Timeout: e.trial, Drain: e.trial, Seed: 1, Waiter: w,
	}, echo)
	if err != nil {
		return t, err
	}
	response := r.Operations[0].Response
	return results.Trial{
		Rate: rate, InTime: 100 * float64(r.InTime) / float64(max(1, r.Offered)),
		LagP50: inMicroseconds(r.LagQuantile(0.5)), LagP99: inMicroseconds(r.LagQuantile(0.99)),
		ResponseP50: float64(response.ValueAtQuantile(50)) / 1e3, ResponseP99: float64(response.ValueAtQuantile(99)) / 1e3,
	}, nil
}

// examine has a quick look at the machine that a bench runs on, and decides how
// its cells are paced.
func (b *bench) examine(ctx context.Context) error {
	fmt.Fprintln(b.progress, "trying what this machine can measure")
	e := quickExamination()
	e.place = b.place
	if err := e.run(ctx); err != nil {
		return causeOf(ctx, err)
	}
	b.calibration, b.result.Environment.Doctor = e.calibration, &e.found
	fmt.Fprintln(b.progress, e.found.Sentence)
	return nil
}
