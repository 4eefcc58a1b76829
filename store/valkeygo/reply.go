package valkeygo

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"

	"github.com/valkey-io/valkey-go"

	"github.com/toriibench/toriibench/store"
)

// errUnknownPrimary is a change of the cluster that the library has not
// followed yet.
var errUnknownPrimary = errors.New("the cluster has a primary that the client does not know yet")

// texts reads an array of bulk strings. Null is "", an integer its decimal
// form; anything else is an error.
func texts(ctx context.Context, operation string, res valkey.ValkeyResult) ([]string, error) {
	elements, err := res.ToArray()
	if err != nil {
		return nil, failure(ctx, operation, err)
	}
	values := make([]string, len(elements))
	for i := range elements {
		if values[i], err = text(&elements[i]); err != nil {
			return nil, failure(ctx, operation, err)
		}
	}
	return values, nil
}

// text reads one element of a reply.
func text(m *valkey.ValkeyMessage) (string, error) {
	switch {
	case m.IsNil():
		return "", nil
	case m.IsInt64():
		n, err := m.ToInt64()
		return strconv.FormatInt(n, 10), err
	default:
		return m.ToString()
	}
}

// slotOwners reads the primaries from CLUSTER SLOTS, each once. A server that
// does not know its own host leaves it out; it is then the one that was asked.
func slotOwners(slots []valkey.ValkeyMessage, asked string) ([]string, error) {
	var addrs []string
	seen := make(map[string]bool)
	for i := range slots {
		addr, err := slotOwner(&slots[i], asked)
		if err != nil {
			return nil, err
		}
		if !seen[addr] {
			seen[addr] = true
			addrs = append(addrs, addr)
		}
	}
	return addrs, nil
}

// slotOwner reads the primary of one range of slots: its first and last slot,
// then the primary's host, port and more, then the replicas.
func slotOwner(slots *valkey.ValkeyMessage, asked string) (string, error) {
	fields, err := slots.ToArray()
	if err != nil {
		return "", err
	}
	if len(fields) < 3 {
		return "", errUnknownPrimary
	}
	primary, err := fields[2].ToArray()
	if err != nil {
		return "", err
	}
	if len(primary) < 2 {
		return "", errUnknownPrimary
	}
	host, err := text(&primary[0])
	if err != nil {
		return "", err
	}
	port, err := text(&primary[1])
	if host == "" {
		host = asked
	}
	return net.JoinHostPort(host, port), err
}

// serverError returns the text of an error reply.
func serverError(err error) (string, bool) {
	var reply *valkey.ValkeyError
	if err == nil || !errors.As(err, &reply) || reply.IsNil() {
		return "", false
	}
	return reply.Error(), true
}

// errNoMaster is what sentinels say of a name that they do not watch.
var errNoMaster = errors.New("they know no master of the name in MasterName")

// connectFailure is failure for what happened before there was a client. With
// sentinels nobody tells whether they or the servers have refused.
func connectFailure(ctx context.Context, cfg store.Config, err error) error {
	if cfg.MasterName == "" {
		return failure(ctx, "connect", err)
	}
	const operation = "connect through the sentinels"
	if reply, ok := serverError(err); ok && strings.Contains(reply, "No such master") || valkey.IsValkeyNil(err) {
		return store.TransportError(ctx, operation, errNoMaster)
	}
	return failure(ctx, operation, err)
}

// failure hands what went wrong to the store's classification.
func failure(ctx context.Context, operation string, err error) error {
	if reply, ok := serverError(err); ok {
		return store.ReplyError(operation, reply)
	}
	if valkey.IsValkeyNil(err) || valkey.IsParseErr(err) {
		return store.UnexpectedReply(operation, "of the expected type")
	}
	return store.TransportError(ctx, operation, err)
}
