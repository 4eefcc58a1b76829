package storetest

import (
	"errors"
	"strings"
	"time"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/auth"
)

func flowScenarios() []scenario {
	return []scenario{
		{name: "F-1 who registers logs in, verifies the email and logs in", run: registerAndVerify},
		{name: "F-1 what was mailed to a former email is no good", run: verifyFormerEmail},
		{name: "F-2 registering again leaves the user and the old password as they are", run: registerTwice},
		{name: "F-3 a wrong password, an unknown email and a user without a password fail alike", run: failAlike},
		{name: "F-4 a weak password is refused and nothing is stored", run: weakPassword},
		{name: "F-4 what is no email and no name is refused", run: weakEmail},
		{name: "F-9 a magic link creates the user, is good for once and leaves agent and address", run: magicLink},
		{name: "F-9 an agent that is no text or too long does not keep anybody out", run: oddClients},
		{name: "F-10 health is fine, migrating twice too, and people log in after it", run: migrateAndLogin},
		{name: "B-6 a login with the wrong password locks at the fifth", run: loginLocks},
		{name: "B-12 a login while locked records nothing and checks no password", run: loginLocked},
		{name: "B-13 a login forgets the failures before", run: loginForgets},
	}
}

const secret, other = "correct horse", "battery staple"

// service is one whose hashes cost nothing.
func (h *harness) service(opts auth.Options) *auth.Service {
	h.Helper()
	opts.Hashing = auth.Argon2id{Memory: 8, Passes: 1, Lanes: 1}
	s, err := auth.New(h.RedisStorage, opts)
	h.must(err)
	return s
}

// both are the two ways in which a service minds failures.
func (h *harness) both() map[string]*auth.Service {
	return map[string]*auth.Service{"lax": h.service(auth.Options{}), "strict": h.service(auth.Options{Strict: true})}
}

// register registers with the usual password.
func (h *harness) register(s *auth.Service, email string) store.User {
	h.Helper()
	u, err := s.Register(h.Context(), auth.NewAccount{Email: email, Password: secret})
	h.must(err)
	return u
}

// enter logs in and finds the session.
func (h *harness) enter(s *auth.Service, email, password string) store.Identity {
	h.Helper()
	id, err := s.Login(h.Context(), email, password, auth.Client{})
	h.must(err)
	h.wantIdentity(s, id)
	return id
}

// wantIdentity expects the service to know the session of a login and its user.
func (h *harness) wantIdentity(s *auth.Service, id store.Identity) {
	h.Helper()
	got, ok, err := s.Authenticate(h.Context(), id.Session.Token)
	h.must(err)
	if !ok || got.User.ID != id.User.ID || got.Session.UserID != id.User.ID || got.User.Email != id.User.Email {
		h.Errorf("authenticated: %t, as %+v, want %+v", ok, got.User, id.User)
	}
}

// wantOut expects a login to fail.
func (h *harness) wantOut(s *auth.Service, email, password string, kind error) {
	h.Helper()
	id, err := s.Login(h.Context(), email, password, auth.Client{})
	h.want(err, kind)
	if id.Session.Token != "" || id.User.ID != "" {
		h.Errorf("a login that failed gave %+v", id)
	}
}

// ended expects a session to be no good.
func (h *harness) ended(s *auth.Service, id store.Identity) {
	h.Helper()
	_, ok, err := s.Authenticate(h.Context(), id.Session.Token)
	h.must(err)
	if ok {
		h.Error("the session is alive")
	}
}

func registerAndVerify(h *harness) {
	s := h.service(auth.Options{})
	name := "Ada"
	u, err := s.Register(h.Context(), auth.NewAccount{Email: mail, Password: secret, Name: &name})
	h.must(err)
	if u.EmailVerifiedAt != nil || u.Name == nil || *u.Name != name || u.Email != mail {
		h.Errorf("registered %+v", u)
	}
	if id := h.enter(s, mail, secret); id.User.EmailVerifiedAt != nil {
		h.Error("nobody has verified the email")
	}
	token, to, err := s.RequestVerification(h.Context(), u.ID)
	h.must(err)
	second, _, err := s.RequestVerification(h.Context(), u.ID)
	h.must(err)
	if to != mail {
		h.Errorf("to be mailed to %q, want %q", to, mail)
	}
	// A lock is no reason to mail again.
	at := time.Now()
	h.must(h.BruteForce.SetLockedAt(h.Context(), mail, &at))
	verified, err := s.VerifyEmail(h.Context(), token.Token)
	h.must(err)
	if verified.ID != u.ID || verified.EmailVerifiedAt == nil || time.Since(*verified.EmailVerifiedAt).Abs() > time.Minute {
		h.Errorf("verified %+v", verified)
	}
	_, err = s.VerifyEmail(h.Context(), token.Token)
	h.want(err, auth.ErrInvalidToken)
	again, err := s.VerifyEmail(h.Context(), second.Token)
	h.must(err)
	id := h.enter(s, mail, secret)
	if id.User.EmailVerifiedAt == nil || !id.User.EmailVerifiedAt.Equal(*again.EmailVerifiedAt) {
		h.Errorf("verified at %v, want %s", id.User.EmailVerifiedAt, again.EmailVerifiedAt)
	}
	h.must(s.Logout(h.Context(), id.Session.Token))
	h.ended(s, id)
	_, _, err = s.RequestVerification(h.Context(), "usr_nobody")
	h.want(err, store.ErrNotFound)
}

