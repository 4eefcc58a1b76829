package compose

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// errLoading is a server that reads its data from disk.
var errLoading = errors.New("it is still loading its data: try again when it is done")

// errClosed is a server that hangs up.
var errClosed = errors.New("it closed the connection: does it want TLS (rediss:// or valkeys://), or has it too many clients?")

// replyError is an error that a server replied, such as "NOAUTH Authentication
// required.".
type replyError string

// Error is the reply without its leading dash.
func (e replyError) Error() string { return string(e) }

// wire is one connection that asks simple questions. The client library is not
// used for what may fail, since it writes its failures to standard error, and
// dials by itself.
type wire struct {
	conn  net.Conn
	lines *bufio.Reader
}

// openWire connects and logs in.
func openWire(ctx context.Context, opts *redis.Options) (*wire, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	conn, err := dialWire(ctx, opts)
	if err != nil {
		return nil, err
	}
	w := &wire{conn: conn, lines: bufio.NewReader(conn)}
	if err := w.login(ctx, opts); err != nil {
		return nil, errors.Join(err, w.conn.Close())
	}
	return w, nil
}

// dialWire opens the connection, with TLS where the URL says so.
func dialWire(ctx context.Context, opts *redis.Options) (net.Conn, error) {
	var d net.Dialer
	plain, err := d.DialContext(ctx, "tcp", opts.Addr)
	if err != nil || opts.TLSConfig == nil {
		return plain, err
	}
	conn := tls.Client(plain, opts.TLSConfig)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = plain.Close() // a handshake that ran out of time has closed it
		return nil, &handshakeError{err}
	}
	return conn, nil
}

// handshakeError is a connection that TLS could not be agreed on.
type handshakeError struct{ err error }

// Error says what went wrong.
func (e *handshakeError) Error() string { return "TLS handshake: " + e.err.Error() }

// Unwrap is the reason.
func (e *handshakeError) Unwrap() error { return e.err }

// login sends the URL's password and chooses its database.
func (w *wire) login(ctx context.Context, opts *redis.Options) error {
	if opts.Password != "" {
		auth := []string{"AUTH", opts.Password}
		if opts.Username != "" {
			auth = []string{"AUTH", opts.Username, opts.Password}
		}
		if err := w.ask(ctx, auth...); err != nil {
			return err
		}
	}
	if opts.DB != 0 {
		return w.ask(ctx, "SELECT", strconv.Itoa(opts.DB))
	}
	return nil
}

// ask sends a command whose answer is one line, and returns the answer when it
// is an error.
func (w *wire) ask(ctx context.Context, args ...string) error {
	stop := context.AfterFunc(ctx, func() { _ = w.conn.SetDeadline(time.Unix(1, 0)) }) // fails for closed ones only
	defer stop()
	if _, err := io.WriteString(w.conn, command(args)); err != nil {
		return err
	}
	line, err := w.lines.ReadString('\n')
	if ctx.Err() != nil {
		return fmt.Errorf("wait for an answer: %w", ctx.Err())
	}
	if err != nil {
		return err
	}
	if text, bad := strings.CutPrefix(strings.TrimSpace(line), "-"); bad {
		return replyError(text)
	}
	return nil
}

// command writes a command in RESP: an array of bulk strings.
func command(args []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	return b.String()
}

// tryWire connects, logs in, asks for a PONG, and hangs up.
func tryWire(ctx context.Context, rawURL string) error {
	opts, err := clientOptions(rawURL)
	if err != nil {
		return err
	}
	w, err := openWire(ctx, opts)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return errors.Join(w.ask(ctx, "PING"), w.conn.Close())
}

// explainWire says in words what keeps a server from being used.
func explainWire(err error) error {
	var reply replyError
	if errors.As(err, &reply) {
		return explainReply(reply)
	}
	var fromClient redis.Error
	if errors.As(err, &fromClient) {
		return explainReply(replyError(fromClient.Error()))
	}
	if words := explainTLS(err); words != "" {
		return fmt.Errorf("%s: %w", words, err)
	}
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Errorf("there is no host of that name: %w", err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nothing listens there: start the server, or correct host and port: %w", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("it does not answer within %s: is the address right, and does it want TLS or not? %w", askTimeout, err)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("%w (%w)", errClosed, err)
	default:
		return err
	}
}

// explainReply says what to do about a server's own error.
func explainReply(reply replyError) error {
	code, _, _ := strings.Cut(string(reply), " ")
	switch code {
	case "NOAUTH":
		return fmt.Errorf("it wants a password: write it into the URL, as in redis://user:password@host: %w", reply)
	case "WRONGPASS":
		return fmt.Errorf("it does not take the user name and password of the URL: %w", reply)
	case "NOPERM":
		return fmt.Errorf("the user of the URL may not do that; it needs PING, INFO and the commands of the scenarios: %w", reply)
	case "DENIED":
		return errors.New("it is in protected mode, which takes clients from its own machine only: set a password on the server")
	case "LOADING":
		return fmt.Errorf("%w (%w)", errLoading, reply)
	default:
		return reply
	}
}

// explainTLS is what is wrong with TLS, or "".
func explainTLS(err error) string {
	var (
		record  tls.RecordHeaderError
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		remote  *net.OpError
		shake   *handshakeError
	)
	switch {
	case errors.As(err, &record):
		return "it does not speak TLS at this port: use redis:// or valkey://, or its TLS port"
	case errors.As(err, &unknown):
		return "its TLS certificate is signed by an authority that this machine does not trust: add the authority, for example by SSL_CERT_FILE"
	case errors.As(err, &name):
		return "its TLS certificate is for another host name"
	case errors.As(err, &invalid):
		return "its TLS certificate is not valid"
	case errors.As(err, &remote) && remote.Op == "remote error":
		return "it ended the TLS handshake: does it want a client certificate?"
	case errors.As(err, &shake) && errors.Is(err, context.DeadlineExceeded):
		return "it does not answer a TLS handshake: use redis:// or valkey://, or its TLS port"
	default:
		return ""
	}
}
