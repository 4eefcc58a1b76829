package store

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// ParseURL reads a configuration from one URL:
//
//	redis://[[user]:password@]host[:port][/database]
//	redis+cluster://[[user]:password@]host[:port][,host[:port]]…
//	redis+sentinel://[[user]:password@]sentinel[:port][,sentinel[:port]]…/master[/database]
//
// With rediss, valkeys, rediss+cluster and so on the connections are TLS; valkey
// and valkeys mean the same as redis and rediss. Special characters of user,
// password and values are written as %XX. The other fields are ?parameters: their
// names are those of the fields in small letters with underscores, such as
// key_prefix=auth, pool_size=16, cache_ttl=5m, read_from=replica,
// replicas=h2:6379,h3:6379, sentinel_password=…, and tls_ca_file, tls_cert_file,
// tls_key_file and tls_server_name for TLS; the files are read at once. Any other
// parameter is refused.
//
// What it returns has been checked as Open would; an error, which wraps
// ErrInvalid, names the part of the URL and never repeats the URL or a value that
// is secret. The URL itself is as secret as what it holds: logs like to keep
// queries, so that a sentinel's password is better set in its field.
func ParseURL(text string) (Config, error) {
	r := newReading(setting.inURL)
	err := r.setURL(text)
	if err != nil {
		return Config{}, during("parse URL", refusal(err))
	}
	cfg, err := r.finish()
	return cfg, during("parse URL", refusal(err))
}

func newReading(unwritten func(setting) string) *reading {
	return &reading{written: make(map[string]string), unwritten: unwritten}
}

// setURL reads all that a URL says, and checks each part by itself.
func (r *reading) setURL(text string) error {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return errors.New("no scheme; want for example redis://host:6379")
	}
	if strings.Contains(rest, "#") {
		return errors.New("a URL takes no #fragment; a # in a password is written as %23")
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	if strings.Contains(path, "@") || strings.Contains(query, "@") {
		return errors.New("an @ behind the hosts; special characters of a user or a password are written as %XX")
	}
	topology, err := r.setScheme(scheme)
	if err != nil {
		return err
	}
	if err := r.setAuthority(authority); err != nil {
		return err
	}
	if err := r.setPath(topology, path); err != nil {
		return err
	}
	r.noteParts()
	return r.setParameters(query)
}

// noteParts remembers which parts of the URL said something.
func (r *reading) noteParts() {
	for _, s := range settings() {
		said := map[string]bool{
			"URLs": true, "Username": r.Username != "", "Password": r.Password != "", "Database": r.Database != 0,
			"ClusterMode": r.ClusterMode, "MasterName": r.MasterName != "", "TLSEnabled": r.TLSEnabled,
		}
		if said[s.field] {
			r.written[s.field] = s.part
		}
	}
}

// The topologies that a scheme names behind its plus.
const (
	plusCluster  = "cluster"
	plusSentinel = "sentinel"
)

func (r *reading) setScheme(scheme string) (topology string, err error) {
	engine, topology, plus := strings.Cut(strings.ToLower(scheme), "+")
	known := []string{plusCluster, plusSentinel}
	if !slices.Contains([]string{"redis", "rediss", "valkey", "valkeys"}, engine) || plus && !slices.Contains(known, topology) {
		return "", errors.New("the scheme is none of redis, rediss, valkey and valkeys, alone or with +cluster or +sentinel")
	}
	r.TLSEnabled = engine == "rediss" || engine == "valkeys"
	r.ClusterMode = topology == plusCluster
	return topology, nil
}

// setAuthority reads [[user]:password@]host[:port][,host[:port]]….
func (r *reading) setAuthority(authority string) error {
	at := strings.LastIndex(authority, "@") + 1
	u, err := url.Parse("redis://" + authority[:at] + "host")
	if err != nil {
		return errors.New("the user or the password before @ cannot be read; their special characters are written as %XX")
	}
	r.Username = u.User.Username()
	r.Password, _ = u.User.Password()
	r.URLs = strings.Split(authority[at:], ",")
	for i, host := range r.URLs {
		if _, err := ParseAddress(host); err != nil {
			return fmt.Errorf("the hosts: entry %d: %w", i+1, err)
		}
	}
	return nil
}

// setPath reads the database, behind the master's name where there are
// sentinels.
func (r *reading) setPath(topology, path string) (err error) {
	if topology == plusSentinel {
		name, database, _ := strings.Cut(path, "/")
		if r.MasterName, err = url.PathUnescape(name); err != nil || r.MasterName == "" {
			return errors.New("the path: no name of a master; want for example redis+sentinel://host:26379/mymaster")
		}
		if err := checkMaster(r.MasterName); err != nil {
			return fmt.Errorf("the path: the name of the master %w", err)
		}
		path = database
	}
	r.Database, err = databaseNumber(path)
	return err
}

// setParameters reads what stands behind the question mark.
func (r *reading) setParameters(query string) error {
	// A plus is itself, as before the @, and no space as in forms.
	given, err := url.ParseQuery(strings.ReplaceAll(query, "+", "%2B"))
	if err != nil {
		return errors.New("the ?parameters cannot be read; want ?name=value&name=value, with special characters written as %XX")
	}
	known := parameters()
	for _, name := range slices.Sorted(maps.Keys(given)) {
		s, ok := known[name]
		switch values := given[name]; {
		case !ok:
			return fmt.Errorf("%s; known are %s", unknown(name), strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		case len(values) > 1:
			return fmt.Errorf("parameter %s is given %d times", name, len(values))
		case values[0] == "":
			return fmt.Errorf("parameter %s is empty; leave it out for the default", name)
		default:
			if err := r.take(s, "parameter "+name, values[0]); err != nil {
				return err
			}
		}
	}
	return nil
}

// parameters are the settings that no other part of a URL says, by name.
func parameters() map[string]setting {
	known := make(map[string]setting)
	for _, s := range settings() {
		if s.part == "" {
			known[s.name] = s
		}
	}
	return known
}

// unknown names a parameter, unless it looks like something else that slipped
// into its place.
func unknown(name string) string {
	if regexp.MustCompile(`^[A-Za-z_-]{1,32}$`).MatchString(name) {
		return "unknown parameter " + name
	}
	return "an unknown parameter"
}

// errMixed is a list in which some entries are URLs and others are not.
var errMixed = errors.New("give one URL, or host:port entries with commas between them, or URLs with commas between them")

// setURLs reads a list of addresses, or one URL that may name several hosts.
func (r *reading) setURLs(value string) error {
	entries := list(value)
	urls := 0
	for _, entry := range entries {
		if strings.Contains(entry, "://") {
			urls++
		}
	}
	switch {
	case urls == 1 && strings.Contains(entries[0], "://"):
		return r.setURL(strings.TrimSpace(value))
	case urls == 0 || urls == len(entries):
		r.URLs = entries
		if a, err := ParseAddress(entries[0]); err == nil { // Endpoint refuses what is none.
			r.TLSEnabled = a.TLS
		}
		return nil
	default:
		return errMixed
	}
}