func verifyFormerEmail(h *harness) {
	s := h.service(auth.Options{})
	u := h.register(s, mail)
	token, _, err := s.RequestVerification(h.Context(), u.ID)
	h.must(err)
	link, err := s.RequestMagicLink(h.Context(), mail)
	h.must(err)
	reset := h.reset(s, mail)
	for _, email := range []string{"victim@example.org", mail} { // There and back.
		u.Email = email
		u, err = h.Users.Update(h.Context(), u)
		h.must(err)
		_, err = s.VerifyEmail(h.Context(), token.Token)
		h.want(err, auth.ErrInvalidToken)
		_, err = s.LoginByMagicLink(h.Context(), link.Token, auth.Client{})
		h.want(err, auth.ErrInvalidToken)
		_, err = s.ResetPassword(h.Context(), reset, other)
		h.want(err, auth.ErrInvalidToken)
		_, ok, err := h.Passwords.Reset(h.Context(), reset, phc(1))
		h.must(err)
		if ok || h.check(link.Token, link.Purpose) {
			h.Errorf("%s: a token is good", email)
		}
	}
	now, _, err := h.Users.FindByID(h.Context(), u.ID)
	h.must(err)
	if now.EmailVerifiedAt != nil {
		h.Error("an email is verified to which nothing was mailed")
	}
	h.enter(s, mail, secret)
}

func registerTwice(h *harness) {
	s := h.service(auth.Options{})
	u := h.register(s, mail)
	_, err := s.Register(h.Context(), auth.NewAccount{Email: mail, Password: other})
	h.want(err, store.ErrConflict)
	if id := h.enter(s, mail, secret); id.User.ID != u.ID {
		h.Errorf("user %s has the email, want %s", id.User.ID, u.ID)
	}
	h.wantOut(s, mail, other, auth.ErrCredentials)
}

func failAlike(h *harness) {
	for name, s := range h.both() {
		known, bare := name+"@example.org", name+".bare@example.org"
		h.register(s, known)
		h.user(bare)
		var texts []string
		for _, email := range []string{known, bare, name + ".nobody@example.org"} {
			_, err := s.Login(h.Context(), email, other, auth.Client{})
			h.want(err, auth.ErrCredentials)
			texts = append(texts, err.Error())
			h.wantAttempts(email, 1)
		}
		if texts[0] != texts[1] || texts[0] != texts[2] {
			h.Errorf("errors are not alike: %q", texts)
		}
		h.wantOut(s, bare, "", auth.ErrCredentials)
	}
}

func weakPassword(h *harness) {
	s := h.service(auth.Options{})
	weak := []string{"", "1234567", strings.Repeat("x", 129), strings.Repeat(" \t", 8), strings.Repeat("\u3000", 8)}
	for _, password := range weak {
		_, err := s.Register(h.Context(), auth.NewAccount{Email: mail, Password: password})
		h.want(err, store.ErrInvalid)
	}
	if left := h.keys(); len(left) > 0 {
		h.Errorf("keys were made: %v", left)
	}
	for i, password := range []string{"12345678", strings.Repeat("x", 128), "       x", "пароль12"} {
		email := string(rune('a'+i)) + mail
		_, err := s.Register(h.Context(), auth.NewAccount{Email: email, Password: password})
		h.must(err)
		h.enter(s, email, password)
	}
	u := h.register(s, mail)
	kept := h.enter(s, mail, secret)
	for _, password := range weak {
		h.want(s.ChangePassword(h.Context(), u.ID, secret, password), store.ErrInvalid)
	}
	h.wantIdentity(s, kept)
	h.enter(s, mail, secret)
}

func weakEmail(h *harness) {
	s := h.service(auth.Options{})
	for _, email := range []string{"", "a", "a@b", "@example.org", "a b@example.org", "a@example.o", strings.Repeat("a", 250) + "@b.cd"} {
		_, err := s.Register(h.Context(), auth.NewAccount{Email: email, Password: secret})
		h.want(err, store.ErrInvalid)
		_, err = s.RequestMagicLink(h.Context(), email)
		h.want(err, store.ErrInvalid)
	}
	for _, name := range []string{"", " \t", strings.Repeat("x", 101), "\xff"} {
		_, err := s.Register(h.Context(), auth.NewAccount{Email: mail, Password: secret, Name: &name})
		h.want(err, store.ErrInvalid)
	}
	if left := h.keys(); len(left) > 0 {
		h.Errorf("keys were made: %v", left)
	}
}

