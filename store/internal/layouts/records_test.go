package layouts

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/memory"
)

// records writes sessions as the candidates do. It is not for concurrent use.
type records struct {
	tb      testing.TB
	storage *store.RedisStorage
	last    *capture
}

// capture is a driver that keeps what a creation would write instead of writing.
type capture struct {
	store.Driver

	args []string
}

// Eval implements store.Driver.
func (c *capture) Eval(ctx context.Context, script *store.Script, keys []string, args ...string) ([]string, error) {
	if script.Name != "session_create" {
		return c.Driver.Eval(ctx, script, keys, args...)
	}
	c.args = args
	return []string{"ok"}, nil
}

func newRecords(tb testing.TB) *records {
	tb.Helper()
	r := &records{tb: tb, last: new(capture)}
	var err error
	r.storage, err = store.Open(tb.Context(), store.Config{URLs: []string{"memory"}}, func(ctx context.Context, cfg store.Config) (store.Driver, error) {
		d, err := memory.Dial(ctx, cfg)
		r.last.Driver = d
		return r.last, err
	})
	if err != nil {
		tb.Fatalf("open a store in memory: %v", err)
	}
	tb.Cleanup(func() {
		if err := r.storage.Close(); err != nil {
			tb.Errorf("close the store in memory: %v", err)
		}
	})
	return r
}

// compact gives the field and the record that the store would write.
func (r *records) compact(s store.Session) (member, record string) {
	r.tb.Helper()
	_, err := r.storage.Sessions.Create(r.tb.Context(), store.NewSession{
		UserID: s.UserID, Token: s.Token, UserAgent: s.UserAgent, IPAddress: s.IPAddress, ExpiresAt: s.ExpiresAt, CreatedAt: s.CreatedAt,
	})
	if err != nil {
		r.tb.Fatalf("write a record: %v", err)
	}
	return r.last.args[1], r.last.args[3]
}

// plain is compact without compression: the store's own form of an agent that
// compression would make longer, which is marked in the flags and comes last.
func (r *records) plain(s store.Session) (member, record string) {
	r.tb.Helper()
	const flags, agentPlain = 13, 1
	agent := *s.UserAgent
	s.UserAgent = nil
	member, record = r.compact(s)
	head := []byte(record)
	head[flags] |= agentPlain
	return member, string(head) + agent
}

// asJSON is a session as the framework's other storages encode it.
func asJSON(tb testing.TB, s store.Session) string {
	tb.Helper()
	raw, err := json.Marshal(struct {
		TokenHash string    `json:"token_hash"`
		UserID    string    `json:"user_id"`
		UserAgent *string   `json:"user_agent"`
		IPAddress *string   `json:"ip_address"`
		CreatedAt time.Time `json:"created_at"`
		UpdatedAt time.Time `json:"updated_at"`
		ExpiresAt time.Time `json:"expires_at"`
	}{s.TokenHash, s.UserID, s.UserAgent, s.IPAddress, s.CreatedAt.UTC(), s.UpdatedAt.UTC(), s.ExpiresAt.UTC()})
	if err != nil {
		tb.Fatalf("encode a session: %v", err)
	}
	return string(raw)
}
