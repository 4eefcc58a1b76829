package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/cast"
	"github.com/toriibench/toriibench/store/memory"
)

// gated is a driver that asks a schedule before each command.
type gated struct {
	store.Driver

	ready chan bool
	grant chan struct{}
}

func (g *gated) pass() {
	g.ready <- true
	<-g.grant
}

func (g *gated) Get(ctx context.Context, keys ...string) ([]string, error) {
	g.pass()
	return g.Driver.Get(ctx, keys...)
}

func (g *gated) Lookup(ctx context.Context, key, hash, field string) (string, string, error) {
	g.pass()
	return g.Driver.Lookup(ctx, key, hash, field)
}

func (g *gated) Eval(ctx context.Context, script *store.Script, keys []string, args ...string) ([]string, error) {
	g.pass()
	return g.Driver.Eval(ctx, script, keys, args...)
}

// process runs one cast.Operation, a command at a time.
type process struct {
	*gated

	err     error
	running bool
}

// spawn starts a process, which stops before its first command.
func spawn(t *testing.T, server *memory.Server, op cast.Operation) *process {
	t.Helper()
	p := &process{gated: &gated{ready: make(chan bool), grant: make(chan struct{})}}
	s, err := store.Open(t.Context(), store.Config{URLs: []string{"memory"}},
		func(ctx context.Context, cfg store.Config) (store.Driver, error) {
			var err error
			p.Driver, err = server.Dial(ctx, cfg)
			return p.gated, err
		})
	check(t, err)
	go func() {
		p.err = op.Run(t.Context(), s)
		p.ready <- false
	}()
	p.running = <-p.ready
	return p
}

// step lets a process do its next command.
func (p *process) step() {
	p.grant <- struct{}{}
	p.running = <-p.ready
}

// choice is a step of a schedule: which of the running processes goes on.
type choice struct{ taken, options int }

// interleave runs the operations; choose takes one of the running processes
// for the n-th step.
func interleave(t *testing.T, server *memory.Server, ops []cast.Operation, choose func(n, options int) int) []error {
	t.Helper()
	processes := make([]*process, len(ops))
	for i, op := range ops {
		processes[i] = spawn(t, server, op)
	}
	for n := 0; ; n++ {
		running := slices.DeleteFunc(slices.Clone(processes), func(p *process) bool { return !p.running })
		if len(running) == 0 {
			break
		}
		running[choose(n, len(running))].step()
	}
	errs := make([]error, len(ops))
	for i, p := range processes {
		errs[i] = p.err
	}
	return errs
}

// trial runs the operations on a fresh keyspace, whose clock stands still, so
// that no time of update tells records apart, and judges what came of it.
func trial(t *testing.T, ops []cast.Operation, choose func(n, options int) int) {
	t.Helper()
	now := time.Now()
	server := memory.NewServer(func() time.Time { return now })
	s := openHealthy(t, server)
	token := cast.Populate(t, s)
	errs := interleave(t, server, ops, choose)
	judge(t, s, ops, errs)
	cast.WantConsistent(t, s, user1, user2, "3", "4")
	cast.WantUsable(t, s, token)
	if t.Failed() {
		t.Logf("errors %v", errs)
	}
}

// next returns the beginning of the next schedule in order, or false after the
// last.
func next(schedule []choice) ([]choice, bool) {
	for n := len(schedule) - 1; n >= 0; n-- {
		if schedule[n].taken+1 < schedule[n].options {
			schedule[n].taken++
			return schedule[:n+1], true
		}
	}
	return nil, false
}

// maxSchedules bounds the interleavings of one case; none comes near it.
const maxSchedules = 5_000