func magicLink(h *harness) {
	s := h.service(auth.Options{})
	token, err := s.RequestMagicLink(h.Context(), mail)
	h.must(err)
	agent, ip := "Firefox", "192.0.2.1"
	id, err := s.LoginByMagicLink(h.Context(), token.Token, auth.Client{UserAgent: &agent, IPAddress: &ip})
	h.must(err)
	h.wantIdentity(s, id)
	if id.User.Email != mail || id.User.Name != nil || id.User.EmailVerifiedAt != nil {
		h.Errorf("the user is %+v", id.User)
	}
	list, err := s.Sessions.List(h.Context(), id.User.ID)
	h.must(err)
	if len(list) != 1 || list[0].UserAgent == nil || *list[0].UserAgent != agent || list[0].IPAddress == nil || *list[0].IPAddress != ip {
		h.Errorf("sessions are %+v", list)
	}
	for _, bad := range []store.Token{token.Token, "", "x", "a.b.c", h.reset(s, mail)} {
		_, err := s.LoginByMagicLink(h.Context(), bad, auth.Client{})
		h.want(err, auth.ErrInvalidToken)
	}
	again, err := s.RequestMagicLink(h.Context(), mail)
	h.must(err)
	if again.UserID != id.User.ID {
		h.Errorf("the second link is for %s, want %s", again.UserID, id.User.ID)
	}
	h.must(h.Users.Delete(h.Context(), id.User.ID))
	_, err = s.LoginByMagicLink(h.Context(), again.Token, auth.Client{})
	h.want(err, auth.ErrInvalidToken)
}

func oddClients(h *harness) {
	s := h.service(auth.Options{})
	h.register(s, mail)
	for _, agent := range []string{"", "\xff\xfe", strings.Repeat("x", 1<<20), strings.Repeat("ü", 1<<10)} {
		id, err := s.Login(h.Context(), mail, secret, auth.Client{UserAgent: &agent, IPAddress: &agent})
		h.must(err)
		got, ok, err := h.Sessions.Find(h.Context(), id.Session.Token)
		h.must(err)
		if !ok || len(*got.UserAgent) > 1024 || len(*got.IPAddress) > 64 || len(agent) > 1024 && len(*got.UserAgent) < 1023 {
			h.Errorf("of %d bytes %d and %d were kept (%t)", len(agent), len(*got.UserAgent), len(*got.IPAddress), ok)
		}
	}
}

func migrateAndLogin(h *harness) {
	s := h.service(auth.Options{})
	h.must(h.HealthCheck(h.Context()))
	h.must(h.Migrate(h.Context()))
	h.register(s, mail)
	id := h.enter(s, mail, secret)
	h.must(h.Migrate(h.Context()))
	h.must(h.HealthCheck(h.Context()))
	h.wantIdentity(s, id)
	h.must(s.LogoutEverywhere(h.Context(), id.User.ID))
	h.ended(s, id)
}

func loginLocks(h *harness) {
	for name, s := range h.both() {
		email := name + "@example.org"
		u := h.register(s, email)
		for i := range store.DefaultMaxAttempts {
			h.wantLocked(email, false, i)
			h.wantOut(s, email, other, auth.ErrCredentials)
		}
		status := h.wantLocked(email, true, store.DefaultMaxAttempts)
		_, err := s.Login(h.Context(), email, secret, auth.Client{})
		var locked *store.LockedError
		if !errors.As(err, &locked) || !locked.LockedUntil.Equal(*status.LockedUntil) {
			h.Errorf("error is %v, want locked until %s", err, status.LockedUntil)
		}
		hint := status.LockedUntil.Add(-store.DefaultLockoutPeriod)
		h.wantHint(u, &hint)
	}
}

func loginLocked(h *harness) {
	for name, s := range h.both() {
		for _, email := range []string{name + "@example.org", name + ".nobody@example.org"} {
			h.fail(email, store.DefaultMaxAttempts)
			before := h.wantLocked(email, true, store.DefaultMaxAttempts)
			for _, password := range []string{secret, other} {
				h.wantOut(s, email, password, store.ErrLocked)
			}
			if after := h.wantLocked(email, true, store.DefaultMaxAttempts); !after.LockedUntil.Equal(*before.LockedUntil) {
				h.Errorf("the lock was extended from %s to %s", before.LockedUntil, after.LockedUntil)
			}
		}
	}
}

func loginForgets(h *harness) {
	for name, s := range h.both() {
		email := name + "@example.org"
		h.register(s, email)
		for range 3 {
			for range store.DefaultMaxAttempts - 1 {
				h.wantOut(s, email, other, auth.ErrCredentials)
			}
			h.enter(s, email, secret)
			h.wantLocked(email, false, 0)
		}
	}
}
