package drivertest

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

// patience is the deadline of a command that a fake server mistreats, and slack
// what it may take longer on a machine that is busy.
const (
	patience = 300 * time.Millisecond
	slack    = late
)

// sick is a fake server that gives one wrong answer until it is cured.
type sick struct {
	*testservers.Fake
	cured atomic.Bool
}

func newSick(t *testing.T, wrong testservers.Reply) *sick {
	t.Helper()
	s := new(sick)
	s.Fake = testservers.NewFake(t, func(command []string) testservers.Reply {
		if s.cured.Load() {
			return values(command)
		}
		return wrong
	})
	return s
}

// suffers has callers meet the sick server, checks that each gets an error in
// time, and that the driver works when the server does.
func (s *sick) suffers(t *testing.T, d store.Driver, check func(err error)) {
	t.Helper()
	const callers = 8
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			ctx := within(t, patience)
			began := time.Now()
			var err error
			if i%2 == 0 {
				_, err = d.Get(ctx, "k")
			} else {
				_, err = d.Eval(ctx, echo(), []string{"k"})
			}
			if took := time.Since(began); took > patience+slack {
				t.Errorf("took %s", took)
			}
			if err == nil {
				t.Error("a wrong answer was believed")
				return
			}
			check(err)
		})
	}
	wg.Wait()
	s.cured.Store(true)
	testservers.WaitFor(t, "the driver to recover", func() bool {
		got, err := d.Get(within(t, time.Second), "k")
		return err == nil && len(got) == 1 && got[0] == "v"
	})
}

// garbage is what no server should send for an array of bulk strings. Outages
// are those that leave a connection of no use.
func garbage() map[string]struct {
	bytes  string
	outage bool
} {
	random := make([]byte, 4096)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(random) // It never fails.
	return map[string]struct {
		bytes  string
		outage bool
	}{
		"random bytes":              {string(random), false},
		"another protocol":          {"HTTP/1.1 400 Bad Request\r\n\r\n", false},
		"a number":                  {":7\r\n", false},
		"a text":                    {"+OK\r\n", false},
		"a map":                     {"%1\r\n+a\r\n+b\r\n", false},
		"arrays in the array":       {"*1\r\n*1\r\n$1\r\nv\r\n", false},
		"half a bulk string":        {"*1\r\n$100\r\nhalf", true},
		"half an array":             {"*2\r\n$1\r\nv\r\n", true},
		"a length that is none":     {"*1\r\n$many\r\n", false},
		"a negative length":         {"*1\r\n$-7\r\n", false},
		"a huge string":             {"*1\r\n$9223372036854775807\r\n", false},
		"a string beyond memory":    {"*1\r\n$4611686018427387904\r\n", false},
		"a string of a terabyte":    {"*1\r\n$1099511627776\r\n", false},
		"a huge array":              {"*9223372036854775807\r\n", false},
		"an array beyond memory":    {"*1099511627776\r\n", false},
		"a length that overflows":   {"*1\r\n$92233720368547758070\r\n", false},
		"an unasked push and a map": {">2\r\n+a\r\n+b\r\n%0\r\n", false},
	}
}

func survivesGarbage(t *testing.T, s setup) {
	all := garbage()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrong := all[name]
			server := newSick(t, testservers.Reply{Bytes: wrong.bytes})
			d := s.open(t, store.Config{URLs: []string{server.URL()}, PoolSize: 4, Timeout: patience})
			server.suffers(t, d, func(err error) {
				if wrong.outage {
					mustBe(t, err, store.ErrUnavailable)
				}
				if errors.Is(err, store.ErrNotFound) || strings.Contains(err.Error(), "half") {
					t.Errorf("it looks like absence, or repeats the reply: %v", err)
				}
			})
		})
	}
}

func survivesSilence(t *testing.T, s setup) {
	never := make(chan struct{})
	defer close(never)
	server := newSick(t, testservers.Reply{Wait: never})
	d := s.open(t, store.Config{URLs: []string{server.URL()}, PoolSize: 4, Timeout: patience})
	server.suffers(t, d, func(err error) { mustBe(t, err, store.ErrUnavailable, context.DeadlineExceeded) })
}

func survivesDrops(t *testing.T, s setup) {
	server := newSick(t, testservers.Reply{Bytes: "*1\r\n$100\r\nhalf", Close: true})
	d := s.open(t, store.Config{URLs: []string{server.URL()}, PoolSize: 4, Timeout: patience})
	server.suffers(t, d, func(err error) { mustBe(t, err, store.ErrUnavailable) })
	for range 3 {
		server.Drop()
		testservers.WaitFor(t, "the driver to recover", func() bool { return d.Ping(within(t, time.Second)) == nil })
	}
}
