package store

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Where Redis and Valkey, and their sentinels, listen when an address names no
// port.
const (
	defaultPort         = "6379"
	defaultSentinelPort = "26379"
)

// Address is one entry of Config.URLs, taken apart. It prints and encodes
// without its password.
type Address struct {
	// HostPort is what to dial: a host name or an IP address, and a port. An
	// IPv6 address stands in brackets.
	HostPort string
	// Username and Password are empty when the entry names none.
	Username, Password string
	// Database is 0 when the entry names none.
	Database int
	// TLS says that the scheme asks for it (rediss, valkeys).
	TLS bool
}

// ParseAddress reads host[:port] or a URL with the scheme redis, rediss, valkey
// or valkeys:
//
//	redis://[[user]:password@]host[:port][/database]
//
// An error never repeats the text, which may hold a password.
func ParseAddress(text string) (Address, error) { return parseAddress(text, defaultPort) }

func parseAddress(text, port string) (Address, error) {
	if !strings.Contains(text, "://") {
		text = "redis://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return Address{}, errors.New("not a URL and not host:port")
	}
	a := Address{TLS: u.Scheme == "rediss" || u.Scheme == "valkeys"}
	if !a.TLS && u.Scheme != "redis" && u.Scheme != "valkey" {
		return Address{}, errors.New("the scheme is none of redis, rediss, valkey, valkeys (ParseURL reads those of clusters and sentinels)")
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return Address{}, errors.New("an address takes no ?parameters (ParseURL reads them) and no #fragment")
	}
	a.Username = u.User.Username()
	a.Password, _ = u.User.Password()
	if a.HostPort, err = hostPort(u, port); err != nil {
		return Address{}, err
	}
	a.Database, err = databaseNumber(u.Path)
	return a, err
}

// hostPort checks what a URL says to dial and completes it with the usual port.
func hostPort(u *url.URL, usual string) (string, error) {
	host, port := u.Hostname(), or(u.Port(), usual)
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", errors.New("the port is not between 1 and 65535")
	}
	if !validHost(host) {
		return "", errors.New("the host is neither a name nor an IP address")
	}
	return net.JoinHostPort(host, port), nil
}

// validHost tells a host name or an IP address from what only looks like one
// to a URL parser.
func validHost(host string) bool {
	if strings.Contains(host, ":") {
		_, err := netip.ParseAddr(host)
		return err == nil
	}
	other := strings.IndexFunc(host, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.", r)
	})
	return host != "" && other < 0
}

// databaseNumber reads a URL's path.
func databaseNumber(path string) (int, error) {
	path = strings.TrimPrefix(path, "/")
	if path == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(path, 10, 31)
	if err != nil {
		return 0, errors.New("the path is not a database number")
	}
	return int(n), nil
}

// Endpoint is where and as whom a driver connects: a Config with its URLs taken
// apart and overridden by the explicit fields. It prints and encodes without its
// password.
type Endpoint struct {
	// Addrs has one host:port for a standalone server or a primary, the seeds of a
	// cluster, or the sentinels.
	Addrs []string
	// Replicas are the host:port of Config.Replicas.
	Replicas           []string
	Username, Password string
	Database           int
	// TLS is nil for plain connections. It belongs to the driver.
	TLS *tls.Config
}

// Endpoint takes the URLs of cfg apart, once for all drivers. Username, Password,
// Database, TLSEnabled and TLS of cfg, where set, win over what the URLs say;
// where they do not, the URLs must agree with each other. It wraps ErrInvalid.
func (cfg Config) Endpoint() (Endpoint, error) {
	e, err := cfg.endpoint(fieldName)
	return e, refusal(err)
}

func (cfg Config) endpoint(name naming) (Endpoint, error) {
	if err := first(cfg.checkDeployment(name), cfg.checkReads(name)); err != nil {
		return Endpoint{}, err
	}
	told, addrs, err := cfg.addresses()
	if err != nil {
		return Endpoint{}, fmt.Errorf("%s: %w", name("URLs"), err)
	}
	e := Endpoint{
		Addrs:    addrs,
		Username: or(cfg.Username, told.Username),
		Password: or(cfg.Password, told.Password),
		Database: or(cfg.Database, told.Database),
	}
	for _, text := range cfg.Replicas {
		a, _ := ParseAddress(text) // checkReads has read it.
		e.Replicas = append(e.Replicas, a.HostPort)
	}
	if cfg.TLS != nil {
		e.TLS = cfg.TLS.Clone()
	} else if cfg.TLSEnabled || told.TLS {
		e.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	switch {
	case cfg.ClusterMode && e.Database != 0:
		return Endpoint{}, fmt.Errorf("%s: database %d, but a cluster has only database 0", name("URLs"), e.Database)
	case e.Username != "" && e.Password == "":
		// A library may leave the user out then, and be the default user.
		return Endpoint{}, fmt.Errorf("%s: a user needs a password; set %s", name("Username"), name("Password"))
	default:
		return e, nil
	}
}

// addresses parses the URLs: what to dial, and what they all say beside it.
func (cfg Config) addresses() (told Address, addrs []string, err error) {
	if len(cfg.URLs) == 0 {
		return told, nil, errors.New("no server address given")
	}
	port := defaultPort
	if cfg.MasterName != "" {
		port = defaultSentinelPort
	}
	for i, text := range cfg.URLs {
		a, err := parseAddress(text, port)
		if err != nil {
			return told, nil, fmt.Errorf("entry %d: %w", i+1, err)
		}
		addrs = append(addrs, a.HostPort)
		a.HostPort = ""
		if i > 0 && a != told {
			return told, nil, fmt.Errorf("entry %d differs from the first in its credentials, database or TLS", i+1)
		}
		told = a
	}
	return told, addrs, nil
}
