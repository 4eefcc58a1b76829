package drivertest

import (
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
		p := &twins{t: t, random: random, server: driver, memory: openMemory(t), began: time.Now(), ran: ran}
		p.sequence()
		if t.Failed() {
			t.Fatalf("seed %v, sequence %d:\n%s", seed, n, strings.Join(p.history, "\n"))
		}
	}
	for _, script := range store.Scripts() {
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
	if _, err := p.server.Unlink(p.t.Context(), universe()...); err != nil {
		p.t.Fatal(err)
	}
	scripts := store.Scripts()
	p.cast()
	for range steps {
		if p.random.IntN(4) == 0 {
			p.plant(p.record())
		} else {
			p.step(scripts[p.random.IntN(len(scripts))])
		}
		if p.t.Failed() {
			return
		}
	}
	p.compareKeys(universe())
}

// cast gives most sequences a user with sessions to begin with: without one
// few scripts do anything.
func (p *twins) cast() {
	p.t.Helper()
	p.plant(userKey, p.mostly("1 a w1 n1 7 1000 1000 - -\nx", p.userRecord()))
	for _, member := range p.some() {
		p.history = append(p.history, "session "+member)
		p.run(scriptNamed("session_create"), []string{userKey, indexKey, sessionKey(member)}, []string{"w1", member, p.future(), longAgo, "x"})
	}
}

// plant writes a record of any state, or something that is none.
func (p *twins) plant(key, value string) {
	p.t.Helper()
	p.history = append(p.history, fmt.Sprintf("plant %s %q", key, value))
	for _, d := range []store.Driver{p.server, p.memory} {
		if _, err := d.Unlink(p.t.Context(), key); err != nil {
			p.t.Fatal(err)
		}
	}
	p.run(scriptNamed("schema_mark"), []string{key}, []string{value})
}

// step runs a script with arguments that fit and some that do not, and
// compares its keys.
func (p *twins) step(script *store.Script) {
	p.t.Helper()
	keys, args := p.call(script.Name)
	p.history = append(p.history, fmt.Sprintf("%s %q %q", script.Name, keys, args))
	p.ran[script.Name]++
	p.run(script, keys, args)
	if slices.Contains(args, millis(shortLife)) {
		<-time.After(afterLife)
	}
	p.compareKeys(keys)
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
	if script.Name == "index_page" {
		slices.Sort(reply[2:]) // A scan has no order.
	}
	for i, text := range reply {
		reply[i] = p.mask(text)
	}
	return reply
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
	if fields := strings.Fields(values[0]); len(fields) > 6 {
		return fields[6]
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
	return p.eval(d, scriptNamed("inspect"), []string{key}, []string{"1000"})
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

// mask replaces times that a clock has made, in milliseconds or microseconds,
// by how many minutes they lie after the beginning: each side has its own
// clock.
func (p *twins) mask(text string) string {
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

func scriptNamed(name string) *store.Script {
	scripts := store.Scripts()
	return scripts[slices.IndexFunc(scripts, func(s *store.Script) bool { return s.Name == name })]
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
