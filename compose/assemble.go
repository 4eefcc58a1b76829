package compose

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/toriibench/toriibench/compose/links"
)

// member is a running server of a topology in the making.
type member struct {
	node    node
	contact contact
	// host, port and bus are where the other servers reach it.
	host      string
	port, bus int
	// published is the port of this machine's loopback that leads to it; 0 means
	// that this program and the clients reach it where the other servers do.
	published int
	// announced says that the node of a cluster tells clients of the published port.
	announced bool
	// tail is the end of its log, ready to follow an error.
	tail func(context.Context) string
}

// command runs a command on the server.
func (m *member) command(ctx context.Context, words ...string) (any, error) {
	return ask(ctx, m.contact, words...)
}

// info reads sections of the server's INFO.
func (m *member) info(ctx context.Context, sections ...string) (map[string]string, error) {
	return serverInfo(ctx, m.contact, sections...)
}

// starter starts one server and returns when it answers. On an error nothing
// stays behind.
type starter func(ctx context.Context, s spec) (*member, error)

// assembly is a topology in the making.
type assembly struct {
	spec      spec
	data      []*member // the primaries, then the replicas of each in turn
	sentinels []*member
}

// assemble starts the servers of a target and makes a topology of them, which is
// ready: all agree on who is who, and the replicas have all that their primaries
// have. On an error nothing stays behind.
func assemble(ctx context.Context, t Target, opts Options, start starter) (*assembly, error) {
	a, err := newAssembly(t, opts)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := a.build(ctx, start); err != nil {
		return nil, errors.Join(err, a.close(context.WithoutCancel(ctx)))
	}
	return a, nil
}

func newAssembly(t Target, opts Options) (*assembly, error) {
	shape, err := t.Shape()
	if err != nil {
		return nil, err
	}
	if shape.ACL && opts.Rules == "" {
		return nil, fmt.Errorf("start %s: say in Options.Rules what the clients' user may do", t)
	}
	creds, err := newCredentials(shape)
	if err != nil {
		return nil, err
	}
	a := &assembly{spec: spec{shape: shape, topology: t.Topology, creds: creds, rules: opts.Rules, args: opts.Args}}
	if opts.Links {
		if runtime.GOOS != "linux" {
			return nil, fmt.Errorf("start %s with links that can be cut: %w: only Linux has the loopback addresses that it takes", t, ErrNotSupported)
		}
		a.spec.fabric = links.New()
	}
	return a, nil
}

func (a *assembly) build(ctx context.Context, start starter) (err error) {
	if a.data, err = startAll(ctx, start, a.spec, a.spec.shape.data()); err != nil {
		return err
	}
	switch {
	case a.spec.clustered():
		err = a.meet(ctx)
	case a.spec.shape.Replicas > 0:
		err = a.follow(ctx)
	}
	if err != nil || a.spec.shape.Sentinels == 0 {
		return err
	}
	watcher := a.spec
	watcher.watch, watcher.number = a.data[0], len(a.data)
	if a.sentinels, err = startAll(ctx, start, watcher, a.spec.shape.Sentinels); err != nil {
		return err
	}
	return a.awaitSentinels(ctx)
}

// startAll starts n servers beside each other. Those that did start are returned
// also with an error.
func startAll(ctx context.Context, start starter, s spec, n int) ([]*member, error) {
	started, errs := make([]*member, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		one := s
		one.id, one.number = newID(), s.number+i
		all.Go(func() { started[i], errs[i] = start(ctx, one) })
	}
	all.Wait()
	var members []*member
	for _, m := range started {
		if m != nil {
			members = append(members, m)
		}
	}
	return members, errors.Join(errs...)
}

// newID is a random id of a sentinel.
func newID() string {
	id := make([]byte, 20)
	rand.Read(id)
	return hex.EncodeToString(id)
}

// members are all servers, those with data first.
func (a *assembly) members() []*member {
	return append(a.data[:len(a.data):len(a.data)], a.sentinels...)
}

// topology is what has been assembled, as its users know it.
func (a *assembly) topology(t Target, provider string) *Topology {
	topo := newTopology(t, provider, a.urls(), a.nodes()...)
	topo.members, topo.sentinels = a.members(), len(a.sentinels)
	topo.Access = a.access()
	if topo.fabric = a.spec.fabric; topo.fabric != nil {
		topo.onCloseDo(func(context.Context) error { return topo.fabric.Close() })
	}
	return topo
}

// nodes are the servers for a Topology.
func (a *assembly) nodes() []node {
	var nodes []node
	for _, m := range a.members() {
		nodes = append(nodes, m.node)
	}
	return nodes
}

// close ends what has been started.
func (a *assembly) close(ctx context.Context) error {
	err := closeAll(ctx, a.nodes())
	if a.spec.fabric != nil {
		err = errors.Join(err, a.spec.fabric.Close())
	}
	return err
}

// closeAll ends servers beside each other: one that has replicas waits for them.
func closeAll(ctx context.Context, nodes []node) error {
	errs := make([]error, len(nodes))
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() { errs[i] = n.close(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// replicas are those of primary i.
func (a *assembly) replicas(i int) []*member {
	first := a.spec.shape.Primaries + i*a.spec.shape.Replicas
	return a.data[first : first+a.spec.shape.Replicas]
}

// urls are how clients reach the topology: its sentinels, its primary, or all
// nodes of a cluster. They have no passwords: those are in access.
func (a *assembly) urls() []string {
	from := a.data[:1]
	switch {
	case len(a.sentinels) > 0:
		from = a.sentinels
	case a.spec.clustered():
		from = a.data
	}
	urls := make([]string, len(from))
	for i, m := range from {
		urls[i] = m.address(a.spec.shape.TLS)
		if a.spec.fabric != nil && !a.watched() {
			urls[i] = fmt.Sprintf("%s://%s:%d", scheme(a.spec.shape.TLS), m.host, m.port)
		}
	}
	return urls
}

// watched says whether sentinels lead clients to the servers.
func (a *assembly) watched() bool { return len(a.sentinels) > 0 }

// scheme begins a URL.
func scheme(encrypted bool) string {
	if encrypted {
		return "rediss"
	}
	return "redis"
}

// address is the server's URL without a user.
func (m *member) address(encrypted bool) string {
	_, host, _ := strings.Cut(m.contact.url, "://")
	return scheme(encrypted) + "://" + host[strings.LastIndex(host, "@")+1:]
}

// access is what clients need beside the URLs.
func (a *assembly) access() Access {
	so := Access{Cluster: a.spec.clustered(), TLS: a.spec.creds.tls, DialContext: a.dialer()}
	if password := a.spec.creds.passwords[clientUser]; password != "" {
		so.Username, so.Password = clientUser, password
	}
	if len(a.sentinels) > 0 {
		so.MasterName = MasterName
		so.SentinelUsername, so.SentinelPassword = so.Username, so.Password
		return so
	}
	if !so.Cluster {
		for _, m := range a.data[1:] {
			so.Replicas = append(so.Replicas, m.outer())
		}
	}
	return so
}
