package store

import "time"

// User is a person with an account. All times are UTC with millisecond
// precision. The password hash is not part of it, so that a cached or
// serialised User can never carry one.
type User struct {
	// ID is opaque: any string. NewUserID makes one.
	ID string
	// Email is unique, byte for byte: nothing is folded or trimmed.
	Email string
	// Name is nil when absent, which differs from empty.
	Name *string
	// EmailVerifiedAt is nil until the address is verified.
	EmailVerifiedAt *time.Time
	// LockedAt is a hint set by the brute-force layer, not the lock itself.
	LockedAt  *time.Time
	CreatedAt time.Time
	// UpdatedAt equals CreatedAt at creation and is strictly later after
	// every update.
	UpdatedAt time.Time
}

// Session is a login. All times are UTC with millisecond precision.
type Session struct {
	// Token is the secret. It is present on what Create, Find, Authenticate and
	// Refresh return and empty on what List returns. It prints as "[redacted]".
	Token Token
	// TokenHash is the lower-case hexadecimal SHA-256 of the token's text: the
	// only form that is stored.
	TokenHash string
	UserID    string
	// UserAgent and IPAddress are nil when absent, which differs from empty.
	UserAgent *string
	IPAddress *string
	CreatedAt time.Time
	UpdatedAt time.Time
	// ExpiresAt: the session is valid up to and including this instant.
	ExpiresAt time.Time
}

// Identity is who makes a request: a live session and its user.
type Identity struct {
	Session Session
	User    User
}

// NewUser describes a user to be created. Only Email is required.
type NewUser struct {
	// ID is generated when empty.
	ID              string
	Email           string
	Name            *string
	EmailVerifiedAt *time.Time
}

// NewSession describes a session to be created. UserID is required.
type NewSession struct {
	UserID string
	// Token is generated when empty; otherwise it comes from NewToken(UserID).
	Token     Token
	UserAgent *string
	IPAddress *string
	// ExpiresAt is now + DefaultSessionLifetime when zero. A past one is
	// accepted: the session is then simply absent.
	ExpiresAt time.Time
	// CreatedAt is now when zero.
	CreatedAt time.Time
}

// DefaultSessionLifetime is how long a session lives that names no end.
const DefaultSessionLifetime = 30 * 24 * time.Hour

// CachedUser is a copy of a user whose system of record is elsewhere.
type CachedUser struct {
	User
	CachedAt time.Time
	// FromSource is true when this read did not find the copy and asked the
	// source, or waited for another read that was asking it.
	FromSource bool
}

// CachedSession is a copy of a session whose system of record is elsewhere,
// with free-form metadata.
type CachedSession struct {
	Session
	Metadata map[string]string
	CachedAt time.Time
}
