package memory

import "math"

// lockout is that of the Lua prelude: how many attempts lie in the window that
// ends now, and until when they lock, or 0. It is not ok when the lock is
// corrupt.
func (t *turn) lockout(keys, args []string) (count, ends int64, ok bool) {
	period, most := number(args[0]), number(args[1])
	count = t.since(keys[0], t.ms-period)
	if count >= most {
		ends = t.latest(keys[0]) + period
	}
	if lock, there := t.get(keys[1]); there && args[2] == "sticky" {
		if !numbers(lock) || lock[0] == '-' {
			return 0, 0, false
		}
		ends = max(ends, number(lock))
	}
	if ends <= t.ms {
		ends = 0
	}
	return count, ends, true
}

// since counts the members whose score is from or more.
func (t *turn) since(key string, from int64) (n int64) {
	e, _ := t.find(key)
	for _, score := range e.members {
		if score >= from {
			n++
		}
	}
	return n
}

// latest returns the highest score, or the lowest number for none.
func (t *turn) latest(key string) int64 {
	e, _ := t.find(key)
	last := int64(math.MinInt64)
	for _, score := range e.members {
		last = max(last, score)
	}
	return last
}

// before returns the members whose score is less than a limit.
func (t *turn) before(key string, limit int64) (old []string) {
	e, _ := t.find(key)
	for member, score := range e.members {
		if score < limit {
			old = append(old, member)
		}
	}
	return old
}

// optional writes the end of a lock, or that there is none.
func optional(ends int64) string {
	if ends == 0 {
		return "-"
	}
	return text(ends)
}

func attemptRecord(t *turn, keys, args []string) []string {
	count, ends, ok := t.lockout(keys, args)
	if !ok {
		return []string{"corrupt"}
	}
	now, member := text(t.ms), args[6]
	e, there := t.find(keys[0])
	_, known := e.members[member]
	if args[7] == "guard" && ends != 0 && !known {
		return []string{"locked", now, now, text(count), text(ends)}
	}
	if !there {
		e = entry{members: map[string]int64{}}
		t.space[keys[0]] = e
	}
	if !known {
		e.members[member] = t.ms
	}
	ranked := t.ranked(keys[0])
	t.remove(keys[0], ranked[:max(0, len(ranked)-int(number(args[4])))]...)
	count, ends, _ = t.lockout(keys, args)
	if args[2] == "sticky" && ends != 0 && count >= number(args[1]) {
		t.set(keys[1], text(ends), ends)
	}
	claim := t.keep(keys, args, ends != 0)
	at, there := e.members[member]
	if !there {
		at = t.ms
	}
	return []string{"ok", text(at), now, text(count), optional(ends), claim}
}

// keep decides how long the attempts live on, and returns the claim if they
// lock.
func (t *turn) keep(keys, args []string, locks bool) (claim string) {
	if locks {
		claim, _ = t.get(keys[3])
	}
	if claim != "" {
		t.setFor(keys[2], "1", number(args[5]))
	}
	if _, held := t.find(keys[2]); held {
		t.expireAt(keys[0], t.ms+number(args[5]))
		return claim
	}
	t.remove(keys[0], t.before(keys[0], t.ms-number(args[3]))...)
	t.expireAt(keys[0], t.ms+number(args[3]))
	return claim
}

func attemptStatus(t *turn, keys, args []string) []string {
	count, ends, ok := t.lockout(keys, args)
	if !ok {
		return []string{"corrupt"}
	}
	return []string{"ok", text(t.ms), text(count), optional(ends)}
}

func attemptStats(t *turn, keys, args []string) []string {
	count := t.since(keys[0], number(args[0]))
	if count == 0 {
		return []string{"ok", "0", "-"}
	}
	return []string{"ok", text(count), text(t.latest(keys[0]))}
}

func attemptClear(t *turn, keys, args []string) []string {
	_, ends, ok := t.lockout(keys, args)
	e, _ := t.find(keys[0])
	t.unlink(keys[0])
	t.unlink(keys[1])
	_, held := t.find(keys[2])
	claim, _ := t.get(keys[3])
	return []string{"ok", text(int64(len(e.members))), flag(!ok || ends != 0), flag(held), claim}
}

func flag(yes bool) string {
	if yes {
		return "1"
	}
	return "0"
}

func attemptHold(t *turn, keys, args []string) []string {
	claim, claimed := t.get(keys[3])
	switch {
	case args[0] == "release":
		t.unlink(keys[2])
		if last := t.latest(keys[0]); last != math.MinInt64 {
			t.expireAt(keys[0], last+number(args[2]))
		}
	case claimed:
		t.setFor(keys[2], "1", number(args[1]))
		t.expireAt(keys[0], t.ms+number(args[1]))
	}
	if !claimed {
		return []string{"absent"}
	}
	return []string{"ok", claim}
}

func attemptClean(t *turn, keys, args []string) []string {
	old := t.before(keys[0], number(args[0]))
	claim, claimed := t.get(keys[3])
	if len(old) > 0 && claimed && claim != args[1] {
		return []string{"taken", claim}
	}
	return []string{"ok", text(int64(t.remove(keys[0], old...)))}
}
