package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// A link is what a user has and nobody else may have: an account at a provider,
// or a passkey. It lies in a hash of the user's slot, under the hash of its
// name; a claim lies under that name, in a slot of its own.
type link interface {
	linkID() linkID
	owner() string
	created() time.Time
}

// newestLinkFirst orders links by age.
func newestLinkFirst[T link](a, b T) int {
	if c := b.created().Compare(a.created()); c != 0 {
		return c
	}
	x, y := a.linkID(), b.linkID()
	return bytes.Compare(x[:], y[:])
}

// links is the protocol of one kind of link.
type links[T link] struct {
	*engine

	// what names the kind in errors.
	what string
	// own and other build the keys of a user's links of this and of the other
	// kind, and claim that of a claim.
	own, other func(l layout, tag string) string
	claim      func(l layout, id linkID) string
	// most is how many a user may have.
	most   int
	decode func(raw string) (T, error)
	// foreign is what one is told who wants what belongs to another user.
	foreign error
}

// held is a link and who has it.
type held[T link] struct {
	link T
	user User
}

// both are the keys of a script on a user's links.
func (l links[T]) both(userID string) []string {
	tag := userTag(userID)
	return []string{l.keys.user(tag), l.own(l.keys, tag)}
}

// add links something to a user: see claim. The second result tells that the
// user had it already, or was about to. Group is a word that removals may choose
// by.
func (l links[T]) add(ctx context.Context, op string, n T, group, json string) (added T, had bool, err error) {
	id, mine := n.linkID(), claim{id: n.owner(), nonce: newNonce()}
	out, err := l.eval(ctx, op, scriptLinkBegin, l.both(mine.id),
		userCheck(mine.id), id.field(), mine.nonce, commitWindowText(), strconv.Itoa(l.most), group, json)
	if err != nil {
		return added, false, err
	}
	switch {
	case out[0] == replyTaken && len(out) == 3:
		added, err = l.read(op, out[2])
		return added, true, err
	case out[0] == replyPending:
		mine.nonce, had = out.value(), true
	}
	if err := out.err(op, "user"); err != nil {
		return added, false, err
	}
	won, theirs, err := l.contest(op, id).settle(ctx, mine)
	switch {
	case errors.Is(err, errDeadClaim):
		return added, false, fmt.Errorf("%s: %s was removed meanwhile, or it took longer than %s, try again: %w",
			op, l.what, commitWindow, ErrConflict)
	case err != nil:
		return added, false, err
	case theirs != nil && theirs.user.ID != mine.id:
		return added, false, fmt.Errorf("%s: %w", op, l.foreign)
	case theirs != nil:
		return theirs.link, true, nil
	default:
		return won.link, had, nil
	}
}

// contest takes a name for a user.
func (l links[T]) contest(op string, id linkID) contest[held[T]] {
	commit := func(ctx context.Context, c claim) (held[T], bool, error) { return l.commit(ctx, op, id, c) }
	return contest[held[T]]{
		engine: l.engine,
		op:     op,
		key:    l.claim(l.keys, id),
		commit: commit,
		owner:  commit,
		abort: func(ctx context.Context, c claim) error {
			_, err := l.eval(ctx, op, scriptLinkAbort, l.both(c.id)[1:], id.field(), c.nonce)
			return err
		},
	}
}

// commit gives what a claim points to, after completing it if it was pending. It
// reports false when the claim is dead.
func (l links[T]) commit(ctx context.Context, op string, id linkID, c claim) (held[T], bool, error) {
	out, err := l.run(ctx, op, scriptLinkCommit, id, c)
	return l.answer(op, id, c, out, err)
}

// run runs scriptLinkCommit or scriptLinkTouch on what a claim points to.
func (l links[T]) run(ctx context.Context, op string, script scriptName, id linkID, c claim) (reply, error) {
	return l.eval(ctx, op, script, l.both(c.id), userCheck(c.id), id.field(), c.nonce)
}

// answer reads what run gave. It reports false when the claim is dead.
func (l links[T]) answer(op string, id linkID, c claim, out reply, err error) (held[T], bool, error) {
	if err != nil || out[0] == replyGone {
		return held[T]{}, false, err
	}
	if err := out.err(op, l.what); err != nil {
		return held[T]{}, false, err
	}
	if len(out) != 3 {
		return held[T]{}, false, fmt.Errorf("%s: %w", op, corrupt("script reply"))
	}
	found, err := l.hold(op, id, c, out[1], out[2])
	return found, err == nil, err
}

// hold reads a finished link and its user.
func (l links[T]) hold(op string, id linkID, c claim, link, user string) (held[T], error) {
	found, err := l.read(op, link)
	if err != nil {
		return held[T]{}, err
	}
	r, err := decodeUser(user)
	if err != nil {
		return held[T]{}, fmt.Errorf("%s: %w", op, err)
	}
	if found.linkID() != id || found.owner() != c.id || r.user.ID != c.id {
		return held[T]{}, fmt.Errorf("%s: %w", op, corrupt(l.what+" record"))
	}
	return held[T]{found, r.user}, nil
}

