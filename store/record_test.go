package store

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// userLine is the stored form of a user, as scripts write it.
func userLine(state, created, updated, verified, locked string, u User) string {
	head := strings.Join([]string{"1", state, userCheck(u.ID), "nonce", created, updated, verified, locked}, " ")
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
			raw := userLine("a", "-1", millis(u.UpdatedAt), optionalMillis(u.EmailVerifiedAt), optionalMillis(u.LockedAt), u)
			for _, pending := range []bool{false, true} {
				if pending {
					raw += "\nn 1 - - {}"
				}
				r, err := decodeUser(raw)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(u, r.user); diff != "" || r.pending != pending || r.state != "a" {
					t.Errorf("pending %t, difference (-want +got):\n%s", r.pending, diff)
				}
			}
		})
	}
}

func TestCorruptUserRecords(t *testing.T) {
	u := User{ID: "1", Email: "secret@example.org"}
	good := userLine("a", "1", "2", "-", "-", u)
	if _, err := decodeUser(good); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]string{
		"empty":            "",
		"no JSON":          strings.SplitN(good, "\n", 2)[0],
		"another version":  "2" + good[1:],
		"unknown state":    strings.Replace(good, " a ", " x ", 1),
		"another check":    strings.Replace(good, userCheck("1"), userCheck("2"), 1),
		"time no number":   strings.Replace(good, " 1 2 ", " 1 2e3 ", 1),
		"signed time":      strings.Replace(good, " 1 2 ", " +1 2 ", 1),
		"time far away":    strings.Replace(good, " 1 2 ", " 1 999999999999999 ", 1),
		"a field too few":  strings.Replace(good, " - -\n", " -\n", 1),
		"a field too many": strings.Replace(good, " - -\n", " - - -\n", 1),
		"double space":     strings.Replace(good, " 1 ", "  1 ", 1),
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

func FuzzDecodeUser(f *testing.F) {
	f.Add(userLine("a", "1", "2", "-", "3", User{ID: "1", Email: "a", Name: text("n")}))
	f.Add("1 p c n 1 1 - -\n{}\nx")
	f.Fuzz(func(t *testing.T, raw string) {
		r, err := decodeUser(raw)
		if err != nil {
			return
		}
		u := r.user
		again, err := decodeUser(userLine(r.state, millis(u.CreatedAt), millis(u.UpdatedAt),
			optionalMillis(u.EmailVerifiedAt), optionalMillis(u.LockedAt), u))
		if diff := cmp.Diff(u, again.user); err != nil || diff != "" {
			t.Errorf("error %v, difference after a round trip:\n%s", err, diff)
		}
	})
}

func FuzzDecodeCached(f *testing.F) {
	some := entry{user: CachedUser{User: User{ID: "1", Email: "a"}}, ends: fromMillis(5), cost: time.Millisecond}
	f.Add(encodeCachedUser(some))
	f.Add(encodeCachedEmail(some))
	f.Add(encodeAbsent(entry{absent: userCheck("1")}))
	f.Add(encodeCachedSession(CachedSession{Session: Session{UserID: "1"}, Metadata: map[string]string{"a": "b"}}))
	f.Fuzz(func(t *testing.T, raw string) {
		wantCachedAgain(t, raw, decodeCachedUser, encodeCachedUser)
		wantCachedAgain(t, raw, decodeCachedEmail, encodeCachedEmail)
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

// wantCachedAgain expects that what can be read is the same after a round trip.
func wantCachedAgain(t *testing.T, raw string, decode func(string) (entry, bool), encode func(entry) string) {
	t.Helper()
	e, ok := decode(raw)
	if !ok {
		return
	}
	if e.absent != "" {
		encode = encodeAbsent
	}
	again, ok := decode(encode(e))
	if diff := cmp.Diff(e, again, cmp.AllowUnexported(entry{})); !ok || diff != "" {
		t.Errorf("readable %t, difference after a round trip:\n%s", ok, diff)
	}
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
	user := userLine("a", "1", "2", "-", "-", User{ID: NewUserID(), Email: "ada@example.org", Name: text("Ada")})
	codec := newSessionCodec(SessionCompact)
	session := codec.encode(Session{UserID: "usr_1", UserAgent: text(chrome), IPAddress: text("203.0.113.7")})
	b.ReportAllocs()
	for b.Loop() {
		_, err1 := decodeUser(user)
		_, err2 := codec.decode(session)
		if err := errors.Join(err1, err2); err != nil {
			b.Fatal(err)
		}
	}
}
