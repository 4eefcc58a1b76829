package layouts

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/memory"
)

// A stale record is that of a session that has ended while others of its user go
// on: the hash still has it. The model here: a session lives for 30 days; on each
// of a user's devices somebody logs in at random times (a Poisson process) and
// never logs out, so that each login leaves a session that ends by itself. Whoever
// logs out, or refreshes sessions, leaves fewer.

const (
	day  = 24 * time.Hour
	life = 30 * day
	// settle is when the number of records no longer depends on the beginning.
	settle  = 2 * life
	samples = 10
)

// residents are the users of a store in memory that lives by a clock of its own.
type residents struct {
	tb      testing.TB
	storage *store.RedisStorage
	now     time.Time
	users   []string
	devices []string // the users of the devices
}

func newResidents(tb testing.TB, users int, c crowd) *residents {
	tb.Helper()
	r := &residents{tb: tb, now: time.Now()}
	var err error
	r.storage, err = memory.NewServer(func() time.Time { return r.now }).Open(tb.Context(), "stale")
	if err != nil {
		tb.Fatalf("open a store in memory: %v", err)
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	for range users {
		id := store.NewUserID()
		if _, err := r.storage.Users.Create(tb.Context(), store.NewUser{ID: id, Email: id}); err != nil {
			tb.Fatalf("create a user: %v", err)
		}
		r.users = append(r.users, id)
		for range c.draw(rng) {
			r.devices = append(r.devices, id)
		}
	}
	return r
}

// until lets people log in until a time, on each device once in every at the mean.
func (r *residents) until(end time.Time, every time.Duration, rng *rand.Rand) {
	for {
		gap := time.Duration(rng.ExpFloat64() * float64(every) / float64(len(r.devices)))
		if r.now = r.now.Add(gap); r.now.After(end) {
			r.now = end // A Poisson process forgets: the rest of the gap is like a new one.
			return
		}
		user := r.devices[rng.IntN(len(r.devices))]
		_, err := r.storage.Sessions.Create(r.tb.Context(), store.NewSession{UserID: user, CreatedAt: r.now, ExpiresAt: r.now.Add(life)})
		if err != nil {
			r.tb.Fatalf("create a session: %v", err)
		}
	}
}

// count gives how many records there are of sessions that live and that have ended.
func (r *residents) count() (live, stale int) {
	for _, user := range r.users {
		k, err := r.storage.Inspect(r.tb.Context(), "stale:{"+string(store.NewToken(user))[:12]+"}:s")
		if err != nil {
			r.tb.Fatalf("look at a user's sessions: %v", err)
		}
		for i := 1; i < len(k.Values); i += 2 {
			// The end is a number of 6 bytes after the format, in ms.
			end := binary.BigEndian.Uint64([]byte("\x00\x00" + k.Values[i][1:7]))
			if int64(end) < r.now.UnixMilli() {
				stale++
			} else {
				live++
			}
		}
	}
	return live, stale
}

// settled gives the mean numbers of records of a user in the long run.
func settled(tb testing.TB, users int, c crowd, every time.Duration) (live, stale float64) {
	tb.Helper()
	r := newResidents(tb, users, c)
	rng := rand.New(rand.NewPCG(seed, 2))
	begin := r.now
	for i := range samples {
		r.until(begin.Add(settle+time.Duration(i)*10*day), every, rng)
		l, s := r.count()
		live, stale = live+float64(l), stale+float64(s)
	}
	return live / float64(samples*users), stale / float64(samples*users)
}

// expectedStale is how many stale records a user has whose hash is small. With x
// sessions at the mean, the last login was u lives ago, which has density x·exp(-xu);
// since then u·x sessions have ended, and none is left of them once the last, which
// is that of the last login, has: the integral of u·x over u from 0 to 1.
func expectedStale(x float64) float64 { return 1 - (1+x)*math.Exp(-x) }

func TestStaleRecordsAreFew(t *testing.T) {
	for _, every := range []time.Duration{7 * day, 30 * day, 90 * day} {
		t.Run(fmt.Sprintf("a login every %d days", every/day), func(t *testing.T) {
			live, stale := settled(t, 2000, each(1), every)
			x := float64(life) / float64(every)
			near(t, "live sessions of a user", live, x)
			near(t, "stale records of a user", stale, expectedStale(x))
		})
	}
	t.Run("very many sessions", func(t *testing.T) {
		// A large hash is not looked through. Each login makes a record that will end and
		// looks at 16: so one in 16 is stale.
		live, stale := settled(t, 10, each(60), 7*day)
		near(t, "live sessions of a user", live, 60*30/7.)
		near(t, "share of stale records", stale/(live+stale), 1/16.)
	})
}

// near fails the test when got is further than a fifth from want: eight standard
// deviations of what is drawn here.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > want/5 {
		t.Errorf("%s: %.3f, want about %.3f", what, got, want)
	}
}

// BenchmarkStale reports how many records a user has, with b.N users.
func BenchmarkStale(b *testing.B) {
	for _, c := range crowds() {
		for _, every := range []time.Duration{7 * day, 30 * day, 90 * day} {
			b.Run(fmt.Sprintf("%s/every-%d-days", c.name, every/day), func(b *testing.B) {
				live, stale := settled(b, b.N, c, every)
				b.ReportMetric(live, "live/user")
				b.ReportMetric(stale, "stale/user")
				b.ReportMetric(0, "ns/op") // Nothing was timed: Go leaves it out.
			})
		}
	}
}
