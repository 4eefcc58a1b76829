package storetest

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/auth"
)

func jwtScenarios() []scenario {
	return []scenario{
		{name: "JWT-1 a secret of less than 32 bytes is refused", run: jwtSecrets},
		{name: "JWT-2 issuer, agent and address come back, with HS256 and with RS256", run: jwtRoundTrip},
		{name: "JWT-3 an expired token is expired, and garbage is invalid", run: jwtBad},
		{name: "JWT-4 sessions that are JWTs are nowhere in storage", run: jwtSessions},
	}
}

func jwtSecrets(h *harness) {
	for _, size := range []int{0, 5, 6, 31} {
		_, err := auth.NewHS256(make([]byte, size), "")
		h.want(err, store.ErrInvalid)
	}
	for _, size := range []int{32, 33, 64} {
		j, err := auth.NewHS256(make([]byte, size), "")
		h.must(err)
		s, err := j.Sign(store.NewSession{UserID: "usr_1"})
		h.must(err)
		_, err = j.Verify(s.Token)
		h.must(err)
	}
}

// codecs are one of each method.
func (h *harness) codecs(issuer string) map[string]*auth.JWT {
	h.Helper()
	hs, err := auth.NewHS256(bytes.Repeat([]byte("k"), 32), issuer)
	h.must(err)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	h.must(err)
	rs, err := auth.NewRS256(key, issuer)
	h.must(err)
	return map[string]*auth.JWT{"HS256": hs, "RS256": rs}
}

func jwtRoundTrip(h *harness) {
	agent, ip, empty := "Mozilla/5.0 <\"ü\u2028>", "2001:db8::1", ""
	at := time.Now().Truncate(time.Second).UTC()
	for _, issuer := range []string{"", "https://example.org"} {
		for name, j := range h.codecs(issuer) {
			for _, n := range []store.NewSession{
				{UserID: "usr_1"},
				{UserID: "usr_1", UserAgent: &agent, IPAddress: &ip},
				{UserID: "a:{b} ü", UserAgent: &empty},
				{UserID: "usr_1", CreatedAt: at.Add(-time.Hour + time.Millisecond), ExpiresAt: at.Add(time.Hour + 999*time.Millisecond)},
			} {
				signed, err := j.Sign(n)
				h.must(err)
				got, err := j.Verify(signed.Token)
				h.must(err)
				if diff := cmp.Diff(signed, got); diff != "" || got.Token.Kind() != store.JWTToken {
					h.Errorf("%s: %s, (-signed +verified):\n%s", name, got.Token.Kind(), diff)
				}
				want := store.Session{
					Token: got.Token, TokenHash: got.Token.Hash(), UserID: n.UserID, UserAgent: n.UserAgent, IPAddress: n.IPAddress,
					CreatedAt: got.CreatedAt, UpdatedAt: got.CreatedAt, ExpiresAt: got.ExpiresAt,
				}
				if !n.ExpiresAt.IsZero() {
					want.CreatedAt, want.ExpiresAt = at.Add(-time.Hour), at.Add(time.Hour)
					want.UpdatedAt = want.CreatedAt
				} else if off := time.Until(got.ExpiresAt) - store.DefaultSessionLifetime; off > 0 || off < -time.Minute {
					h.Errorf("%s: it ends at %s", name, got.ExpiresAt)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					h.Errorf("%s (-want +got):\n%s", name, diff)
				}
				h.wantClaims(got, issuer)
			}
		}
	}
}

// wantClaims reads a token as others do.
func (h *harness) wantClaims(s store.Session, issuer string) {
	h.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(string(s.Token), ".")[1])
	h.must(err)
	got := map[string]any{}
	h.must(json.Unmarshal(payload, &got))
	want := map[string]any{"sub": s.UserID, "iat": float64(s.CreatedAt.Unix()), "exp": float64(s.ExpiresAt.Unix())}
	if issuer != "" {
		want["iss"] = issuer
	}
	meta := map[string]any{}
	if s.UserAgent != nil {
		meta["user_agent"] = *s.UserAgent
	}
	if s.IPAddress != nil {
		meta["ip_address"] = *s.IPAddress
	}
	if len(meta) > 0 {
		want["metadata"] = meta
	}
	if diff := cmp.Diff(want, got); diff != "" {
		h.Errorf("claims (-want +got):\n%s", diff)
	}
}

