package compose

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/toriibench/toriibench/compose/links"
)

const (
	// nodeTimeout is how long a cluster's node may be silent before the others
	// hold it for failing, and how long a primary before a sentinel does: short,
	// since the machines are near each other.
	nodeTimeout = "2000" // milliseconds
	// failoverTimeout bounds the steps of a failover by sentinels.
	failoverTimeout = "10000" // milliseconds
	// MasterName is what the sentinels of a topology call the primary.
	MasterName = "torii"
)

// spec is how to start one server of a topology, whoever starts it.
type spec struct {
	shape    Shape
	topology string
	creds    credentials
	// rules are those of the clients' user, with ACL.
	rules string
	// args are further options in redis.conf's words.
	args []string
	// watch is the primary that a sentinel watches; nil for a server with data.
	watch *member
	// number counts the topology's servers, and fabric carries what they send each
	// other; nil where nothing stands between them.
	number int
	fabric *links.Fabric
	// id is what a sentinel calls itself among the others: 40 hexadecimal digits.
	id string
}

// place is where a server listens and keeps its files.
type place struct {
	bind string
	// port is for clients, bus for the other nodes of a cluster.
	port, bus int
	// front and frontBus stand before them where there is a fabric; 0 else.
	front, frontBus int
	// dir is the working directory, with / at its end.
	dir string
}

// announced are the ports that others hear of.
func (p place) announced() (port, bus int) {
	if p.front == 0 {
		return p.port, p.bus
	}
	return p.front, p.frontBus
}

// withFronts opens the ports before a server, where there is a fabric.
func (s spec) withFronts(ctx context.Context, p place) (place, error) {
	if s.fabric == nil || s.sentinel() {
		return p, nil
	}
	front, err := s.fabric.Front(ctx, s.number)
	if err != nil {
		return p, err
	}
	p.front = front.Port()
	front.Direct(net.JoinHostPort(localHost, strconv.Itoa(p.port)))
	if !s.clustered() {
		return p, nil
	}
	if front, err = s.fabric.Front(ctx, s.number); err != nil {
		return p, err
	}
	p.frontBus = front.Port()
	front.Direct(net.JoinHostPort(localHost, strconv.Itoa(p.bus)))
	return p, nil
}

// sentinel says whether the server is one.
func (s spec) sentinel() bool { return s.watch != nil }

// clustered says whether the server is a node of a cluster.
func (s spec) clustered() bool { return s.topology == Cluster }

// contact is how this program reaches the server at host:port.
func (s spec) contact(host string, port int) contact {
	scheme, user := "redis", ""
	if s.shape.TLS {
		scheme = "rediss"
	}
	if password := s.creds.passwords[adminUser]; password != "" {
		user = adminUser + ":" + password + "@"
	}
	return contact{url: fmt.Sprintf("%s://%s%s:%d", scheme, user, host, port), tls: s.creds.tls}
}

// command is the server's command line without its program. What is on it wins
// over the configuration file, which a server may write anew: there the role of
// the day is kept.
func (s spec) command(p place) []string {
	args := []string{"--port", strconv.Itoa(p.port)}
	if s.shape.TLS {
		args = []string{"--port", "0", "--tls-port", strconv.Itoa(p.port)}
	}
	args = append(args, "--bind", p.bind, "--dir", p.dir, "--logfile", "", "--daemonize", "no")
	if s.sentinel() {
		return append([]string{configFile}, append(args, "--sentinel")...)
	}
	appendOnly := "no"
	if s.shape.AOF {
		appendOnly = "yes"
	}
	args = append(args, "--save", "", "--appendonly", appendOnly, "--maxmemory-policy", "noeviction")
	if len(s.config(p)) > 0 {
		args = append([]string{configFile}, args...)
	}
	return append(args, s.args...)
}

// nativeCommand is the command line of a plain process. Its title stays what it
// is, by which Sweep knows a leftover, and it is open to nobody else.
func (s spec) nativeCommand(p place) []string {
	return slices.Concat(s.command(p), []string{"--set-proc-title", "no", "--protected-mode", s.protection()})
}

// protection is the protected mode of a server that only loopback reaches. Redis
// 7.0 takes 127.0.0.1 alone for it, and not the addresses of a fabric's servers.
func (s spec) protection() string {
	if s.fabric != nil {
		return "no"
	}
	return "yes"
}

// configFile is the name of a server's configuration beside its data.
const configFile = "server.conf"

