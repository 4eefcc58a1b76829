package compose

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// readyTimeout bounds the wait for a server when the context sets no
	// earlier end.
	readyTimeout = 30 * time.Second
	// readyPoll is the pause between two looks at a server that is not ready.
	readyPoll = 10 * time.Millisecond
	// askTimeout bounds one question to a server.
	askTimeout = 2 * time.Second
)

// contact is how one server is reached.
type contact struct {
	// url has the user and the password.
	url string
	// tls is for a server whose certificate the system does not know; nil else.
	tls *tls.Config
}

// at is a server that needs no more than a URL.
func at(rawURL string) contact { return contact{url: rawURL} }

// String is the URL without the password.
func (c contact) String() string { return redact(c.url) }

// GoString keeps the password out of %#v.
func (c contact) GoString() string { return c.String() }

// options are those for one connection that tries once.
func (c contact) options() (*redis.Options, error) {
	opts, err := clientOptions(c.url)
	if err == nil && c.tls != nil {
		opts.TLSConfig = c.tls
	}
	return opts, err
}

// waitReady returns when the server answers PING. A refused
// connection and LOADING mean not yet; an answer that waiting cannot change,
// such as a wrong password, ends it.
func waitReady(ctx context.Context, c contact) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	end, _ := ctx.Deadline()
	var last error
	for {
		err := ping(ctx, c)
		if err == nil || final(err) {
			return err
		}
		// An attempt that the end of the wait cut off tells nothing.
		if last == nil || ctx.Err() == nil && time.Now().Before(end) {
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w; its last answer: %w", c, ctx.Err(), last)
		}
	}
}

// final tells an answer that waiting does not change.
func final(err error) bool {
	var invalid *invalidURLError
	if errors.As(err, &invalid) {
		return true
	}
	for _, prefix := range []string{"NOAUTH", "WRONGPASS", "NOPERM", "ERR", "DENIED"} {
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	return false
}

// ping asks once whether the server answers.
func ping(ctx context.Context, c contact) error {
	return once(ctx, c, "PING", func(ctx context.Context, client *redis.Client) error {
		return client.Ping(ctx).Err()
	})
}

// dial opens a connection, with TLS where the options say so.
func dial(ctx context.Context, opts *redis.Options) (net.Conn, error) {
	open := new(net.Dialer).DialContext
	if opts.TLSConfig != nil {
		open = (&tls.Dialer{Config: opts.TLSConfig}).DialContext
	}
	conn, err := open(ctx, opts.Network, opts.Addr)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", opts.Addr, err)
	}
	return conn, nil
}

// serverInfo asks a server for INFO fields as key and value.
func serverInfo(ctx context.Context, c contact, sections ...string) (map[string]string, error) {
	var text string
	err := once(ctx, c, "INFO", func(ctx context.Context, client *redis.Client) (err error) {
		text, err = client.Info(ctx, sections...).Result()
		return err
	})
	if err != nil {
		return nil, err
	}
	return parseInfo(text), nil
}

// resetStats sets the counters of a server back to 0.
func resetStats(ctx context.Context, c contact) error {
	return once(ctx, c, "CONFIG RESETSTAT", func(ctx context.Context, client *redis.Client) error {
		return client.ConfigResetStat(ctx).Err()
	})
}

// once asks a server one thing, called what, on a connection of its own. It dials
// by itself, because the client library writes a log line for each connection
// that is refused, or that ends in its TLS handshake, as one to a published port
// does while nobody listens behind it.
func once(ctx context.Context, c contact, what string, f func(context.Context, *redis.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	opts, err := c.options()
	if err != nil {
		return err
	}
	conn, err := dial(ctx, opts)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // Usually the client has closed it.
	opts.Dialer = func(context.Context, string, string) (net.Conn, error) { return conn, nil }
	client := redis.NewClient(opts)
	if err := f(ctx, client); err != nil {
		return errors.Join(fmt.Errorf("ask %s for %s: %w", c, what, err), client.Close())
	}
	return client.Close()
}

// ask runs one command on a server and returns its reply as the client
// library has it.
func ask(ctx context.Context, c contact, words ...string) (reply any, err error) {
	args := make([]any, len(words))
	for i, w := range words {
		args[i] = w
	}
	what := strings.Join(words[:min(2, len(words))], " ")
	err = once(ctx, c, what, func(ctx context.Context, client *redis.Client) (err error) {
		reply, err = client.Do(ctx, args...).Result()
		return err
	})
	return reply, err
}

// parseInfo reads INFO's lines of key:value; section titles and blank lines
// are left out.
func parseInfo(text string) map[string]string {
	fields := make(map[string]string)
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		line := strings.TrimSuffix(lines.Text(), "\r")
		if key, value, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, "#") {
			fields[key] = value
		}
	}
	return fields
}

// identify tells engine and version from INFO. Valkey keeps redis_version for
// old clients, and HELLO's words can be configured, so only valkey_version
// decides.
func identify(info map[string]string) (engine, version string) {
	if v := info["valkey_version"]; v != "" {
		return Valkey, v
	}
	return Redis, info["redis_version"]
}

// clientOptions reads a URL for one connection that tries once.
func clientOptions(rawURL string) (*redis.Options, error) {
	opts, err := redis.ParseURL(plainScheme(rawURL))
	if err != nil {
		return nil, &invalidURLError{url: redact(rawURL)}
	}
	opts.PoolSize, opts.MinIdleConns = 1, 0
	opts.MaxRetries, opts.DialerRetries = -1, 1
	opts.DialTimeout, opts.ReadTimeout, opts.WriteTimeout = askTimeout, askTimeout, askTimeout
	opts.DisableIdentity = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return opts, nil
}

// plainScheme writes valkey:// in the words that the client library knows.
func plainScheme(rawURL string) string {
	if rest, ok := strings.CutPrefix(rawURL, "valkeys://"); ok {
		return "rediss://" + rest
	}
	if rest, ok := strings.CutPrefix(rawURL, "valkey://"); ok {
		return "redis://" + rest
	}
	return rawURL
}

// invalidURLError is a URL that no server can be reached by. The parser's own
// error is dropped, because it repeats the URL with its password.
type invalidURLError struct{ url string }

// Error names the URL without its password.
func (e *invalidURLError) Error() string {
	return "read URL " + e.url + ": want redis://[user:password@]host:port[/database]"
}
