package store

import (
	"time"
	"unicode/utf8"
)

// maxText bounds, in bytes, every text that a caller passes.
const maxText = 16 << 10

// MaxSessionLifetime is the longest life that a session may be given.
const MaxSessionLifetime = 100 * 365 * 24 * time.Hour

// checkText accepts UTF-8 of bounded size: what JSON gives back unchanged.
func checkText(what, text string) error {
	switch {
	case len(text) > maxText:
		return invalid("%s has %d bytes, at most %d are kept", what, len(text), maxText)
	case !utf8.ValidString(text):
		return invalid("%s is not UTF-8", what)
	default:
		return nil
	}
}

func checkOptionalText(what string, text *string) error {
	if text == nil {
		return nil
	}
	return checkText(what, *text)
}

// checkRequired is checkText for what must not be empty.
func checkRequired(what, text string) error {
	if text == "" {
		return invalid("%s is empty", what)
	}
	return checkText(what, text)
}

func checkTime(what string, t time.Time) error {
	// In seconds: the milliseconds of a far time overflow.
	if sec := t.Unix(); sec < -maxMillis/1000 || sec > maxMillis/1000 {
		return invalid("%s lies outside the years -6059 to 9999", what)
	}
	return nil
}

func checkOptionalTime(what string, t *time.Time) error {
	if t == nil {
		return nil
	}
	return checkTime(what, *t)
}

// checkUser accepts what can be stored of a user.
func checkUser(u User) error {
	return first(
		checkRequired("user id", u.ID),
		checkRequired("email", u.Email),
		checkOptionalText("name", u.Name),
		checkOptionalTime("time of verification", u.EmailVerifiedAt),
		checkOptionalTime("time of locking", u.LockedAt),
	)
}

// checkSession accepts what can be stored of a session.
func checkSession(s Session, now time.Time) error {
	err := first(
		checkRequired("user id", s.UserID),
		checkOptionalText("user agent", s.UserAgent),
		checkOptionalText("ip address", s.IPAddress),
		checkTime("time of creation", s.CreatedAt),
		checkTime("time of expiry", s.ExpiresAt),
	)
	if err != nil {
		return err
	}
	if s.CreatedAt.UnixMilli() < 0 {
		return invalid("time of creation lies before 1970")
	}
	// A refresh moves the last update, which begins there, on: there must be room.
	if s.CreatedAt.Sub(now) > MaxSessionLifetime {
		return invalid("time of creation is %s, more than %s from now", s.CreatedAt.Format(time.RFC3339), MaxSessionLifetime)
	}
	if s.ExpiresAt.Sub(now) > MaxSessionLifetime {
		return invalid("session ends at %s, more than %s from now", s.ExpiresAt.Format(time.RFC3339), MaxSessionLifetime)
	}
	tag, ok := s.Token.tag()
	if !ok || tag != userTag(s.UserID) {
		return invalid("token was not made by NewToken for this user")
	}
	return nil
}

// first returns the first error that is not nil.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkAccount accepts what can be stored of an account at a provider.
func checkAccount(n NewOAuthAccount) error {
	return first(
		checkRequired("user id", n.UserID),
		checkRequired("provider", n.Provider),
		checkRequired("subject", n.Subject),
	)
}

// checkPasskey accepts what can be stored of a passkey.
func checkPasskey(n NewPasskey) error {
	return first(
		checkRequired("user id", n.UserID),
		checkBytes("credential id", n.CredentialID, MaxCredentialID),
		checkBytes("public key", n.PublicKey, maxText),
		checkOptionalText("name", n.Name),
	)
}

// checkBytes accepts 1 to most bytes of any value.
func checkBytes(what string, raw []byte, most int) error {
	if len(raw) == 0 || len(raw) > most {
		return invalid("%s has %d bytes, want 1 to %d", what, len(raw), most)
	}
	return nil
}

// checkHandshake accepts the lifetime of a note.
func checkHandshake(d time.Duration) error {
	if d < time.Millisecond || d > MaxHandshakeLifetime {
		return invalid("lifetime %s is not between 1ms and %s", d, MaxHandshakeLifetime)
	}
	return nil
}
