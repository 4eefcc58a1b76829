package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/memory"
)

// hooked is a driver that does something before and after each run of a script.
type hooked struct {
	store.Driver

	hook func(script string, after bool)
}

func (h hooked) Eval(ctx context.Context, script *store.Script, keys []string, args ...string) ([]string, error) {
	h.hook(script.Name, false)
	out, err := h.Driver.Eval(ctx, script, keys, args...)
	h.hook(script.Name, true)
	return out, err
}

// openHooked opens a storage over a hooked driver.
func openHooked(t *testing.T, server *memory.Server, hook func(script string, after bool)) *store.RedisStorage {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URLs: []string{"memory"}},
		func(ctx context.Context, cfg store.Config) (store.Driver, error) {
			d, err := server.Dial(ctx, cfg)
			return hooked{d, hook}, err
		})
	check(t, err)
	return s
}

// More than a page, and every session moves between any two of them.
func TestListIsCompleteWhenEndsMoveBetweenPages(t *testing.T) {
	const sessions = 990
	for name, d := range map[string]time.Duration{"sooner": time.Minute, "later": 1000 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			server := memory.NewServer(nil)
			healthy := openHealthy(t, server)
			_, err := healthy.Users.Create(t.Context(), store.NewUser{ID: user1, Email: emailA})
			check(t, err)
			tokens := make([]store.Token, sessions)
			for i := range tokens {
				s, err := healthy.Sessions.Create(t.Context(), store.NewSession{
					UserID: user1, ExpiresAt: time.Now().Add(time.Hour + time.Duration(i)*time.Second),
				})
				check(t, err)
				tokens[i] = s.Token
			}
			pages := 0
			s := openHooked(t, server, func(script string, after bool) {
				if script != "session_page" || !after {
					return
				}
				pages++
				for i := range tokens {
					_, err := healthy.Sessions.Refresh(t.Context(), tokens[len(tokens)-1-i], d)
					check(t, err)
				}
			})
			list, err := s.Sessions.List(t.Context(), user1)
			check(t, err)
			if len(list) != sessions || pages < 2 {
				t.Errorf("%d sessions on %d pages, want %d on several", len(list), pages, sessions)
			}
		})
	}
}
