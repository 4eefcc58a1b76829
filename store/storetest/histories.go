package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/toriibench/toriibench/store"
)

func historyScenarios() []scenario {
	return []scenario{
		{name: "A-6 histories of sessions are linearizable", run: linearizeSessions},
		{name: "A-7 histories of secure tokens are linearizable", run: linearizeTokens},
		{name: "A-7 histories of verifiers and challenges are linearizable", run: linearizeNotes},
	}
}

// A history is linearizable if each of its calls seems to have happened at one
// instant between its beginning and its end, in the order of these instants as
// the sequential specification says (Herlihy and Wing, "Linearizability: A
// Correctness Condition for Concurrent Objects"). The checker is Porcupine's.

// call is what was asked: something about one item of one part. Parts have
// nothing in common, so each is checked alone.
type call struct {
	verb       string
	part, item int
	value      string
}

// result is what a call came to.
type result struct {
	kind  kind
	value string
}

// kind is how a call ended.
type kind string

const (
	done     kind = "done"
	absent   kind = "absent"
	conflict kind = "conflict"
	// unknown: the call may have taken effect, at any time after it began, or
	// never will.
	unknown kind = "unknown"
)

// spec is a sequential specification: what a call does to a part, and what it
// comes to.
type spec[S comparable] func(part S, c call) (S, result)

// modelOf is the specification in the checker's words. What never took effect
// counts as if it did after all the rest.
func modelOf[S comparable](apply spec[S]) porcupine.Model {
	return porcupine.Model{
		Partition: byPart,
		Init: func() any {
			var empty S
			return empty
		},
		Step: func(state, input, output any) (bool, any) {
			part, _ := state.(S)
			c, _ := input.(call)
			r, _ := output.(result)
			next, want := apply(part, c)
			return r.kind == unknown || r == want, next
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
		DescribeState:     func(state any) string { return fmt.Sprintf("%+v", state) },
	}
}

func byPart(ops []porcupine.Operation) [][]porcupine.Operation {
	var parts [][]porcupine.Operation
	for _, op := range ops {
		c, _ := op.Input.(call)
		for len(parts) <= c.part {
			parts = append(parts, nil)
		}
		parts[c.part] = append(parts[c.part], op)
	}
	return parts
}

// checkTime bounds the search for an order. It takes milliseconds.
const checkTime = time.Minute

// errDisorder says that no order of the calls explains what they came to.
var errDisorder = errors.New("the history is not linearizable")

// checkHistory returns an errDisorder, which tells where a picture of the
// history lies, unless there is an order that explains it.
func checkHistory(model porcupine.Model, ops []porcupine.Operation) error {
	verdict, info := porcupine.CheckOperationsVerbose(model, ops, checkTime)
	if verdict == porcupine.Ok {
		return nil
	}
	if verdict == porcupine.Unknown {
		return fmt.Errorf("no order of %d calls was found in %s, nor that there is none", len(ops), checkTime)
	}
	picture, err := os.CreateTemp("", "history-*.html")
	if err == nil {
		err = errors.Join(porcupine.Visualize(model, info, picture), picture.Close())
	}
	if err != nil {
		return fmt.Errorf("%w, and cannot be shown: %w", errDisorder, err)
	}
	return fmt.Errorf("%w: see %s in a browser", errDisorder, picture.Name())
}

// How much is recorded at once: few calls in which much happens at the same
// time. The search for an order grows with what overlaps.
const (
	parts   = 3  // in a history
	clients = 4  // of a part
	calls   = 16 // of a client
)

// recorder records a history. What its clients do follows from the seed, when
// they do it does not.
type recorder struct {
	storage *store.RedisStorage
	seed    uint64
	// began is when the times of the history begin.
	began time.Time

	mu struct {
		sync.Mutex
		ops   []porcupine.Operation
		fault error
	}
}

func newRecorder(s *store.RedisStorage, seed uint64) *recorder {
	return &recorder{storage: s, seed: seed, began: time.Now()}
}

// client is one caller of a part. Client 0 alone creates and deletes the user:
// a creation that another one is in the way of may say so before the other is
// done.
type client struct {
	*recorder

	random       *rand.Rand
	part, number int
}

func (r *recorder) client(part, number int) *client {
	random := rand.New(rand.NewPCG(r.seed, uint64(part*clients+number)))
	return &client{recorder: r, random: random, part: part, number: number}
}

// record lets the clients of all parts run at once and returns what they did.
func (r *recorder) record(ctx context.Context, step func(ctx context.Context, c *client)) ([]porcupine.Operation, error) {
	var barrier, running sync.WaitGroup
	barrier.Add(1)
	for part := range parts {
		for number := range clients {
			c := r.client(part, number)
			running.Go(func() {
				barrier.Wait()
				for range calls {
					runtime.Gosched() // Lest a client of a fast server does all before the next begins.
					step(ctx, c)
				}
			})
		}
	}
	barrier.Done()
	running.Wait()
	return r.mu.ops, r.mu.fault
}

// cutOff is how many calls there are for each that is given up early, so that
// nobody knows whether it happened.
const cutOff = 16

// impatient is a context that may end while a call is under way.
func (c *client) impatient(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.random.IntN(cutOff) > 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(c.random.IntN(400))*time.Microsecond)
}

// do runs a call and records it. Run gives the value that a call came to; and
// whether it found anything, which counts when there is no error.
func (c *client) do(asked call, run func() (value string, found bool, err error)) {
	asked.part = c.part
	began := time.Since(c.began)
	value, found, err := run()
	ended := time.Since(c.began)
	got, err := resultOf(value, found, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.fault = errors.Join(c.mu.fault, err)
	op := porcupine.Operation{
		ClientId: c.part*clients + c.number, Input: asked, Output: got,
		Call: began.Nanoseconds(), Return: ended.Nanoseconds(),
	}
	if got.kind == unknown {
		// It is still under way, and its client goes on as another one.
		op.ClientId, op.Return = parts*clients+len(c.mu.ops), math.MaxInt64
	}
	c.mu.ops = append(c.mu.ops, op)
}

// resultOf says what a call came to, or gives back an error that no call may
// come to.
func resultOf(value string, found bool, err error) (result, error) {
	switch {
	case errors.Is(err, store.ErrUnavailable):
		return result{kind: unknown}, nil
	case errors.Is(err, store.ErrNotFound):
		return result{kind: absent}, nil
	case errors.Is(err, store.ErrConflict):
		return result{kind: conflict}, nil
	case err != nil:
		return result{kind: unknown}, err
	case !found:
		return result{kind: absent}, nil
	default:
		return result{kind: done, value: value}, nil
	}
}

// maxHistories is how many are enough, of which each round gives five.
const maxHistories = 200

// linearize records histories and checks them.
func (h *harness) linearize(model porcupine.Model, record func(n int) ([]porcupine.Operation, error)) {
	h.Helper()
	unsure, all := 0, 0
	for n := 0; n < min(5*h.opts.Rounds, maxHistories) && !h.Failed(); n++ {
		ops, err := record(n)
		h.must(err)
		if err := checkHistory(model, ops); err != nil {
			h.Errorf("seed %d: %v", n, err)
		}
		for _, op := range ops {
			if r, _ := op.Output.(result); r.kind == unknown {
				unsure++
			}
		}
		all += len(ops)
	}
	h.Logf("%d calls, of %d of which nobody knows whether they happened", all, unsure)
}
