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

// defaultPort is where Redis and Valkey listen when an address names no port.
const defaultPort = "6379"

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
func ParseAddress(text string) (Address, error) {
	if !strings.Contains(text, "://") {
		text = "redis://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return Address{}, errors.New("not a URL and not host:port")
	}
	a := Address{TLS: u.Scheme == "rediss" || u.Scheme == "valkeys"}
	if !a.TLS && u.Scheme != "redis" && u.Scheme != "valkey" {
		return Address{}, errors.New("the scheme is none of redis, rediss, valkey, valkeys")
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return Address{}, errors.New("a URL takes no ?options and no #fragment")
	}
	a.Username = u.User.Username()
	a.Password, _ = u.User.Password()
	if a.HostPort, err = hostPort(u); err != nil {
		return Address{}, err
	}
	a.Database, err = databaseNumber(u.Path)
	return a, err
}

// hostPort checks what a URL says to dial and completes it with the port.
func hostPort(u *url.URL) (string, error) {
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = defaultPort
	}
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
	// Addrs has one host:port for standalone, the seeds for a cluster.
	Addrs              []string
	Username, Password string
	Database           int
	// TLS is nil for plain connections. It belongs to the driver.
	TLS *tls.Config
}

// Endpoint takes the URLs of cfg apart, once for all drivers. Username, Password,
// Database, TLSEnabled and TLS of cfg, where set, win over what the URLs say;
// where they do not, the URLs must agree with each other. It wraps ErrInvalid.
func (cfg Config) Endpoint() (Endpoint, error) {
	first, addrs, err := cfg.addresses()
	if err != nil {
		return Endpoint{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	e := Endpoint{
		Addrs:    addrs,
		Username: or(cfg.Username, first.Username),
		Password: or(cfg.Password, first.Password),
		Database: or(cfg.Database, first.Database),
	}
	if cfg.ClusterMode && e.Database != 0 {
		return Endpoint{}, invalid("database number %d in cluster mode: a cluster has only database 0", e.Database)
	}
	if cfg.TLS != nil {
		e.TLS = cfg.TLS.Clone()
	} else if cfg.TLSEnabled || first.TLS {
		e.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return e, nil
}

// addresses parses the URLs: what to dial, and what they all say beside it.
func (cfg Config) addresses() (first Address, addrs []string, err error) {
	switch {
	case len(cfg.URLs) == 0:
		return first, nil, errors.New("no URL to connect to")
	case len(cfg.URLs) > 1 && !cfg.ClusterMode:
		return first, nil, fmt.Errorf("%d URLs need ClusterMode; a standalone server has one", len(cfg.URLs))
	}
	for i, text := range cfg.URLs {
		a, err := ParseAddress(text)
		if err != nil {
			return first, nil, fmt.Errorf("URL %d: %w", i+1, err)
		}
		addrs = append(addrs, a.HostPort)
		a.HostPort = ""
		if i > 0 && a != first {
			return first, nil, fmt.Errorf("URL %d differs from the first in its credentials, database or TLS", i+1)
		}
		first = a
	}
	return first, addrs, nil
}

// WithDefaults fills in what Open fills in, without its checks: for drivers and
// for describing a configuration.
func (cfg Config) WithDefaults() Config {
	cfg, _ = cfg.complete() // What complete refuses, Open reports.
	return cfg
}
