package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/toriibench/toriibench/compose"
	"github.com/toriibench/toriibench/results"
)

// stage is where a comparison takes place: one server at a time on a processor of
// its own, and what drives it on another one.
type stage struct {
	target               compose.Target
	provider             compose.Provider
	serverCPU, clientCPU int
	// path is the file for the result, which is there and empty.
	path string
	// leave gives the machine free for other runs.
	leave func()
}

// setStage checks the options and takes hold of all that they need.
func (p *program) setStage(ctx context.Context, o *perfOptions) (s stage, err error) {
	if s.target, err = o.check(); err != nil {
		return s, usage(err)
	}
	cpus, err := perfCPUs()
	if err != nil {
		return s, err
	}
	s.serverCPU, s.clientCPU = cpus[len(cpus)-1], cpus[0]
	if err := compose.Sweep(ctx, p.stderr); err != nil {
		fmt.Fprintf(p.stderr, "leftovers of an earlier run could not be cleared: %v\n", err)
	}
	var why string
	if s.provider, why, err = compose.Choose(ctx, o.provider, []compose.Target{s.target}, compose.Options{}); err != nil {
		return s, usage(err)
	}
	fmt.Fprintf(p.stderr, "server: %s\n", why)
	if s.path, err = results.CreatePerf(o.out, time.Now()); err != nil {
		return s, err
	}
	_, s.leave = claimMachine(p.stderr)
	return s, nil
}

// perfCPUs are the processors that the program may use, two or more.
func perfCPUs() ([]int, error) {
	cpus, err := allowedCPUs()
	if err != nil {
		return nil, fmt.Errorf("compare on %s: %w; it needs Linux", runtime.GOOS, err)
	}
	if len(cpus) < 2 {
		return nil, errors.New("compare: this program may use one processor, and it takes two: one for the server, one for what drives it")
	}
	return cpus, nil
}

// perform starts a server, lets f drive it, and takes it away again. The context
// that f gets ends with the server.
func (s *stage) perform(ctx context.Context, log io.Writer, f func(context.Context, *compose.Topology) error) (err error) {
	topology, err := s.provider.Start(ctx, s.target, compose.Options{Log: log, CPUs: []int{s.serverCPU}})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		err = errors.Join(err, topology.Close(ctx))
	}()
	ctx, stop := whileAlive(ctx, topology)
	defer stop()
	return causeOf(ctx, f(ctx, topology))
}
