package testservers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWordsOfAMonitor(t *testing.T) {
	for text, want := range map[string][]string{
		`"get" "a"`:                      {"get", "a"},
		`"set" "\x00\xffa\n\\n" "\"b\""`: {"set", "\x00\xffa\n\\n", `"b"`},
		`"set" "{"id":"1"}" ""`:          {"set", `{"id":"1"}`, ""},
		`"\"`:                            {`\`},
		`"\x"`:                           {"x"},
		`"\xg0"`:                         {"xg0"},
		"":                               nil,
		"OK":                             nil,
	} {
		if diff := cmp.Diff(want, unquoteAll(text)); diff != "" {
			t.Errorf("%s: -want +got\n%s", text, diff)
		}
	}
}
