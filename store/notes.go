package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A note is a text that is kept for a short while between two steps of a log-in:
//
//	1 expires LF text
//
// The text comes last and may hold anything. It lies in a slot of its own, under
// a hash of its name.

// storeNote keeps a text for d, in place of what was there.
func (e *engine) storeNote(ctx context.Context, op, key, text string, d time.Duration) error {
	if err := first(checkText("text", text), checkHandshake(d)); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	_, err := e.eval(ctx, op, scriptNoteStore, []string{key}, strconv.FormatInt(d.Milliseconds(), 10), text)
	return err
}

// note reads a note. Whether it has expired is judged by this machine's clock, in
// case the server still gives it.
func (e *engine) note(ctx context.Context, op, key string) (string, bool, error) {
	values, err := e.get(ctx, op, key)
	if err != nil || values[0] == "" {
		return "", false, err
	}
	text, expires, err := decodeNote(op, values[0])
	if err != nil || !time.Now().Before(expires) {
		return "", false, err
	}
	return text, true, nil
}

// takeNote reads and removes a note that has not expired by the server's clock.
func (e *engine) takeNote(ctx context.Context, op, key string) (string, bool, error) {
	out, err := e.eval(ctx, op, scriptNoteTake, []string{key})
	if err != nil || out[0] == replyAbsent {
		return "", false, err
	}
	if err := out.err(op, "note"); err != nil {
		return "", false, err
	}
	text, _, err := decodeNote(op, out.value())
	return text, err == nil, err
}

func (e *engine) deleteNote(ctx context.Context, op, key string) error {
	_, err := e.unlink(ctx, []string{key})
	return during(op, err)
}

func decodeNote(op, raw string) (string, time.Time, error) {
	head, text, found := strings.Cut(raw, "\n")
	f := fields{rest: head}
	f.expect(recordFormat)
	expires := f.time()
	if !found || !f.done() {
		return "", time.Time{}, fmt.Errorf("%s: %w", op, corrupt("note record"))
	}
	return text, expires, nil
}
