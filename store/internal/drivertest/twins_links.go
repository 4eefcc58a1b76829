package drivertest

import (
	"fmt"
	"slices"
	"time"
)

// What the sequences do about links: a user's accounts and passkeys.

func (p *twins) field() string { return p.pick("f1", "f2", "f3") }

// links gives one of the hashes of links, and the other.
func (p *twins) links() (own, other string) {
	keys := linkKeys()
	p.random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return keys[0], keys[1]
}

func (p *twins) noteRecord() string {
	return p.mostly("1 "+p.pick(longAgo, farAway)+"\n"+p.pick("", "x", "a\nb"), "junk", "2 5\nx", "1 \nx", "1 -5\nx", "1 5", "1 5 5\nx")
}

// castLinks gives the user links, some of them pending, to begin with.
func (p *twins) castLinks() {
	p.t.Helper()
	for _, key := range linkKeys() {
		for _, field := range []string{"f1", "f2"} {
			nonce := p.nonce()
			p.cue("link_begin", []string{userKey, key}, []string{"w1", field, nonce, p.life(), "100", p.pick("g1", "g2"), "x"})
			if p.random.IntN(3) > 0 {
				p.cue("link_commit", []string{userKey, key}, []string{"w1", field, nonce})
			}
		}
	}
}

// cue runs a script and notes it.
func (p *twins) cue(script string, keys, args []string) {
	p.t.Helper()
	p.history = append(p.history, fmt.Sprintf("%s %q %q", script, keys, args))
	p.run(p.script(script), keys, args)
	if slices.Contains(args, millis(shortLife)) {
		<-time.After(afterLife)
	}
}

// linkCall is call for scripts about links.
func (p *twins) linkCall(script string) (keys, args []string) {
	own, other := p.links()
	two := []string{userKey, own}
	switch script {
	case "link_abort":
		return two[1:], []string{p.field(), p.nonce()}
	case "link_begin":
		// What is odd makes records that cannot be read.
		return two, []string{
			p.who(), p.field(), p.mostly(p.nonce(), p.nonce(), "n 1", ""), p.life(), p.pick("1", "3", "100"),
			p.mostly(p.pick("g1", "g2"), "g1", ""), p.mostly(p.json(), "x\nmore", "x", ""),
		}
	case "link_commit", "link_touch":
		return two, []string{p.who(), p.field(), p.nonce()}
	case "link_list":
		return two, []string{p.who()}
	case "link_remove":
		by := [][]string{{"", "", ""}, {p.pick("g1", "g2"), "", ""}, {"", p.field(), p.nonce()}}
		return []string{userKey, own, other, passKey}, slices.Concat([]string{p.who(), p.pick("", "1")}, by[p.random.IntN(len(by))])
	}
	return nil, nil
}
