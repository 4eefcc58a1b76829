package memory_test

import (
	"errors"
	"flag"
	"strings"
	"testing"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/memory"
	"github.com/toriibench/toriibench/store/storetest"
)

// TestMain lets more of the short tests run beside each other than there are
// processors: they wait more than they work.
func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		if err := flag.Set("test.parallel", "6"); err != nil {
			panic(err)
		}
	}
	m.Run()
}

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
	t.Parallel()
	opts := storetest.Options{Broken: broken}
	if !testing.Short() {
		opts.Emails = 100_000
	}
	storetest.Run(t, open, opts)
}

func TestConformanceInJSON(t *testing.T) {
	t.Parallel()
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
	for _, script := range store.Scripts(store.Config{}) {
		t.Run(script.Name, func(t *testing.T) {
			// With no keys at all a twin panics: it is there.
			defer func() { recover() }()
			if _, err := d.Eval(t.Context(), script, nil); err != nil && strings.Contains(err.Error(), "no version in Go") {
				t.Error(err)
			}
		})
	}
}

func TestLookupRefusesAnotherType(t *testing.T) {
	d, err := memory.Dial(t.Context(), store.Config{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*store.Script{}
	for _, script := range store.Scripts(store.Config{}) {
		all[script.Name] = script
	}
	if _, err := d.Eval(t.Context(), all["schema_mark"], []string{"text"}, "2"); err != nil {
		t.Fatal(err)
	}
	if text, value, err := d.Lookup(t.Context(), "text", "absent", "f"); text != "2" || value != "" || err != nil {
		t.Errorf("got %q, %q and %v", text, value, err)
	}
	if _, _, err := d.Lookup(t.Context(), "text", "text", "f"); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("a text read as a hash: %v, want ErrCorrupt as from a server", err)
	}
}

func TestMemoryHasNoReplicas(t *testing.T) {
	if _, err := store.Open(t.Context(), store.Config{URLs: []string{"memory"}, WaitReplicas: 1}, memory.Dial); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("waiting for a replica: %v, want ErrInvalid", err)
	}
}
