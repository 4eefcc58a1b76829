package storetest

import (
	"time"

	"github.com/toriibench/toriibench/store"
)

func lifetimeScenarios() []scenario {
	return []scenario{
		{name: "S-6 a session that ends in the past is accepted and absent", run: pastSession},
		{name: "S-6 cleaning up leaves what is valid", waits: true, run: cleanup},
		{name: "S-7 a session of one second is there now and gone after two", waits: true, run: oneSecond},
		{name: "S-11 a longer refresh outlives the old end", waits: true, run: refreshLonger},
		{name: "S-11 a shorter refresh ends at the new end", waits: true, run: refreshShorter},
		{name: "S-13 an expired session is not revived", waits: true, run: refreshExpired},
		{name: "S-14 a lifetime of 1 ms is honoured", waits: true, run: lifetime(time.Millisecond)},
		{name: "S-14 a lifetime of 250 ms is honoured", waits: true, run: lifetime(250 * time.Millisecond)},
		{name: "S-14 a lifetime of 999 ms is honoured", waits: true, run: lifetime(999 * time.Millisecond)},
		{name: "S-14 a lifetime of 1.5 s is honoured", waits: true, run: lifetime(1500 * time.Millisecond)},
		{name: "S-14 a lifetime of 10 years is honoured", run: tenYears},
		{name: "S-16 nothing of a user's sessions outlives the last of them", waits: true, run: sessionsEnd},
		{name: "S-16 sessions go with the longest that is left", run: sessionsShrink},
		{name: "S-16 expired sessions are shed when another is added", waits: true, run: sessionsShed},
		{name: "S-16 of very many, expired sessions are shed as fast as others come", waits: true, run: manyShed},
	}
}

func pastSession(h *harness) {
	u := h.user("a@example.org")
	valid := h.session(u.ID, time.Hour)
	for _, end := range []time.Time{time.Now().Add(-time.Second), time.UnixMilli(1), time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)} {
		s, err := h.Sessions.Create(h.Context(), store.NewSession{UserID: u.ID, ExpiresAt: end})
		h.must(err)
		if h.alive(s.Token) {
			h.Errorf("a session that ended at %s is found", end)
		}
	}
	_, err := h.Sessions.CleanupExpired(h.Context())
	h.must(err)
	h.wantSession(valid)
	list, err := h.Sessions.List(h.Context(), u.ID)
	h.must(err)
	if len(list) != 1 {
		h.Errorf("%d sessions listed, want 1", len(list))
	}
}

// after waits until a session has surely ended on every clock.
func (h *harness) after(s store.Session) {
	elapse(s.ExpiresAt.Add(h.opts.Tolerance + 2*time.Millisecond))
}

func cleanup(h *harness) {
	var valid, first, second store.Session
	h.inTime(func(life time.Duration) (time.Time, error) {
		u := h.user("a@example.org")
		valid, first, second = h.session(u.ID, time.Hour), h.session(u.ID, life), h.session(u.ID, life)
		return first.ExpiresAt, nil // After it the second would have shed the first.
	})
	h.after(second)
	n, err := h.Sessions.CleanupExpired(h.Context())
	h.must(err)
	if n != 2 {
		h.Errorf("%d entries cleaned up, want 2", n)
	}
	h.wantSession(valid)
	n, err = h.Sessions.CleanupExpired(h.Context())
	h.must(err)
	if n != 0 {
		h.Errorf("%d entries cleaned up the second time, want 0", n)
	}
}

// Beside a session that goes on, an ended one is still in the server's memory:
// what is stored of it has to decide.
func oneSecond(h *harness) {
	alone, other := h.user("a@example.org"), h.user("b@example.org")
	goesOn := h.session(other.ID, time.Hour)
	sessions := []store.Session{h.session(alone.ID, time.Second), h.session(other.ID, time.Second)}
	h.wantLife(sessions[1])
	elapse(sessions[1].CreatedAt.Add(2 * time.Second))
	for _, s := range sessions {
		_, ok, err := h.Sessions.Authenticate(h.Context(), s.Token)
		h.must(err)
		if ok || h.alive(s.Token) {
			h.Error("the session is there after two seconds")
		}
	}
	h.wantList(alone.ID, map[string]bool{})
	h.wantList(other.ID, map[string]bool{goesOn.TokenHash: true})
}

