package memory_test

import (
	"strings"
	"testing"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/memory"
	"github.com/toriibench/toriibench/store/storetest"
)

func open(t *testing.T) *store.RedisStorage {
	t.Helper()
	s, err := memory.NewServer(nil).Open(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	opts := storetest.Options{Broken: broken}
	if !testing.Short() {
		opts.Emails = 100_000
	}
	storetest.Run(t, open, opts)
}

func TestConformanceInJSON(t *testing.T) {
	inJSON := func(t *testing.T) *store.RedisStorage {
		t.Helper()
		cfg := store.Config{URLs: []string{"memory"}, SessionFormat: store.SessionJSON}
		s, err := store.Open(t.Context(), cfg, memory.Dial)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	storetest.Run(t, inJSON, storetest.Options{Rounds: 5})
}

// broken opens a storage and closes it: the nearest to an outage that memory
// has.
func broken(t *testing.T) *store.RedisStorage {
	t.Helper()
	s := open(t)
	s.Close()
	return s
}

func TestEveryScriptHasATwin(t *testing.T) {
	d, err := memory.Dial(t.Context(), store.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range store.Scripts() {
		t.Run(script.Name, func(t *testing.T) {
			// With no keys at all a twin panics: it is there.
			defer func() { recover() }()
			if _, err := d.Eval(t.Context(), script, nil); err != nil && strings.Contains(err.Error(), "no version in Go") {
				t.Error(err)
			}
		})
	}
}
