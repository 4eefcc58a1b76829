package drivertest

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
)

// cost is an operation that users wait for, and what it sends. All of it goes out
// at once: store's TestRoundTrips and TestALoginTakesOneRoundTrip count the trips.
type cost struct {
	what, commands string
	run            func(t *testing.T, st *store.RedisStorage, u store.User, s store.Session) error
}

func costs() []cost {
	return []cost{
		{"authenticate: the session and its user", "GET, HGET", func(t *testing.T, st *store.RedisStorage, _ store.User, s store.Session) error {
			_, ok, err := st.Sessions.Authenticate(t.Context(), s.Token)
			if !ok {
				t.Error("not authenticated")
			}
			return err
		}},
		{"log in: clear failures, create the session, index it", "EVALSHA, EVALSHA", func(t *testing.T, st *store.RedisStorage, u store.User, _ store.Session) error {
			_, err := st.Login(t.Context(), u.Email, store.NewSession{UserID: u.ID})
			return err
		}},
		{"refresh a session", "EVALSHA", func(t *testing.T, st *store.RedisStorage, _ store.User, s store.Session) error {
			_, err := st.Sessions.Refresh(t.Context(), s.Token, time.Hour)
			return err
		}},
		{"log out", "EVALSHA", func(t *testing.T, st *store.RedisStorage, _ store.User, s store.Session) error {
			return st.Sessions.Delete(t.Context(), s.Token)
		}},
		{"log out everywhere, whatever the number of sessions", "EVALSHA", func(t *testing.T, st *store.RedisStorage, u store.User, _ store.Session) error {
			return st.Sessions.DeleteAllOfUser(t.Context(), u.ID)
		}},
		{"verify a secure token", "EVALSHA", func(t *testing.T, st *store.RedisStorage, u store.User, _ store.Session) error {
			_, _, err := st.Tokens.Verify(t.Context(), store.NewToken(u.ID), store.PurposeMagicLink)
			return err
		}},
		{"record a failed login and decide the lock", "EVALSHA", func(t *testing.T, st *store.RedisStorage, u store.User, _ store.Session) error {
			_, _, err := st.BruteForce.RecordFailure(t.Context(), store.NewAttempt{Email: u.Email})
			return err
		}},
	}
}

// sends compares what operations send with what they should, and README with
// both.
func sends(t *testing.T, s setup) {
	readme, err := os.ReadFile("../../README.md")
	mustWork(t, "read README", err)
	for _, c := range costs() {
		server, _ := s.start(t)
		st := openStore(t, s.dial, store.Config{URLs: []string{server.URL()}})
		// The first use of a script costs an EVAL more.
		warm, session := login(t, st, "grace@example.com")
		mustWork(t, c.what, c.run(t, st, warm, session))
		user, session := login(t, st, "ada@example.com")
		server.Do(t, "CONFIG", "RESETSTAT")
		mustWork(t, c.what, c.run(t, st, user, session))
		calls := server.Calls(t)
		var sent []string
		if calls["evalsha"] == 0 {
			sent = append(sent, strings.Repeat("GET, ", calls["get"]), strings.Repeat("HGET, ", calls["hget"]))
		}
		sent = append(sent, strings.Repeat("EVALSHA, ", calls["evalsha"]), strings.Repeat("EVAL, ", calls["eval"]))
		if got := strings.TrimSuffix(strings.Join(sent, ""), ", "); got != c.commands {
			t.Errorf("%s sends %s (%v), want %s", c.what, got, calls, c.commands)
		}
		if row := fmt.Sprintf("| %s | 1 | %s |", c.what, c.commands); !strings.Contains(string(readme), row) {
			t.Errorf("README lacks the row\n%s", row)
		}
	}
}
