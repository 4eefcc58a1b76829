package scenarios

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/store/memory"
)

func TestAuthentication(t *testing.T) {
	st := open(t, inMemory, memory.Dial)
	s := Authentication()
	w, err := s.New(Env{Storage: st, Rate: 1000, Population: 500, For: time.Second, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Load(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	seen := map[uint64]bool{}
	var op load.Op
	for range 5000 {
		w.Traffic.Next(&op)
		seen[op.Subject] = true
		if kind, err := w.Traffic.Do(t.Context(), &op); err != nil || kind != 0 {
			t.Fatalf("session %d: kind %d, %v", op.Subject, kind, err)
		}
	}
	if len(seen) < 490 {
		t.Errorf("%d of 500 sessions were drawn in 5000 draws", len(seen))
	}
	if checked, violated, _ := w.Invariants.All()[0].Count(); checked != 5000 || violated != 0 {
		t.Errorf("checked %d times, violated %d times", checked, violated)
	}
	t.Run("a session that is gone fails, and is told", func(t *testing.T) {
		if _, err := st.DeleteAll(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Traffic.Do(t.Context(), &op); !errors.Is(err, errNotServed) {
			t.Errorf("got %v", err)
		}
		if _, violated, example := w.Invariants.All()[0].Count(); violated != 1 || example == "" {
			t.Errorf("violated %d times, for example %q", violated, example)
		}
	})
}
