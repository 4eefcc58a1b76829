package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"
)

// The operations that stores are compared in.
const (
	operationCreate  = "create"
	operationFind    = "find"
	operationRefresh = "refresh"
	operationDelete  = "delete"
)

// storeOperations lists them in the order of a session's life, which is that of
// every turn.
func storeOperations() []string {
	return []string{operationCreate, operationFind, operationRefresh, operationDelete}
}

// storeWarmup comes before each turn.
const storeWarmup = 200 * time.Millisecond

// opened is a session that a store keeps.
type opened struct {
	ticket Ticket
	login  Login
}

// visit is one turn of a store: the sessions that it has made and what becomes of
// them.
type visit struct {
	store   SessionStore
	people  []Login
	callers int
	// rngs and made are one for each caller.
	rngs []*rand.Rand
	made [][]opened
	// sessions are those that even has left, one of each of people; the first of
	// them, gone many, have been deleted.
	sessions []opened
	gone     atomic.Int64
}

func newVisit(store SessionStore, people []Login, callers int, seed uint64) *visit {
	v := &visit{store: store, people: people, callers: callers, made: make([][]opened, callers)}
	for caller := range callers {
		v.rngs = append(v.rngs, rand.New(rand.NewPCG(seed, uint64(caller)+10)))
	}
	return v
}

// warmUp lets all callers do everything for a while, so that connections, scripts
// and types are known, and leaves nothing.
func (v *visit) warmUp(ctx context.Context) error {
	_, err := (&lapLoop{callers: v.callers, length: storeWarmup, do: func(ctx context.Context, caller int, n int64) error {
		if err := v.create(ctx, caller, n); err != nil {
			return err
		}
		o := v.made[caller][0]
		v.made[caller] = v.made[caller][:0]
		return errors.Join(v.find(ctx, o), v.store.Refresh(ctx, o.ticket, o.login.refreshed()), v.store.Delete(ctx, o.ticket))
	}}).run(ctx)
	return err
}

// loopOf makes the loop of an operation. Every session is created for the next
// user. Of those that even leaves, all are drawn uniformly to be found and
// refreshed, and each is deleted once.
func (v *visit) loopOf(operation string, length time.Duration) *lapLoop {
	l := &lapLoop{callers: v.callers, length: length}
	switch operation {
	case operationCreate:
		l.do = v.create
	case operationFind:
		l.do = func(ctx context.Context, caller int, _ int64) error { return v.find(ctx, v.any(caller)) }
	case operationRefresh:
		l.do = func(ctx context.Context, caller int, _ int64) error {
			o := v.any(caller)
			return v.store.Refresh(ctx, o.ticket, o.login.refreshed())
		}
	default:
		l.limit, l.do = int64(len(v.sessions)), v.remove
	}
	return l
}

// any draws a session.
func (v *visit) any(caller int) opened { return v.sessions[v.rngs[caller].IntN(len(v.sessions))] }

func (v *visit) create(ctx context.Context, caller int, n int64) error {
	return v.createFor(ctx, caller, v.people[n%int64(len(v.people))])
}

func (v *visit) createFor(ctx context.Context, caller int, person Login) error {
	l := person.begun()
	t, err := v.store.Create(ctx, l)
	if err != nil {
		return err
	}
	v.made[caller] = append(v.made[caller], opened{t, l})
	return nil
}

// even leaves one session of each user, so that all stores have as many to find,
// refresh and delete, and as many in a user's index, however many they have
// created in their time: it deletes what is more, and creates what is missing.
func (v *visit) even(ctx context.Context) error {
	lacking := make(map[string]Login, len(v.people))
	for _, p := range v.people {
		lacking[p.UserID] = p
	}
	var more []opened
	for _, o := range slices.Concat(v.made...) {
		if _, first := lacking[o.login.UserID]; first {
			v.sessions = append(v.sessions, o)
			delete(lacking, o.login.UserID)
		} else {
			more = append(more, o)
		}
	}
	v.made = make([][]opened, v.callers)
	missing := slices.Collect(maps.Values(lacking))
	for _, l := range []lapLoop{
		{limit: int64(len(more)), do: func(ctx context.Context, _ int, n int64) error {
			return v.store.Delete(ctx, more[n].ticket)
		}},
		{limit: int64(len(missing)), do: func(ctx context.Context, caller int, n int64) error {
			return v.createFor(ctx, caller, missing[n])
		}},
	} {
		if l.limit == 0 {
			continue
		}
		l.callers = v.callers
		if _, err := l.run(ctx); err != nil {
			return err
		}
	}
	v.sessions = append(v.sessions, slices.Concat(v.made...)...)
	return nil
}

// errOther is what a store gave that was asked for a live session.
var errOther = errors.New("a live session was not found, or another one was")

func (v *visit) find(ctx context.Context, o opened) error {
	l, found, err := v.store.Find(ctx, o.ticket)
	if err == nil && !(found && o.login.same(l)) {
		err = errOther
	}
	return err
}

func (v *visit) remove(ctx context.Context, _ int, n int64) error {
	err := v.store.Delete(ctx, v.sessions[n].ticket)
	if err == nil {
		v.gone.Add(1)
	}
	return err
}

// leave deletes the sessions that the time did not suffice for, and looks whether
// deleted ones are gone.
func (v *visit) leave(ctx context.Context) error {
	const looks = 100
	first, total := v.gone.Load(), int64(len(v.sessions))
	if first < total {
		_, err := (&lapLoop{callers: v.callers, limit: total - first, do: func(ctx context.Context, caller int, n int64) error {
			return v.remove(ctx, caller, first+n)
		}}).run(ctx)
		if err != nil {
			return err
		}
	}
	for i := 0; i < len(v.sessions); i += max(1, len(v.sessions)/looks) {
		if _, found, err := v.store.Find(ctx, v.sessions[i].ticket); err != nil || found {
			return errors.Join(fmt.Errorf("a deleted session: found %t", found), err)
		}
	}
	return nil
}
