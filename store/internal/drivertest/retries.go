package drivertest

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

// elsewhere answers every command with a redirection, such as "MOVED" or "ASK".
func elsewhere(word string, to *string) func([]string) testservers.Reply {
	return func([]string) testservers.Reply {
		return testservers.Reply{Bytes: "-" + word + " 3300 " + *to + "\r\n"}
	}
}

func countsRedirects(t *testing.T, s setup) {
	for _, word := range []string{"MOVED", "ASK"} {
		there := testservers.NewFake(t, values)
		here := testservers.NewFake(t, elsewhere(word, &there.Addr))
		d := s.open(t, store.Config{URLs: []string{here.URL()}, ClusterMode: true})
		var trace store.Trace
		got, err := d.Get(store.WithTrace(t.Context(), &trace), "k")
		if err != nil || len(got) != 1 || got[0] != "v" {
			t.Fatalf("%s: got %q and %v", word, got, err)
		}
		if n := retries(t, d); n != 1 {
			t.Errorf("%s: a redirection counts as %d", word, n)
		}
		if trace.Commands != 1 || trace.Unseen != 0 {
			t.Errorf("%s: a redirected command is %+v", word, trace)
		}
		if diff := cmp.Diff([]string{"MGET"}, there.Received()); diff != "" {
			t.Errorf("%s: -want +got\n%s", word, diff)
		}
	}
}

func countsRedirectsOfTwo(t *testing.T, s setup) {
	for _, word := range []string{"MOVED", "ASK"} {
		there := testservers.NewFake(t, values)
		here := testservers.NewFake(t, elsewhere(word, &there.Addr))
		d := s.open(t, store.Config{URLs: []string{here.URL()}, ClusterMode: true})
		if err := lookup(t.Context(), d)(); err != nil {
			t.Fatalf("%s: %v", word, err)
		}
		if n := retries(t, d); n != 2 {
			t.Errorf("%s: two redirections count as %d", word, n)
		}
		got := there.Received()
		slices.Sort(got)
		if diff := cmp.Diff([]string{"GET", "HGET"}, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", word, diff)
		}
	}
}

func givesUpRedirects(t *testing.T, s setup) {
	var a, b *testservers.Fake
	var addrs [2]string
	a = testservers.NewFake(t, elsewhere("MOVED", &addrs[1]))
	b = testservers.NewFake(t, elsewhere("MOVED", &addrs[0]))
	addrs[0], addrs[1] = a.Addr, b.Addr
	d := s.open(t, store.Config{URLs: []string{a.URL()}, ClusterMode: true})
	_, err := d.Get(within(t, 5*time.Second), "k")
	mustBe(t, err, store.ErrUnavailable)
	mustReply(t, err, "MOVED")
	sent := len(a.Received()) + len(b.Received())
	if n := retries(t, d); n != 3 || sent != 4 {
		t.Errorf("%d counted, %d commands sent, want 3 and 4", n, sent)
	}
}

// dropping closes the connection instead of answering the first n commands.
func dropping(n int32) func([]string) testservers.Reply {
	var come atomic.Int32
	return func(command []string) testservers.Reply {
		if come.Add(1) <= n {
			return testservers.Reply{Close: true}
		}
		return values(command)
	}
}

func repeatsNothing(t *testing.T, s setup) {
	for _, clustered := range []bool{false, true} {
		fake := testservers.NewFake(t, dropping(1))
		d := s.open(t, store.Config{URLs: []string{fake.URL()}, ClusterMode: clustered})
		_, err := d.Get(within(t, 5*time.Second), "k")
		mustBe(t, err, store.ErrUnavailable)
		if n := retries(t, d); n != 0 || len(fake.Received()) != 1 {
			t.Errorf("cluster %t: %d counted, and the server got %q", clustered, n, fake.Received())
		}
	}
}

func repeatsReads(t *testing.T, s setup) {
	const allowed = 2
	for _, clustered := range []bool{false, true} {
		for drops := range int32(4) {
			fake := testservers.NewFake(t, dropping(drops))
			d := s.open(t, store.Config{URLs: []string{fake.URL()}, ClusterMode: clustered, ReadRetries: allowed})
			_, err := d.Get(within(t, 5*time.Second), "k")
			if (err == nil) != (drops <= allowed) || err != nil && !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("cluster %t, %d drops: %v", clustered, drops, err)
			}
			want := min(drops, allowed)
			if n := retries(t, d); n != int64(want) || len(fake.Received()) != int(want)+1 {
				t.Errorf("cluster %t, %d drops: %d counted, and the server got %q", clustered, drops, n, fake.Received())
			}
		}
		fake := testservers.NewFake(t, dropping(1))
		d := s.open(t, store.Config{URLs: []string{fake.URL()}, ClusterMode: clustered, ReadRetries: allowed})
		_, err := d.Eval(within(t, 5*time.Second), echo(), []string{"k"})
		mustBe(t, err, store.ErrUnavailable)
		if got := strings.Join(fake.Received(), " "); got != "EVALSHA" || retries(t, d) != 0 {
			t.Errorf("cluster %t: a script was sent as %q, and %d counted", clustered, got, retries(t, d))
		}
	}
}
