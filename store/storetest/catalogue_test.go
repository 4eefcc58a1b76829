package storetest

import (
	"slices"
	"strings"
	"testing"

	"github.com/toriibench/toriibench/store"
)

// families are those whose cases all are additions of this suite to the
// catalogue: what must be atomic, cached copies, the life of a storage.
func families() []string { return []string{"A", "C", "L"} }

// additions are other cases that the catalogue does not have.
func additions() []string {
	return []string{"U-18", "O-11", "O-12", "W-7", "W-8", "W-9", "B-18", "JWT-4", "F-11"}
}

// every is all cases, those included that need what a harness may not have.
func every() []scenario {
	none := func(*testing.T) *store.RedisStorage { return nil }
	return scenarios(Options{
		Broken:  none,
		Stalled: none,
		Full:    func(*testing.T) (*store.RedisStorage, func()) { return nil, nil },
	})
}

func TestEveryEntryHasACase(t *testing.T) {
	has := map[string]bool{}
	for _, c := range every() {
		has[id(c)] = true
	}
	seen := map[string]bool{}
	for _, e := range Catalogue() {
		if seen[e.ID] || e.Meaning == "" {
			t.Errorf("%s is listed twice or means nothing", e.ID)
		}
		seen[e.ID] = true
		if !has[e.ID] {
			t.Errorf("%s has no case: %s", e.ID, e.Meaning)
		}
	}
	for _, own := range additions() {
		if !has[own] || seen[own] {
			t.Errorf("%s is no addition: it has no case, or is in the catalogue", own)
		}
	}
	if len(seen) != 110 {
		t.Errorf("%d entries, want 110: none may get lost", len(seen))
	}
}

func TestEveryCaseIsListed(t *testing.T) {
	known := additions()
	for _, e := range Catalogue() {
		known = append(known, e.ID)
	}
	names := map[string]bool{}
	for _, c := range every() {
		if names[c.name] {
			t.Errorf("two cases are called %q", c.name)
		}
		names[c.name] = true
		family := strings.TrimRight(id(c), "-0123456789")
		if !slices.Contains(known, id(c)) && !slices.Contains(families(), family) {
			t.Errorf("%q is neither in the catalogue nor an addition", c.name)
		}
	}
}

// id is the first word of the name of a case.
func id(c scenario) string {
	word, _, _ := strings.Cut(c.name, " ")
	return word
}
