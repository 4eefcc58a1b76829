package valkeygo

import (
	"context"
	"errors"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/toriibench/toriibench/store"
)

// GetLocal is a GET that a copy in this process may answer. One that is not there
// is read by a transaction in which the server is asked to tell of changes; callers
// who want the same meanwhile wait for it. A Trace counts that transaction as one command, and does not see
// when it is written; a copy is no command.
func (d *driver) GetLocal(ctx context.Context, key string) (string, bool, error) {
	asked := time.Now()
	res := d.finish(d.client.DoCache(ctx, d.client.B().Get().Key(key).Cache(), d.localLife))
	local := res.IsCacheHit()
	if trace := store.TraceOf(ctx); trace != nil && !local {
		trace.Add(asked, time.Time{}, time.Now(), res.NonValkeyError())
	}
	value, err := res.ToString()
	switch {
	case err == nil || valkey.IsValkeyNil(err):
		return value, local, nil
	case othersFault(ctx, err) || errors.Is(err, valkey.ErrDoCacheAborted):
		values, err := d.Get(ctx, key)
		if err != nil {
			return "", false, err
		}
		return values[0], false, nil
	default:
		return "", false, failure(ctx, "GET", err)
	}
}

// Settle reads something about the key on the connection that its copy came by,
// which is where the messages about it come by too, and before the reply. The
// library picks any connection for other commands; it is only for this one that
// it takes that of the slot. A life of 0 lets no copy be the answer, but somebody
// else's question that is under way may be: it may have been asked too early.
func (d *driver) Settle(ctx context.Context, key string) error {
	for {
		asked := time.Now()
		res := d.finish(d.client.DoCache(ctx, d.client.B().Strlen().Key(key).Cache(), 0))
		err := res.Error()
		if err != nil && !othersFault(ctx, err) {
			return failure(ctx, "STRLEN", err)
		}
		if err != nil || res.IsCacheHit() {
			continue
		}
		if trace := store.TraceOf(ctx); trace != nil {
			trace.Add(asked, time.Time{}, time.Now(), nil)
		}
		return nil
	}
}

// othersFault tells what ended somebody else's question, whose answer this caller
// has waited for: the library hands the first caller's canceled context to all.
func othersFault(ctx context.Context, err error) bool {
	return ctx.Err() == nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}
