package runner

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/toriibench/toriibench/runner/load"
)

// timing says when operations are due: at a rate for a length of time, spread in
// some way, or as a schedule says that stands in place of the three.
type timing struct {
	rate             rateFlag
	length           time.Duration
	arrivals         string
	schedule, replay string

	// spread is what arrivals mean. whole is the schedule of schedule or replay,
	// and empty without.
	spread load.Spread
	whole  load.Schedule
}

func (o *timing) addFlags(f *pflag.FlagSet) {
	f.Var(&o.rate, "rate", "offered operations a second, such as 500, 10k (default: the scenario's own)")
	f.DurationVar(&o.length, "for", 10*time.Second, "how long to measure each cell (failover: 45s)")
	f.StringVar(&o.arrivals, "arrivals", "poisson", "how `operations` arrive: poisson, constant, visits (in sessions of users),\n"+
		"or visits=8x250ms (of 8 operations on average, 250ms between them)")
	f.StringVar(&o.schedule, "schedule", "", "rates over time, in place of --rate, --for and --arrivals: a `spec` such as\n"+
		"ramp:1k-10k/30s, steps:1k,2k,5k/10s or visits+sine:2k-8k@10s/60s")
	f.StringVar(&o.replay, "replay", "", "offer operations when a `file` says, in place of --rate, --for and --arrivals:\n"+
		"one time a line, in seconds, counted from the first (Unix times will do)")
}

// check finds out what the words mean. given tells which flags were set.
func (o *timing) check(given func(flag string) bool) (err error) {
	what := fmt.Sprintf("--for %s", o.length)
	switch {
	case given("schedule") && given("replay"):
		return errors.New("--schedule and --replay both say when operations are due: give one of them")
	case given("schedule"):
		what, err = "--schedule "+o.schedule, o.parse()
	case given("replay"):
		what, err = "--replay "+o.replay, o.read()
	default:
		o.spread, err = load.ParseSpread(o.arrivals)
		if err != nil {
			err = fmt.Errorf("--arrivals: %w", err)
		}
	}
	if err != nil {
		return err
	}
	if o.whole.Duration() > 0 {
		what += ", which lasts " + o.length.String()
		err = alone(given)
	}
	if o.length < time.Second || o.length > maxMeasure {
		return fmt.Errorf("%s: give between 1s and %s", what, maxMeasure)
	}
	return err
}

// alone refuses the flags whose place a whole schedule takes.
func alone(given func(string) bool) error {
	for _, other := range []string{"rate", "for", "arrivals"} {
		if given(other) {
			return fmt.Errorf("--%s: --schedule and --replay say when everything is due: leave --%s out", other, other)
		}
	}
	return nil
}

func (o *timing) parse() (err error) {
	if o.whole, err = load.ParseSchedule(o.schedule); err != nil {
		return fmt.Errorf("--schedule: %w", err)
	}
	o.length = o.whole.Duration()
	return nil
}

func (o *timing) read() error {
	f, err := os.Open(o.replay)
	if err != nil {
		return fmt.Errorf("--replay: %w", err)
	}
	defer func() { _ = f.Close() }() // Nothing was written to it.
	if o.whole, err = load.ReadRecorded(f, filepath.Base(o.replay)); err != nil {
		return fmt.Errorf("--replay: %w", err)
	}
	o.length = o.whole.Duration()
	return nil
}

// given says of each flag whether it was set.
func (o *benchOptions) given(flag string) bool {
	for _, word := range o.changed {
		if strings.HasPrefix(word, "--"+flag+"=") {
			return true
		}
	}
	return false
}
