package runner

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/toriibench/toriibench/runner/load"
	"github.com/toriibench/toriibench/store"
)

// told is traffic whose only operation does as it is told.
type told struct {
	load.Traffic

	do func(ctx context.Context) error
}

func (t told) Do(ctx context.Context, op *load.Op) (int, error) { return op.Kind, t.do(ctx) }

func TestTracedOperationsTellTheirParts(t *testing.T) {
	at := time.Now()
	fault := errors.New("a fault")
	spend := func(ctx context.Context) error {
		trace := store.TraceOf(ctx)
		trace.Add(at, at.Add(time.Millisecond), at.Add(3*time.Millisecond), nil)
		trace.Add(at, at.Add(time.Millisecond), at.Add(3*time.Millisecond), nil)
		return fault
	}
	op := &load.Op{Kind: 3, Trace: new(load.Trace)}
	kind, err := tracing{told{do: spend}}.Do(t.Context(), op)
	if kind != 3 || !errors.Is(err, fault) {
		t.Errorf("got kind %d and %v", kind, err)
	}
	if want := (load.Trace{Queue: 2 * time.Millisecond, Wire: 4 * time.Millisecond}); *op.Trace != want {
		t.Errorf("got %+v, want %+v", *op.Trace, want)
	}
}

func TestAnOperationThatCouldNotBeTracedIsNotCounted(t *testing.T) {
	op := &load.Op{Trace: new(load.Trace)}
	_, err := tracing{told{do: func(ctx context.Context) error {
		store.TraceOf(ctx).Add(time.Now(), time.Time{}, time.Now(), nil)
		return nil
	}}}.Do(t.Context(), op)
	if err != nil || op.Trace != nil {
		t.Errorf("trace %+v, error %v", op.Trace, err)
	}
}

func TestOthersAreNotTraced(t *testing.T) {
	_, err := tracing{told{do: func(ctx context.Context) error {
		if store.TraceOf(ctx) != nil {
			return errors.New("it has a trace")
		}
		return nil
	}}}.Do(t.Context(), new(load.Op))
	if err != nil {
		t.Error(err)
	}
}

func TestNoPartsWhereNothingWasTraced(t *testing.T) {
	empty := hdrhistogram.New(1000, int64(time.Minute), 2)
	if got := parts(load.Parts{}); got != nil {
		t.Errorf("no histograms give %+v", got)
	}
	if got := parts(load.Parts{Queue: empty, Wire: empty, Rest: empty}); got != nil {
		t.Errorf("empty histograms give %+v", got)
	}
}