func jwtBad(h *harness) {
	all, others := h.codecs("us"), h.codecs("us")
	elsewhere := h.codecs("them")
	encode := base64.RawURLEncoding.EncodeToString
	for name, j := range all {
		n := store.NewSession{UserID: "usr_1"}
		signed, err := j.Sign(n)
		h.must(err)
		ended, err := j.Sign(store.NewSession{UserID: "usr_1", ExpiresAt: time.Now().Add(-time.Second)})
		h.must(err)
		_, err = j.Verify(ended.Token)
		h.want(err, auth.ErrExpired)

		parts := strings.Split(string(signed.Token), ".")
		bad := []string{
			"", ".", "..", "a.b.c", "a.b", parts[0] + "." + parts[1] + ".", parts[0] + "." + parts[1], string(signed.Token) + ".x",
			string(signed.Token) + "=", encode([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + ".",
			encode([]byte(`{"alg":"HS512","typ":"JWT"}`)) + "." + parts[1] + "." + parts[2],
			parts[0] + "." + encode([]byte(`{"sub":"usr_2","iat":1,"exp":99999999999}`)) + "." + parts[2],
			string(store.NewToken("usr_1")), strings.Repeat("a.", 1<<20),
		}
		foreign := []*auth.JWT{elsewhere[name]}
		for other, k := range all {
			if other != name {
				foreign = append(foreign, k)
			}
		}
		if name == "RS256" {
			foreign = append(foreign, others[name])
		}
		for _, k := range foreign {
			for _, at := range []time.Time{{}, time.Now().Add(-time.Hour)} {
				n.ExpiresAt = at
				s, err := k.Sign(n)
				h.must(err)
				bad = append(bad, string(s.Token))
			}
		}
		for _, text := range bad {
			got, err := j.Verify(store.Token(text))
			h.want(err, auth.ErrInvalidToken)
			if diff := cmp.Diff(store.Session{}, got); diff != "" {
				h.Errorf("%s: %.40q gives a session", name, text)
			}
			if err != nil && len(text) > 10 && strings.Contains(err.Error(), text) {
				h.Errorf("%s: an error quotes the token", name)
			}
		}
	}
}

func jwtSessions(h *harness) {
	s := h.service(auth.Options{JWT: h.codecs("us")["HS256"], SessionLifetime: time.Hour})
	u := h.register(s, mail)
	before := h.keys()
	id := h.enter(s, mail, secret)
	list, err := s.Sessions.List(h.Context(), u.ID)
	h.must(err)
	h.must(s.Logout(h.Context(), id.Session.Token))
	h.must(s.LogoutEverywhere(h.Context(), u.ID))
	h.wantIdentity(s, id)
	if diff := cmp.Diff(before, h.keys()); len(list) > 0 || diff != "" {
		h.Errorf("%d sessions are listed; keys (-before +after):\n%s", len(list), diff)
	}
	again, err := s.Sessions.Refresh(h.Context(), id.Session.Token, 2*time.Hour)
	h.must(err)
	if again.Token.Equal(id.Session.Token) || time.Until(again.ExpiresAt) < time.Hour+time.Minute {
		h.Errorf("refreshed until %s, from %s", again.ExpiresAt, id.Session.ExpiresAt)
	}
	h.wantIdentity(s, store.Identity{Session: again, User: u})
	for _, d := range []time.Duration{0, -time.Second, 999 * time.Millisecond, store.MaxSessionLifetime + 1} {
		_, err = s.Sessions.Refresh(h.Context(), again.Token, d)
		h.want(err, store.ErrInvalid)
	}
	for _, bad := range []store.Token{"", "a.b.c", store.NewToken(u.ID)} {
		_, err = s.Sessions.Refresh(h.Context(), bad, time.Hour)
		h.want(err, store.ErrNotFound)
		h.want(err, auth.ErrInvalidToken)
		h.ended(s, store.Identity{Session: store.Session{Token: bad}})
	}
	h.must(h.Users.Delete(h.Context(), u.ID))
	h.ended(s, id)
	_, err = s.Sessions.Refresh(h.Context(), id.Session.Token, time.Hour)
	h.want(err, store.ErrNotFound)
}
