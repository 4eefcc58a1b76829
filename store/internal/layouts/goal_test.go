package layouts

import (
	"context"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

// goalSessions are enough to make the noise of a reading less than ten bytes for
// each.
const goalSessions = 500

func TestTypicalSessionsTakeLittleAndLeaveNothing(t *testing.T) {
	// In bytes of used_memory for a session, its part in the index and in the tables
	// of the server included. Tables shrink only when they are nearly empty.
	const most, mostLeft = 300, 30
	for _, engine := range testservers.Engines() {
		t.Run(engine, func(t *testing.T) {
			p := gather(goalSessions, each(1), payloads()[0])
			s := start(t, engine)
			before := through(store.SessionCompact)(t, s, p)
			if got := (used(t, s) - before) / goalSessions; got >= most {
				t.Errorf("a session takes %d bytes, want less than %d", got, most)
			}
			if got, want := keys(t, s), keysOfUsers+goalSessions; got != want {
				t.Errorf("%d keys with all sessions, want %d", got, want)
			}
			endAll(t, s, p)
			testservers.WaitFor(t, "the server to drop what has ended", func() bool { return keys(t, s) == keysOfUsers })
			if left := (used(t, s) - before) / goalSessions; left > mostLeft {
				t.Errorf("%d bytes are left of each session that has ended, want at most %d", left, mostLeft)
			}
		})
	}
}

// keysOfUsers is how many keys there are without sessions: a record and a claim to
// an email for each user.
const keysOfUsers int64 = 2 * goalSessions

func keys(tb testing.TB, s *testservers.Server) int64 {
	tb.Helper()
	n, ok := s.Do(tb, "DBSIZE").(int64)
	if !ok {
		tb.Fatal("DBSIZE is no number")
	}
	return n
}

// endAll lets all sessions end by themselves, very soon.
func endAll(tb testing.TB, s *testservers.Server, p people) {
	tb.Helper()
	with(tb, s, store.SessionCompact, func(st *store.RedisStorage) {
		together(tb, len(p.logins), func(ctx context.Context, i int) error {
			_, err := st.Sessions.Refresh(ctx, p.logins[i].Token, 50*time.Millisecond)
			return err
		})
	})
}