// wantLife asks for the session until it has ended: it must be there until its
// end, and not after, give or take the tolerance.
func (h *harness) wantLife(s store.Session) {
	h.Helper()
	early, late := s.ExpiresAt.Add(-h.opts.Tolerance), s.ExpiresAt.Add(h.opts.Tolerance)
	for {
		before := time.Now()
		found := h.alive(s.Token)
		switch answered := time.Now(); {
		case found && before.After(late):
			h.Fatalf("the session is there %s after its end", before.Sub(s.ExpiresAt))
		case !found && answered.Before(early):
			h.Fatalf("the session is gone %s before its end", s.ExpiresAt.Sub(answered))
		case before.After(late):
			return
		}
		elapse(time.Now().Add(5 * time.Millisecond))
	}
}

func refreshLonger(h *harness) {
	var longer store.Session
	h.inTime(func(life time.Duration) (time.Time, error) {
		s := h.session(h.user("a@example.org").ID, life)
		var err error
		longer, err = h.Sessions.Refresh(h.Context(), s.Token, 2*life)
		return s.ExpiresAt, err
	})
	h.wantLife(longer)
}

func refreshShorter(h *harness) {
	s := h.session(h.user("a@example.org").ID, time.Hour)
	shorter, err := h.Sessions.Refresh(h.Context(), s.Token, 300*time.Millisecond)
	h.must(err)
	h.wantLife(shorter)
}

func refreshExpired(h *harness) {
	alone, other := h.user("a@example.org"), h.user("b@example.org")
	goesOn := h.session(other.ID, time.Hour)
	sessions := []store.Session{h.session(alone.ID, 200*time.Millisecond), h.session(other.ID, 200*time.Millisecond)}
	h.after(sessions[1])
	for _, s := range sessions {
		_, err := h.Sessions.Refresh(h.Context(), s.Token, time.Hour)
		h.want(err, store.ErrNotFound)
		if h.alive(s.Token) {
			h.Error("the session is alive again")
		}
	}
	h.wantSession(goesOn)
}

func lifetime(d time.Duration) func(h *harness) {
	return func(h *harness) {
		h.wantLife(h.session(h.user("a@example.org").ID, d))
	}
}

func tenYears(h *harness) {
	const years = 10 * 365 * 24 * time.Hour
	s := h.session(h.user("a@example.org").ID, years)
	h.wantSession(s)
	ending := 0
	for key, k := range h.keys() {
		if k.TTL == -1 {
			continue
		}
		ending++
		if off := k.TTL - time.Until(s.ExpiresAt); off.Abs() > time.Minute {
			h.Errorf("key %s: the TTL is off by %s", key, off)
		}
	}
	if ending != 1 {
		h.Errorf("%d keys have a TTL, want the sessions alone", ending)
	}
}

func sessionsEnd(h *harness) {
	u := h.user("a@example.org")
	last := h.session(u.ID, 400*time.Millisecond)
	h.session(u.ID, 200*time.Millisecond)
	h.after(last)
	h.eventually("only user and email are left", func() bool { return len(h.keys()) == 2 })
}

func sessionsShrink(h *harness) {
	u := h.user("a@example.org")
	h.session(u.ID, time.Hour)
	long := h.session(u.ID, 1000*time.Hour)
	h.must(h.Sessions.Delete(h.Context(), long.Token))
	if key, k := h.sessionKey(); k.TTL > time.Hour+h.opts.Tolerance || k.TTL < 59*time.Minute {
		h.Errorf("key %s lives for %s, want an hour", key, k.TTL)
	}
}

func sessionsShed(h *harness) {
	u := h.user("a@example.org")
	var last store.Session
	for range 5 {
		last = h.session(u.ID, 200*time.Millisecond)
	}
	h.session(u.ID, time.Hour)
	h.after(last)
	h.session(u.ID, time.Hour)
	if key, k := h.sessionKey(); len(k.Values) != 4 {
		h.Errorf("key %s has %d sessions, want 2", key, len(k.Values)/2)
	}
}

// manyShed gives a user more sessions than are looked at one by one, lets them
// expire, and expects that no more than a few are left when as many have come
// again.
func manyShed(h *harness) {
	const many, again = 400, 100
	u := h.user("a@example.org")
	end := time.Now().Add(2 * time.Second)
	for range many {
		_, err := h.Sessions.Create(h.Context(), store.NewSession{UserID: u.ID, ExpiresAt: end})
		h.must(err)
	}
	elapse(end.Add(h.opts.Tolerance + 2*time.Millisecond))
	for range again {
		h.session(u.ID, time.Hour)
	}
	key, k := h.sessionKey()
	if n := len(k.Values) / 2; n < again || n > again+many/4 {
		h.Errorf("key %s has %d sessions, want little more than %d", key, n, again)
	}
}
