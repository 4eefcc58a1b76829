package valkeygo

import (
	"cmp"
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/toriibench/toriibench/store"
)

// command is a command before the library has built it.
type command struct {
	// name is in capital letters, unless mark has spelled it otherwise.
	name string
	// script of an EVAL or its digest; empty for other commands.
	script     string
	keys, args []string
	// repeat lets the library repeat it.
	repeat bool
	// replica lets a replica answer it.
	replica bool
}

// build makes a command of the library. Only the first key is marked as one: it
// names the slot that all keys lie in. The library panics when they do not; the
// server replies with an error.
func (c *command) build(b valkey.Builder) valkey.Completed {
	cmd := b.Arbitrary(c.name)
	if c.script != "" {
		cmd = cmd.Args(c.script, strconv.Itoa(len(c.keys)))
	}
	if len(c.keys) > 0 {
		cmd = cmd.Keys(c.keys[0]).Args(c.keys[1:]...)
	}
	cmd = cmd.Args(c.args...)
	if c.replica {
		// The library repeats such a command too, unless it may repeat nothing.
		return cmd.ReadOnly()
	}
	built := cmd.Build()
	if c.repeat {
		built = built.ToRetryable()
	}
	return built
}

// toReplica says whether a replica may answer a read: never where all reads go to
// the primary, and one time in two where they go to any.
func (d *driver) toReplica(ctx context.Context) bool {
	switch {
	case d.readFrom == store.ReadFromPrimary, store.PrimaryReads(ctx):
		return false
	default:
		return d.readFrom == store.ReadFromReplica || rand.IntN(2) == 0
	}
}

// wire is the command as it stands on the wire, from its name to its first key.
func (c *command) wire() string {
	words := []string{c.name}
	if c.script != "" {
		words = append(words, c.script, strconv.Itoa(len(c.keys)))
	}
	if len(c.keys) > 0 {
		words = append(words, c.keys[0])
	}
	var b strings.Builder
	for _, word := range words {
		b.WriteString("$" + strconv.Itoa(len(word)) + "\r\n" + word + "\r\n")
	}
	return b.String()
}

// do performs a command, and tells the context's Trace about it if there is one.
func (d *driver) do(ctx context.Context, c command) valkey.ValkeyResult {
	trace := store.TraceOf(ctx)
	if trace == nil {
		return d.finish(d.client.Do(ctx, c.build(d.client.B())))
	}
	asked := time.Now()
	m := d.tap.mark(&c)
	res := d.finish(d.client.Do(ctx, c.build(d.client.B())))
	trace.Add(asked, d.tap.unmark(m), time.Now(), res.NonValkeyError())
	return res
}

// both performs two reads in one round trip and returns their texts; null is "".
func (d *driver) both(ctx context.Context, a, b command) (found [2]string, err error) {
	trace := store.TraceOf(ctx)
	var asked time.Time
	var m *mark
	if trace != nil {
		asked = time.Now()
		m = d.tap.mark(&b)
	}
	results := d.client.DoMulti(ctx, a.build(d.client.B()), b.build(d.client.B()))
	var unanswered error
	for i, name := range [...]string{a.name, b.name} {
		res := d.finish(results[i])
		unanswered = cmp.Or(unanswered, res.NonValkeyError())
		text, failed := res.ToString()
		if failed != nil && !valkey.IsValkeyNil(failed) && err == nil {
			err = failure(ctx, strings.ToUpper(name), failed)
		}
		found[i] = text
	}
	if trace != nil {
		trace.AddPipeline(len(results), asked, d.tap.unmark(m), time.Now(), unanswered)
	}
	return found, err
}

// finish counts a redirection that was not followed, because there had been too
// many: the tap has counted it as one that was.
func (d *driver) finish(res valkey.ValkeyResult) valkey.ValkeyResult {
	if !d.cluster {
		return res
	}
	if reply, ok := serverError(res.Error()); ok && isRedirect(reply) {
		d.tap.redirects.Add(-1)
	}
	return res
}

// isRedirect tells what a cluster's node replies when another one has the key.
func isRedirect(reply string) bool {
	return strings.HasPrefix(reply, "MOVED ") || strings.HasPrefix(reply, "ASK ")
}

// Retries counts the commands that the library has sent again: redirections, and
// repetitions of reads.
func (d *driver) Retries() int64 { return d.tap.redirects.Load() + d.repeats.done.Load() }
