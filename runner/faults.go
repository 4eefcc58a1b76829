package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/toriibench/toriibench/compose"
	"github.com/toriibench/toriibench/compose/links"
	"github.com/toriibench/toriibench/results"
	"github.com/toriibench/toriibench/scenarios"
)

// faultOptions say what to break, and how much is done against it.
type faultOptions struct {
	fault          string
	replicationLag string
	waitReplicas   int
	policy         string
}

// maxLag bounds --replication-lag: the nodes of a cluster take each other for
// failed after two seconds.
const maxLag = time.Second

// cutWord is a --replication-lag that never ends.
const cutWord = "cut"

func (o *faultOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.fault, "fault", scenarios.FaultKill, "what failover does to a primary: "+strings.Join(scenarios.Faults(), ", "))
	f.StringVar(&o.replicationLag, "replication-lag", "0", "by how much failover holds the replicas back before each fault: a `time` up to\n"+
		maxLag.String()+", or "+cutWord+"; they are on this machine, where nothing is lost without it")
	f.StringVar(&o.policy, "maxmemory-policy", scenarios.PolicyNone, "what servers do when eviction has filled their memory: "+strings.Join(scenarios.Policies(), ", "))
	f.IntVar(&o.waitReplicas, "wait-replicas", 0, "how many replicas must have a log-out, a used token or a password (WAIT) before it is done")
}

func (o *faultOptions) check() error {
	if o.waitReplicas < 0 || o.waitReplicas > 5 {
		return fmt.Errorf("--wait-replicas %d: give between 0 and 5", o.waitReplicas)
	}
	if _, err := o.lag(); err != nil {
		return err
	}
	if !slices.Contains(scenarios.Faults(), o.fault) {
		return fmt.Errorf("--fault %q: there are %s", o.fault, strings.Join(scenarios.Faults(), ", "))
	}
	if !slices.Contains(scenarios.Policies(), o.policy) {
		return fmt.Errorf("--maxmemory-policy %q: there are %s", o.policy, strings.Join(scenarios.Policies(), ", "))
	}
	return nil
}

// lag is the delay that --replication-lag asks for.
func (o *faultOptions) lag() (time.Duration, error) {
	if o.replicationLag == cutWord {
		return scenarios.Cut, nil
	}
	if o.replicationLag == "0" || o.replicationLag == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(o.replicationLag)
	if err != nil || d < time.Millisecond || d > maxLag {
		return 0, fmt.Errorf("--replication-lag %q: give 0, a time from 1ms to %s, or %s", o.replicationLag, maxLag, cutWord)
	}
	return d, nil
}

// breakable lets a scenario break the servers of a topology.
type breakable struct{ *compose.Topology }

var _ scenarios.Servers = breakable{}

// servers are what a scenario may break; nil where they are somebody else's.
func (c *cellRun) servers() scenarios.Servers {
	if c.topology.Provider == compose.External().Name() {
		return nil
	}
	return breakable{c.topology}
}

// List implements scenarios.Servers.
func (b breakable) List(ctx context.Context) []scenarios.Server {
	var all []scenarios.Server
	for _, s := range b.Servers(ctx) {
		all = append(all, scenarios.Server{
			Number: s.Number, Shard: s.Shard,
			Primary: s.Role == compose.RolePrimary, Replica: s.Role == compose.RoleReplica, Down: s.Role == compose.RoleDown,
		})
	}
	return all
}

// Delay implements scenarios.Servers.
func (b breakable) Delay(from, to int, delay time.Duration) error {
	if delay == scenarios.Cut {
		return b.SetLink(from, to, links.State{Cut: true})
	}
	return b.SetLink(from, to, links.State{Delay: delay})
}

// unmet says what a scenario needs and a target has not; nil where it can run.
func (o *benchOptions) unmet(needs scenarios.Needs, t compose.Target) error {
	if needs.OpenLoop && o.closed > 0 {
		return errors.New("it has to go on offering operations while nobody answers; leave out --closed")
	}
	if t.URL != "" {
		if needs.Own {
			return fmt.Errorf("it breaks servers or sets their options, and %s is not ours; name an engine, such as valkey:8.1@cluster", t)
		}
		return nil
	}
	shape, err := t.Shape()
	if err != nil {
		return err
	}
	if needs.TakeOver && (t.Topology != compose.Sentinel && t.Topology != compose.Cluster || shape.Replicas == 0) {
		return fmt.Errorf("nobody takes over there; add @%s or @%s, with replicas", compose.Sentinel, compose.Cluster)
	}
	if needs.Slots && (t.Topology != compose.Cluster || shape.Primaries < 2) {
		return fmt.Errorf("there are no slots to move; add @%s", compose.Cluster)
	}
	return nil
}

// runs says whether a scenario can run on a target.
func (plan *benchPlan) runs(s scenarios.Scenario, t compose.Target) bool {
	return !slices.ContainsFunc(plan.notRun, func(one results.NotRun) bool {
		return one.Scenario == s.Name && one.Target == t.Name()
	})
}

// findNotRun notes what cannot run, and refuses a plan of which nothing can,
// before anything is started.
func (plan *benchPlan) findNotRun(o *benchOptions) error {
	var first error
	for _, s := range plan.scenarios {
		for _, t := range plan.targets {
			err := o.unmet(s.Needs, t)
			if err == nil {
				continue
			}
			plan.notRun = append(plan.notRun, results.NotRun{Scenario: s.Name, Target: t.Name(), Reason: err.Error()})
			first = cmp.Or(first, fmt.Errorf("%s on %s cannot run: %w", s.Name, t, err))
		}
	}
	if len(plan.notRun) == len(plan.scenarios)*len(plan.targets) {
		return first
	}
	return nil
}

// addScorecard adds what faults have done.
func (c *cellRun) addScorecard(started time.Time) {
	if c.workload.Scorecard == nil {
		return
	}
	card := c.workload.Scorecard(started)
	so := &results.Failover{
		Fault: card.Kind, ReplicationLag: card.Lag, WaitReplicas: c.bench.options.waitReplicas, NotRun: card.NotRun,
		Created: card.Created, LoggedOut: card.LoggedOut, TokensUsed: card.Used, Unexplained: card.Unexplained,
	}
	for _, f := range card.Faults {
		so.Faults = append(so.Faults, results.Fault{
			At: f.At.Seconds(), Shard: f.Shard, Server: f.Server,
			Detected: milliseconds(f.Detected), Promoted: milliseconds(f.Promoted),
			WritesOut: milliseconds(f.WritesOut), ReadsOut: milliseconds(f.ReadsOut), Back: milliseconds(f.Back),
			Errors: f.Errors, Lost: f.Lost, Resurrected: f.Resurrected, Twice: f.Twice,
			Drift: float64(f.Drift) / float64(time.Millisecond), Compared: f.Compared, Trouble: f.Trouble,
		})
	}
	c.cell.Failover = so
	if len(so.Faults) == 0 {
		c.disprove("not run: " + oneLine(errors.New(card.NotRun)))
	}
}

// milliseconds keeps nil.
func milliseconds(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	return new(float64(*d) / float64(time.Millisecond))
}
