package runner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/toriibench/toriibench/compose"
	"github.com/toriibench/toriibench/results"
	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/scenarios"
)

// benchOptions say what to measure.
type benchOptions struct {
	scenarios, targets, clients []string
	provider                    string
	binaries, images            map[string]string
	publishedPorts              bool
	// serverOptions are in redis.conf's words, a name and a value each.
	serverOptions []string
	timing
	faultOptions
	warmup, timeout time.Duration
	population      int
	profile         string
	seed            uint64
	pin             string
	closed          int
	connections     int
	out, name       string
	json            bool
	// metricsListen is where to serve live metrics; empty means nowhere.
	metricsListen string
	// changed are the flags that were set, but for target and seed.
	changed []string
}

// Bounds of what a person may ask for.
const (
	maxMeasure    = 24 * time.Hour
	minPopulation = 100
	maxPopulation = 10_000_000
	maxClosed     = 4096
	// maxConnections leaves a server of 10,000 clients, its default, some room.
	maxConnections = 8192
)

func (p *program) benchCommand() *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Run scenarios against targets and say what it means",
		Long: `bench runs each scenario against each target through each client, open loop:
operations start when they are due, whether or not earlier ones have come back,
and every latency counts from when the operation was due. It writes a folder
with run.json, the histograms (run.hlog) and pictures.

A target is ENGINE[:VERSION] (redis, redis:7.0, valkey:8.1) or the URL of a server
that is running already (redis://user:password@host:6379/0). There the program
touches only keys under its own prefix and deletes them at the end.`,
		Example: `  toriibench bench
  toriibench bench --for 3s --scenario session-churn --target redis:7.0,valkey:9.1
  toriibench bench --target redis://localhost:6379 --rate 2k`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.changed = changedFlags(cmd)
			return p.bench(cmd.Context(), &o)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.scenarios, "scenario", scenarios.Default(), "scenarios to run, by `name`")
	f.StringSliceVar(&o.targets, "target", []string{"redis", "valkey"}, "`targets` to measure")
	f.StringSliceVar(&o.clients, "client", clientNames(), "client `libraries` to measure through")
	f.StringVar(&o.provider, "provider", "auto", "where servers come from: auto, native, docker or external")
	f.StringToStringVar(&o.binaries, "binary", nil, "server executable for an engine, as `engine=path` (native)")
	f.StringToStringVar(&o.images, "image", nil, "container image for an engine, as `engine=image` (docker)")
	f.BoolVar(&o.publishedPorts, "published-ports", false, "put containers behind published ports also where they could have the host's network (docker)")
	f.StringArrayVar(&o.serverOptions, "server-option", nil, "an `option` in redis.conf's words for each server with data, such as 'maxmemory 1gb'")
	o.timing.addFlags(f)
	o.faultOptions.addFlags(f)
	f.DurationVar(&o.warmup, "warmup", 2*time.Second, "how long to warm each cell up")
	f.DurationVar(&o.timeout, "timeout", time.Second, "how long one operation may take")
	f.IntVar(&o.connections, "connections", 0, "connections to the server, all open and in use (default: what the client\n"+
		"needs, up to 64 of go-redis or 4 of valkey-go; the latter has powers of two up to 256)")
	f.IntVar(&o.population, "population", 0, "sessions or users to load (default: the scenario's own)")
	f.StringVar(&o.profile, "profile", scenarios.DefaultProfile, "traffic mix of session-churn: P1 steady, P2 sliding, P3 touch always, P4 login storm")
	f.Uint64Var(&o.seed, "seed", 0, "seed of the traffic; the same seed offers the same operations (default: random)")
	f.StringVar(&o.pin, "pin", pinAuto, "auto gives a server that is started here processors of its own, off does not")
	f.IntVar(&o.closed, "closed", 0, "closed loop with `N` workers, each starting its next operation when its last has come back: for throughput and cost only, never for latency")
	f.StringVar(&o.out, "out", "results/runs", "`folder` to write the run's folder into")
	f.StringVar(&o.name, "name", "bench", "`name` to end the run's folder with")
	f.BoolVar(&o.json, "json", false, "print run.json to stdout instead of tables")
	f.StringVar(&o.metricsListen, "metrics-listen", "", "serve live metrics to Prometheus at `address`, such as 127.0.0.1:9464 (default: nowhere)")
	return cmd
}

// bench measures, writes the run, and tells it.
func (p *program) bench(ctx context.Context, o *benchOptions) error {
	plan, err := newBenchPlan(o)
	if err != nil {
		return usage(err)
	}
	defer easeGC()()
	loop := openLoop()
	if o.closed > 0 {
		loop = closedLoop()
	}
	live, err := listenMetrics(ctx, o.metricsListen, loop)
	if err != nil {
		return usage(err)
	}
	defer live.close() //nolint:contextcheck // It has to end after an interrupt as well.
	if live != nil {
		fmt.Fprintf(p.stderr, "metrics: %s\n", live.url)
	}
	if err := compose.Sweep(ctx, p.stderr); err != nil {
		fmt.Fprintf(p.stderr, "leftovers of an earlier run could not be cleared: %v\n", err)
	}
	provider, why, err := compose.Choose(ctx, o.provider, plan.targets, compose.Options{})
	if err != nil {
		return usage(err)
	}
	fmt.Fprintf(p.stderr, "servers: %s\n", why)
	b, err := p.newBench(o, plan, provider)
	if err != nil {
		return err
	}
	b.metrics = live
	crowded, release := claimMachine(p.stderr)
	defer release()
	b.crowded = crowded
	err = b.rehearse(ctx)
	if err == nil {
		err = b.examine(ctx)
	}
	if err == nil {
		err = b.run(ctx)
	}
	return b.finish(err)
}

