package drivertest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

// Prices measures what an option costs, a round for each turn of the benchmark's
// loop: the same is done without it and with it, every other round the other way
// round. The result is the median of either, in microseconds for each operation,
// and of their ratio, which is paired by round, with its least and its most.
func Prices(b *testing.B, engine string, dial store.Dial) {
	b.Helper()
	b.Run("log out with WaitReplicas 1", func(b *testing.B) {
		primary := testservers.Start(b, engine)
		primary.Followed(b, primary.Replica(b))
		without := priced(b, dial, store.Config{URLs: []string{primary.URL()}})
		with := priced(b, dial, store.Config{URLs: []string{primary.URL()}, WaitReplicas: 1})
		for _, callers := range []int{1, 32} {
			b.Run(fmt.Sprintf("%d callers", callers), func(b *testing.B) {
				compare(b, func() time.Duration { return logOuts(b, without, callers) },
					func() time.Duration { return logOuts(b, with, callers) })
			})
		}
	})
	b.Run("log in beyond MaxSessions", func(b *testing.B) {
		server := testservers.Start(b, engine)
		for _, most := range []int{100, 1000, 10_000} {
			b.Run(fmt.Sprintf("of %d", most), func(b *testing.B) {
				without := priced(b, dial, store.Config{URLs: []string{server.URL()}, MaxSessions: 100_000})
				with := priced(b, dial, store.Config{URLs: []string{server.URL()}, MaxSessions: most})
				one, other := crowd(b, without, most), crowd(b, with, most)
				compare(b, func() time.Duration { return logIns(b, without, one) },
					func() time.Duration { return logIns(b, with, other) })
			})
		}
	})
}

// priced opens a storage that ends with the benchmark.
func priced(b *testing.B, dial store.Dial, cfg store.Config) *store.RedisStorage {
	b.Helper()
	st, err := store.Open(b.Context(), cfg, dial)
	if err != nil {
		b.Fatalf("open: %v", err)
	}
	b.Cleanup(func() {
		if err := st.Close(); err != nil {
			b.Errorf("close: %v", err)
		}
	})
	return st
}

// compare reports what two took for each operation.
func compare(b *testing.B, without, with func() time.Duration) {
	b.Helper()
	var plain, priced, ratios []float64
	without() // Connections and scripts are there after one.
	with()
	for b.Loop() {
		var took [2]time.Duration
		for i := range took {
			if turn := (i + len(ratios)) % 2; turn == 0 {
				took[turn] = without()
			} else {
				took[turn] = with()
			}
		}
		plain, priced = append(plain, took[0].Seconds()*1e6), append(priced, took[1].Seconds()*1e6)
		ratios = append(ratios, took[1].Seconds()/took[0].Seconds())
	}
	for _, values := range [][]float64{plain, priced, ratios} {
		slices.Sort(values)
	}
	b.ReportMetric(0, "ns/op") // Of a round, which is no operation.
	b.ReportMetric(plain[len(plain)/2], "µs-without")
	b.ReportMetric(priced[len(priced)/2], "µs-with")
	b.ReportMetric(ratios[len(ratios)/2], "×")
	b.ReportMetric(ratios[0], "×-least")
	b.ReportMetric(ratios[len(ratios)-1], "×-most")
}

// logOuts lets callers end sessions, and returns how long one of them took for each.
func logOuts(b *testing.B, st *store.RedisStorage, callers int) time.Duration {
	b.Helper()
	const each = 50
	user := crowd(b, st, 0)
	tokens := make([]store.Token, callers*each)
	for i := range tokens {
		tokens[i] = logIn(b, st, user)
	}
	began := time.Now()
	var group errgroup.Group
	for own := range slices.Chunk(tokens, each) {
		group.Go(func() error {
			for _, token := range own {
				if err := st.Sessions.Delete(b.Context(), token); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatalf("log out: %v", err)
	}
	return time.Since(began) / each
}

// logIns creates sessions of a user who has a crowd of them, and returns how long
// each took. They add little to the crowd where nothing bounds it.
func logIns(b *testing.B, st *store.RedisStorage, user string) time.Duration {
	b.Helper()
	const each = 5
	began := time.Now()
	for range each {
		logIn(b, st, user)
	}
	return time.Since(began) / each
}

// crowd creates a user with sessions.
func crowd(b *testing.B, st *store.RedisStorage, sessions int) (user string) {
	b.Helper()
	u, err := st.Users.Create(b.Context(), store.NewUser{Email: store.NewUserID() + "@example.com"})
	if err != nil {
		b.Fatalf("create user: %v", err)
	}
	for range sessions {
		logIn(b, st, u.ID)
	}
	return u.ID
}

func logIn(b *testing.B, st *store.RedisStorage, user string) store.Token {
	b.Helper()
	s, err := st.Sessions.Create(b.Context(), store.NewSession{UserID: user})
	if err != nil {
		b.Fatalf("create session: %v", err)
	}
	return s.Token
}
