package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlainRecordsAreReadWithoutTheSlowWay(t *testing.T) {
	agent, ip := "Mozilla/5.0 (Ünïcode)", "192.168.10.20"
	for name, s := range map[string]Session{
		"all fields": {UserID: "usr_1", UserAgent: &agent, IPAddress: &ip, CreatedAt: fromMillis(17)},
		"least":      {UserID: "usr_1", CreatedAt: fromMillis(-1)},
		"empty text": {UserID: "usr_1", UserAgent: new(""), CreatedAt: fromMillis(0)},
	} {
		var j sessionJSON
		if raw := encodeSessionJSON(s); !j.plain(raw) {
			t.Errorf("%s: %s is left to encoding/json", name, raw)
		}
	}
	var j userJSON
	if raw := encodeUserJSON(User{ID: "usr_1", Email: "a@example.com", Name: &agent}); !j.plain(raw) {
		t.Errorf("%s is left to encoding/json", raw)
	}
}

// FuzzPlainRecords sets the quick way of reading against encoding/json.
func FuzzPlainRecords(f *testing.F) {
	for _, text := range []string{
		`{"user_id":"1","user_agent":"a","ip_address":"b","created_at":5}`, `{"id":"1","email":"a","name":"n"}`,
		`{"user_id":"1","created_at":05}`, `{"user_id":"1","created_at":1e3}`, `{"user_id":"a\nb","created_at":-1}`,
		"{\"user_id\":\"a\nb\",\"created_at\":1}", `{"user_id":"1","created_at":1}}`, `{,"id":"1","email":"a"}`, `{"id":"1","email":"a"`,
		"{\"id\":\"\xff\",\"email\":\"a\"}", `{"user_id":"1","created_at":-0}`, `{"user_id":"1","created_at":+1}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var quick, slow sessionJSON
		if quick.plain(text) {
			ok := decodeJSON(text, &slow)
			if diff := cmp.Diff(slow, quick); !ok || diff != "" {
				t.Errorf("session: readable %t, difference (-encoding/json +quick):\n%s", ok, diff)
			}
		}
		var quickUser, slowUser userJSON
		if quickUser.plain(text) {
			ok := decodeJSON(text, &slowUser)
			if diff := cmp.Diff(slowUser, quickUser); !ok || diff != "" {
				t.Errorf("user: readable %t, difference (-encoding/json +quick):\n%s", ok, diff)
			}
		}
	})
}
