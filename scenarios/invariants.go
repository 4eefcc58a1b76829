package scenarios

import (
	"sync"
	"sync/atomic"
)

// Invariants are the properties that a workload checks while it runs. It is
// safe for concurrent use; checking one that holds takes no lock.
type Invariants struct {
	all []*Invariant
}

// Invariant counts how often a property was checked and how often it failed.
type Invariant struct {
	Name    string
	checked atomic.Int64
	failed  atomic.Int64
	first   struct {
		sync.Once
		example string
	}
}

// add registers a property. It is called while a workload is put together,
// before any traffic.
func (s *Invariants) add(name string) *Invariant {
	inv := &Invariant{Name: name}
	s.all = append(s.all, inv)
	return inv
}

// All returns the invariants in the order in which they were added.
func (s *Invariants) All() []*Invariant { return s.all }

// Violated counts the violations of all invariants.
func (s *Invariants) Violated() int64 {
	var n int64
	for _, inv := range s.all {
		n += inv.failed.Load()
	}
	return n
}

// check counts one look at the property. example tells a violation in words and
// is called for the first one only; it must not hold a token.
func (inv *Invariant) check(ok bool, example func() string) {
	inv.checked.Add(1)
	if ok {
		return
	}
	inv.first.Do(func() { inv.first.example = example() })
	inv.failed.Add(1)
}

// Count returns how often the property was checked and violated, and the first
// violation in words.
func (inv *Invariant) Count() (checked, violated int64, example string) {
	violated = inv.failed.Load()
	if violated > 0 {
		// The example is written before the violation is counted.
		example = inv.first.example
	}
	return inv.checked.Load(), violated, example
}