// config is the text of the configuration file: secrets, which no command line
// should show, and what is the same in each server. It is empty for a server
// that needs none.
func (s spec) config(p place) string {
	var lines []string
	add := func(words ...string) { lines = append(lines, strings.Join(words, " ")) }
	s.addTLS(add)
	s.addFabric(add, p)
	if s.sentinel() {
		s.addSentinel(add)
		return strings.Join(lines, "\n") + "\n"
	}
	s.addUsers(add)
	if s.topology != Standalone {
		add("repl-diskless-sync-delay", "0") // No other replica is worth waiting for.
	}
	if s.clustered() {
		add("cluster-enabled", "yes")
		add("cluster-node-timeout", nodeTimeout)
		add("cluster-port", strconv.Itoa(p.bus))
	}
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

// files are what the server reads when it starts, by name, in its directory.
func (s spec) files(p place) map[string][]byte {
	files := map[string][]byte{}
	maps.Copy(files, s.creds.files)
	if text := s.config(p); text != "" {
		files[configFile] = []byte(text)
	}
	return files
}

// addFabric lets a server connect from an address by which the fabric knows it,
// and tell others of the port before it.
func (s spec) addFabric(add func(...string), p place) {
	if s.fabric == nil {
		return
	}
	add("bind-source-addr", links.Source(s.number))
	port, bus := strconv.Itoa(p.front), strconv.Itoa(p.frontBus)
	switch {
	case s.sentinel():
		add("sentinel", "announce-ip", localHost)
	case s.topology == Standalone:
	case !s.clustered():
		add("replica-announce-ip", localHost)
		add("replica-announce-port", port)
	case s.shape.TLS:
		add("cluster-announce-ip", localHost)
		add("cluster-announce-tls-port", port)
		add("cluster-announce-bus-port", bus)
	default:
		add("cluster-announce-ip", localHost)
		add("cluster-announce-port", port)
		add("cluster-announce-bus-port", bus)
	}
}

// addTLS is for every server of a topology with TLS.
func (s spec) addTLS(add func(...string)) {
	if !s.shape.TLS {
		return
	}
	clients := "no"
	if s.shape.MutualTLS {
		clients = "yes"
	}
	add("tls-ca-cert-file", authorityFile)
	add("tls-cert-file", certificateFile)
	add("tls-key-file", keyFile)
	add("tls-auth-clients", clients)
	add("tls-replication", "yes")
	if s.clustered() {
		add("tls-cluster", "yes")
	}
}

// addUsers makes the users of a topology with ACL. The rules of sentinels are
// those of Redis' documentation on Sentinel.
func (s spec) addUsers(add func(...string)) {
	if !s.shape.ACL {
		return
	}
	password := s.creds.passwords
	add("user", "default", "off")
	add("user", adminUser, "on", ">"+password[adminUser], "~*", "&*", "+@all")
	add("user", clientUser, "on", ">"+password[clientUser], s.rules)
	if s.topology == Standalone {
		return
	}
	add("user", replicaUser, "on", ">"+password[replicaUser], "+psync", "+replconf", "+ping")
	add("masteruser", replicaUser)
	add("masterauth", password[replicaUser])
	if s.shape.Sentinels > 0 {
		add("user", sentinelUser, "on", ">"+password[sentinelUser], "&*", "+multi", "+slaveof", "+ping", "+exec", "+subscribe",
			"+config|rewrite", "+role", "+publish", "+info", "+client|setname", "+client|kill", "+script|kill")
	}
}

// addSentinel tells a sentinel whom to watch.
func (s spec) addSentinel(add func(...string)) {
	quorum := strconv.Itoa(s.shape.Sentinels/2 + 1)
	add("sentinel", "myid", s.id)
	add("sentinel", "monitor", MasterName, s.watch.host, strconv.Itoa(s.watch.port), quorum)
	add("sentinel", "down-after-milliseconds", MasterName, nodeTimeout)
	add("sentinel", "failover-timeout", MasterName, failoverTimeout)
	if !s.shape.ACL {
		return
	}
	password := s.creds.passwords
	add("sentinel", "auth-user", MasterName, sentinelUser)
	add("sentinel", "auth-pass", MasterName, password[sentinelUser])
	add("user", "default", "off")
	add("user", adminUser, "on", ">"+password[adminUser], "~*", "&*", "+@all")
	add("user", clientUser, "on", ">"+password[clientUser], "&*", "-@all", "+ping", "+auth", "+hello", "+client", "+subscribe", "+unsubscribe", "+psubscribe", "+sentinel|get-master-addr-by-name", "+sentinel|sentinels", "+sentinel|replicas",
		"+sentinel|slaves")
	add("user", sentinelUser, "on", ">"+password[sentinelUser], "&*", "+@all")
	add("sentinel", "sentinel-user", sentinelUser)
	add("sentinel", "sentinel-pass", password[sentinelUser])
}
