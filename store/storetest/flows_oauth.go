package storetest

import (
	"strings"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/auth"
)

func flowOAuthScenarios() []scenario {
	return []scenario{
		{name: "F-11 an account is linked by email only if both sides have verified it", run: linkByEmail},
		{name: "F-11 an account stays with its user when emails change", run: accountFirst},
		{name: "X-3 a verifier is taken once via the service", run: takeVerifier},
	}
}

// byProvider logs in with an account at a provider.
func (h *harness) byProvider(s *auth.Service, p auth.ProviderIdentity) (store.Identity, error) {
	h.Helper()
	id, err := s.LoginByOAuth(h.Context(), p, auth.Client{})
	if err == nil {
		h.wantIdentity(s, id)
	}
	return id, err
}

func linkByEmail(h *harness) {
	s := h.service(auth.Options{})
	u := h.register(s, mail)
	account := auth.ProviderIdentity{Provider: "github", Subject: "1", Email: mail}
	refused := func() {
		h.Helper()
		_, err := h.byProvider(s, account)
		h.want(err, auth.ErrEmailUnverified)
		h.noAccount("github", "1")
	}
	refused() // By neither.
	account.EmailVerified = true
	refused() // By the provider alone.
	_, err := h.Users.MarkEmailVerified(h.Context(), u.ID)
	h.must(err)
	account.EmailVerified = false
	refused() // By the user alone.
	account.EmailVerified = true
	id, err := h.byProvider(s, account)
	h.must(err)
	if id.User.ID != u.ID {
		h.Errorf("logged in as %s, want %s", id.User.ID, u.ID)
	}

	stranger := auth.ProviderIdentity{Provider: "github", Subject: "2", Email: "b@example.org"}
	_, err = h.byProvider(s, stranger)
	h.want(err, auth.ErrEmailUnverified)
	h.noUser("", "b@example.org")
	blank := " "
	stranger.EmailVerified, stranger.Name = true, &blank
	id, err = h.byProvider(s, stranger)
	h.must(err)
	if id.User.EmailVerifiedAt == nil || id.User.Name != nil || id.User.Email != "b@example.org" {
		h.Errorf("the new user is %+v", id.User)
	}
	for _, bad := range []string{"", "GitHub", "a/b", strings.Repeat("x", 51)} {
		_, err := h.byProvider(s, auth.ProviderIdentity{Provider: bad, Subject: "3", Email: "c@example.org", EmailVerified: true})
		h.want(err, store.ErrInvalid)
	}
	for _, bad := range []string{"", "\xff", strings.Repeat("x", 16<<10+1)} {
		_, err := h.byProvider(s, auth.ProviderIdentity{Provider: "github", Subject: bad, Email: "c@example.org", EmailVerified: true})
		h.want(err, store.ErrInvalid)
	}
	h.noUser("", "c@example.org")
}

func accountFirst(h *harness) {
	s := h.service(auth.Options{})
	mine := auth.ProviderIdentity{Provider: "github", Subject: "1", Email: mail, EmailVerified: true}
	first, err := h.byProvider(s, mine)
	h.must(err)
	u := h.register(s, "b@example.org")
	_, err = h.Users.MarkEmailVerified(h.Context(), u.ID)
	h.must(err)
	mine.Email = "b@example.org"
	second, err := h.byProvider(s, mine)
	h.must(err)
	mine.Email, mine.EmailVerified = "", false
	third, err := h.byProvider(s, mine)
	h.must(err)
	if second.User.ID != first.User.ID || third.User.ID != first.User.ID {
		h.Errorf("logged in as %s and %s, want %s", second.User.ID, third.User.ID, first.User.ID)
	}
}

func takeVerifier(h *harness) {
	s := h.service(auth.Options{})
	a, err := s.BeginOAuth(h.Context())
	h.must(err)
	b, err := s.BeginOAuth(h.Context())
	h.must(err)
	if a.State == b.State || a.Challenge == b.Challenge || len(a.State) != 43 || len(a.Challenge) != 43 {
		h.Errorf("two handshakes are %+v and %+v", a, b)
	}
	verifier, err := s.TakeVerifier(h.Context(), a.State)
	h.must(err)
	// The challenge is S256, RFC 7636 section 4.2; both have the same alphabet.
	if len(verifier) != 43 || verifier == a.Challenge {
		h.Errorf("the verifier has %d characters", len(verifier))
	}
	for _, state := range []string{a.State, "", "x"} {
		got, err := s.TakeVerifier(h.Context(), state)
		h.want(err, auth.ErrInvalidToken)
		if got != "" {
			h.Errorf("a verifier was given for the state %q", state)
		}
	}
	_, err = s.TakeVerifier(h.Context(), b.State)
	h.must(err)
}
