package compose

import (
	"context"
	"errors"
	"fmt"
)

// Docker returns the provider that starts servers in containers, by
// testcontainers-go. Its name is "docker".
//
// The engine is the one of DOCKER_HOST, or else one at a usual socket; it has
// to be on this machine. On Linux servers have the host's network and listen on
// loopback, so that no proxy adds its own latency to theirs. Elsewhere, and with
// [Options].PublishedPorts, each has a port published on loopback; servers of one
// topology then share a bridge network, in which they reach each other.
//
// The images are the official ones, redis:VERSION and valkey/valkey:VERSION,
// unless [Options].Image or the environment names another: TORIIBENCH_IMAGE_REDIS
// and TORIIBENCH_IMAGE_VALKEY are names in which {version} stands for the
// target's version. Only a server binary, redis-server or valkey-server, on the
// image's PATH is needed. A target without a version takes the newest image that
// is there.
//
// Start may download an image that is missing, unless [Options].Offline. It
// also removes containers and networks that runs left behind when they were
// killed, as [Sweep] does. The provider may be used from any goroutine.
func Docker() Provider { return dockerProvider{} }

// dockerProvider is where containers come from.
type dockerProvider struct{}

// Name is "docker".
func (dockerProvider) Name() string { return "docker" }

// Check says whether an engine answers that has the image for t.
func (dockerProvider) Check(ctx context.Context, t Target) error {
	if err := t.Startable(); err != nil {
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
	if err := t.Startable(); err != nil {
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
	var at site
	if at.published, err = e.publishes(ctx, opts); err != nil {
		return nil, err
	}
	if at.published && opts.Links {
		return nil, fmt.Errorf("cut and slow links: %w behind published ports; take --provider native", ErrNotSupported)
	}
	if !at.published || t.Topology == Standalone {
		return e.startAt(ctx, at, t, img, opts)
	}
	if at.network, err = e.makeNetwork(ctx); err != nil {
		return nil, err
	}
	topo, err := e.startAt(ctx, at, t, img, opts)
	if err != nil {
		return nil, errors.Join(err, e.removeNetwork(ctx, at.network))
	}
	topo.onCloseDo(func(ctx context.Context) error { return e.removeNetwork(ctx, at.network) })
	return topo, nil
}

// site is where the servers of a topology are put; the zero value is the host's
// network.
type site struct {
	// published puts them behind published ports.
	published bool
	// network is the one that they share there; "" for one server alone.
	network string
}

// startAt is start at a site.
func (e *engine) startAt(ctx context.Context, at site, t Target, img serverImage, opts Options) (*Topology, error) {
	choosePort, where := freePort, ""
	if at.published {
		choosePort, where = publishedPort, ", behind published ports"
	}
	a, err := assemble(ctx, t, opts, func(ctx context.Context, s spec) (*member, error) {
		p := newPlan(t.Engine, img, s)
		p.cpus, p.network = opts.CPUs, at.network
		node, err := e.startServer(ctx, p, choosePort)
		if err != nil {
			return nil, err
		}
		return node.member(), nil
	})
	if err != nil {
		return nil, err
	}
	engineName, version, err := a.data[0].identify(ctx, t)
	if err != nil {
		return nil, errors.Join(err, a.close(ctx))
	}
	topo := a.topology(t, "docker")
	topo.Engine, topo.Version, topo.Origin = engineName, version, img.originOf(version)+where
	return topo, nil
}

// publishes says whether servers of this engine are behind published ports:
// because that is asked for, or because there is no other way to reach them.
func (e *engine) publishes(ctx context.Context, opts Options) (bool, error) {
	if opts.PublishedPorts {
		return true, nil
	}
	shared, err := e.sharesLoopback(ctx)
	return !shared, err
}

// identify asks what really runs, and refuses it when that is not t: an image's
// tag proves nothing.
func (m *member) identify(ctx context.Context, t Target) (engineName, version string, err error) {
	info, err := m.info(ctx, "server")
	if err != nil {
		return "", "", err
	}
	engineName, version = identify(info)
	if engineName != t.Engine || !matches(version, t.Version) {
		return "", "", fmt.Errorf("the image holds %s %s, not %s", engineName, version, t)
	}
	return engineName, version, nil
}
