package store_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/memory"
)

// distant is a driver whose every round trip takes a second.
type distant struct{ store.Driver }

func (d distant) Eval(ctx context.Context, script *store.Script, keys []string, args ...string) ([]string, error) {
	<-time.After(time.Second)
	return d.Driver.Eval(ctx, script, keys, args...)
}

func TestALoginTakesOneRoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := memory.NewServer(nil)
		healthy := openHealthy(t, server)
		_, err := healthy.Users.Create(t.Context(), store.NewUser{ID: user1, Email: emailA})
		check(t, err)
		_, _, err = healthy.BruteForce.RecordFailure(t.Context(), store.NewAttempt{Email: emailA})
		check(t, err)
		s, err := store.Open(t.Context(), store.Config{URLs: []string{"memory"}},
			func(ctx context.Context, cfg store.Config) (store.Driver, error) {
				d, err := server.Dial(ctx, cfg)
				return distant{d}, err
			})
		check(t, err)
		began := time.Now()
		session, err := s.Login(t.Context(), emailA, store.NewSession{UserID: user1})
		check(t, err)
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %s, want one round trip of a second", took)
		}
		_, alive, err := healthy.Sessions.Find(t.Context(), session.Token)
		check(t, err)
		status, err := healthy.BruteForce.Status(t.Context(), emailA)
		check(t, err)
		if !alive || status.FailedAttempts != 0 {
			t.Errorf("the session is alive: %t, failures: %d", alive, status.FailedAttempts)
		}
	})
}

func TestALoginTellsWhatFailed(t *testing.T) {
	server := memory.NewServer(nil)
	s := openHealthy(t, server)
	_, _, err := s.BruteForce.RecordFailure(t.Context(), store.NewAttempt{Email: emailA})
	check(t, err)
	if _, err := s.Login(t.Context(), emailA, store.NewSession{UserID: user1}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("error is %v, want %v", err, store.ErrNotFound)
	}
	status, err := s.BruteForce.Status(t.Context(), emailA)
	check(t, err)
	if status.FailedAttempts != 0 {
		t.Errorf("%d failures are left", status.FailedAttempts)
	}
	check(t, s.Close())
	if _, err := s.Login(t.Context(), emailA, store.NewSession{UserID: user1}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("error is %v, want %v", err, store.ErrUnavailable)
	}
}
