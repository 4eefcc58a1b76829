package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlainRecordsAreReadWithoutTheSlowWay(t *testing.T) {
	name := "Ünïcode"
	var j userJSON
	if raw := encodeUserJSON(User{ID: "usr_1", Email: "a@example.com", Name: &name}); !j.plain(raw) {
		t.Errorf("%s is left to encoding/json", raw)
	}
}

// FuzzPlainRecords sets the quick way of reading against encoding/json.
func FuzzPlainRecords(f *testing.F) {
	for _, text := range []string{
		`{"id":"1","email":"a","name":"n"}`, `{"id":"a\nb","email":"a"}`, "{\"id\":\"a\nb\",\"email\":\"a\"}",
		`{"id":"1","email":"a"}}`, `{,"id":"1","email":"a"}`, `{"id":"1","email":"a"`, "{\"id\":\"\xff\",\"email\":\"a\"}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var quick, slow userJSON
		if quick.plain(text) {
			ok := decodeJSON(text, &slow)
			if diff := cmp.Diff(slow, quick); !ok || diff != "" {
				t.Errorf("readable %t, difference (-encoding/json +quick):\n%s", ok, diff)
			}
		}
	})
}
