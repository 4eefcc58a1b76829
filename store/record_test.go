package store

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// userLine is the stored form of a user, as scripts write it.
func userLine(state, epoch, created, updated, verified, locked string, u User) string {
	head := strings.Join([]string{"1", state, userCheck(u.ID), "nonce", epoch, created, updated, verified, locked}, " ")
	return head + "\n" + encodeUserJSON(u)
}

func at(ms int64) *time.Time {
	t := fromMillis(ms)
	return &t
}

func text(s string) *string { return &s }

func TestUserRecordRoundTrip(t *testing.T) {
	for name, u := range map[string]User{
		"minimal":    {ID: "1", Email: "a"},
		"empty name": {ID: "1", Email: "a", Name: text("")},
		"full":       {ID: "usr_1", Email: "a@b", Name: text("Ada <&> \u2028\n\x00"), EmailVerifiedAt: at(5), LockedAt: at(-5)},
		"odd id":     {ID: "a\nb c", Email: "1 2 3"},
	} {
		t.Run(name, func(t *testing.T) {
			u.CreatedAt, u.UpdatedAt = fromMillis(-1), fromMillis(maxMillis)
			raw := userLine("a", "17", "-1", millis(u.UpdatedAt), optionalMillis(u.EmailVerifiedAt), optionalMillis(u.LockedAt), u)
			for _, pending := range []bool{false, true} {
				if pending {
					raw += "\nn 1 - - {}"
				}
				r, err := decodeUser(raw)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(u, r.user); diff != "" || r.pending != pending || r.epoch != "17" || r.state != "a" {
					t.Errorf("pending %t, epoch %s, difference (-want +got):\n%s", r.pending, r.epoch, diff)
				}
			}
		})
	}
}

func TestCorruptUserRecords(t *testing.T) {
	u := User{ID: "1", Email: "secret@example.org"}
	good := userLine("a", "17", "1", "2", "-", "-", u)
	if _, err := decodeUser(good); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]string{
		"empty":            "",
		"no JSON":          strings.SplitN(good, "\n", 2)[0],
		"another version":  "2" + good[1:],
		"unknown state":    strings.Replace(good, " a ", " x ", 1),
		"another check":    strings.Replace(good, userCheck("1"), userCheck("2"), 1),
		"epoch no number":  strings.Replace(good, " 17 ", " 1x ", 1),
		"negative epoch":   strings.Replace(good, " 17 ", " -1 ", 1),
		"time no number":   strings.Replace(good, " 1 2 ", " 1 2e3 ", 1),
		"signed time":      strings.Replace(good, " 1 2 ", " +1 2 ", 1),
		"time far away":    strings.Replace(good, " 1 2 ", " 1 999999999999999 ", 1),
		"a field too few":  strings.Replace(good, " - -\n", " -\n", 1),
		"a field too many": strings.Replace(good, " - -\n", " - - -\n", 1),
		"double space":     strings.Replace(good, " 17 ", "  17 ", 1),
		"trailing space":   strings.Replace(good, " - -\n", " - - \n", 1),
		"broken JSON":      strings.TrimSuffix(good, "}"),
		"no email":         strings.Replace(good, `"email"`, `"e"`, 1),
		"no id":            strings.Replace(good, `"id"`, `"i"`, 1),
		"not UTF-8":        strings.Replace(good, "secret", "s\xffcret", 1),
		"wrong JSON type":  strings.Replace(good, `"1"`, `1`, 1),
	} {
		_, err := decodeUser(raw)
		if !errors.Is(err, ErrCorrupt) || raw == good {
			t.Errorf("%s: error is %v, want %v", name, err, ErrCorrupt)
		}
		if err != nil && strings.Contains(err.Error(), "cret") {
			t.Errorf("%s: the error tells the content: %v", name, err)
		}
	}
}

func TestSessionRecordRoundTrip(t *testing.T) {
	for name, s := range map[string]Session{
		"minimal": {UserID: "1"},
		"empty":   {UserID: "1", UserAgent: text(""), IPAddress: text("")},
		"full":    {UserID: "a b\n", UserAgent: text(strings.Repeat("é", 8<<10)), IPAddress: text("::1")},
	} {
		t.Run(name, func(t *testing.T) {
			s.CreatedAt, s.UpdatedAt, s.ExpiresAt = fromMillis(1), fromMillis(2), fromMillis(3)
			r, err := decodeSession("1 17 3 2\n" + encodeSessionJSON(s))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s, r.session); diff != "" || r.epoch != "17" {
				t.Errorf("epoch %s, difference (-want +got):\n%s", r.epoch, diff)
			}
		})
	}
}

