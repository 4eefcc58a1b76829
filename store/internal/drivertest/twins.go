package drivertest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/memory"
)

// How much Twins tries: sequences of scripts, each on an empty keyspace.
const (
	sequences = 100
	steps     = 40
)

// Lives of keys in the sequences. Only what has surely not ended, and what
// surely has, is compared.
const (
	shortLife = 2 * time.Millisecond
	afterLife = 3 * shortLife
	longLife  = 10 * time.Minute
)

// Twins runs random sequences of all the store's scripts on a server and in
// memory, where each has a second version in Go, and compares replies and keys.
// All that is tested on memory alone is worth what this finds equal.
func Twins(t *testing.T, engine string, dial store.Dial) {
	t.Helper()
	_, driver := setup{engine: engine, dial: dial}.start(t)
	seed := [2]uint64{1, 2}
	random := rand.New(rand.NewPCG(seed[0], seed[1]))
	ran := map[string]int{}
	for n := range sequences {
		// Every other sequence runs the scripts of a storage that waits for replicas.
		scripts := store.Scripts(store.Config{WaitReplicas: n % 2})
		p := &twins{t: t, scripts: scripts, random: random, server: driver, memory: openMemory(t), began: time.Now(), ran: ran}
		p.sequence()
		if t.Failed() {
			t.Fatalf("seed %v, sequence %d:\n%s", seed, n, strings.Join(p.history, "\n"))
		}
	}
	for _, script := range store.Scripts(store.Config{}) {
		if ran[script.Name] < sequences/10 {
			t.Errorf("script %s ran %d times", script.Name, ran[script.Name])
		}
	}
}

