package drivertest

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// The keys of the sequences. They are few, so that scripts meet what others
// have left.
const (
	userKey     = "twins:{d}:u"
	sessionsKey = "twins:{d}:s"
	entryKey    = "twins:{d}:cu"
	floorKey    = "twins:{d}:fu"
	markKey     = "twins:{d}:v"
	tokensKey   = "twins:{d}:t"
	noteKey     = "twins:{d}:c"
	passKey     = "twins:{d}:p"
	failKey     = "twins:{d}:f"
	lockKey     = "twins:{d}:l"
	holdKey     = "twins:{d}:h"
)

func members() []string   { return []string{"A", "B", "C", "a", "\x00"} }
func linkKeys() []string  { return []string{"twins:{d}:o", "twins:{d}:k"} }
func attempts() []string  { return []string{"1 -", "2 -", "2 =x"} }
func claimKeys() []string { return []string{"twins:{d}:e1", "twins:{d}:e2"} }

func universe() []string {
	single := []string{userKey, sessionsKey, entryKey, floorKey, markKey, noteKey, passKey, tokensKey, failKey, lockKey, holdKey}
	return slices.Concat(single, claimKeys(), linkKeys())
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
func (p *twins) member() string { return p.pick(members()...) }
func (p *twins) json() string   { return p.pick(`{"id":"1"}`, `{"a b":"\n"}`, "x") }
func (p *twins) when() string   { return p.pick("-", "5", longAgo, "-7") }

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
	switch p.random.IntN(9) {
	case 0, 1:
		return userKey, p.userRecord()
	case 5:
		return noteKey, p.noteRecord()
	case 6:
		return passKey, "secret"
	case 2:
		return p.pick(claimKeys()...), p.pick("c1", "c2")
	case 7, 8:
		return lockKey, p.pick(farAway, longAgo, longAgo, "junk", "-5", "1x")
	default:
		return entryKey, p.pick("2\nbody", "-3\nbody", "2", "\n", "2x\nbody", "+2\nbody", "junk")
	}
}

func (p *twins) userRecord() string {
	state := p.mostly("a", "p")
	updated := p.pick(longAgo, farAway)
	head := "1 " + state + " " + p.who() + " " + p.nonce() + " 1000 " + updated + " " + p.when() + " -"
	whole := head + "\n" + p.json()
	return p.mostly(p.pick(whole, whole+"\n"+p.pendingChange()),
		"junk", head, head+"\n", "2"+whole[1:], "1 x"+whole[3:], whole+"\njunk", whole+"\nn1 x - - x", whole+"\nn1 9", "1  a"+whole[3:],
		"1 a w1 n1 x 1000 - -\nx", "1 a w1 n1 +7 1000 - -\nx", "1 a w1 n1 1000 1000 -\nx", whole+"\n")
}

func (p *twins) pendingChange() string {
	return p.nonce() + " " + p.pick(longAgo, farAway) + " " + p.when() + " " + p.when() + " " + p.json()
}

// sessionRecord is binary, JSON, or neither.
func (p *twins) sessionRecord() string {
	expires, _ := strconv.ParseInt(p.mostly(p.future(), longAgo), 10, 64)
	binary := compactRecord(expires, 1000) + p.pick("x", "\x00\xff\n")
	document := fmt.Sprintf(`{"times":[%d,1000,%s],"expires_at":"x","updated_at":"","created_at":"y","user_id":"%s"}`,
		expires, p.pick("5", "-5"), p.pick("1", "%d", `a\"b`))
	return p.mostly(p.pick(binary, document), "junk", binary[:13], "\x03"+binary[1:], document[:30], document+"\n", `{"times":[1,2]}`)
}

// compactRecord is what scripts read and write of a binary record.
func compactRecord(expires, updated int64) string {
	head := binary.BigEndian.AppendUint64(nil, uint64(expires))[2:]
	return "\x02" + string(append(head, binary.BigEndian.AppendUint64(nil, uint64(updated))[2:]...))
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
	if keys, args = p.tokenCall(script); keys != nil {
		return keys, args
	}
	if keys, args = p.linkCall(script); keys != nil {
		return keys, args
	}
	if keys, args = p.attemptCall(script); keys != nil {
		return keys, args
	}
	switch script {
	case "cache_drop":
		return []string{entryKey, floorKey}, []string{p.pick("-3", "1", "2", "3"), p.life()}
	case "cache_fill":
		version := p.pick("-3", "1", "2", "3")
		return []string{entryKey, floorKey}, []string{version, version + "\nbody", p.life()}
	case "claim_take":
		return []string{p.pick(claimKeys()...)}, []string{p.pick("c1", "c2"), p.pick("", "c1", "c2")}
	case "claim_release":
		return []string{p.pick(claimKeys()...)}, []string{p.pick("c1", "c2")}
	case "inspect":
		return []string{p.pick(universe()...)}, []string{"500"}
	case "unlink":
		return []string{p.pick(universe()...), p.pick(universe()...)}, nil
	case "note_store":
		return []string{noteKey}, []string{p.life(), p.pick("", "x", "a\nb")}
	case "note_take":
		return []string{noteKey}, nil
	case "schema_mark":
		return []string{markKey}, []string{p.pick("1", "2")}
	}
	return nil, nil
}

