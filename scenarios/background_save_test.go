package scenarios

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// saver is servers of which each writes for a while when it is told to. It serves
// one goroutine for each server.
type saver struct {
	Servers // whatever is not here is not called

	takes  time.Duration
	mu     sync.Mutex
	until  map[int]time.Time // when a server has written
	status string
	refuse error
	asked  []string
}

func (s *saver) List(context.Context) []Server {
	return []Server{{Number: 0, Primary: true}, {Number: 1, Shard: 1, Primary: true}, {Number: 2, Replica: true}}
}

func (s *saver) Ask(_ context.Context, i int, words ...string) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if words[0] != "INFO" {
		s.asked = append(s.asked, fmt.Sprintf("%s on %d", words[0], i))
		s.until[i] = time.Now().Add(s.takes)
		return "Background saving started", s.refuse
	}
	if words[1] == "stats" {
		return fmt.Sprintf("# Stats\r\nlatest_fork_usec:%d\r\n", 100*(i+1)), nil
	}
	busy := 0
	if time.Now().Before(s.until[i]) {
		busy = 1
	}
	return fmt.Sprintf("# Persistence\r\nrdb_bgsave_in_progress:%d\r\nrdb_last_bgsave_status:%s\r\nrdb_last_cow_size:1048576\r\naof_last_bgrewrite_status:%s\r\n", busy, s.status, s.status), nil
}

func TestSavesAreFollowedToTheirEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servers := &saver{takes: time.Second, until: map[int]time.Time{0: time.Now().Add(3 * time.Second)}, status: "ok"}
		var inv Invariants
		s := &saving{env: Env{Servers: servers}}
		s.inv.saved = inv.add("every-save-succeeds")
		began := time.Now()
		got, err := s.save(t.Context(), bgsave)
		if err != nil {
			t.Fatal(err)
		}
		// Server 0 was writing already, for three seconds.
		if took := got.ended.Sub(began); took < 4*time.Second || took > 4100*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		if len(servers.asked) != 2 || got.fork != 200*time.Microsecond || got.copied != 2<<20 {
			t.Errorf("asked %q, fork %s, copied %d", servers.asked, got.fork, got.copied)
		}
		if checked, violated, _ := s.inv.saved.Count(); checked != 2 || violated != 0 {
			t.Errorf("%d of %d checks failed", violated, checked)
		}
		servers.status = "err"
		if _, err := s.save(t.Context(), bgsave); err != nil {
			t.Fatal(err)
		}
		if _, violated, example := s.inv.saved.Count(); violated != 2 || !strings.Contains(example, `BGSAVE of server`) {
			t.Errorf("%d saves failed: %s", violated, example)
		}
		servers.refuse = errors.New("MISCONF")
		if _, err := s.save(t.Context(), bgsave); !errors.Is(err, servers.refuse) {
			t.Errorf("got %v, want %v", err, servers.refuse)
		}
	})
}

func TestSaveResponsesAreThoseThatWereDueMeanwhile(t *testing.T) {
	started := time.Unix(1000, 0)
	at := func(ms int) time.Time { return started.Add(time.Duration(ms) * time.Millisecond) }
	s := &saving{jobs: []savingJob{{kind: bgsave, began: at(2000), ended: at(4000), fork: time.Millisecond, copied: 3 << 20}}}
	if m := s.measurements(started); len(m) != 3 || m["save-time"].Value != 2000 || m["save-fork"].Value != 1 || m["save-copied"].Value != 3 {
		t.Errorf("without operations: %v", m)
	}
	s.events = append(steadily(started, 0, 2*time.Second, 2*time.Millisecond, ""), steadily(started, 2*time.Second, 4*time.Second, 9*time.Millisecond, "")...)
	s.events = append(s.events, steadily(started, 4*time.Second, 5*time.Second, time.Second, "")...)
	m := s.measurements(started)
	if m["p99-before"].Value != 2 || m["save-p99"].Value != 9 || m["save-max"].Value != 9 {
		t.Errorf("got %v", m)
	}
}
