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

func TestTokenHidesItself(t *testing.T) {
	token := NewToken("usr_1")
	session := Session{Token: token}
	identity := &Identity{Session: session}
	shown := map[string]string{
		"sprint":  fmt.Sprint(token, &token, session, identity),
		"println": fmt.Sprintln([]Token{token}, map[string]Token{"a": token}),
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s", "%.3s", "%t", "%!"} {
		shown[verb] = fmt.Sprintf(verb, token) + fmt.Sprintf(verb, session) + fmt.Sprintf(verb, identity)
	}
	text, err := json.Marshal([]any{token, identity})
	if err != nil {
		t.Fatal(err)
	}
	shown["json"] = string(text)
	if text, err = xml.Marshal(session); err != nil {
		t.Fatal(err)
	}
	shown["xml"] = string(text)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("a", "token", token, "session", session)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("a", "token", token, "session", session)
	shown["slog"] = log.String()
	for how, text := range shown {
		if strings.Contains(text, string(token)) || strings.Contains(text, fmt.Sprintf("%x", string(token))) {
			t.Errorf("%s shows the token", how)
		}
		if text == "" {
			t.Errorf("%s shows nothing", how)
		}
	}
}

func TestTokenForm(t *testing.T) {
	a, b := NewToken("usr_1"), NewToken("usr_1")
	if a.Equal(b) || !a.Equal(Token(string(a))) || a.Equal(a[:42]) {
		t.Error("tokens of one user are equal, or one differs from itself")
	}
	for _, token := range []Token{a, b} {
		tag, ok := token.tag()
		if len(token) != 43 || !ok || tag != userTag("usr_1") {
			t.Errorf("%d characters, tag %q %t, want 43 and %q", len(token), tag, ok, userTag("usr_1"))
		}
	}
	if got := Token("abc").Hash(); got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("hash of abc is %s", got)
	}
}

func TestTokenRefusesOtherText(t *testing.T) {
	good := string(NewToken("usr_1"))
	for name, text := range map[string]string{
		"empty":           "",
		"short":           good[:42],
		"long":            good + "A",
		"padded":          good[:42] + "=",
		"line feed":       good[:42] + "\n",
		"inner line feed": good[:20] + "\n" + good[20:],
		"standard base64": good[:42] + "+",
		"spare bits set":  good[:42] + "B",
	} {
		if _, ok := Token(text).tag(); ok {
			t.Errorf("%s: %q is taken for a token", name, text)
		}
	}
}

func FuzzTokenTag(f *testing.F) {
	f.Add("")
	f.Add(strings.Repeat("A", 43))
	f.Fuzz(func(t *testing.T, text string) {
		tag, ok := Token(text).tag()
		if ok && (len(text) != 43 || tag != text[:12]) {
			t.Errorf("%q has the tag %q", text, tag)
		}
	})
}
