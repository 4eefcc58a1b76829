package store

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

const chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"

// codecs are one of each format.
func codecs() map[SessionFormat]sessionCodec {
	return map[SessionFormat]sessionCodec{SessionCompact: newSessionCodec(SessionCompact), SessionJSON: newSessionCodec(SessionJSON)}
}

// bare is what a record gives back: neither user nor hash.
func bare(s Session) Session {
	s.UserID, s.TokenHash, s.Token = "", "", ""
	return s
}

func TestSessionRecordRoundTrip(t *testing.T) {
	for name, s := range map[string]Session{
		"minimal":      {UserID: "1"},
		"empty":        {UserID: "1", UserAgent: text(""), IPAddress: text("")},
		"odd":          {UserID: "a b\n", UserAgent: text("\x00\n\"{}"), IPAddress: text("not an address")},
		"large":        {UserID: "1", UserAgent: text(strings.Repeat("é", 8<<10)), IPAddress: text(strings.Repeat("1", 300))},
		"Chrome, IPv4": {UserID: "1", UserAgent: text(chrome), IPAddress: text("203.0.113.45")},
		"IPv6":         {UserID: "1", IPAddress: text("2001:db8::1")},
		"long IPv6":    {UserID: "1", IPAddress: text("2001:0db8::1")},
		"IPv4 in IPv6": {UserID: "1", IPAddress: text("::ffff:203.0.113.45")},
		"zone":         {UserID: "1", IPAddress: text("fe80::1%eth0")},
	} {
		s.CreatedAt, s.UpdatedAt, s.ExpiresAt = fromMillis(1), fromMillis(1_700_000_000_001), fromMillis(maxMillis)
		for format, c := range codecs() {
			raw := c.encode(s)
			for reader, r := range codecs() {
				got, err := r.decode(raw)
				if diff := cmp.Diff(bare(s), got); err != nil || diff != "" {
					t.Errorf("%s in %s, read by %s: error %v, difference (-want +got):\n%s", name, format, reader, err, diff)
				}
			}
		}
	}
}

// What fits into 64 bytes stays in the small encoding of a hash.
func TestTypicalSessionsAreSmall(t *testing.T) {
	now := time.Now()
	for agent, ip := range map[string]string{
		chrome: "203.0.113.45",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0":                                                                   "203.0.113.45",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15":                              "203.0.113.45",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36":                                    "2001:db8:85a3:8d3:1319:8a2e:370:7348",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1.1 Mobile/15E148 Safari/604.1":        "2001:db8:85a3:8d3:1319:8a2e:370:7348",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.2903.86":                  "203.0.113.45",
		"Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36": "203.0.113.45",
	} {
		s := Session{UserAgent: &agent, IPAddress: &ip, CreatedAt: now, UpdatedAt: now, ExpiresAt: now.Add(DefaultSessionLifetime)}
		if size := len(newSessionCodec(SessionCompact).encode(s)); size > 64 {
			t.Errorf("%s from %s takes %d bytes", agent, ip, size)
		}
	}
}

func TestOtherReadersUnderstandASessionInJSON(t *testing.T) {
	created := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	s := Session{
		TokenHash: strings.Repeat("ab", 32), UserID: "usr_1", UserAgent: text("a"), IPAddress: text("b"),
		CreatedAt: created, UpdatedAt: created.Add(time.Minute), ExpiresAt: created.Add(time.Hour),
	}
	var got struct {
		TokenHash string    `json:"token_hash"`
		UserID    string    `json:"user_id"`
		UserAgent *string   `json:"user_agent"`
		IPAddress *string   `json:"ip_address"`
		CreatedAt time.Time `json:"created_at"`
		UpdatedAt time.Time `json:"updated_at"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	if err := json.Unmarshal([]byte(newSessionCodec(SessionJSON).encode(s)), &got); err != nil {
		t.Fatal(err)
	}
	back := Session{
		TokenHash: got.TokenHash, UserID: got.UserID, UserAgent: got.UserAgent, IPAddress: got.IPAddress,
		CreatedAt: got.CreatedAt, UpdatedAt: got.UpdatedAt, ExpiresAt: got.ExpiresAt,
	}
	if diff := cmp.Diff(s, back); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestCorruptSessionRecords(t *testing.T) {
	c := newSessionCodec(SessionCompact)
	whole := c.encode(Session{UserAgent: text(chrome), IPAddress: text("203.0.113.45"), CreatedAt: fromMillis(1 << 40)})
	damaged := map[string]string{
		"empty":          "",
		"text":           "1 17 3 2\n{}",
		"another format": "\x03" + whole[1:],
		"unknown flags":  whole[:compactHead] + "\xff" + whole[compactHead+1:],
		"long address":   whole[:compactHead] + "\x0c" + "\x00" + "\xff\xff\x7f" + "x",
		"unasked agent":  whole[:compactHead] + "\x00" + "\x00" + "x",
		"huge agent":     whole[:compactHead] + "\x02" + "\x00" + "\xff\xff\xff\xff\x0f" + "x",
		"no times":       `{"user_id":"1"}`,
		"far times":      `{"times":[999999999999999,1,1]}`,
		"trailing JSON":  `{"times":[1,1,1]}{}`,
		"not UTF-8":      "{\"times\":[1,1,1],\"user_id\":\"\xff\"}",
	}
	for n := range compactHead + 6 {
		damaged["cut "+string(rune('a'+n))] = whole[:n]
	}
	for name, raw := range damaged {
		if _, err := c.decode(raw); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: error is %v, want %v", name, err, ErrCorrupt)
		}
	}
}

// FuzzDecodeSession expects whatever is readable to survive a rewrite in both
// formats.
func FuzzDecodeSession(f *testing.F) {
	for _, c := range codecs() {
		f.Add(c.encode(Session{UserID: "1", UserAgent: text(chrome), IPAddress: text("::1"), CreatedAt: fromMillis(5)}))
		f.Add(c.encode(Session{UserID: "1", IPAddress: text("x")}))
	}
	f.Fuzz(func(t *testing.T, raw string) {
		s, err := newSessionCodec(SessionCompact).decode(raw)
		if err != nil || checkOptionalText("agent", s.UserAgent) != nil || checkOptionalText("address", s.IPAddress) != nil ||
			s.ExpiresAt.UnixMilli() < 0 || s.UpdatedAt.UnixMilli() < 0 {
			return
		}
		for format, c := range codecs() {
			again, err := c.decode(c.encode(s))
			if diff := cmp.Diff(s, again); err != nil || diff != "" {
				t.Errorf("%s: error %v, difference after a round trip:\n%s", format, err, diff)
			}
		}
	})
}

func FuzzSessionTexts(f *testing.F) {
	f.Add("agent", "ip", int64(1))
	f.Fuzz(func(t *testing.T, agent, ip string, created int64) {
		if !utf8.ValidString(agent+" "+ip) || created < 0 || !inRange(created) || len(agent)+len(ip) > maxText {
			return
		}
		s := Session{UserAgent: &agent, IPAddress: &ip, CreatedAt: fromMillis(created), UpdatedAt: fromMillis(0), ExpiresAt: fromMillis(0)}
		for format, c := range codecs() {
			got, err := c.decode(c.encode(s))
			if diff := cmp.Diff(s, got); err != nil || diff != "" {
				t.Errorf("%s: error %v, difference (-want +got):\n%s", format, err, diff)
			}
		}
	})
}
