package compose

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/toriibench/toriibench/compose/debian"
)

// The engines that can be measured.
const (
	Redis  = "redis"
	Valkey = "valkey"
)

// ErrNotSupported marks a target that is well said but cannot be started.
var ErrNotSupported = errors.New("not supported yet")

// Target is what is measured: an engine in a version and a topology, or a URL.
// ParseTarget makes valid ones.
type Target struct {
	// Engine is [Redis] or [Valkey]; "" for a URL, where the server tells.
	Engine string
	// Version is a version or the beginning of one, for example "8.1"; ""
	// means the one that the provider has.
	Version string
	// Topology is [Standalone], [Replicated], [Sentinel] or [Cluster].
	Topology string
	// Options are what the topology is to have besides, for example "tls" or
	// "replicas=1": see [Shape].
	Options []string
	// URL is where the servers are, password included, when others run them;
	// "" for servers that a provider starts. Print the target, not this.
	URL string
}

// topologies are the known ones.
func topologies() []string { return []string{Standalone, Replicated, Sentinel, Cluster} }

// schemes maps the schemes of URLs to topologies.
func schemes() map[string]string {
	return map[string]string{
		"redis": Standalone, "rediss": Standalone, "valkey": Standalone, "valkeys": Standalone,
		"redis+cluster": Cluster, "rediss+cluster": Cluster,
		"valkey+cluster": Cluster, "valkeys+cluster": Cluster,
		"redis+sentinel": Sentinel, "rediss+sentinel": Sentinel,
		"valkey+sentinel": Sentinel, "valkeys+sentinel": Sentinel,
	}
}

// ParseTarget reads ENGINE[:VERSION][@TOPOLOGY[+OPTION…]] or a URL. The error
// of a word that is not known lists the words that are.
func ParseTarget(s string) (Target, error) {
	if strings.Contains(s, "://") {
		return parseURLTarget(s)
	}
	server, shape, shaped := strings.Cut(s, "@")
	t := Target{Topology: Standalone}
	var err error
	if t.Engine, t.Version, err = parseServer(server); err != nil {
		return Target{}, fmt.Errorf("read target %q: %w", s, err)
	}
	if !shaped {
		return t, nil
	}
	if t.Topology, t.Options, err = parseShape(shape); err != nil {
		return Target{}, fmt.Errorf("read target %q: %w", s, err)
	}
	return t, nil
}

// ParseTargets reads targets with commas between them, in one word or several. A
// URL of a cluster or of sentinels may have commas of its own: what follows it and
// is no target is one of its hosts.
func ParseTargets(words []string) ([]Target, error) {
	var parts []string
	several := false // hosts may follow
	for part := range strings.SplitSeq(strings.Join(words, ","), ",") {
		_, err := ParseTarget(part)
		if several && err != nil && !strings.Contains(part, "://") {
			parts[len(parts)-1] += "," + part
			continue
		}
		parts = append(parts, part)
		scheme, _, isURL := strings.Cut(part, "://")
		several = isURL && strings.Contains(scheme, "+")
	}
	var targets []Target
	for _, part := range parts {
		t, err := ParseTarget(part)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// versionForm is a number with up to three parts, and perhaps a pre-release.
func versionForm() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9]{1,4}(\.[0-9]{1,4}){0,2}(-(rc|alpha|beta)[0-9]{1,3})?$`)
}

// parseServer reads ENGINE[:VERSION].
func parseServer(s string) (engine, version string, err error) {
	engine, version, versioned := strings.Cut(s, ":")
	if engine != Redis && engine != Valkey {
		return "", "", fmt.Errorf("no engine %q; known are redis and valkey, for example %s:%s",
			engine, Valkey, DefaultVersion(Valkey))
	}
	if versioned && !versionForm().MatchString(version) {
		return "", "", fmt.Errorf("no version %q of %s; a version is a number such as %s, or nothing for the one at hand",
			version, engine, strings.Join(debian.Versions(engine), ", "))
	}
	return engine, version, nil
}

// parseShape reads TOPOLOGY[+OPTION…].
func parseShape(s string) (topology string, opts []string, err error) {
	words := strings.Split(s, "+")
	if len(words) > 1 {
		opts = words[1:]
	}
	_, err = Target{Topology: words[0], Options: opts}.Shape()
	return words[0], opts, err
}

// parseURLTarget reads a URL. Its errors do not repeat the URL, which may hold
// a password.
func parseURLTarget(s string) (Target, error) {
	u, err := splitURL(s)
	if err != nil {
		return Target{}, fmt.Errorf("read target: %w", err)
	}
	topology, ok := schemes()[u.scheme]
	if !ok {
		return Target{}, fmt.Errorf("read target: no scheme %q; known are redis, rediss, valkey and valkeys, alone or with +cluster or +sentinel",
			u.scheme)
	}
	t := Target{Topology: topology, URL: s}
	if strings.HasPrefix(u.scheme, "rediss") || strings.HasPrefix(u.scheme, "valkeys") {
		t.Options = []string{"tls"}
	}
	return t, nil
}

// String writes the target as ParseTarget reads it, with the version left out
// when it is open. The password of a URL is written as xxxxx.
func (t Target) String() string {
	if t.URL != "" {
		return redact(t.URL)
	}
	s := t.Engine
	if t.Version != "" {
		s += ":" + t.Version
	}
	return s + "@" + strings.Join(append([]string{t.Topology}, t.Options...), "+")
}

// Name is String with the first host alone of a URL that names several: one word,
// without a comma.
func (t Target) Name() string {
	u, err := splitURL(t.URL)
	if t.URL == "" || err != nil {
		return t.String()
	}
	u.hosts, _, _ = strings.Cut(u.hosts, ",")
	return u.redacted()
}

// MarshalText writes the target as String does, so that no encoder writes a
// password either.
func (t Target) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// GoString keeps the password out of %#v.
func (t Target) GoString() string { return "compose.Target(" + t.String() + ")" }

// Startable says whether a provider can start the target, or why not.
func (t Target) Startable() error {
	if t.URL != "" {
		return fmt.Errorf("start %s: a URL is a server that runs already: use the provider external", t)
	}
	if t.Engine != Redis && t.Engine != Valkey {
		return fmt.Errorf("start %s: no engine %q; known are redis and valkey", t, t.Engine)
	}
	if _, err := t.Shape(); err != nil {
		return fmt.Errorf("start %s: %w", t, err)
	}
	return nil
}

// DefaultVersion is the version of an engine that is fetched when none is
// wanted in particular; "" for an unknown engine.
func DefaultVersion(engine string) string {
	switch engine {
	case Redis:
		return "8.0"
	case Valkey:
		return "8.1"
	default:
		return ""
	}
}

// matches says whether version is, or begins with, the wanted one: 8.1 wants
// 8.1.4 and not 8.10.
func matches(version, want string) bool {
	return want == "" || version == want || strings.HasPrefix(version, want+".") ||
		strings.HasPrefix(version, want+"-")
}
