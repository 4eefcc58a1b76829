package drivertest

import (
	"strings"
	"testing"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

// Traits are in what drivers differ.
type Traits struct {
	// Multiplexed drivers write commands to a connection that others wait on;
	// otherwise a command waits until a connection is free.
	Multiplexed bool
}

// Faked runs all that needs a server which does what no real one can be made to
// do in time: answer when told to, wrongly, or not at all.
func Faked(t *testing.T, dial store.Dial, traits Traits) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, s setup)
	}{
		{"tells the time on the wire", tracesWire},
		{"tells the time until a command was written", func(t *testing.T, s setup) { tracesQueue(t, s, traits) }},
		{"tells a wait on the wire from one before it", func(t *testing.T, s setup) { tracesPipeline(t, s, traits) }},
		{"takes no other command for a traced one", tracesOwn},
		{"traces nothing unless asked", tracesNothing},
		{"counts redirections", countsRedirects},
		{"counts the redirections of two commands in one round trip", countsRedirectsOfTwo},
		{"gives redirections up, and counts those it followed", givesUpRedirects},
		{"repeats no command by itself", repeatsNothing},
		{"repeats reads as often as it may, and no scripts", repeatsReads},
		{"survives garbage", survivesGarbage},
		{"survives a reply that never comes", survivesSilence},
		{"survives connections that end in mid-reply", survivesDrops},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, setup{dial: dial}) })
	}
}

// values answers every command as one that reads would be.
func values(command []string) testservers.Reply {
	if strings.EqualFold(command[0], "GET") || strings.EqualFold(command[0], "HGET") {
		return testservers.Reply{Bytes: testservers.Bulk("v")}
	}
	if !strings.EqualFold(command[0], "MGET") {
		return testservers.Reply{Bytes: testservers.Values("done")}
	}
	found := make([]string, len(command)-1)
	for i := range found {
		found[i] = "v"
	}
	return testservers.Reply{Bytes: testservers.Values(found...)}
}

// retries is how many commands the driver's library has sent again.
func retries(t *testing.T, d store.Driver) int64 {
	t.Helper()
	counter, ok := d.(interface{ Retries() int64 })
	if !ok {
		t.Fatalf("%T does not count what it sends again", d)
	}
	return counter.Retries()
}
