package load

import (
	"runtime"
	"sync/atomic"
)

// backlog is the bounded queue between the pacer, its one producer, and the
// workers. A Go channel would do the same; it takes a lock that all share, and
// wakes a worker, for each operation. Here the pacer publishes what became due
// together at once, and workers that are busy take it without being woken.
//
// Workers that find it empty sleep on a channel of tokens. A worker registers
// as a sleeper and looks again before it sleeps; the producer publishes before
// it looks for sleepers. So one of the two always sees the other, since Go's
// atomics are sequentially consistent.
type backlog struct {
	slots []slot
	mask  uint64
	// limit bounds what waits while no worker is free.
	limit uint64
	wake  chan struct{}
	// next counts the operations pushed; it is the producer's.
	next uint64

	_    [64]byte
	tail atomic.Uint64 // Operations published.
	_    [56]byte
	head atomic.Uint64 // Operations taken.
	_    [56]byte
	// sleepers have registered and have not been sent a token.
	sleepers atomic.Int64
	// idle workers have registered and have not taken an operation since.
	idle   atomic.Int64
	closed atomic.Bool
	_      [40]byte
}

type slot struct {
	// free is the count of operations before the one that may be put here: a
	// worker sets it when it has copied the one before.
	free atomic.Uint64
	op   Op
}

func newBacklog(limit, workers int) *backlog {
	size := 1
	for size < limit+workers {
		size *= 2
	}
	b := &backlog{
		slots: make([]slot, size),
		mask:  uint64(size - 1),
		limit: uint64(limit),
		wake:  make(chan struct{}, workers),
	}
	for i := range b.slots {
		b.slots[i].free.Store(uint64(i))
	}
	return b
}

// push adds op, for workers to see when it is published. It returns false, and
// adds nothing, if as many operations wait as may. Operations that a free worker
// is about to take do not count. Only one goroutine may push and publish.
func (b *backlog) push(op *Op) bool {
	if b.next-b.head.Load() >= b.limit+uint64(max(0, b.idle.Load())) {
		return false
	}
	s := &b.slots[b.next&b.mask]
	// A worker may have taken the slot a lap ago and still be copying from it.
	for s.free.Load() != b.next {
		runtime.Gosched()
	}
	s.op = *op
	b.next++
	return true
}

// publish shows workers what was pushed, and wakes one for each operation.
func (b *backlog) publish() {
	n := b.next - b.tail.Load()
	if n == 0 {
		return
	}
	b.tail.Store(b.next)
	for ; n > 0 && b.wakeOne(); n-- {
	}
}

// pop takes the oldest operation, waiting for one if need be. It returns false
// once the backlog is closed and empty.
func (b *backlog) pop(op *Op) bool {
	for !b.tryPop(op) {
		if b.closed.Load() {
			// What was published before the close is visible by now.
			return b.tryPop(op)
		}
		if b.sleep(op) {
			return true
		}
	}
	return true
}

// tryPop takes the oldest operation if there is one.
func (b *backlog) tryPop(op *Op) bool {
	for {
		head := b.head.Load()
		if head >= b.tail.Load() {
			return false
		}
		if b.head.CompareAndSwap(head, head+1) {
			s := &b.slots[head&b.mask]
			*op = s.op
			s.free.Store(head + uint64(len(b.slots)))
			return true
		}
	}
}

// sleep waits until it is worth looking again, and says whether it took an
// operation meanwhile.
func (b *backlog) sleep(op *Op) bool {
	b.idle.Add(1)
	defer b.idle.Add(-1)
	b.sleepers.Add(1)
	if b.closed.Load() || b.tail.Load() != b.head.Load() {
		// Registered for nothing: withdraw, or take the token that is under way.
		if !b.claimSleeper() {
			<-b.wake
		}
	} else {
		<-b.wake
	}
	return b.tryPop(op)
}

// wakeOne sends a token if a worker sleeps.
func (b *backlog) wakeOne() bool {
	if !b.claimSleeper() {
		return false
	}
	b.wake <- struct{}{} // Never blocks: there is room for one a worker.
	return true
}

func (b *backlog) claimSleeper() bool {
	for {
		n := b.sleepers.Load()
		if n <= 0 {
			return false
		}
		if b.sleepers.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// close lets workers go once the backlog is empty.
func (b *backlog) close() {
	b.closed.Store(true)
	for b.wakeOne() {
	}
}

// discard empties a closed backlog and returns how many operations it held.
func (b *backlog) discard() int64 {
	var n int64
	for op := new(Op); b.tryPop(op); n++ {
	}
	return n
}
