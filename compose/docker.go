package compose

import (
	"context"
	"errors"
	"fmt"
)

// Docker returns the provider that starts standalone servers in containers, by
// testcontainers-go. Its name is "docker".
//
// The engine is the one of DOCKER_HOST, or else one at a usual socket; it has
// to be on this machine. On Linux servers have the host's network and listen on
// loopback, so that no proxy adds its own latency to theirs; elsewhere a port
// is published on loopback.
//
// The images are the official ones, redis:VERSION and valkey/valkey:VERSION,
// unless [Options].Image or the environment names another: TORIIBENCH_IMAGE_REDIS
// and TORIIBENCH_IMAGE_VALKEY are names in which {version} stands for the
// target's version. Only a server binary, redis-server or valkey-server, on the
// image's PATH is needed. A target without a version takes the newest image that
// is there.
//
// Start may download an image that is missing, unless [Options].Offline. It
// also removes containers that runs left behind when they were killed, as
// [Sweep] does. The provider may be used from any goroutine.
func Docker() Provider { return dockerProvider{} }

// dockerProvider is where containers come from.
type dockerProvider struct{}

// Name is "docker".
func (dockerProvider) Name() string { return "docker" }

// containable says whether a container can serve t, or why not.
func containable(t Target) error {
	if err := t.Startable(); err != nil {
		return err
	}
	if t.Topology != Standalone || len(t.Options) > 0 {
		return fmt.Errorf("start %s: %w in containers: take --provider native", t, ErrNotSupported)
	}
	return nil
}

// Check says whether an engine answers that has the image for t.
func (dockerProvider) Check(ctx context.Context, t Target) error {
	if err := containable(t); err != nil {
		return err
	}
	eng, err := openEngine(ctx)
	if err != nil {
		return err
	}
	img, err := eng.findImage(ctx, t, "")
	if errors.Is(err, errNoImage) {
		err = explainNoImage(t, img.name, err)
	}
	return errors.Join(err, eng.api.Close())
}

// Start starts t in a container.
func (dockerProvider) Start(ctx context.Context, t Target, opts Options) (*Topology, error) {
	if err := containable(t); err != nil {
		return nil, err
	}
	if err := checkArgs(opts.Args); err != nil {
		return nil, err
	}
	eng, err := openEngine(ctx)
	if err != nil {
		return nil, err
	}
	if err := eng.sweep(ctx, opts.log()); err != nil {
		fmt.Fprintf(opts.log(), "warning: could not remove what killed runs left behind: %v\n", err)
	}
	topo, err := eng.start(ctx, t, opts)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", t, err), eng.api.Close())
	}
	topo.onCloseDo(func(context.Context) error { return eng.api.Close() })
	return topo, nil
}

// start starts t and makes a topology of it.
func (e *engine) start(ctx context.Context, t Target, opts Options) (*Topology, error) {
	img, err := e.obtainImage(ctx, t, opts)
	if err != nil {
		return nil, err
	}
	choosePort, err := e.portSource(ctx)
	if err != nil {
		return nil, err
	}
	p := newPlan(t.Engine, img, opts.Args)
	p.cpus = opts.CPUs
	node, err := e.startServer(ctx, p, choosePort)
	if err != nil {
		return nil, err
	}
	engineName, version, err := node.identify(ctx, t)
	if err != nil {
		return nil, errors.Join(err, node.close(ctx))
	}
	topo := newTopology(t, "docker", []string{node.rawURL}, node)
	topo.Engine, topo.Version, topo.Origin = engineName, version, img.origin()
	return topo, nil
}

// portSource says how servers of this engine get their ports.
func (e *engine) portSource(ctx context.Context) (func(context.Context) (int, error), error) {
	shared, err := e.sharesLoopback(ctx)
	if err != nil {
		return nil, err
	}
	if shared {
		return freePort, nil
	}
	return publishedPort, nil
}

// identify asks what really runs, and refuses it when that is not t: an image's
// tag proves nothing.
func (n *containerNode) identify(ctx context.Context, t Target) (engineName, version string, err error) {
	info, err := n.info(ctx, "server")
	if err != nil {
		return "", "", err
	}
	engineName, version = identify(info)
	if engineName != t.Engine || !matches(version, t.Version) {
		return "", "", fmt.Errorf("the image holds %s %s, not %s", engineName, version, t)
	}
	return engineName, version, nil
}
