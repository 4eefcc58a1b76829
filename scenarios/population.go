package scenarios

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/toriibench/toriibench/store"
)

// account is a user and what the workload knows of the user's sessions.
type account struct {
	id, email string
	// revoking and revoked count the log-out-everywheres that have started and
	// those that were acknowledged. One that failed may still take effect, so it
	// stays under way for good.
	revoking, revoked atomic.Int64
	// revokedBelow is the planner's: a session of this account with a smaller
	// number is planned to have been revoked.
	revokedBelow uint64
	mu           struct {
		sync.Mutex
		sessions []*session
	}
}

// session is one login, from its plan to its end. What is known of it only ever
// moves forward, so that a reader may look before and after an operation and
// judge the reply by what held all the while:
//
//	born        its creation was acknowledged: it must be found from here on,
//	doomed      until a logout or a revocation of it has started,
//	gone        and once that was acknowledged it must never be found again.
type session struct {
	account *account
	// agent and ip come with its creation.
	agent, ip string
	// token is written before born is set.
	token store.Token
	born  atomic.Bool
	// doomed may be true with gone staying false: a logout that timed out may
	// or may not have happened.
	doomed atomic.Bool
	gone   atomic.Bool
	// expires is the latest end that a refresh was acknowledged with, by the
	// server's clock, in Unix milliseconds; 0 without one.
	expires atomic.Int64
}

// expiresAtLeast raises the acknowledged expiry.
func (s *session) expiresAtLeast(t time.Time) {
	for ms := t.UnixMilli(); ; {
		old := s.expires.Load()
		if ms <= old || s.expires.CompareAndSwap(old, ms) {
			return
		}
	}
}

// population is the set of accounts and sessions of a workload. The sessions
// are in a table that only the planner grows; workers read the entries that an
// operation names.
type population struct {
	accounts []*account
	chunks   [maxChunks]atomic.Pointer[[chunkSize]session]
	size     int
}

const (
	chunkSize = 4096
	maxChunks = 8192
)

// errFull bounds the memory that a plan can take.
var errFull = errors.New("more than 33 million sessions planned")

// add plans a session of a and returns its number.
func (p *population) add(rng *rand.Rand, a *account) (uint64, error) {
	if p.size == chunkSize*maxChunks {
		return 0, errFull
	}
	chunk := &p.chunks[p.size/chunkSize]
	if chunk.Load() == nil {
		chunk.Store(new([chunkSize]session))
	}
	n := uint64(p.size)
	p.size++
	s := p.session(n)
	s.account, s.agent, s.ip = a, userAgent(rng, agentLength(rng)), ipv4(rng)
	return n, nil
}

func (p *population) session(n uint64) *session {
	return &p.chunks[n/chunkSize].Load()[n%chunkSize]
}

// plan makes accounts until they have the wanted number of sessions between
// them; perUser draws how many each has.
func (p *population) plan(rng *rand.Rand, sessions int, perUser func(*rand.Rand) int) error {
	for p.size < sessions {
		a := &account{id: fmt.Sprintf("usr_%08x%08x", rng.Uint32(), len(p.accounts))}
		a.email = a.id + "@example.com"
		p.accounts = append(p.accounts, a)
		for range min(perUser(rng), sessions-p.size) {
			if _, err := p.add(rng, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// loaders is how many operations are under way at once while a population is
// stored.
const loaders = 48

// loading spreads do over n items and reports progress. The first error ends it.
func loading(ctx context.Context, n int, progress func(done, total int), do func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	var next, done atomic.Int64
	for range min(loaders, n) {
		g.Go(func() error {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if err := do(ctx, int(i)); err != nil {
					return err
				}
				if d := done.Add(1); progress != nil && (d%500 == 0 || d == int64(n)) {
					progress(int(d), n)
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// createUsers stores all accounts.
func (p *population) createUsers(ctx context.Context, st *store.RedisStorage, progress func(done, total int)) error {
	return loading(ctx, len(p.accounts), progress, func(ctx context.Context, i int) error {
		a := p.accounts[i]
		name := "Person " + a.id
		_, err := st.Users.Create(ctx, store.NewUser{ID: a.id, Email: a.email, Name: &name})
		if err != nil {
			return fmt.Errorf("create user %d of %d: %w", i+1, len(p.accounts), err)
		}
		return nil
	})
}

// create stores one planned session, which ends at expires (zero: the default
// lifetime), and enters what is known of it.
func (p *population) create(ctx context.Context, st *store.RedisStorage, s *session, expires time.Time) error {
	a := s.account
	// In this order: a revocation that ends between the two counts as under way.
	revoked := a.revoked.Load()
	before := a.revoking.Load()
	created, err := st.Sessions.Create(ctx, store.NewSession{
		UserID: a.id, UserAgent: &s.agent, IPAddress: &s.ip, ExpiresAt: expires,
	})
	if err != nil {
		return err
	}
	s.token = created.Token
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.sessions = append(a.mu.sessions, s)
	if revoked != before || a.revoking.Load() != before {
		// A revocation overlapped: which came first is the server's secret.
		s.doomed.Store(true)
	}
	s.born.Store(true)
	return nil
}

// verify reads every n-th session back.
func (p *population) verify(ctx context.Context, st *store.RedisStorage, every int) error {
	return loading(ctx, p.size/every, nil, func(ctx context.Context, i int) error {
		s := p.session(uint64(i * every))
		id, ok, err := st.Sessions.Authenticate(ctx, s.token)
		switch {
		case err != nil:
			return fmt.Errorf("verify session %d: %w", i*every, err)
		case !ok:
			return fmt.Errorf("verify session %d: stored a moment ago, and not found", i*every)
		case id.User.ID != s.account.id:
			return fmt.Errorf("verify session %d: it belongs to another user", i*every)
		}
		return nil
	})
}

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }
