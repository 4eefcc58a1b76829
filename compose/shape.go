package compose

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The topologies.
const (
	// Standalone is one server.
	Standalone = "standalone"
	// Replicated is a primary with replicas that nobody promotes by itself.
	Replicated = "replicated"
	// Sentinel is a primary with replicas that sentinels watch.
	Sentinel = "sentinel"
	// Cluster is primaries that share the slots, with replicas.
	Cluster = "cluster"
)

// Shape is what a topology consists of. [Target.Shape] makes valid ones.
type Shape struct {
	// Primaries is 1, or the number of shards of a cluster.
	Primaries int
	// Replicas is how many each primary has.
	Replicas int
	// Sentinels watch the primary, by majority.
	Sentinels int
	// TLS encrypts all connections, also between servers, by an authority of the
	// topology's own; with MutualTLS clients have to show a certificate of it.
	TLS, MutualTLS bool
	// ACL switches the default user off and gives clients one with the fewest
	// rights that do, [Options].Rules.
	ACL bool
	// AOF writes every change to an append-only file, synced each second.
	AOF bool
}

// Nodes is the number of servers, sentinels included.
func (s Shape) Nodes() int { return s.data() + s.Sentinels }

// data is the number of servers that hold data.
func (s Shape) data() int { return s.Primaries * (1 + s.Replicas) }

// count is a number that an option can set, and its range.
type count struct {
	name       string
	field      *int
	least, max int
}

// counts are the numbers that may be given for a topology: enough for every
// rehearsal on one machine.
func (s *Shape) counts(topology string) []count {
	switch topology {
	case Replicated:
		return []count{{"replicas", &s.Replicas, 1, 5}}
	case Sentinel:
		return []count{{"replicas", &s.Replicas, 1, 5}, {"sentinels", &s.Sentinels, 1, 9}}
	case Cluster:
		return []count{{"primaries", &s.Primaries, 1, 16}, {"replicas", &s.Replicas, 0, 5}}
	default:
		return nil
	}
}

// usual is the shape of a topology without options.
func usual(topology string) Shape {
	switch topology {
	case Replicated:
		return Shape{Primaries: 1, Replicas: 2}
	case Sentinel:
		return Shape{Primaries: 1, Replicas: 2, Sentinels: 3}
	case Cluster:
		return Shape{Primaries: 3, Replicas: 1}
	default:
		return Shape{Primaries: 1}
	}
}

// options are the words that any topology may have.
func options() []string { return []string{"tls", "mtls", "acl", "aof"} }

// Shape says what the target's topology consists of. It fails for a target that
// ParseTarget would refuse.
func (t Target) Shape() (Shape, error) {
	if !slices.Contains(topologies(), t.Topology) {
		return Shape{}, fmt.Errorf("no topology %q; known are %s", t.Topology, strings.Join(topologies(), ", "))
	}
	s := usual(t.Topology)
	for i, word := range t.Options {
		name, _, _ := strings.Cut(word, "=")
		given := func(other string) bool { return other == name || strings.HasPrefix(other, name+"=") }
		if slices.ContainsFunc(t.Options[:i], given) {
			return Shape{}, fmt.Errorf("option %q is given twice", name)
		}
		if err := s.set(t.Topology, word); err != nil {
			return Shape{}, err
		}
	}
	return s, nil
}

// set reads one option.
func (s *Shape) set(topology, word string) error {
	switch word {
	case "tls":
		s.TLS = true
		return nil
	case "mtls":
		s.TLS, s.MutualTLS = true, true
		return nil
	case "acl":
		s.ACL = true
		return nil
	case "aof":
		s.AOF = true
		return nil
	}
	name, number, counted := strings.Cut(word, "=")
	known := options()
	for _, c := range s.counts(topology) {
		if c.name == name && counted {
			return c.set(number)
		}
		known = append(known, c.name+"=N")
	}
	return fmt.Errorf("no option %q of %s; known are %s", word, topology, strings.Join(known, ", "))
}

// errRange is the fault of a count.
var errRange = errors.New("want a whole number")

func (c count) set(number string) error {
	n, err := strconv.Atoi(number)
	if err != nil || n < c.least || n > c.max {
		return fmt.Errorf("option %s=%s: %w from %d to %d", c.name, number, errRange, c.least, c.max)
	}
	*c.field = n
	return nil
}
