package store

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// linkLine is the stored form of a finished link, as scripts write it.
func linkLine(created time.Time, used *time.Time, json string) string {
	return strings.Join([]string{"1 a nonce 17", millis(created), optionalMillis(used), "group"}, " ") + "\n" + json
}

func TestAccountRecordRoundTrip(t *testing.T) {
	for _, a := range []OAuthAccount{
		{UserID: "1", Provider: "github", Subject: "42"},
		{UserID: "a b\n", Provider: "<&>\u2028", Subject: strings.Repeat("é", 8<<10)},
	} {
		a.CreatedAt, a.UpdatedAt = fromMillis(-1), fromMillis(-1)
		got, err := decodeAccount(linkLine(a.CreatedAt, nil, encodeAccountJSON(a)))
		if diff := cmp.Diff(a, got); err != nil || diff != "" {
			t.Errorf("error %v, difference (-want +got):\n%s", err, diff)
		}
	}
}

func TestPasskeyRecordRoundTrip(t *testing.T) {
	for name, p := range map[string]Passkey{
		"minimal":    {UserID: "1", CredentialID: []byte{0}, PublicKey: []byte{0}},
		"empty name": {UserID: "1", CredentialID: []byte("c"), PublicKey: []byte("k"), Name: text("")},
		"full": {
			UserID: "1", CredentialID: []byte("\x00\n\xff"), PublicKey: []byte(strings.Repeat("\xfe", maxText)), Name: text("é\n"),
			LastUsedAt: at(7),
		},
	} {
		p.CreatedAt = fromMillis(maxMillis)
		got, err := decodePasskey(linkLine(p.CreatedAt, p.LastUsedAt, encodePasskeyJSON(p)))
		if diff := cmp.Diff(p, got); err != nil || diff != "" {
			t.Errorf("%s: error %v, difference (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestCorruptLinkRecords(t *testing.T) {
	account := linkLine(fromMillis(1), nil, encodeAccountJSON(OAuthAccount{UserID: "1", Provider: "p", Subject: "hush"}))
	passkey := linkLine(fromMillis(1), nil, encodePasskeyJSON(Passkey{UserID: "1", CredentialID: []byte("c"), PublicKey: []byte("k")}))
	for good, decode := range map[string]func(string) error{
		account: func(raw string) error { _, err := decodeAccount(raw); return err },
		passkey: func(raw string) error { _, err := decodePasskey(raw); return err },
	} {
		if err := decode(good); err != nil {
			t.Fatal(err)
		}
		for name, raw := range map[string]string{
			"empty":            "",
			"no JSON":          strings.SplitN(good, "\n", 2)[0],
			"another version":  "2" + good[1:],
			"pending":          strings.Replace(good, " a ", " p ", 1),
			"no nonce":         strings.Replace(good, " nonce ", "  ", 1),
			"deadline":         strings.Replace(good, " 17 ", " 1x ", 1),
			"creation":         strings.Replace(good, " 1 - ", " +1 - ", 1),
			"far creation":     strings.Replace(good, " 1 - ", " 999999999999999 - ", 1),
			"use":              strings.Replace(good, " 1 - ", " 1 x ", 1),
			"a field too few":  strings.Replace(good, " group\n", "\n", 1),
			"a field too many": strings.Replace(good, " group\n", " group x\n", 1),
			"broken JSON":      strings.TrimSuffix(good, "}"),
			"no user":          strings.Replace(good, `"user_id"`, `"u"`, 1),
			"no subject":       strings.Replace(good, `"subject"`, `"s"`, 1),
			"no provider":      strings.Replace(good, `"provider"`, `"p"`, 1),
			"no credential":    strings.Replace(good, `"credential_id"`, `"c"`, 1),
			"no base64":        strings.Replace(good, `"Yw=="`, `"Yw"`, 1),
			"no key":           strings.Replace(good, `"public_key"`, `"k"`, 1),
			"not UTF-8":        strings.Replace(good, `"1"`, "\"\xff\"", 1),
		} {
			if raw == good {
				continue // It concerns the other kind.
			}
			if err := decode(raw); !errors.Is(err, ErrCorrupt) || strings.Contains(err.Error(), "hush") {
				t.Errorf("%s: error is %v, want %v without the content", name, err, ErrCorrupt)
			}
		}
	}
}

func TestCorruptNotes(t *testing.T) {
	if text, expires, err := decodeNote("op", "1 5\na\nb"); err != nil || text != "a\nb" || expires.UnixMilli() != 5 {
		t.Errorf("%q until %s, error %v", text, expires, err)
	}
	for _, raw := range []string{"", "hush", "1 5", "2 5\nhush", "1 x\nhush", "1 5 5\nhush", "1 +5\nhush", "1 999999999999999\nhush"} {
		if _, _, err := decodeNote("op", raw); !errors.Is(err, ErrCorrupt) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: error is %v, want %v without the content", raw, err, ErrCorrupt)
		}
	}
}

func TestCountedLists(t *testing.T) {
	list, rest, ok := cutCounted([]string{"2", "a", "b", "c"})
	if diff := cmp.Diff([][]string{{"a", "b"}, {"c"}}, [][]string{list, rest}); !ok || diff != "" {
		t.Errorf("%t, difference (-want +got):\n%s", ok, diff)
	}
	for _, words := range [][]string{nil, {""}, {"x"}, {"-1", "a"}, {"2", "a"}, {"99999999999999999999"}} {
		if _, _, ok := cutCounted(words); ok {
			t.Errorf("%q is taken for a list", words)
		}
	}
}

func FuzzDecodeLink(f *testing.F) {
	f.Add(linkLine(fromMillis(1), at(2), encodeAccountJSON(OAuthAccount{UserID: "1", Provider: "p", Subject: "s"})))
	f.Add(linkLine(fromMillis(1), nil, encodePasskeyJSON(Passkey{UserID: "1", CredentialID: []byte("c"), PublicKey: []byte("k"), Name: text("")})))
	f.Fuzz(func(t *testing.T, raw string) {
		if a, err := decodeAccount(raw); err == nil {
			again, err := decodeAccount(linkLine(a.CreatedAt, nil, encodeAccountJSON(a)))
			if diff := cmp.Diff(a, again); err != nil || diff != "" {
				t.Errorf("account: error %v, difference after a round trip:\n%s", err, diff)
			}
		}
		if p, err := decodePasskey(raw); err == nil {
			again, err := decodePasskey(linkLine(p.CreatedAt, p.LastUsedAt, encodePasskeyJSON(p)))
			if diff := cmp.Diff(p, again); err != nil || diff != "" {
				t.Errorf("passkey: error %v, difference after a round trip:\n%s", err, diff)
			}
		}
	})
}
