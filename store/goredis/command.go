package goredis

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/toriibench/toriibench/store"
)

// arguments is a command line of a name and keys.
func arguments(name string, keys []string) []any {
	return appendPointers(append(make([]any, 0, 1+len(keys)), name), keys)
}

// appendPointers appends the addresses of texts, which the library reads
// through. A pointer fits into an interface; a string would be copied to the
// heap.
func appendPointers(line []any, texts []string) []any {
	for i := range texts {
		line = append(line, &texts[i])
	}
	return line
}

// serverError returns the text of an error reply.
func serverError(err error) (string, bool) {
	if err == nil || errors.Is(err, redis.Nil) {
		return "", false
	}
	var reply redis.Error
	if !errors.As(err, &reply) {
		return "", false
	}
	return reply.Error(), true
}

// errNoMaster is what sentinels say of a name that they do not watch.
var errNoMaster = errors.New("they know no master of the name in MasterName")

// failure hands what went wrong to the store's classification.
func failure(ctx context.Context, operation string, err error) error {
	asked := strings.Contains(err.Error(), "redis: all sentinels specified")
	if asked {
		operation += ": ask the sentinels for the primary"
	}
	if reply, ok := serverError(err); ok {
		return store.ReplyError(operation, reply)
	}
	switch {
	case asked && errors.Is(err, redis.Nil):
		return store.TransportError(ctx, operation, errNoMaster)
	case isParseError(err):
		return store.UnexpectedReply(operation, "of the expected type")
	case errors.Is(err, redis.ErrPoolTimeout):
		return store.TransportError(ctx, operation, context.DeadlineExceeded)
	default:
		return store.TransportError(ctx, operation, err)
	}
}

// isParseError tells a reply that the library could not read as what was
// asked for. Such an error has no type, and quotes the reply.
func isParseError(err error) bool {
	text := err.Error()
	return errors.Is(err, redis.Nil) ||
		strings.HasPrefix(text, "redis: can't") || strings.HasPrefix(text, "redis: invalid")
}
