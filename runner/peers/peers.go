// Package peers runs other load generators (redis-benchmark, valkey-benchmark
// and memtier_benchmark) with one and the same job, and reads what they say of
// it. They are closed loops: each connection sends its next request when its
// last has been answered.
package peers

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Job is what a generator has to do: GET keys, drawn uniformly, over as many
// connections with one request at a time on each.
type Job struct {
	// Host and Port are the server's.
	Host string
	Port int
	// Connections are from 1 to 10 000.
	Connections int
	// Keys is how many keys there are, as [Key] names them: 100, 1000 or another
	// power of ten up to 10⁹. memtier_benchmark cannot pad a number with zeros, so
	// it leaves out the tenth of them whose number is shorter.
	Keys int
	// Length is about how long to go on.
	Length time.Duration
}

// keyPrefix and keyDigits are how redis-benchmark names the keys of its tests.
const (
	keyPrefix = "key:"
	keyDigits = 12
	maxKeys   = 1_000_000_000
)

// Key names the i-th key, from 0.
func Key(i int) string { return fmt.Sprintf("%s%0*d", keyPrefix, keyDigits, i) }

// check refuses what one of the generators cannot do.
func (j Job) check() error {
	power := 100
	for power < j.Keys && power < maxKeys {
		power *= 10
	}
	switch {
	case j.Host == "" || j.Port < 1 || j.Port > 65535:
		return fmt.Errorf("check job: no server at host %q, port %d", j.Host, j.Port)
	case j.Connections < 1 || j.Connections > 10_000:
		return fmt.Errorf("check job: %d connections; give 1 to 10000", j.Connections)
	case j.Keys != power:
		return fmt.Errorf("check job: %d keys; give a power of ten from 100 to %d", j.Keys, maxKeys)
	case j.Length < 10*time.Millisecond || j.Length > time.Hour:
		return fmt.Errorf("check job: length %s; give 10ms to 1h", j.Length)
	}
	return nil
}

// Outcome is what a generator did.
type Outcome struct {
	// Operations are requests that were answered, as the generator counts them.
	Operations int64
	// PerSecond is the rate that the generator tells; its start is not in it.
	PerSecond float64
	// CPU is the processor time of its process, user and system, from start to end.
	CPU time.Duration
}

// Peer is another load generator. It may run one job at a time.
type Peer struct {
	// Name is the program's, and Version what it says of itself.
	Name, Version string
	// Origin says in a few words where it came from.
	Origin string

	command []string
	do      func(ctx context.Context, p *Peer, job Job) (Outcome, error)
	// counts is true for a program that takes a number of requests and no time;
	// rate is then the operations per second of its last job.
	counts bool
	rate   float64
}

// ErrNothingDone says that a generator ended well and made no request.
var ErrNothingDone = errors.New("it answered for no request")

// Prepare lets a generator that takes no time for its job, but a number of
// requests, learn by a short trial how many that are. Without it, the first Run
// begins with the trial, which the server sees and the outcome does not tell.
func (p *Peer) Prepare(ctx context.Context, job Job) error {
	if err := job.check(); err != nil {
		return err
	}
	if !p.counts || p.rate > 0 {
		return nil
	}
	done, err := p.requests(ctx, job, trial)
	if err != nil {
		return fmt.Errorf("try %s: %w", p.Name, err)
	}
	p.rate = done.PerSecond
	return nil
}

// Run does the job and returns when the generator has ended. When ctx ends, or
// when it takes much longer than it should, the generator is killed.
func (p *Peer) Run(ctx context.Context, job Job) (Outcome, error) {
	if err := p.Prepare(ctx, job); err != nil {
		return Outcome{}, err
	}
	done, err := p.do(ctx, p, job)
	if err == nil && (done.Operations <= 0 || !(done.PerSecond > 0)) {
		err = ErrNothingDone
	}
	if err != nil {
		return Outcome{}, fmt.Errorf("run %s: %w", p.Name, err)
	}
	p.rate = done.PerSecond
	return done, nil
}

// place are the options that all of them share, but for the host's.
func (j Job) place() []string {
	return []string{"-p", strconv.Itoa(j.Port), "-c", strconv.Itoa(j.Connections)}
}
