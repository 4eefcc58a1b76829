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

// SecureToken is what is sent by mail and used once. All times are UTC with
// millisecond precision.
type SecureToken struct {
	// Token is the secret. It is present on what Tokens.Create returns, and
	// nowhere else. It prints as "[redacted]".
	Token Token
	// TokenHash is the lower-case hexadecimal SHA-256 of the token's text: the
	// only form that is stored.
	TokenHash string
	UserID    string
	// Email is the one that the user had at creation: where the token is mailed.
	// When the user has another one, the token is no good.
	Email   string
	Purpose TokenPurpose
	// UsedAt is nil until Verify has accepted the token.
	UsedAt *time.Time
	// ExpiresAt: the token is valid before this instant.
	ExpiresAt time.Time
	CreatedAt time.Time
	// UpdatedAt is CreatedAt, or UsedAt.
	UpdatedAt time.Time
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
	// CreatedAt is now when zero. It lies after 1970, and MaxSessionLifetime ahead at
	// most.
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

// OAuthAccount is a link between a user and an account at a provider of
// identities. All times are UTC with millisecond precision.
type OAuthAccount struct {
	UserID string
	// Provider and Subject name the account: the provider's name and its name
	// for the person. Both together belong to one user at most.
	Provider, Subject string
	CreatedAt         time.Time
	// UpdatedAt equals CreatedAt: nothing about an account changes.
	UpdatedAt time.Time
}

// NewOAuthAccount describes an account to be linked. All fields are required,
// and of at most 16 KiB of UTF-8.
type NewOAuthAccount struct{ UserID, Provider, Subject string }

// MaxOAuthAccounts is how many accounts a user may have. With more, one script
// that looks through all of them would hold up the server.
const MaxOAuthAccounts = 100

// Passkey is a credential of WebAuthn. All times are UTC with millisecond
// precision. Signature counters are not kept.
type Passkey struct {
	UserID string
	// CredentialID is the authenticator's name for the credential, which belongs
	// to one user at most.
	CredentialID []byte
	// PublicKey is in whatever form the caller keeps it.
	PublicKey []byte
	// Name is nil when absent, which differs from empty.
	Name      *string
	CreatedAt time.Time
	// LastUsedAt is nil until the first use.
	LastUsedAt *time.Time
}

// NewPasskey describes a passkey to be added.
type NewPasskey struct {
	UserID string
	// CredentialID is 1 to MaxCredentialID bytes of any value.
	CredentialID []byte
	// PublicKey is 1 byte to 16 KiB of any value.
	PublicKey []byte
	// Name is optional.
	Name *string
}

// Bounds of passkeys: those of a user, see MaxOAuthAccounts, and the bytes of a
// credential's id, https://www.w3.org/TR/webauthn-3/#credential-id.
const (
	MaxPasskeys     = 100
	MaxCredentialID = 1023
)

// PasskeyIdentity is who has logged in with a passkey.
type PasskeyIdentity struct {
	Passkey Passkey
	User    User
}

// MaxHandshakeLifetime is the longest life of a PKCE verifier and of a passkey's
// challenge: what one log-in needs between its first step and its last.
const MaxHandshakeLifetime = 24 * time.Hour