// benchPlan is what the words of the options mean.
type benchPlan struct {
	scenarios []scenarios.Scenario
	targets   []compose.Target
	clients   []client
	// notRun are the combinations that cannot be measured.
	notRun []results.NotRun
}

func newBenchPlan(o *benchOptions) (plan benchPlan, err error) {
	if err := o.check(); err != nil {
		return plan, err
	}
	if plan.scenarios, err = scenarios.ByName(o.scenarios); err != nil {
		return plan, err
	}
	if plan.clients, err = clientsByName(o.clients); err != nil {
		return plan, err
	}
	if plan.targets, err = compose.ParseTargets(o.targets); err != nil {
		return plan, err
	}
	for _, t := range plan.targets {
		if err := startable(t); err != nil {
			return plan, err
		}
	}
	if err := plan.distinct(); err != nil {
		return plan, err
	}
	if err := plan.findNotRun(o); err != nil {
		return plan, err
	}
	return plan, plan.check(o)
}

// check asks every scenario whether it can do what is wanted, before a server is
// started.
func (plan *benchPlan) check(o *benchOptions) error {
	churn := false
	for _, s := range plan.scenarios {
		churn = churn || s.Name == scenarios.SessionChurn().Name
		if err := o.checkAt(s); err != nil {
			return err
		}
		if s.Check == nil {
			continue
		}
		if err := s.Check(o.env(s)); err != nil {
			return err
		}
	}
	if o.profile != scenarios.DefaultProfile && !churn {
		return fmt.Errorf("--profile %s: no scenario of this run has profiles; session-churn has", o.profile)
	}
	return nil
}

// env is what the options make of a scenario's defaults.
func (o *benchOptions) env(s scenarios.Scenario) scenarios.Env {
	env := scenarios.Env{
		Population: s.Population,
		Warmup:     o.warmup, For: o.lengthOf(s), Seed: o.seed, Profile: o.profile, Fault: o.fault, Policy: o.policy,
	}
	env.Lag, _ = o.lag() // checked before
	env.Schedule, env.Rate = o.scheduleOf(s)
	if o.population > 0 {
		env.Population = o.population
	}
	return env
}

// lengthOf is how long a scenario is measured.
func (o *benchOptions) lengthOf(s scenarios.Scenario) time.Duration {
	if s.Length == 0 || o.given("for") || o.whole.Duration() > 0 {
		return o.length
	}
	return s.Length
}

// scheduleOf is what is measured of a scenario, and the mean rate of that.
func (o *benchOptions) scheduleOf(s scenarios.Scenario) (load.Schedule, float64) {
	rate := s.Rate
	if o.rate > 0 {
		rate = float64(o.rate)
	}
	if o.whole.Duration() > 0 {
		return o.whole, o.whole.Count() / o.length.Seconds()
	}
	return load.Poisson(rate, o.lengthOf(s)).With(o.spread), rate
}

// checkAt refuses arrivals that a scenario's rate makes too many of.
func (o *benchOptions) checkAt(s scenarios.Scenario) error {
	schedule, _ := o.scheduleOf(s)
	if err := schedule.Validate(); err != nil {
		return fmt.Errorf("--arrivals %s: %w", o.arrivals, err)
	}
	return nil
}

// startable refuses a target that no provider can start yet.
func startable(t compose.Target) error {
	if t.URL != "" {
		return nil
	}
	return t.Startable()
}

// distinct refuses to measure a cell twice: cells are told apart by their words.
func (plan *benchPlan) distinct() error {
	seen := map[string]bool{}
	for _, s := range plan.scenarios {
		for _, t := range plan.targets {
			for _, c := range plan.clients {
				id := s.Name + " × " + t.Name() + " × " + c.name
				if seen[id] {
					return fmt.Errorf("%s is named twice", id)
				}
				seen[id] = true
			}
		}
	}
	if len(seen) == 0 {
		return errors.New("nothing to measure: name at least one scenario, target and client")
	}
	return nil
}