// userCall is call for scripts that write user records.
func (p *twins) userCall(script string) (keys, args []string) {
	user := []string{userKey}
	birth := []string{userKey, passKey}
	version := p.mostly(storedVersion, longAgo)
	switch script {
	case "user_abort", "user_commit":
		return birth, []string{p.nonce()}
	case "user_change":
		return user, []string{p.who(), version, p.nonce(), p.nonce(), p.life(), p.when(), p.when(), p.json()}
	case "user_create":
		return birth, []string{p.who(), p.nonce(), p.life(), p.when(), p.json(), p.pick("", "hash")}
	case "user_update":
		return user, []string{p.who(), version, p.nonce(), p.when(), p.when(), p.json()}
	case "user_lock":
		return user, []string{p.who(), p.nonce(), p.when()}
	case "user_verify":
		return user, []string{p.who()}
	case "user_delete":
		return append(append(user, linkKeys()...), sessionsKey, passKey, tokensKey), []string{p.who()}
	case "user_revoke":
		return []string{userKey, sessionsKey}, []string{p.who()}
	}
	return nil, nil
}

// attemptKeys are those of failed attempts, and one of the claims.
func (p *twins) attemptKeys() []string {
	return []string{failKey, lockKey, holdKey, p.pick(claimKeys()...)}
}

// attemptCall is call for scripts about failed attempts. A window is over
// before the next call, or holds all of them.
func (p *twins) attemptCall(script string) (keys, args []string) {
	keys = p.attemptKeys()
	rules := []string{p.life(), p.pick("1", "2", "3"), p.pick("window", "sticky")}
	switch script {
	case "attempt_clean":
		return keys, []string{p.pick(longAgo, farAway), p.pick("", "c1", "c2")}
	case "attempt_clear", "attempt_status":
		return keys, rules
	case "attempt_hold":
		return keys, []string{p.pick("hold", "release"), p.life(), p.life()}
	case "attempt_record":
		return keys, append(rules, p.life(), p.pick("2", "1000"), p.life(), p.pick(attempts()...), p.pick("", "guard"))
	case "attempt_stats":
		return keys, []string{p.pick(longAgo, farAway, "-1")}
	}
	return nil, nil
}

// sessionCall is call for scripts about sessions.
func (p *twins) sessionCall(script string) (keys, args []string) {
	both := []string{userKey, sessionsKey}
	switch script {
	case "session_create":
		return both, []string{p.who(), p.member(), p.mostly(p.future(), longAgo, "-5"), p.sessionRecord(), p.mostly("1000", "1", "2")}
	case "session_refresh":
		return both, []string{p.member(), p.life()}
	case "session_delete":
		return both[1:], []string{p.member()}
	case "session_page":
		return both, []string{"500", "0"}
	case "expire":
		return []string{p.pick(sessionsKey, tokensKey)}, []string{"500", "0"}
	}
	return nil, nil
}

// tokenCall is call for scripts about secure tokens and passwords.
func (p *twins) tokenCall(script string) (keys, args []string) {
	both := []string{userKey, tokensKey}
	switch script {
	case "token_create":
		return both, []string{p.who(), p.member(), p.life(), p.mostly(p.purpose(), "tea"), p.mostly("1000", "2")}
	case "token_verify":
		return both, []string{p.member(), p.purpose()}
	case "password_set":
		return []string{userKey, passKey}, []string{p.who(), p.pick("h1", "h2"), p.pick("", "h1", "h2")}
	case "password_change":
		return []string{userKey, passKey, sessionsKey, tokensKey}, []string{p.who(), p.pick("h1", "h2"), p.pick("", "h1", "h2")}
	case "password_reset":
		return []string{userKey, passKey, sessionsKey, tokensKey}, []string{p.member(), p.purpose(), p.pick("h1", "h2")}
	case "password_remove":
		return append([]string{userKey, passKey}, linkKeys()...), []string{p.who(), p.pick("", "1")}
	}
	return nil, nil
}

func (p *twins) purpose() string {
	return p.mostly(p.pick("magic_link", "password_reset"), "email_verification")
}