// find gives what the claim to a name points to. The usual case, a finished link,
// costs reads only, which wait for no replica.
func (l links[T]) find(ctx context.Context, op string, id linkID) (held[T], bool, error) {
	c, found, err := l.claimed(ctx, op, l.claim(l.keys, id))
	if err != nil || !found {
		return held[T]{}, false, err
	}
	keys := l.both(c.id)
	// A replica may still have what was removed.
	user, link, err := l.lookup(WithPrimaryReads(ctx), op, keys[0], keys[1], id.field())
	if err != nil || user == "" || link == "" {
		return held[T]{}, false, err
	}
	if !linkIs(link, stateActive, c.nonce) {
		return l.commit(ctx, op, id, c)
	}
	one, err := l.hold(op, id, c, link, user)
	return one, err == nil, err
}

// touch is find that notes a use. What is pending it completes first, by the
// script that waits for replicas.
func (l links[T]) touch(ctx context.Context, op string, id linkID) (held[T], bool, error) {
	c, found, err := l.claimed(ctx, op, l.claim(l.keys, id))
	if err != nil || !found {
		return held[T]{}, false, err
	}
	out, err := l.run(ctx, op, scriptLinkTouch, id, c)
	if err == nil && out[0] == replyPending {
		if _, live, err := l.commit(ctx, op, id, c); err != nil || !live {
			return held[T]{}, false, err
		}
		out, err = l.run(ctx, op, scriptLinkTouch, id, c)
	}
	return l.answer(op, id, c, out, err)
}

func (l links[T]) read(op, raw string) (T, error) {
	decoded, err := l.decode(raw)
	if err != nil {
		err = fmt.Errorf("%s: %w", op, err)
	}
	return decoded, err
}

// list gives the links of a user, the newest first.
func (l links[T]) list(ctx context.Context, op, userID string) ([]T, error) {
	out, err := l.eval(ctx, op, scriptLinkList, l.both(userID), userCheck(userID))
	if err != nil || out[0] == replyAbsent {
		return nil, err
	}
	if err := out.err(op, l.what); err != nil {
		return nil, err
	}
	all := make([]T, 0, len(out)-1)
	for _, raw := range out[1:] {
		one, err := l.read(op, raw)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	slices.SortFunc(all, newestLinkFirst)
	return all, nil
}

// removal says which links of a user are to go: those of a group, or one under a
// claim, or all.
type removal struct {
	userID string
	group  string
	field  string
	nonce  string
	// guarded refuses to take the user's last way to log in.
	guarded bool
}

// remove removes links and then releases their claims, for three seconds at most
// even when ctx ends. None and no such user are no error.
func (l links[T]) remove(ctx context.Context, op string, r removal) error {
	tag, guard := userTag(r.userID), ""
	if r.guarded {
		guard = "1"
	}
	keys := append(l.both(r.userID), l.other(l.keys, tag), l.keys.password(tag))
	out, err := l.eval(ctx, op, scriptLinkRemove, keys, userCheck(r.userID), guard, r.group, r.field, r.nonce)
	if err != nil || out[0] == replyAbsent {
		return err
	}
	if err := out.err(op, l.what); err != nil {
		return err
	}
	ctx, cancel := aftermath(ctx)
	defer cancel()
	l.releaseLinks(ctx, r.userID, l.claim, out[1:])
	return nil
}

// removeOne removes the link of a name, whoever has it.
func (l links[T]) removeOne(ctx context.Context, op string, id linkID, guarded bool) error {
	c, found, err := l.claimed(WithPrimaryReads(ctx), op, l.claim(l.keys, id))
	if err != nil || !found {
		return err
	}
	return l.remove(ctx, op, removal{userID: c.id, field: id.field(), nonce: c.nonce, guarded: guarded})
}

// releaseLinks releases the claims of links that a script has removed.
func (e *engine) releaseLinks(ctx context.Context, userID string, key func(layout, linkID) string, dropped []string) {
	for _, text := range dropped {
		var id linkID
		if copy(id[:], text) == len(id) {
			e.release(ctx, key(e.keys, id), claim{id: userID, nonce: text[len(id):]})
		}
	}
}

// cutCounted takes a list off the words of a reply that begin with its length.
func cutCounted(words []string) (list, rest []string, ok bool) {
	if len(words) == 0 {
		return nil, nil, false
	}
	n, err := strconv.Atoi(words[0])
	if err != nil || n < 0 || n > len(words)-1 {
		return nil, nil, false
	}
	return words[1 : 1+n], words[1+n:], true
}
