package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// Dial connects to addr by dial, and speaks TLS on top when secure is not nil, to
// the host of addr unless secure names one. Both together may take limit.
func Dial(
	ctx context.Context, dial func(ctx context.Context, network, addr string) (net.Conn, error), addr string, limit time.Duration, secure *tls.Config,
) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := dial(ctx, "tcp", addr)
	if err != nil || secure == nil {
		return conn, err
	}
	if secure.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		secure = secure.Clone()
		secure.ServerName = host
	}
	secured := tls.Client(conn, secure)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secured, nil
}