func TestCorruptSessionRecords(t *testing.T) {
	for name, raw := range map[string]string{
		"empty":         "",
		"no line":       `{"user_id":"1","created_at":1}`,
		"no JSON":       "1 17 3 2\n",
		"no user":       "1 17 3 2\n" + `{"created_at":1}`,
		"no creation":   "1 17 3 2\n" + `{"user_id":"1"}`,
		"far creation":  "1 17 3 2\n" + `{"user_id":"1","created_at":999999999999999}`,
		"version":       "3 17 3 2\n" + `{"user_id":"1","created_at":1}`,
		"fields":        "1 17 3\n" + `{"user_id":"1","created_at":1}`,
		"huge epoch":    "1 99999999999999999999 3 2\n" + `{"user_id":"1","created_at":1}`,
		"trailing JSON": "1 17 3 2\n" + `{"user_id":"1","created_at":1}{}`,
	} {
		if _, err := decodeSession(raw); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: error is %v, want %v", name, err, ErrCorrupt)
		}
	}
}

func FuzzDecodeUser(f *testing.F) {
	f.Add(userLine("a", "1", "1", "2", "-", "3", User{ID: "1", Email: "a", Name: text("n")}))
	f.Add("1 p c n 1 1 1 - -\n{}\nx")
	f.Fuzz(func(t *testing.T, raw string) {
		r, err := decodeUser(raw)
		if err != nil {
			return
		}
		u := r.user
		again, err := decodeUser(userLine(r.state, r.epoch, millis(u.CreatedAt), millis(u.UpdatedAt),
			optionalMillis(u.EmailVerifiedAt), optionalMillis(u.LockedAt), u))
		if diff := cmp.Diff(u, again.user); err != nil || diff != "" {
			t.Errorf("error %v, difference after a round trip:\n%s", err, diff)
		}
	})
}

func FuzzDecodeSession(f *testing.F) {
	f.Add("1 17 3 2\n" + encodeSessionJSON(Session{UserID: "1", UserAgent: text("a")}))
	f.Fuzz(func(t *testing.T, raw string) {
		r, err := decodeSession(raw)
		if err != nil {
			return
		}
		s := r.session
		again, err := decodeSession("1 " + r.epoch + " " + millis(s.ExpiresAt) + " " + millis(s.UpdatedAt) + "\n" + encodeSessionJSON(s))
		if diff := cmp.Diff(s, again.session); err != nil || diff != "" {
			t.Errorf("error %v, difference after a round trip:\n%s", err, diff)
		}
	})
}

func FuzzSessionTexts(f *testing.F) {
	f.Add("1", "agent", "ip", int64(1))
	f.Fuzz(func(t *testing.T, id, agent, ip string, created int64) {
		if id == "" || !utf8.ValidString(id+" "+agent+" "+ip) || !inRange(created) {
			return
		}
		s := Session{UserID: id, UserAgent: &agent, IPAddress: &ip, CreatedAt: fromMillis(created), UpdatedAt: fromMillis(0), ExpiresAt: fromMillis(0)}
		r, err := decodeSession("1 0 0 0\n" + encodeSessionJSON(s))
		if diff := cmp.Diff(s, r.session); err != nil || diff != "" {
			t.Errorf("error %v, difference (-want +got):\n%s", err, diff)
		}
	})
}

func FuzzDecodeCached(f *testing.F) {
	f.Add(encodeCachedUser(CachedUser{User: User{ID: "1", Email: "a"}}))
	f.Add(encodeCachedSession(CachedSession{Session: Session{UserID: "1"}, Metadata: map[string]string{"a": "b"}}))
	f.Fuzz(func(t *testing.T, raw string) {
		if c, ok := decodeCachedUser(raw); ok {
			again, ok := decodeCachedUser(encodeCachedUser(c))
			if diff := cmp.Diff(c, again); !ok || diff != "" {
				t.Errorf("user: readable %t, difference after a round trip:\n%s", ok, diff)
			}
		}
		if c, ok := decodeCachedSession(raw); ok {
			again, ok := decodeCachedSession(encodeCachedSession(c))
			if len(c.Metadata) == 0 {
				c.Metadata, again.Metadata = nil, nil
			}
			if diff := cmp.Diff(c, again); !ok || diff != "" {
				t.Errorf("session: readable %t, difference after a round trip:\n%s", ok, diff)
			}
		}
	})
}

func TestClaimRoundTrip(t *testing.T) {
	for _, id := range []string{"1", "a b", "\n", " "} {
		got, err := parseClaim(claim{id: id, nonce: "n"}.String())
		if err != nil || got.id != id || got.nonce != "n" {
			t.Errorf("claim %+v, error %v, want the id %q", got, err, id)
		}
	}
	for _, raw := range []string{"", "1", "1 n", "1 n ", "1  a", "2 n a"} {
		if _, err := parseClaim(raw); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%q: error is %v, want %v", raw, err, ErrCorrupt)
		}
	}
}

func BenchmarkDecodeIdentity(b *testing.B) {
	user := userLine("a", "17", "1", "2", "-", "-", User{ID: NewUserID(), Email: "ada@example.org", Name: text("Ada")})
	session := "1 17 3 2\n" + encodeSessionJSON(Session{UserID: "usr_1", UserAgent: text(strings.Repeat("x", 110)), IPAddress: text("203.0.113.7")})
	b.ReportAllocs()
	for b.Loop() {
		_, err1 := decodeUser(user)
		_, err2 := decodeSession(session)
		if err := errors.Join(err1, err2); err != nil {
			b.Fatal(err)
		}
	}
}