func TestEveryInterleavingOfTwoWriters(t *testing.T) {
	pairs := [][]cast.Operation{
		{cast.Create("3", emailB), cast.Create("4", emailB)},
		{cast.Create("3", emailB), cast.Create("3", emailB)},
		{cast.Create("3", emailB), cast.FindOrCreate(emailB)},
		{cast.FindOrCreate(emailB), cast.FindOrCreate(emailB)},
		{cast.Change(user1, emailB), cast.Change(user2, emailB)},
		{cast.Change(user1, emailB), cast.Change(user1, emailC)},
		{cast.Change(user1, emailC), cast.Change(user2, emailA)},
		{cast.Change(user1, emailB), cast.Create("3", emailB)},
		{cast.Change(user1, emailB), cast.Create("3", emailA)},
		{cast.Change(user1, emailB), cast.FindOrCreate(emailA)},
		{cast.Change(user1, emailB), cast.Remove(user1)},
		{cast.Change(user1, emailC), cast.Remove(user2)},
		{cast.Change(user1, emailB), cast.MarkVerified(user1)},
		{cast.Remove(user1), cast.Create("3", emailA)},
		{cast.Remove(user1), cast.Create(user1, emailA)},
		{cast.Remove("3"), cast.Create("3", emailB)},
		{cast.Remove(user1), cast.FindOrCreate(emailA)},
		{cast.Remove(user1), cast.Remove(user1)},
		{cast.Remove(user1), cast.MarkVerified(user1)},
		{cast.Rename(user1), cast.Replace(user1, emailB)},
		{cast.Change(user1, emailB), cast.Replace(user1, emailB)},
		{cast.Change(user1, emailC), cast.Replace(user1, emailB)},
	}
	for _, ops := range pairs {
		t.Run(ops[0].Name+" and "+ops[1].Name, func(t *testing.T) {
			if n := explore(t, ops); n < 2 {
				t.Errorf("%d interleavings", n)
			}
		})
	}
}

// All interleavings of three writers are too many: a sample has to do.
func TestInterleavingsOfThreeWriters(t *testing.T) {
	seed := [2]uint64{1, 2}
	random := rand.New(rand.NewPCG(seed[0], seed[1]))
	for _, ops := range [][]cast.Operation{
		{cast.Create("3", emailB), cast.Create("4", emailB), cast.FindOrCreate(emailB)},
		{cast.Create("3", emailB), cast.Change(user1, emailB), cast.Remove(user1)},
		{cast.Change(user1, emailB), cast.FindOrCreate(emailA), cast.Remove(user1)},
		{cast.Change(user1, emailC), cast.Change(user2, emailA), cast.MarkVerified(user1)},
	} {
		for n := 0; n < 200 && !t.Failed(); n++ {
			trial(t, ops, func(_, options int) int { return random.IntN(options) })
		}
		if t.Failed() {
			t.Fatalf("seed %v, %s", seed, ops[0].Name)
		}
	}
}

// explore runs all interleavings and returns how many there were.
func explore(t *testing.T, ops []cast.Operation) int {
	t.Helper()
	return everySchedule(t, func(choose func(n, options int) int) { trial(t, ops, choose) })
}

// everySchedule calls try with one schedule after the other and returns how many
// there were.
func everySchedule(t *testing.T, try func(choose func(n, options int) int)) int {
	t.Helper()
	schedule, more := []choice(nil), true
	n := 0
	for ; more; n++ {
		if n == maxSchedules {
			t.Fatalf("more than %d interleavings", maxSchedules)
		}
		try(func(n, options int) int {
			if n == len(schedule) {
				schedule = append(schedule, choice{0, options})
			}
			return schedule[n].taken
		})
		if t.Failed() {
			t.Fatalf("schedule %v", schedule)
		}
		schedule, more = next(schedule)
	}
	return n
}

// judge compares what the callers were told with what there is.
func judge(t *testing.T, s *store.RedisStorage, ops []cast.Operation, errs []error) {
	t.Helper()
	removes := slices.ContainsFunc(ops, func(op cast.Operation) bool { return strings.HasPrefix(op.Name, "delete") })
	created := map[string]int{}
	for i, op := range ops {
		if errs[i] != nil {
			// A deletion undoes a creation that is under way.
			undone := removes && strings.HasPrefix(op.Name, "create") && errors.Is(errs[i], store.ErrUnavailable)
			if !undone && !errors.Is(errs[i], store.ErrConflict) && !errors.Is(errs[i], store.ErrNotFound) {
				t.Errorf("%s: the caller was told %v", op.Name, errs[i])
			}
			continue
		}
		var id, email string
		if n, err := fmt.Sscanf(op.Name, "create user %s with %s", &id, &email); err == nil && n == 2 {
			created[email]++
			u, ok, err := s.Users.FindByID(t.Context(), id)
			check(t, err)
			if !removes && (!ok || u.Email != email) {
				t.Errorf("%s: the caller was told that it was done", op.Name)
			}
		}
	}
	for email, n := range created {
		if n > 1 {
			t.Errorf("%d creations with %s have succeeded", n, email)
		}
	}
}
