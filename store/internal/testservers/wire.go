package testservers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// askTimeout bounds one question to a server.
const askTimeout = 5 * time.Second

// ask sends one command on a connection of its own and reads the reply, in
// RESP2: a string, an int64, a []any, or nil. It knows no client library, so
// that what the libraries do to a server can be seen from outside. Password is
// sent first unless it is empty.
func ask(addr, password string, command ...string) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", addr, err)
	}
	defer conn.Close() //nolint:errcheck // The reply has been read or given up.
	if err := conn.SetDeadline(time.Now().Add(askTimeout)); err != nil {
		return nil, fmt.Errorf("ask %s: %w", addr, err)
	}
	in := bufio.NewReader(conn)
	if password != "" {
		if _, err := exchange(conn, in, "AUTH", password); err != nil {
			return nil, err
		}
	}
	return exchange(conn, in, command...)
}

// exchange sends a command and reads its reply.
func exchange(out io.Writer, in *bufio.Reader, command ...string) (any, error) {
	if _, err := io.WriteString(out, Values(command...)); err != nil {
		return nil, fmt.Errorf("send %s: %w", command[0], err)
	}
	reply, err := read(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", command[0], err)
	}
	return reply, nil
}

// read reads one reply.
func read(in *bufio.Reader) (any, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("read reply: %w", err)
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return nil, errors.New("read reply: empty line")
	}
	switch kind, rest := line[0], line[1:]; kind {
	case '+':
		return rest, nil
	case '-':
		return nil, errors.New(rest)
	}
	n, err := strconv.Atoi(line[1:])
	if err != nil {
		return nil, fmt.Errorf("read reply: %w", err)
	}
	switch line[0] {
	case ':':
		return int64(n), nil
	case '$':
		return readBulk(in, n)
	case '*':
		return readArray(in, n)
	}
	return nil, fmt.Errorf("read reply: unknown type %q", line[0])
}

// readBulk reads a bulk string of n bytes; -1 is null.
func readBulk(in *bufio.Reader, n int) (any, error) {
	if n < 0 {
		return nil, nil
	}
	text := make([]byte, n+2)
	if _, err := io.ReadFull(in, text); err != nil {
		return nil, fmt.Errorf("read reply: %w", err)
	}
	return string(text[:n]), nil
}

// readArray reads n replies; -1 is null.
func readArray(in *bufio.Reader, n int) (any, error) {
	if n < 0 {
		return nil, nil
	}
	elements := make([]any, 0, n)
	for range n {
		element, err := read(in)
		if err != nil {
			return nil, err
		}
		elements = append(elements, element)
	}
	return elements, nil
}
