package store

import (
	"strings"
	"testing"
)

// A script gets what it uses, each once, and every definition is used.
func TestScriptsGetWhatTheyUse(t *testing.T) {
	var shared []definition
	for _, file := range []string{"prelude.lua", "prelude_attempt.lua", "prelude_durable.lua"} {
		shared = append(shared, definitions(readLua(file))...)
	}
	used := map[string]bool{}
	for _, script := range Scripts(Config{WaitReplicas: 1}) {
		for _, d := range shared {
			for _, name := range d.names {
				mentioned := strings.Contains(strings.ReplaceAll(script.Lua, d.text, ""), name)
				// What a paragraph defines may be used within it alone.
				if n := strings.Count(script.Lua, d.text); mentioned && n != 1 || len(d.names) == 1 && !mentioned && n > 0 {
					t.Errorf("script %s has the definition of %s %d times, and mentions it: %t", script.Name, name, n, mentioned)
				}
				used[name] = used[name] || mentioned
			}
		}
	}
	for name, is := range used {
		if !is {
			t.Errorf("nothing uses %s", name)
		}
	}
}

func TestScriptsThatWriteNoTimePayForNone(t *testing.T) {
	if lua := loadScripts()[scriptSchemaMark].Lua; lua != readLua("schema_mark.lua") {
		t.Errorf("it has become %q", lua)
	}
}

// What need not be durable, or waits for nobody, writes no more than it must.
func TestOnlyDurableScriptsThatWaitAlwaysWrite(t *testing.T) {
	for _, replicas := range []int{0, 1} {
		for _, script := range Scripts(Config{WaitReplicas: replicas}) {
			always := strings.Contains(script.Lua, "write_again(KEYS[1], before)\nreturn reply\n")
			if want := script.Durable && replicas > 0; always != want {
				t.Errorf("%d replicas, script %s: it always writes: %t, want %t", replicas, script.Name, always, want)
			}
		}
	}
}
