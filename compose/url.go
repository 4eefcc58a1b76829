package compose

import (
	"errors"
	"net/url"
	"strings"
)

// errURL is every fault of a URL. The parser's own error is not passed on,
// because it repeats the URL with its password.
var errURL = errors.New("not a URL of a server; want for example redis://user:password@host:6379/0, " +
	"with special characters of the password written as %XX")

// targetURL is a URL in its parts. Unlike [url.URL] it may name several hosts,
// with commas between them.
type targetURL struct {
	scheme string
	user   *url.Userinfo // nil when there is none
	hosts  string
	tail   string // path and query
}

// splitURL reads scheme://[user[:password]@]host[:port][,host…][/path][?query].
func splitURL(s string) (targetURL, error) {
	scheme, rest, _ := strings.Cut(s, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	// An @ behind the hosts, or a password in the query, is one that would be
	// printed.
	if strings.Contains(tail, "@") || strings.Contains(strings.ToLower(tail), "pass") {
		return targetURL{}, errURL
	}
	at := strings.LastIndex(authority, "@") + 1
	u := targetURL{scheme: strings.ToLower(scheme), hosts: authority[at:], tail: tail}
	for host := range strings.SplitSeq(u.hosts, ",") {
		parsed, err := url.Parse(scheme + "://" + authority[:at] + host + tail)
		if err != nil || parsed.Hostname() == "" {
			return targetURL{}, errURL
		}
		u.user = parsed.User
	}
	return u, nil
}

// redact writes a URL with its password as xxxxx. Of a text that is no URL it
// shows nothing.
func redact(rawURL string) string {
	u, err := splitURL(rawURL)
	if err != nil {
		return "a URL that cannot be read"
	}
	return u.redacted()
}

// redacted writes the URL with its password as xxxxx.
func (u targetURL) redacted() string {
	user := ""
	if u.user != nil {
		user = u.user.String() + "@"
		if _, has := u.user.Password(); has {
			user = url.UserPassword(u.user.Username(), "xxxxx").String() + "@"
		}
	}
	return u.scheme + "://" + user + u.hosts + u.tail
}
