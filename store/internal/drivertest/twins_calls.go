package drivertest

import (
	"slices"
	"strconv"
	"time"
)

// The keys of the sequences. They are few, so that scripts meet what others
// have left.
const (
	userKey  = "twins:{d}:u"
	indexKey = "twins:{d}:i"
	entryKey = "twins:{d}:cu"
	floorKey = "twins:{d}:fu"
	markKey  = "twins:{d}:v"
)

func sessionKey(member string) string { return "twins:{d}:s:" + member }

func members() []string     { return []string{"A", "B", "C", "a", "-"} }
func garbageKeys() []string { return []string{"twins:{d}:g:1", "twins:{d}:g:2"} }
func emailKeys() []string   { return []string{"twins:{d}:e1", "twins:{d}:e2"} }

func universe() []string {
	all := slices.Concat([]string{userKey, indexKey, entryKey, floorKey, markKey}, garbageKeys(), emailKeys())
	for _, member := range members() {
		all = append(all, sessionKey(member))
	}
	return all
}

// Times on both sides of now that no clock comes near, in milliseconds.
const (
	longAgo = "1000"
	farAway = "4102444800000" // 2100-01-01.
)

func (p *twins) pick(from ...string) string { return from[p.random.IntN(len(from))] }

// mostly gives the first text four times out of five.
func (p *twins) mostly(usual string, odd ...string) string {
	if p.random.IntN(5) > 0 {
		return usual
	}
	return p.pick(odd...)
}

func (p *twins) nonce() string  { return p.pick("n1", "n2") }
func (p *twins) who() string    { return p.mostly("w1", "w2") }
func (p *twins) limit() string  { return p.pick("1", "2", "500") }
func (p *twins) member() string { return p.pick(members()...) }
func (p *twins) json() string   { return p.pick(`{"id":"1"}`, `{"a b":"\n"}`, "x") }
func (p *twins) when() string   { return p.pick("-", "5", longAgo, "-7") }

// some is any of the members, in any order.
func (p *twins) some() []string {
	all := members()
	p.random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:p.random.IntN(len(all)+1)]
}

// life is a number of milliseconds that is over at once or not for long.
func (p *twins) life() string {
	if p.random.IntN(5) == 0 {
		return millis(shortLife)
	}
	p.drawn++
	return millis(time.Duration(p.drawn) * longLife)
}

// future is a time in some far hour.
func (p *twins) future() string {
	far, _ := strconv.ParseInt(farAway, 10, 64)
	return strconv.FormatInt(far+int64(p.random.IntN(3))*time.Hour.Milliseconds(), 10)
}

// record is something to be found under a key.
func (p *twins) record() (key, value string) {
	switch p.random.IntN(5) {
	case 0, 1:
		return userKey, p.userRecord()
	case 2:
		return sessionKey(p.member()), p.sessionRecord()
	case 3:
		return p.pick(emailKeys()...), p.pick("c1", "c2")
	default:
		return entryKey, p.pick("2\nbody", "-3\nbody", "2", "\n", "2x\nbody", "+2\nbody", "junk")
	}
}

func (p *twins) userRecord() string {
	state, epoch := p.mostly("a", "p"), p.mostly("7", "8", farAway)
	updated := p.pick(longAgo, farAway)
	head := "1 " + state + " " + p.who() + " " + p.nonce() + " " + epoch + " 1000 " + updated + " " + p.when() + " -"
	whole := head + "\n" + p.json()
	return p.mostly(p.pick(whole, whole+"\n"+p.pendingChange()),
		"junk", head, head+"\n", "2"+whole[1:], "1 x"+whole[3:], whole+"\njunk", whole+"\nn1 x - - x", whole+"\nn1 9", "1  a"+whole[3:],
		"1 a w1 n1 -7 1000 1000 - -\nx", "1 a w1 n1 +7 1000 1000 - -\nx", "1 a w1 n1 7 1000 1000 -\nx", whole+"\n")
}

func (p *twins) pendingChange() string {
	return p.nonce() + " " + p.pick(longAgo, farAway) + " " + p.when() + " " + p.when() + " " + p.json()
}

func (p *twins) sessionRecord() string {
	whole := "1 " + p.mostly("7", "8") + " " + p.pick(longAgo, farAway) + " " + p.pick(longAgo, farAway) + "\n" + p.json()
	return p.mostly(whole, "junk", "1 7 5\nx", "1 7 x 5\nx", "1 -7 4102444800000 5\nx", "2"+whole[1:], "1 7 4102444800000 5\n", whole+"\nmore")
}

// call draws the keys and the arguments of a script. A script that it does not
// know gets none and fails.
func (p *twins) call(script string) (keys, args []string) {
	if keys, args = p.userCall(script); keys != nil {
		return keys, args
	}
	if keys, args = p.sessionCall(script); keys != nil {
		return keys, args
	}
	switch script {
	case "cache_drop":
		return []string{entryKey, floorKey}, []string{p.pick("-3", "1", "2", "3"), p.life()}
	case "cache_fill":
		version := p.pick("-3", "1", "2", "3")
		return []string{entryKey, floorKey}, []string{version, version + "\nbody", p.life()}
	case "email_claim":
		return []string{p.pick(emailKeys()...)}, []string{p.pick("c1", "c2"), p.pick("", "c1", "c2")}
	case "email_release":
		return []string{p.pick(emailKeys()...)}, []string{p.pick("c1", "c2")}
	case "inspect":
		return []string{p.pick(universe()...)}, []string{p.limit()}
	case "schema_mark":
		return []string{markKey}, []string{p.pick("1", "2")}
	}
	return nil, nil
}

// userCall is call for scripts that write user records.
func (p *twins) userCall(script string) (keys, args []string) {
	user := []string{userKey}
	version := p.mostly(storedVersion, longAgo)
	switch script {
	case "user_abort", "user_commit":
		return user, []string{p.nonce()}
	case "user_change":
		return user, []string{p.who(), version, p.nonce(), p.nonce(), p.life(), p.when(), p.when(), p.json()}
	case "user_create":
		return user, []string{p.who(), p.nonce(), p.life(), p.when(), p.json()}
	case "user_update":
		return user, []string{p.who(), version, p.nonce(), p.when(), p.when(), p.json()}
	case "user_verify":
		return user, []string{p.who()}
	case "user_delete", "user_revoke":
		return []string{userKey, indexKey, p.pick(garbageKeys()...)}, []string{p.who(), p.limit()}
	}
	return nil, nil
}

// sessionCall is call for scripts about sessions and their indexes.
func (p *twins) sessionCall(script string) (keys, args []string) {
	member := p.member()
	three := []string{userKey, indexKey, sessionKey(member)}
	switch script {
	case "session_create":
		return three, []string{p.who(), member, p.mostly(p.future(), longAgo, "-5"), p.pick(longAgo, farAway), p.json()}
	case "session_refresh":
		return three, []string{member, p.life()}
	case "session_delete":
		return three[1:], []string{member}
	case "index_expire":
		return []string{indexKey}, []string{p.limit()}
	case "index_page":
		return []string{indexKey}, []string{"500", "0"}
	case "index_prune":
		some := p.some()
		return p.withSessions([]string{indexKey}, some), some
	case "garbage_sweep":
		some := p.some()
		return p.withSessions([]string{p.pick(garbageKeys()...), userKey}, some), append([]string{p.limit()}, some...)
	}
	return nil, nil
}

func (p *twins) withSessions(keys, members []string) []string {
	for _, member := range members {
		keys = append(keys, sessionKey(member))
	}
	return keys
}
