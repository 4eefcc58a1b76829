package store

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestPasswordsHideThemselves(t *testing.T) {
	cfg := Config{URLs: []string{"redis://ada:hush@localhost"}, Username: "ada", Password: "hush", MasterName: "m", SentinelPassword: "hush"}
	endpoint, err1 := cfg.Endpoint()
	address, err2 := ParseAddress(cfg.URLs[0])
	if err1 != nil || err2 != nil || endpoint.Password != "hush" || address.Password != "hush" {
		t.Fatalf("errors %v and %v", err1, err2)
	}
	type holder struct{ A any }
	for name, value := range map[string]any{
		"config": cfg, "config pointer": &cfg, "endpoint": endpoint, "endpoint pointer": &endpoint,
		"address": address, "address pointer": &address, "field": holder{cfg}, "slice": []any{endpoint},
		"map": map[string]any{"a": address}, "map key": map[Address]int{address: 1},
	} {
		for how, text := range renderings(t, value) {
			// In hexadecimal, and as the bytes of %d, too.
			for _, secret := range []string{"hush", "68757368", "68 75 73 68", "104 117 115 104", "68757368"} {
				if strings.Contains(strings.ToLower(text), secret) {
					t.Errorf("%s: %s shows the password: %s", name, how, text)
				}
			}
			if text == "" {
				t.Errorf("%s: %s shows nothing", name, how)
			}
		}
	}
	if text := endpoint.String() + address.String(); strings.Count(text, "ada") != 2 || strings.Count(text, "localhost:") != 2 {
		t.Errorf("%s, want the user and the server of both", text)
	}
}

// renderings shows a value in all the ways that a program may by accident.
func renderings(t *testing.T, value any) map[string]string {
	t.Helper()
	shown := map[string]string{"print": fmt.Sprint(value), "println": fmt.Sprintln(value)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "% x", "%X", "%d", "%10s", "%t", "%T"} {
		shown[verb] = fmt.Sprintf(verb, value)
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	shown["json"] = string(text)
	if text, err = xml.Marshal(value); err == nil { // Maps have no XML.
		shown["xml"] = string(text)
	}
	for how, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"slog text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"slog json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var log bytes.Buffer
		slog.New(handler(&log)).Info("a", "value", value)
		shown[how] = log.String()
	}
	return shown
}
