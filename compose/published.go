package compose

import (
	"context"
	"net"
	"strconv"
)

// Servers behind published ports have two addresses each: an inner one, in the
// network that they share, by which they reach each other and which they tell
// clients of (CLUSTER SLOTS, MOVED, a sentinel's answers); and a port of this
// machine's loopback, by which everything outside of that network reaches them.
// [Access].DialContext leads from the first to the second.

// inner is the address that the other servers reach the server by.
func (m *member) inner() string { return net.JoinHostPort(m.host, strconv.Itoa(m.port)) }

// outer is the address that this machine reaches the server by.
func (m *member) outer() string {
	if m.published == 0 {
		return m.inner()
	}
	return net.JoinHostPort(localHost, strconv.Itoa(m.published))
}

// told is the address that clients of a cluster are told of.
func (m *member) told() string {
	if m.announced {
		return m.outer()
	}
	return m.inner()
}

// announce tells the nodes of a cluster behind published ports who they are: to
// each other by their inner address, which a node alone would not know, and to
// clients by the published one where the engine can tell them apart (Valkey from
// 9.1 on).
func (a *assembly) announce(ctx context.Context) error {
	port := "cluster-announce-client-port"
	if a.spec.shape.TLS {
		port = "cluster-announce-client-tls-port"
	}
	for _, m := range a.data {
		if m.published == 0 {
			continue
		}
		if _, err := m.command(ctx, "CONFIG", "SET", "cluster-announce-ip", m.host); err != nil {
			return err
		}
		reply, err := m.command(ctx, "CONFIG", "GET", port)
		if err != nil {
			return err
		}
		if _, known := pairs(reply)[port]; !known {
			continue
		}
		if _, err := m.command(ctx, "CONFIG", "SET", "cluster-announce-client-ipv4", localHost, port, strconv.Itoa(m.published)); err != nil {
			return err
		}
		m.announced = true
	}
	return nil
}

// dialer leads clients from the addresses that they are told of to the published
// ones; nil where they are told of none, or of those that they can reach.
func (a *assembly) dialer() func(ctx context.Context, network, addr string) (net.Conn, error) {
	if !a.spec.clustered() && len(a.sentinels) == 0 {
		return nil
	}
	outer := map[string]string{}
	for _, m := range a.members() {
		if m.told() != m.outer() {
			outer[m.told()] = m.outer()
		}
	}
	if len(outer) == 0 {
		return nil
	}
	var d net.Dialer
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if to, mapped := outer[addr]; mapped {
			addr = to
		}
		return d.DialContext(ctx, network, addr)
	}
}
