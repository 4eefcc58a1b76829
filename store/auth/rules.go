package auth

import (
	"strings"
	"unicode/utf8"
)

// Bounds of what people choose, in bytes.
const (
	MaxEmail    = 254
	MinPassword = 8
	// MaxPassword is generous to sentences, and keeps an upload from being hashed.
	MaxPassword = 128
	MaxName     = 100
)

// CheckEmail returns an ErrInvalid unless email is at most MaxEmail bytes of the
// form local@domain.label: the local part of ASCII letters, digits and "._%+-",
// the domain of letters, digits, "." and "-", and the label of at least two
// letters. It is narrower than RFC 5321, which allows what mail systems do not.
func CheckEmail(email string) error {
	if email == "" || len(email) > MaxEmail {
		return invalid("email has %d bytes, want 1 to %d", len(email), MaxEmail)
	}
	local, rest, _ := strings.Cut(email, "@")
	dot := strings.LastIndexByte(rest, '.')
	if dot < 1 || local == "" {
		return invalid("email is not of the form name@example.org")
	}
	domain, label := rest[:dot], rest[dot+1:]
	if !consists(local, "._%+-") || !consists(domain, ".-") || len(label) < 2 || !consists(label, "") ||
		strings.ContainsAny(label, "0123456789") {
		return invalid("email is not of the form name@example.org")
	}
	return nil
}

// consists reports whether text has only ASCII letters, digits and others.
func consists(text, others string) bool {
	for _, r := range text {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		if !letter && !strings.ContainsRune(others, r) {
			return false
		}
	}
	return true
}

// CheckPassword returns an ErrInvalid unless password has MinPassword to
// MaxPassword bytes that are not all white space.
func CheckPassword(password string) error {
	switch {
	case len(password) < MinPassword || len(password) > MaxPassword:
		return invalid("password has %d bytes, want %d to %d", len(password), MinPassword, MaxPassword)
	case strings.TrimSpace(password) == "":
		return invalid("password is all white space")
	default:
		return nil
	}
}

// CheckName returns an ErrInvalid unless name is absent, or UTF-8 of at most
// MaxName bytes that is not blank.
func CheckName(name *string) error {
	switch {
	case name == nil:
		return nil
	case len(*name) > MaxName:
		return invalid("name has %d bytes, at most %d are kept", len(*name), MaxName)
	case !utf8.ValidString(*name):
		return invalid("name is not UTF-8")
	case strings.TrimSpace(*name) == "":
		return invalid("name is blank")
	default:
		return nil
	}
}

// checkProvider accepts the names of OAuth providers: 1 to 50 lower-case letters,
// digits and "-", so that no two spellings are two providers.
func checkProvider(name string) error {
	if name == "" || len(name) > 50 || !consists(name, "-") || strings.ToLower(name) != name {
		return invalid("provider is not 1 to 50 lower-case letters, digits and hyphens")
	}
	return nil
}

// maxSubject bounds the name of somebody at a provider, in bytes: what is stored of
// a text.
const maxSubject = 16 << 10

// checkSubject accepts what can be linked, and comes before a user is made for it.
func checkSubject(subject string) error {
	if subject == "" || len(subject) > maxSubject || !utf8.ValidString(subject) {
		return invalid("subject of %d bytes is not 1 to %d bytes of UTF-8", len(subject), maxSubject)
	}
	return nil
}

// Bounds of what a client says about itself, in bytes. The text is its own, and
// is kept with each of its sessions.
const (
	maxUserAgent = 1024
	maxAddress   = 64
)

// cut makes UTF-8 of at most size bytes of a text. Absent stays absent.
func cut(text *string, size int) *string {
	if text == nil {
		return nil
	}
	short := strings.ToValidUTF8((*text)[:min(len(*text), size)], "")
	return &short
}