// check refuses numbers that make no sense, by the name of their flag.
func (o *benchOptions) check() error {
	if err := o.timing.check(o.given); err != nil {
		return err
	}
	if err := o.faultOptions.check(); err != nil {
		return err
	}
	switch {
	case o.warmup < 0 || o.warmup > maxMeasure:
		return fmt.Errorf("--warmup %s: give between 0s and %s", o.warmup, maxMeasure)
	case o.timeout < time.Millisecond || o.timeout > 30*time.Second:
		return fmt.Errorf("--timeout %s: give between 1ms and 30s", o.timeout)
	case o.population != 0 && (o.population < minPopulation || o.population > maxPopulation):
		return fmt.Errorf("--population %d: give between %d and %d", o.population, minPopulation, maxPopulation)
	case o.closed < 0 || o.closed > maxClosed:
		return fmt.Errorf("--closed %d: give between 1 and %d workers", o.closed, maxClosed)
	case o.closed > 0 && slices.ContainsFunc([]string{"rate", "arrivals", "schedule", "replay"}, o.given):
		return errors.New("--closed: a closed loop goes as fast as it can; leave out --rate, --arrivals, --schedule and --replay")
	case o.pin != pinAuto && o.pin != pinOff:
		return fmt.Errorf("--pin %q: give %s or %s", o.pin, pinAuto, pinOff)
	case !slices.Contains(providers(), o.provider):
		return fmt.Errorf("--provider %q: there are %s", o.provider, strings.Join(providers(), ", "))
	case strings.ContainsAny(o.name, "/\\ ,") || o.name == "":
		return fmt.Errorf("--name %q: give a word without slash, space and comma", o.name)
	}
	for o.seed == 0 {
		o.seed = rand.Uint64()
	}
	if err := checkConnections(o.connections, fileLimit()); err != nil {
		return err
	}
	if err := checkMetricsAddress(o.metricsListen); err != nil {
		return err
	}
	for _, option := range o.serverOptions {
		if !serverOptionForm().MatchString(option) {
			return fmt.Errorf("--server-option %q: want a name and a value, such as 'maxmemory 1gb'", option)
		}
	}
	return o.checkOrigins()
}

// serverOptionForm is a name and a value, as in redis.conf.
func serverOptionForm() *regexp.Regexp { return regexp.MustCompile(`^([a-z][a-z0-9-]*)[ \t]+(\S.*)$`) }

// serverArgs are the server options as a command line has them.
func (o *benchOptions) serverArgs() []string {
	var args []string
	for _, option := range o.serverOptions {
		words := serverOptionForm().FindStringSubmatch(option)
		args = append(args, "--"+words[1], words[2])
	}
	return args
}

// checkOrigins lets a named image or executable, or published ports, decide where servers come from.
func (o *benchOptions) checkOrigins() error {
	for flag, named := range map[string]map[string]string{"--binary": o.binaries, "--image": o.images} {
		for engine := range named {
			if engine != compose.Redis && engine != compose.Valkey {
				return fmt.Errorf("%s %s=…: the engines are %s and %s", flag, engine, compose.Redis, compose.Valkey)
			}
		}
	}
	if len(o.binaries) > 0 && len(o.images) > 0 {
		return errors.New("--binary is for native servers and --image for containers: give one of them")
	}
	if o.publishedPorts && (len(o.binaries) > 0 || !slices.Contains([]string{compose.Auto, compose.Docker().Name()}, o.provider)) {
		return errors.New("--published-ports is for containers: take --provider docker, and leave --binary out")
	}
	if o.provider == compose.Auto && (len(o.images) > 0 || o.publishedPorts) {
		o.provider = compose.Docker().Name()
	}
	if o.provider == compose.Auto && len(o.binaries) > 0 {
		o.provider = compose.Native().Name()
	}
	return nil
}

// providers lists the words for where servers come from.
func providers() []string {
	return []string{compose.Auto, compose.Native().Name(), compose.Docker().Name(), compose.External().Name()}
}

// changedFlags gives the flags that were set, as words that can be given again.
func changedFlags(cmd *cobra.Command) []string {
	var words []string
	cmd.Flags().Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "target", "seed":
			return // command adds them.
		case "metrics-listen":
			return // It changes no number, and the port may be taken another day.
		}
		words = append(words, "--"+f.Name+"="+flagValue(f.Value))
	})
	return words
}

func flagValue(v pflag.Value) string {
	if list, ok := v.(pflag.SliceValue); ok {
		return strings.Join(list.GetSlice(), ",")
	}
	// A map of strings prints in brackets, which it does not read.
	return strings.Trim(v.String(), "[]")
}

// command is what to call to do the same again. A target's password is not in it.
func (o *benchOptions) command(targets []compose.Target) []string {
	words := make([]string, len(targets))
	for i, t := range targets {
		words[i] = t.String()
	}
	command := append([]string{"toriibench", "bench", "--target=" + strings.Join(words, ",")}, o.changed...)
	return append(command, fmt.Sprintf("--seed=%d", o.seed))
}

// rateFlag is a rate in operations a second, with k and M as factors.
type rateFlag float64

// String implements pflag.Value.
func (r *rateFlag) String() string {
	if *r == 0 {
		return ""
	}
	return fmt.Sprintf("%g", float64(*r))
}

// Type implements pflag.Value.
func (r *rateFlag) Type() string { return "rate" }

// Set implements pflag.Value.
func (r *rateFlag) Set(word string) error {
	rate, err := load.ParseRate(word)
	if err != nil {
		return err
	}
	*r = rateFlag(rate)
	return nil
}
