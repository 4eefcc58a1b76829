package storetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/toriibench/toriibench/store"
)

func idScenarios() []scenario {
	return []scenario{
		{name: "ID-1 a generated user id has its prefix and is valid, and two differ", run: newIDs},
		{name: "ID-2 what is no generated user id is not valid", run: noIDs},
		{name: "ID-3 ids need no escaping, one of 16 bytes decodes to them, and fewer than 12 are refused", run: sizedIDs},
		{name: "ID-4 ids that begin with zero bytes are valid", run: zeroIDs},
		{name: "HASH-1 a hash is 64 hexadecimal digits, the same for the same token, and else another", run: hashes},
		{name: "HASH-2 a token matches its own hash alone, and tokens of other lengths are not equal", run: matches},
		{name: "TOK-1 a token is opaque and of 43 characters, and one with two dots a JWT", run: tokenKinds},
		{name: "TOK-2 a token, a session and a secure token do not print the token", run: tokensHide},
	}
}

func newIDs(h *harness) {
	a, b := store.NewUserID(), store.NewUserID()
	if a == b || !strings.HasPrefix(a, "usr_") || !store.ValidUserID(a) || !store.ValidUserID(b) {
		h.Errorf("ids %q and %q, want two valid ones", a, b)
	}
	if u := h.user(mail); !store.ValidUserID(u.ID) {
		h.Errorf("a user got the id %q", u.ID)
	}
}

func noIDs(h *harness) {
	good := store.NewUserID()
	for _, id := range []string{"user", "ses_" + good[4:], "usr_", good[:12], "", "USR_" + good[4:], good + "0", good + "/"} {
		if store.ValidUserID(id) {
			h.Errorf("%q is valid", id)
		}
	}
}

func sizedIDs(h *harness) {
	for _, size := range []int{store.MinIDBytes, 16, store.MaxIDBytes} {
		for range 100 {
			id, err := store.NewID("org_", size)
			h.must(err)
			raw, ok := store.DecodeID("org_", id)
			if !ok || len(raw) != size {
				h.Errorf("%q decodes to %d bytes (%t), want %d", id, len(raw), ok, size)
			}
			if strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
				h.Errorf("%q needs escaping in a URL", id)
			}
			if _, other := store.DecodeID("usr_", id); other {
				h.Errorf("%q decodes with another prefix", id)
			}
		}
	}
	for _, size := range []int{store.MinIDBytes - 1, 0, -1, store.MaxIDBytes + 1} {
		_, err := store.NewID("org_", size)
		h.want(err, store.ErrInvalid)
	}
}

func zeroIDs(h *harness) {
	// Each "1" in front is a zero byte.
	for zeros := 1; zeros < store.MinIDBytes; zeros++ {
		id := "usr_" + strings.Repeat("1", zeros) + strings.Repeat("z", 2*(store.MinIDBytes-zeros))
		raw, ok := store.DecodeID("usr_", id)
		if !ok || !store.ValidUserID(id) || bytes.Count(raw[:zeros], []byte{0}) != zeros || raw[zeros] == 0 {
			h.Errorf("%q decodes to %x (%t), want %d zero bytes first", id, raw, ok, zeros)
		}
	}
	if id := "usr_" + strings.Repeat("1", store.MinIDBytes); !store.ValidUserID(id) || store.ValidUserID(id[:len(id)-1]) {
		h.Errorf("%q is not valid, or still is with a byte less", id)
	}
}

func hashes(h *harness) {
	a, b := store.NewToken("usr_1"), store.NewToken("usr_1")
	hash := a.Hash()
	if hash != store.Token(string(a)).Hash() || hash == b.Hash() {
		h.Error("the hash of one token differs, or that of two is the same")
	}
	if len(hash) != 64 || strings.Trim(hash, "0123456789abcdef") != "" {
		h.Errorf("hash %q, want 64 lower-case hexadecimal digits", hash)
	}
	if empty := store.Token("").Hash(); empty != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		h.Errorf("hash of nothing is %s", empty)
	}
}

func matches(h *harness) {
	a, b := store.NewToken("usr_1"), store.NewToken("usr_1")
	if !a.Matches(a.Hash()) || a.Matches(b.Hash()) || a.Matches(a.Hash()[:63]) || a.Matches("") || a.Matches(strings.ToUpper(a.Hash())) {
		h.Error("a token matches another hash, or not its own")
	}
	if !a.Equal(store.Token(string(a))) || a.Equal(b) || a.Equal(a[:42]) || a.Equal(a+"x") || a.Equal("") || !store.Token("").Equal("") {
		h.Error("a token is equal to another, or not to itself")
	}
}

func tokenKinds(h *harness) {
	for range 100 {
		token := store.NewToken("usr_1")
		if len(token) != 43 || token.Kind() != store.OpaqueToken {
			h.Errorf("a token of %d characters is %s", len(token), token.Kind())
		}
	}
	for text, want := range map[store.Token]store.TokenKind{
		"": store.OpaqueToken, "a": store.OpaqueToken, "a.b": store.OpaqueToken, "a.b.c.d": store.OpaqueToken,
		"a.b.c": store.JWTToken, "..": store.JWTToken,
	} {
		if text.Kind() != want {
			h.Errorf("%q is %s, want %s", string(text), text.Kind(), want)
		}
	}
}

func tokensHide(h *harness) {
	u := h.user(mail)
	s, k := h.session(u.ID, time.Hour), h.token(u.ID, store.PurposeMagicLink, 0)
	var shown strings.Builder
	log := slog.New(slog.NewTextHandler(&shown, nil))
	for _, value := range []any{s.Token, s, &s, k, &k, []any{s.Token, store.Identity{Session: s, User: u}}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(&shown, verb, value)
		}
		text, err := json.Marshal(value)
		h.must(err)
		shown.Write(text)
		log.Info("seen", "value", value)
	}
	if !strings.Contains(shown.String(), "[redacted]") {
		h.Error("nothing was printed")
	}
	for _, token := range []store.Token{s.Token, k.Token} {
		if strings.Contains(shown.String(), string(token)) || strings.Contains(shown.String(), fmt.Sprintf("%x", string(token))) {
			h.Error("the token was printed")
		}
	}
}