func openMemory(t *testing.T) store.Driver {
	t.Helper()
	d, err := memory.Dial(t.Context(), store.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// twins is a sequence on both sides.
type twins struct {
	t              *testing.T
	scripts        []*store.Script
	random         *rand.Rand
	server, memory store.Driver
	began          time.Time
	// drawn counts the lives that were drawn: no two are equal, so that no
	// two members of an index are sorted by when their side was asked.
	drawn   int
	history []string
	ran     map[string]int
}

// sequence starts from nothing and stops at the first difference.
func (p *twins) sequence() {
	p.t.Helper()
	p.unlink(p.server, universe())
	p.cast()
	for range steps {
		if p.random.IntN(4) == 0 {
			p.plant(p.record())
		} else {
			p.step(p.scripts[p.random.IntN(len(p.scripts))])
		}
		if p.t.Failed() {
			return
		}
	}
	p.compareKeys(universe())
}

// cast gives most sequences a user with sessions and links to begin with, and
// failed attempts: without them few scripts do anything.
func (p *twins) cast() {
	p.t.Helper()
	p.plant(userKey, p.mostly("1 a w1 n1 1000 1000 - -\nx", p.userRecord()))
	for _, member := range members()[:p.random.IntN(len(members()))] {
		p.history = append(p.history, "session "+member)
		p.run(p.script("session_create"), []string{userKey, sessionsKey}, []string{"w1", member, p.future(), p.sessionRecord(), "1000"})
	}
	for _, attempt := range attempts()[:p.random.IntN(3)] {
		p.history = append(p.history, "attempt "+attempt)
		p.separate(nil)
		p.run(p.script("attempt_record"), p.attemptKeys(), []string{millis(longLife), "3", "window", millis(longLife), "9", "1", attempt, ""})
	}
	p.castLinks()
}

// plant writes a record of any state, or something that is none.
func (p *twins) plant(key, value string) {
	p.t.Helper()
	p.history = append(p.history, fmt.Sprintf("plant %s %q", key, value))
	for _, d := range []store.Driver{p.server, p.memory} {
		p.unlink(d, []string{key})
	}
	p.run(p.script("schema_mark"), []string{key}, []string{value})
}

func (p *twins) unlink(d store.Driver, keys []string) {
	p.t.Helper()
	if _, err := d.Eval(p.t.Context(), p.script("unlink"), keys); err != nil {
		p.t.Fatal(err)
	}
}

// step runs a script with arguments that fit and some that do not, and
// compares its keys.
func (p *twins) step(script *store.Script) {
	p.t.Helper()
	keys, args := p.call(script.Name)
	p.history = append(p.history, fmt.Sprintf("%s %q %q", script.Name, keys, args))
	p.ran[script.Name]++
	if strings.HasPrefix(script.Name, "attempt_") {
		p.separate(args)
	}
	p.run(script, keys, args)
	if slices.Contains(args, millis(shortLife)) {
		<-time.After(afterLife)
	}
	p.compareKeys(keys)
}

// separate waits before a script about attempts, so that no two attempts are of
// one millisecond on either side, and none lies in a short window.
func (*twins) separate(args []string) {
	wait := shortLife
	if slices.Contains(args, millis(shortLife)) {
		wait = afterLife
	}
	<-time.After(wait)
}

// run runs a script on both sides and compares the replies.
func (p *twins) run(script *store.Script, keys, args []string) {
	p.t.Helper()
	want, got := p.eval(p.memory, script, keys, args), p.eval(p.server, script, keys, args)
	if diff := cmp.Diff(want, got); diff != "" {
		p.t.Errorf("script %s, reply (-memory +server):\n%s", script.Name, diff)
	}
}

// eval runs a script on one side and masks its reply.
func (p *twins) eval(d store.Driver, script *store.Script, keys, args []string) []string {
	p.t.Helper()
	own := slices.Clone(args)
	if i := slices.Index(own, storedVersion); i >= 0 {
		own[i] = p.version(d, keys[0])
	}
	reply, err := d.Eval(p.t.Context(), script, keys, own...)
	if err != nil {
		p.t.Fatalf("script %s: %v\n%s", script.Name, err, strings.Join(p.history, "\n"))
	}
	if script.Name == "inspect" && len(reply) > 1 {
		reply[1] = p.end(reply[1])
	}
	for i, text := range reply {
		reply[i] = p.mask(text)
	}
	slices.Sort(unordered(script.Name, reply))
	return reply
}

// unordered is the part of a reply that comes in any order, because a hash and a
// scan have none.
func unordered(script string, reply []string) []string {
	switch {
	case len(reply) < 2, script == "inspect" && reply[0] != "hash":
		return nil
	case script == "inspect", script == "user_delete":
		return reply[2:]
	case script == "session_page" && len(reply) > 3:
		return reply[3:]
	case script == "link_list", script == "link_remove":
		return reply[1:]
	default:
		return nil
	}
}

// storedVersion stands for the time of update that the record has on the side
// that is asked.
const storedVersion = "its version"

func (p *twins) version(d store.Driver, key string) string {
	p.t.Helper()
	values, err := d.Get(p.t.Context(), key)
	if err != nil {
		p.t.Fatal(err)
	}
	if fields := strings.Fields(values[0]); len(fields) > 5 {
		return fields[5]
	}
	return "0"
}

// compareKeys compares what lies under keys.
func (p *twins) compareKeys(keys []string) {
	p.t.Helper()
	for _, key := range keys {
		want, got := p.inspect(p.memory, key), p.inspect(p.server, key)
		if diff := cmp.Diff(want, got); diff != "" {
			p.t.Errorf("key %s (-memory +server):\n%s", key, diff)
		}
	}
}

func (p *twins) inspect(d store.Driver, key string) []string {
	p.t.Helper()
	return p.eval(d, p.script("inspect"), []string{key}, []string{"1000"})
}

// end turns a remaining life into a time, which stays the same between two
// questions.
func (p *twins) end(ttl string) string {
	ms, err := strconv.ParseInt(ttl, 10, 64)
	if err != nil || ms < 0 {
		return ttl
	}
	at := time.Now().Add(time.Duration(ms) * time.Millisecond)
	if after := at.Sub(p.began); after < maskedSpan {
		return minutesAfter(after)
	}
	return at.Round(time.Minute).UTC().String()
}

// maskedSpan is how far from the beginning a time counts as made by a clock.
const maskedSpan = 48 * time.Hour

// mask replaces times that a clock has made, by how many minutes they lie after
// the beginning: each side has its own clock.
func (p *twins) mask(text string) string {
	if strings.HasPrefix(text, "\x02") && len(text) >= 13 {
		expires, updated := binary.BigEndian.Uint64([]byte("\x00\x00"+text[1:7])), binary.BigEndian.Uint64([]byte("\x00\x00"+text[7:13]))
		text = fmt.Sprintf("compact %013d %013d%s", expires, updated, text[13:])
	}
	text = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`).ReplaceAllStringFunc(text, func(at string) string {
		parsed, err := time.Parse(time.RFC3339Nano, at)
		if err != nil {
			return at
		}
		return fmt.Sprintf("date %d", parsed.UnixMilli())
	})
	// In milliseconds or microseconds.
	return regexp.MustCompile(`\d{13,16}`).ReplaceAllStringFunc(text, func(digits string) string {
		n, err := strconv.ParseInt(digits, 10, 64)
		unit := map[int]time.Duration{13: time.Millisecond, 16: time.Microsecond}[len(digits)]
		if err != nil || unit == 0 {
			return digits
		}
		after := time.Duration(n-p.began.UnixNano()/int64(unit)) * unit
		if after.Abs() > maskedSpan {
			return digits
		}
		return minutesAfter(after) + " in " + unit.String()
	})
}

func minutesAfter(d time.Duration) string {
	return fmt.Sprintf("%d min after", d.Round(time.Minute)/time.Minute)
}

func (p *twins) script(name string) *store.Script {
	return p.scripts[slices.IndexFunc(p.scripts, func(s *store.Script) bool { return s.Name == name })]
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
