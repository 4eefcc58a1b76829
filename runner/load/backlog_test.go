package load

import (
	"sync"
	"testing"
	"testing/synctest"
)

func TestBacklogIsFirstInFirstOut(t *testing.T) {
	b := newBacklog(3, 1)
	var op Op
	for lap := range uint64(20) {
		for i := range uint64(3) {
			if !b.push(&Op{Subject: lap + i}) {
				t.Fatal("push failed though there is room")
			}
		}
		if b.push(&op) {
			t.Fatal("push succeeded beyond the bound")
		}
		if b.tryPop(&op) {
			t.Fatal("an operation was there before it was published")
		}
		b.publish()
		for i := range uint64(3) {
			if !b.tryPop(&op) || op.Subject != lap+i {
				t.Fatalf("popped %d, want %d", op.Subject, lap+i)
			}
		}
	}
}

func TestBacklogLeavesRoomForFreeWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, workers = 5, 3
		b := newBacklog(limit, workers)
		release := make(chan struct{})
		var all sync.WaitGroup
		for range workers {
			all.Go(func() {
				for op := new(Op); b.pop(op); {
					<-release
				}
			})
		}
		synctest.Wait() // All sleep.
		pushed := 0
		for range 20 {
			if b.push(&Op{}) {
				pushed++
			}
		}
		b.publish()
		if pushed != limit+workers {
			t.Errorf("pushed %d, want %d to wait and one for each of %d workers", pushed, limit, workers)
		}
		synctest.Wait()
		if b.push(&Op{}) {
			t.Error("push succeeded though no worker is free")
		}
		close(release)
		b.close()
		all.Wait()
	})
}

func TestBacklogHandsEachOperationOverOnce(t *testing.T) {
	const n, workers = 200_000, 8
	b := newBacklog(64, workers)
	seen := make([]uint8, n)
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for op := new(Op); b.pop(op); {
				seen[op.Subject]++ // The race detector tells if two have it.
			}
		})
	}
	for i := uint64(0); i < n; {
		for range 1 + i%7 {
			if i < n && b.push(&Op{Subject: i}) {
				i++
			}
		}
		b.publish()
	}
	b.close()
	all.Wait()
	for i, times := range seen {
		if times != 1 {
			t.Fatalf("operation %d was taken %d times", i, times)
		}
	}
}

func TestBacklogDiscard(t *testing.T) {
	b := newBacklog(10, 1)
	for range 4 {
		b.push(&Op{})
	}
	b.publish()
	b.close()
	if n := b.discard(); n != 4 {
		t.Errorf("discarded %d, want 4", n)
	}
	if b.pop(new(Op)) {
		t.Error("a closed and empty backlog still gives")
	}
}

func TestBacklogAllocatesNothing(t *testing.T) {
	b := newBacklog(10, 1)
	op := new(Op)
	if n := testing.AllocsPerRun(100, func() { b.push(op); b.publish(); b.tryPop(op) }); n != 0 {
		t.Errorf("a hand-over allocates %v times", n)
	}
}
